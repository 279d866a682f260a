"""The zone store: one directory of segments, safe for several threads and processes at once.

Each operation takes the zone's lock for the milliseconds it needs, takes in what other processes did since,
and does its work. Nothing in memory has to be saved: a store that is dropped at any moment reopens whole.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jilog_ledger.append import Appender
from jilog_ledger.branch import BranchPoint, BranchTaken
from jilog_ledger.branches import Branches
from jilog_ledger.catalog import Catalog, Finding
from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import SegmentDamaged
from jilog_ledger.event import Event, EventDraft, StoredEvent
from jilog_ledger.fork import ForkProof
from jilog_ledger.frontier import Frontier
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer, check_name, new_epoch
from jilog_ledger.keys import SigningKey
from jilog_ledger.layout import ZoneLayout, parse_quarantined_name
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import Ingested, Receiver
from jilog_ledger.segment import SegmentReader, are_whole_frames, decode_header, read_block, read_frames
from jilog_ledger.stream import Stream
from jilog_ledger.times import now_ns
from jilog_ledger.verify import Verifier, VerifyReport


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has come in one writer's stream: bytes of a segment, and the last sequence there."""

    number: int
    length: int
    sequence: int


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events of the block at byte ``start`` of its segment, and the position after it."""

    writer: Writer
    events: list[StoredEvent]
    position: Position
    start: int = 0


class ZoneStore:
    """Segments of one zone. Open one with :meth:`open`; it is a context manager."""

    def __init__(self, catalog: Catalog, appender: Appender, exclusive: Exclusive) -> None:
        self.zone = catalog.zone
        self.layout = catalog.layout
        self._catalog = catalog
        self._appender = appender
        self._receiver = Receiver(catalog, appender)
        self._branches = Branches(catalog, appender, self._receiver)
        self._exclusive = exclusive
        self._cached: tuple[SegmentInfo, bytes] | None = None
        self._cached_active: tuple[tuple[Writer, int, int], bytes] | None = None

    @classmethod
    def open(
        cls,
        root: Path,
        zone: str,
        *,
        source: str,
        key: SigningKey,
        disk: Disk | None = None,
        clock: Callable[[], int] = now_ns,
        epochs: Callable[[], str] = new_epoch,
        local: bool = False,
    ) -> ZoneStore:
        """Open or make the store under ``root``, recovering what a crash left.

        ``clock`` gives Unix nanoseconds, ``epochs`` a fresh epoch. ``local`` marks a stream that no peer may
        see. What recovery did is in :attr:`findings`.

        Raises:
            InputError: a name is not valid.
            StorageError: the directory cannot be read or written.
            BusyError: another process holds the zone for too long.
        """
        check_name("zone", zone)
        check_name("source", source)
        disk = disk or RealDisk()
        layout = ZoneLayout(root)
        if disk.size(layout.manifest) is None:
            for directory in (layout.root, layout.segments, layout.incoming):
                disk.make_directory(directory)
        catalog = Catalog(zone, layout, disk, own_public_key=key.public_key, clock=clock)
        exclusive = Exclusive(catalog)
        appender = Appender(
            catalog, source, key, clock=clock, new_epoch=epochs, local=local, exclusive=exclusive
        )
        with disk.lock(layout.lock):
            catalog.refresh()
            catalog.check_writers()
            appender.open()
        return cls(catalog, appender, exclusive)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory. Nothing waits to be written."""
        self._cached = self._cached_active = None

    @property
    def local(self) -> bool:
        """Whether this is a stream of events that must not leave the host."""
        return self._appender.local

    @property
    def own_writer(self) -> Writer:
        """The writer this host appends as."""
        return self._appender.writer

    @property
    def findings(self) -> list[Finding]:
        """What recovery and verification found since the store was opened."""
        return list(self._catalog.findings)

    def quarantined(self) -> set[tuple[Writer, int]]:
        """Name the segments of which a damaged copy lies in quarantine, mended since or not."""
        names = self._catalog.disk.list_directory(self.layout.quarantine)
        return {found for name in names if (found := parse_quarantined_name(name)) is not None}

    def recheck_active(self, writer: Writer) -> list[Finding]:
        """Read a writer's active segment again from the disk; a damaged one goes to quarantine."""
        with self._exclusive():
            before = len(self._catalog.findings)
            stream = self._catalog.streams.get(writer)
            if stream is not None:
                stream.forget()
                self._appender.active_of(stream)
            return self._catalog.findings[before:]

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Append events durably; see :meth:`Appender.append` for its promises and errors."""
        return self._appender.append(drafts)

    def seal(self) -> bool:
        """Close the own active segment now; tell whether there was one."""
        with self._exclusive():
            return self._appender.seal()

    def seal_all(self) -> int:
        """Close every active segment that the own key wrote, in whichever epoch; give their number."""
        with self._exclusive():
            return self._appender.seal_all()

    def writers(self) -> list[Writer]:
        """Name all writers, sorted."""
        with self._exclusive():
            return sorted(self._catalog.streams)

    def frontier(self) -> Frontier:
        """Say what is held of every writer that has events here."""
        with self._exclusive():
            entries = []
            for writer in sorted(self._catalog.streams):
                stream = self._catalog.streams[writer]
                entry = stream.frontier_entry()
                if stream.unvouched and self._appender.active_of(stream) is not None:
                    entry = stream.frontier_entry()
                if entry.number or entry.above:
                    entries.append(entry)
            return Frontier(self.zone, tuple(entries))

    def segments(self, writer: Writer, first_number: int = 1) -> list[SegmentInfo]:
        """Describe a writer's segments from ``first_number`` on, the active one among them, by number."""
        with self._exclusive():
            stream = self._catalog.streams.get(writer)
            if stream is None:
                return []
            # First the active one: opening it may find that it was sealed just before a crash.
            active = self._appender.active_of(stream)
            found = stream.sealed_from(first_number)
            if active is not None and stream.active_number >= first_number:
                found.append(SegmentInfo.of(active, writer))
            return sorted(found, key=lambda info: info.number)

    def sealed_events(self) -> int:
        """Count the events of all sealed segments, as the manifest has them; no segment is looked at."""
        with self._exclusive():
            streams = self._catalog.streams.values()
            return sum(info.events for stream in streams for info in stream.sealed.values())

    def read(self, writer: Writer, number: int, offset: int, length: int) -> bytes:
        """Read up to ``length`` segment bytes from ``offset``, never past what is vouched for.

        Nothing is given out unchecked: of an active segment whole blocks by their checksums, all else by the
        hash of the segment, which is read whole for it, also when no byte is asked for. A damaged segment
        goes to quarantine.

        Raises:
            SegmentDamaged: the segment is not held, or no longer what it was.
        """
        with self._exclusive():
            stream = self._catalog.streams.get(writer)
            info = stream.sealed.get(number) if stream else None
            if info is not None:
                return self._sealed_bytes(info)[offset : offset + length]
            active = None
            if stream is not None and number == stream.active_number:
                active = self._appender.active_of(stream)
            if active is None:
                raise SegmentDamaged(f"{writer} segment {number} is not held", offset=0)
            assert stream is not None
            return self._active_bytes(stream, active, offset, max(0, min(length, active.length - offset)))

    def _active_bytes(self, stream: Stream, active: SegmentReader, offset: int, length: int) -> bytes:
        """Read bytes of an active segment; a push is whole blocks, so it costs no more than its own bytes."""
        if offset and length:
            data = self._catalog.disk.read(stream.path(), offset, length)
            if len(data) == length and are_whole_frames(data):
                return data
        key = (stream.writer, active.header.number, active.length)
        if not length or self._cached_active is None or self._cached_active[0] != key:
            self._cached_active = None
            try:
                whole = self._catalog.read_active(stream, active)
            except SegmentDamaged:
                # Opening it again decides: quarantine, and a new epoch if it is the own one.
                stream.forget()
                self._appender.active_of(stream)
                raise
            self._cached_active = (key, whole)
        return self._cached_active[1][offset : offset + length]

    def _sealed_bytes(self, info: SegmentInfo) -> bytes:
        if self._cached is not None and self._cached[0] == info:
            return self._cached[1]
        try:
            data = self._catalog.read_sealed(info)
        except SegmentDamaged as exc:
            self._catalog.quarantine(info.writer, info.number, exc.message)
            raise
        self._cached = (info, data)
        return data

    def signed_head(self, writer: Writer, number: int) -> SignedHead:
        """Give the signed head of a segment: its seal, or the newest head of an active one.

        Raises:
            SegmentDamaged: the segment is not held.
        """
        with self._exclusive():
            stream = self._catalog.streams.get(writer)
            signed = self._receiver.signed_head(stream, number) if stream else None
            if signed is None:
                raise SegmentDamaged(f"{writer} segment {number} is not held", offset=0)
            return signed

    def resume_offset(self, writer: Writer, number: int) -> int:
        """Give the next byte wanted of a segment that is being received."""
        with self._exclusive():
            return self._receiver.resume_offset(writer, number)

    def stage(self, writer: Writer, number: int, offset: int, data: bytes) -> None:
        """Keep bytes of a transfer that goes on; see :meth:`Receiver.stage`."""
        with self._exclusive():
            self._receiver.stage(writer, number, offset, data)

    def complete(self, writer: Writer, number: int, offset: int, data: bytes, head: SignedHead) -> Ingested:
        """Check a transfer and make it part of the stream; see :meth:`Receiver.complete`."""
        with self._exclusive():
            return self._receiver.complete(writer, number, offset, data, head)

    def take_branch(self, writer: Writer, number: int, data: bytes, head: SignedHead) -> BranchTaken:
        """Take in another history of a writer; see :meth:`Branches.take`."""
        with self._exclusive():
            self._cached = self._cached_active = None
            return self._branches.take(writer, number, data, head)

    def origin(self, writer: Writer) -> Writer:
        """Give the writer that a branch's segments name; any other writer is its own origin."""
        branch = self.branch(writer)
        return branch.origin if branch else writer

    def branch(self, writer: Writer) -> BranchPoint | None:
        """Say where a branch begins; None for a writer that is not one."""
        # No lock: what a stream branches from never changes.
        stream = self._catalog.streams.get(writer)
        return stream.branch if stream else None

    def fork_proofs(self) -> list[ForkProof]:
        """Give the proofs of all forks found in this zone."""
        with self._exclusive():
            return self._branches.proofs()

    def events_after(self, writer: Writer, position: Position | None = None) -> Iterator[EventBatch]:
        """Give a writer's events block by block from ``position`` on, up to the first gap and past it.

        A damaged segment goes to quarantine and is passed over; the lock is not held while the caller works.
        """
        for info in self.segments(writer, position.number if position else 1):
            yield from self.segment_events(info, position)

    def segment_events(self, info: SegmentInfo, position: Position | None = None) -> Iterator[EventBatch]:
        """Give the events of one segment block by block, after ``position`` when that lies in it.

        A damaged segment goes to quarantine and gives nothing.
        """
        inside = position if position is not None and position.number == info.number else None
        start = inside.length if inside else 0
        if start >= info.content_length:
            return
        try:
            data = self.read(info.writer, info.number, 0, info.content_length)
        except SegmentDamaged:
            return
        branch = self.branch(info.writer)
        own_from = branch.start if branch and branch.number == info.number else 0
        for batch in _batches(info, data, start, inside.sequence + 1 if inside else 1):
            # What a branch has in common with its origin is the origin's to tell.
            if batch.start >= own_from:
                yield batch

    def verify(self, *, repair: bool = True, progress: Callable[[int], None] | None = None) -> VerifyReport:
        """Read everything again; damaged segments go to quarantine unless ``repair`` is off.

        ``progress`` is told the events of each sealed segment once it was read.
        """
        self._cached = self._cached_active = None
        return Verifier(self._catalog, self._appender.active_of, self._exclusive).run(
            repair=repair, progress=progress
        )


class Exclusive:
    """The zone's lock, between threads first and then between processes; reentrant within a thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._threads = threading.RLock()
        self._depth = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._threads:
            if self._depth:
                yield
                return
            with self._catalog.disk.lock(self._catalog.layout.lock):
                self._catalog.refresh()
                self._depth = 1
                try:
                    yield
                finally:
                    self._depth = 0


def _batches(info: SegmentInfo, data: bytes, start: int, sequence: int) -> Iterator[EventBatch]:
    """Decode the blocks of a segment from byte ``start`` (0: from its first) with their positions."""
    if not start:
        header, start = decode_header(data)
        sequence = header.first_sequence
    for frame in read_frames(data, start):
        events = read_block(data, frame, sequence)
        sequence += len(events)
        yield EventBatch(info.writer, events, Position(info.number, frame.end, sequence - 1), frame.offset)
