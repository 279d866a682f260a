"""Reading segments again, a little at a time: bits rot in files that nobody opens.

A scrub walks all sealed segments of a store in one fixed order and compares each with the hash recorded when
it was sealed; at the end it reads the active ones again, which are at most one for each writer. Its position
is a value that the caller keeps, so it goes on after a restart where it stopped; when the segment at the
position is gone, the next one in the order follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jilog_ledger.catalog import Finding
from jilog_ledger.errors import SegmentDamaged
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.store import ZoneStore

_NOBODY = Writer("", "")
"""Sorts before every writer."""


@dataclass(frozen=True, slots=True)
class ScrubCursor:
    """The last segment that was read; the beginning comes before every segment."""

    writer: Writer = _NOBODY
    number: int = 0


@dataclass(slots=True)
class ScrubStep:
    """What one step read. ``complete`` tells that it came to the end; the cursor is then the beginning."""

    cursor: ScrubCursor
    segments: int = 0
    bytes_read: int = 0
    complete: bool = False
    findings: list[Finding] = field(default_factory=list)


def scrub(store: ZoneStore, cursor: ScrubCursor, bytes_max: int) -> ScrubStep:
    """Read sealed segments after ``cursor`` until ``bytes_max`` bytes were read or the end has come.

    At least one segment is read, however large. Damaged ones go to quarantine, and the scrub goes on. The
    store's lock is held for one segment at a time.

    Raises:
        StorageError: the disk refused to read.
    """
    step = ScrubStep(cursor)
    for info in _sealed_after(store, cursor):
        if step.segments and step.bytes_read + info.length > bytes_max:
            return step
        _read(store, info, step)
        step.segments += 1
        step.bytes_read += info.length
        step.cursor = ScrubCursor(info.writer, info.number)
    for writer in store.writers():
        step.findings += store.recheck_active(writer)
    step.cursor = ScrubCursor()
    step.complete = True
    return step


def _sealed_after(store: ZoneStore, cursor: ScrubCursor) -> list[SegmentInfo]:
    found = []
    for writer in store.writers():
        if writer < cursor.writer:
            continue
        first = cursor.number + 1 if writer == cursor.writer else 1
        found += [info for info in store.segments(writer, first) if info.sealed]
    return found


def _read(store: ZoneStore, info: SegmentInfo, step: ScrubStep) -> None:
    try:
        # Asking for no byte of it makes the store compare all of it.
        store.read(info.writer, info.number, 0, 0)
    except SegmentDamaged as exc:
        step.findings.append(Finding(info.writer, info.number, exc.message, "moved to quarantine"))
