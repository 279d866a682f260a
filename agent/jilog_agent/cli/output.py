"""What commands print: JSON with a version, tables that fit, times and sizes for people."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence

from jilog_agent.decisions.text import json_text
from jilog_ledger.event import JsonValue

SCHEMA_VERSION = 1
"""The version of every ``--json`` shape (docs/cli-json.md); it grows when a key changes its meaning."""

COLUMN_CELLS_MIN = 10
"""Prose that is cut shorter tells nothing: where a table needs that, its rows are paragraphs."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def print_json(fields: Mapping[str, JsonValue]) -> None:
    """Print one JSON object with ``schema_version`` in front."""
    sys.stdout.write(json_text({"schema_version": SCHEMA_VERSION, **fields}) + "\n")


def print_json_line(fields: Mapping[str, JsonValue]) -> None:
    """Print one of several JSON objects of a command that goes on: each is one line, and out at once."""
    sys.stdout.write(json_text({"schema_version": SCHEMA_VERSION, **fields}, indent=None) + "\n")
    sys.stdout.flush()


def print_line(text: str = "") -> None:
    """Print one line of a result."""
    sys.stdout.write(text + "\n")


def plain(text: str) -> str:
    """Make text from the ledger safe for a terminal: control characters become visible escapes.

    Events come from other hosts too; an escape sequence in a summary must not reach the terminal, nor a mark
    of direction that makes a line read as another one.
    """
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, whole: int = 0) -> None:
    """Print aligned columns; on a terminal the widest column of prose gives way until the line fits.

    The last ``whole`` columns, such as a command to type, come below their row where they do not fit, each
    on a line of its own. Where that is not enough, every row is a paragraph: its first cell, and below it
    the rest by name.
    """
    table = [[plain(cell) for cell in row] for row in (headers, *rows)]
    columns = list(zip(*table, strict=True))
    widths = [max(map(cell_count, column)) for column in columns]
    beside = len(headers)
    if sys.stdout.isatty():
        room = shutil.get_terminal_size().columns
        if sum(widths) + 2 * (len(widths) - 1) > room:
            beside -= whole
        floors = [_floor(column[1:], width) for column, width in zip(columns, widths, strict=True)]
        fitted = fit(widths[:beside], floors, room)
        if fitted is None:
            _print_paragraphs(table[0], table[1:], whole=whole, room=room)
            return
        widths = fitted
    for number, row in enumerate(table):
        cells = [_padded(_cut(cell, width), width) for cell, width in zip(row, widths, strict=False)]
        print_line("  ".join(cells).rstrip())
        if number == 0:
            continue
        for header, cell in zip(headers[beside:], row[beside:], strict=True):
            if cell:
                print_line(f"      {header.lower()}: {cell}")


def fit(widths: Sequence[int], floors: Sequence[int], room: int) -> list[int] | None:
    """Shrink the widest columns until all fit, none below its floor; None when they cannot."""
    fitted = list(widths)
    cells = room - 2 * (len(fitted) - 1)
    while sum(fitted) > cells:
        above = [(width, at) for at, width in enumerate(fitted) if width > floors[at]]
        if not above:
            return None
        fitted[max(above)[1]] -= 1
    return fitted


def _floor(column: Sequence[str], width: int) -> int:
    """Give the least width of a column: prose may be cut, but no name, number, time or path."""
    return min(width, COLUMN_CELLS_MIN) if any(" " in cell.strip() for cell in column) else width


def _print_paragraphs(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, whole: int, room: int
) -> None:
    """Print each row as a paragraph; lines are broken, but none of the last ``whole`` cells."""
    for row in rows:
        print_line(row[0])
        for number, (header, cell) in enumerate(zip(headers, row, strict=True)):
            if number == 0 or not cell.strip():
                continue
            text = f"{header.strip().lower()}: {cell.strip()}"
            if number >= len(headers) - whole:
                print_line(f"      {text}")
                continue
            for line in textwrap.wrap(text, max(room, 20), initial_indent=" " * 6, subsequent_indent=" " * 8):
                print_line(line)


def cell_count(text: str) -> int:
    """Count the cells of a terminal that text takes: two for East Asian wide characters, none for marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _cut(text: str, width: int) -> str:
    if cell_count(text) <= width:
        return text
    kept = text[: width - 1]
    while cell_count(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_count(text))


def counted(count: int, noun: str) -> str:
    """Write a number with its noun: ``1 segment``, ``2 segments``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_bytes(count: int) -> str:
    """Write a number of bytes with a binary unit: ``512 B``, ``4.0 KiB``."""
    if count < 1024:
        return f"{count} B"
    size = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size /= 1024
        if size < 1024 or unit == "TiB":
            break
    return f"{size:.1f} {unit}"


def color_wanted() -> bool:
    """Tell whether stdout is a terminal whose user did not ask for plain text (no-color.org)."""
    return bool(sys.stdout and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
