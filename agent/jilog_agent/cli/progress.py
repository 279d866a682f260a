"""A progress line on stderr, only where a person looks at it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jilog_agent.cli.output import format_bytes, plain

if TYPE_CHECKING:
    from jilog_ledger.ledger import ZoneLedger

_REDRAW_SECONDS = 0.1
_BAR_CELLS_MAX = 24
_BAR_CELLS_MIN = 4
ETA_AFTER_SECONDS = 2.0
"""Work that is done sooner needs no forecast, and a shorter past makes none worth reading."""


class ProgressLine:
    """Draw ``label [####----] detail, 2 min left`` over itself; nothing at all unless stderr is a terminal.

    The line never becomes longer than the terminal is wide: one that wraps could not be drawn over.
    """

    def __init__(self) -> None:
        # A terminal that cannot move its cursor would get one line for each redraw.
        self._active = bool(sys.stderr and sys.stderr.isatty() and os.environ.get("TERM") != "dumb")
        self._began_at = self._drawn_at = 0.0
        self._label = ""
        self._first = 0
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

    def sealed_events_of(self, label: str, ledger: ZoneLedger) -> Callable[[int], None]:
        """Give what is to be told the events done, of those in sealed segments; no segment is looked at."""
        total = sum(store.sealed_events() for store in (ledger.local, ledger.shared))
        return self._adder(label, total)

    def events_of(self, label: str, ledger: ZoneLedger) -> Callable[[int], None]:
        """Give what is to be told the events done, of all that a zone holds."""
        stores = (ledger.local, ledger.shared)
        total = sum(
            info.events for store in stores for writer in store.writers() for info in store.segments(writer)
        )
        return self._adder(label, total)

    def _adder(self, label: str, total: int) -> Callable[[int], None]:
        done = 0

        def add(events: int) -> None:
            nonlocal done
            done += events
            self.count(label, done, total)

        return add

    def _draw(self, label: str, done: int, total: int, detail: str) -> None:
        if not self._active:
            return
        now = time.monotonic()
        if label != self._label:
            self._label, self._began_at, self._first = label, now, done
        elif now - self._drawn_at < _REDRAW_SECONDS and done < total:
            return
        left = seconds_left(done - self._first, total - self._first, now - self._began_at)
        self._drawn_at = now
        self._dirty = True
        if left is not None:
            detail = f"{detail}, {duration_text(left)} left"
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(f"\r\x1b[K{progress_text(plain(label), done, total, detail, columns)}")
        sys.stderr.flush()


def seconds_left(done: int, total: int, elapsed_seconds: float) -> float | None:
    """Forecast how long the rest takes at the pace so far; None while that says nothing."""
    if elapsed_seconds < ETA_AFTER_SECONDS or done <= 0 or done >= total:
        return None
    return elapsed_seconds * (total - done) / done


def duration_text(seconds: float) -> str:
    """Write a duration as a person says it: ``40 s``, ``3 min``, ``2 h``."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def progress_text(label: str, done: int, total: int, detail: str, columns: int) -> str:
    """Lay one line out in less than ``columns``: the bar gives way first, then the label's end."""
    room = columns - 1 - len(detail) - len(label) - len("  []")
    cells = min(_BAR_CELLS_MAX, room)
    if cells < _BAR_CELLS_MIN:
        return f"{label} {detail}"[: max(0, columns - 1)]
    filled = min(cells, cells * done // total) if total else cells
    return f"{label} [{'#' * filled}{'-' * (cells - filled)}] {detail}"
