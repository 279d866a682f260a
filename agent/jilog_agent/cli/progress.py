"""A progress line on stderr, only where a person looks at it."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from jilog_agent.cli.output import format_bytes, plain

_REDRAW_SECONDS = 0.1
_BAR_CELLS = 24


class ProgressLine:
    """Draw ``label [####----] detail`` over itself; nothing at all unless stderr is a terminal."""

    def __init__(self) -> None:
        self._active = bool(sys.stderr and sys.stderr.isatty())
        self._drawn_at = 0.0
        self._dirty = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def count(self, label: str, done: int, total: int) -> None:
        """Show how many of ``total`` things are done."""
        self._draw(label, done, total, f"{done}/{total}")

    def bytes(self, label: str, done: int, total: int) -> None:
        """Show how many of ``total`` bytes have come."""
        self._draw(label, done, total, f"{format_bytes(done)} of {format_bytes(total)}")

    def _draw(self, label: str, done: int, total: int, detail: str) -> None:
        now = time.monotonic()
        if not self._active or (now - self._drawn_at < _REDRAW_SECONDS and done < total):
            return
        self._drawn_at = now
        self._dirty = True
        filled = _BAR_CELLS * done // total if total else _BAR_CELLS
        bar = "#" * filled + "-" * (_BAR_CELLS - filled)
        sys.stderr.write(f"\r\x1b[K{plain(label)} [{bar}] {detail}")
        sys.stderr.flush()
