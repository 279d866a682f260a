"""What ``jilog status`` says of a zone, found without SQLAlchemy: its files, and two small SQL reads."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.catalog import Finding
from jilog_ledger.disk import Disk
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.store import ZoneStore

PROJECTION_NAME = "projection.sqlite"
PROJECTION_LOCK_NAME = "projection.lock"


@dataclass(frozen=True, slots=True)
class WriterStatus:
    """What is held of one writer."""

    writer: Writer
    sequence: int
    events: int
    segments: int
    bytes: int
    last_time_ns: int
    own: bool


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How far the projection has come; None stands for a projection that is missing or unreadable.

    ``last_review_ns`` is the time of the newest review event in it.
    """

    events: int | None
    last_review_ns: int | None


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """One zone. ``lag`` counts the events that the projection still has to take in.

    ``forks`` counts the proofs that a writer has two histories.
    """

    zone: str
    path: Path
    root: bytes
    own: WriterStatus
    writers: tuple[WriterStatus, ...]
    local_events: int
    projection: ProjectionStatus
    quarantined: int
    forks: int
    findings: tuple[Finding, ...]

    @property
    def events(self) -> int:
        """Events held that may travel."""
        return sum(writer.events for writer in self.writers)

    @property
    def segments(self) -> int:
        """Segments held that may travel."""
        return sum(writer.segments for writer in self.writers)

    @property
    def bytes(self) -> int:
        """Bytes of these segments."""
        return sum(writer.bytes for writer in self.writers)

    @property
    def lag(self) -> int:
        """Events that the projection has not taken in yet."""
        return max(0, self.events + self.local_events - (self.projection.events or 0))


def inspect_zone(ledger: ZoneLedger, disk: Disk) -> ZoneStatus:
    """Look at an open zone."""
    writers = tuple(_inspect_writer(ledger.shared, writer) for writer in ledger.shared.writers())
    local = [_inspect_writer(ledger.local, writer) for writer in ledger.local.writers()]
    own = next((item for item in writers if item.own), None)
    return ZoneStatus(
        zone=ledger.zone,
        path=ledger.root,
        root=ledger.root_hash(),
        own=own or WriterStatus(ledger.shared.own_writer, 0, 0, 0, 0, 0, own=True),
        writers=tuple(item for item in writers if item.events),
        local_events=sum(item.events for item in local),
        projection=_inspect_projection(ledger.root, disk),
        quarantined=_quarantined(ledger.shared) + _quarantined(ledger.local),
        forks=sum(name.endswith(".fork") for name in disk.list_directory(ledger.shared.layout.forks)),
        findings=tuple(ledger.findings),
    )


def _inspect_writer(store: ZoneStore, writer: Writer) -> WriterStatus:
    segments: list[SegmentInfo] = store.segments(writer)
    return WriterStatus(
        writer=writer,
        sequence=max((info.last_sequence for info in segments), default=0),
        events=sum(info.events for info in segments),
        segments=len(segments),
        bytes=sum(info.length for info in segments),
        last_time_ns=max((info.last_time_ns for info in segments), default=0),
        own=writer == store.own_writer,
    )


def _quarantined(store: ZoneStore) -> int:
    """Count the segments that are damaged and not held: a damaged copy stays when a whole one has come."""
    held = {(writer, info.number) for writer in store.writers() for info in store.segments(writer)}
    return len(store.quarantined() - held)


def _inspect_projection(root: Path, disk: Disk) -> ProjectionStatus:
    path = root / PROJECTION_NAME
    if not disk.size(path):
        return ProjectionStatus(None, None)
    try:
        # Shared, as every reader holds it: a rebuild must not swap the file and its log under us.
        with (
            disk.lock(root / PROJECTION_LOCK_NAME, shared=True),
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        ):
            held = connection.execute(
                "SELECT coalesce(sum(last_sequence - first_sequence + 1), 0) FROM segments"
            ).fetchone()[0]
            review = connection.execute(
                "SELECT max(timestamp_ns) FROM events JOIN classes ON classes.id = class_id"
                " WHERE classes.name = 'review'"
            ).fetchone()[0]
    except sqlite3.Error:
        # A projection nobody can read counts as none: the next query makes it anew.
        return ProjectionStatus(None, None)
    return ProjectionStatus(held, review)
