"""The documents, as topics: the same files that the project's ``docs`` folder holds."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.errors import JilogError

WIDTH_MAX = 100
"""Columns of a paragraph: longer lines are hard to read on any terminal."""

_FENCE = "```"
_KEPT = re.compile(r"\s*(\||#|\d+\. |[-*] |>|$)")
_ITEM = re.compile(r"(\s*)([-*]|\d+\.) ")


@dataclass(frozen=True, slots=True)
class Topic:
    """One document: its name on the command line, its heading, its file."""

    name: str
    heading: str
    path: Path


def manual_folder() -> Path:
    """Give the folder of the documents: inside the installed package, or of the working tree it runs from.

    Raises:
        JilogError: the installation has none.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "documents", here.parents[3] / "docs"):
        if (folder / "operating.md").is_file():
            return folder
    raise JilogError("the manual is not part of this installation", hint="see: jilog --help")


def topics() -> list[Topic]:
    """Give all topics by name."""
    return [Topic(path.stem, _heading(path), path) for path in sorted(manual_folder().glob("*.md"))]


def _heading(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip().replace("`", "")


def wrapped(document: str, columns: int) -> Iterator[str]:
    """Give a document's lines with its paragraphs and list items fitted to a terminal.

    Code, tables and headings stay as they are written.
    """
    width = max(20, min(columns, WIDTH_MAX))
    paragraph: list[str] = []
    code = False
    for line in document.splitlines():
        fence = line.lstrip().startswith(_FENCE)
        begins = code or fence or _KEPT.match(line) is not None
        if begins and paragraph:
            yield from _filled(paragraph, width)
            paragraph = []
        if code or fence or not line.strip() or line.lstrip().startswith(("|", "#", ">")):
            yield line
        else:
            paragraph.append(line)
        code ^= fence
    yield from _filled(paragraph, width)


def _filled(lines: list[str], width: int) -> list[str]:
    if not lines:
        return []
    item = _ITEM.match(lines[0])
    indent = " " * (len(item[0]) if item else len(lines[0]) - len(lines[0].lstrip()))
    text = " ".join(line.strip() for line in lines)
    return textwrap.wrap(
        text,
        width,
        initial_indent=item[1] if item else indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
