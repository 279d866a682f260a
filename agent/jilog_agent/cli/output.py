"""What commands print: JSON with a version, tables that fit, times and sizes for people."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence

from jilog_agent.decisions.text import json_text
from jilog_ledger.event import JsonValue

SCHEMA_VERSION = 1
"""The version of every ``--json`` shape (docs/cli-json.md); it grows when a key changes its meaning."""

COLUMN_CELLS_MIN = 4
"""What is cut shorter tells nothing: below that a table of many columns wraps."""

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
    """Print aligned columns; on a terminal the widest column gives way until the line fits.

    The last ``whole`` columns, such as a command to type, are never cut: where they do not fit they come
    below their row, each on a line of its own.
    """
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    beside = len(headers)
    if sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
        if sum(widths) + 2 * (len(widths) - 1) > columns:
            beside -= whole
        widths = fit(widths[:beside], columns)
    for row in (headers, *rows):
        cells = [_cut(plain(cell), width).ljust(width) for cell, width in zip(row, widths, strict=False)]
        print_line("  ".join(cells).rstrip())
        if row is headers:
            continue
        for header, cell in zip(headers[beside:], row[beside:], strict=True):
            if cell:
                print_line(f"      {header.lower()}: {plain(cell)}")


def fit(widths: Sequence[int], columns: int) -> list[int]:
    """Shrink the widest columns, none below ``COLUMN_CELLS_MIN``, until all fit beside each other."""
    fitted = list(widths)
    room = columns - 2 * (len(fitted) - 1)
    while sum(fitted) > room and max(fitted) > COLUMN_CELLS_MIN:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


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
