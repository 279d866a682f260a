"""One writer's segments as this node holds them.

A stream has sealed segments, known from the manifest, and at most one active segment, which is read when it
is needed. Bytes of the active segment count once a head vouches for them: for a follower's copy the signed
head that came with them, for the host's own the head file, which is written after each durable batch.
"""

from __future__ import annotations

import bisect
from pathlib import Path

from jilog_ledger.branch import BranchPoint, decode_point
from jilog_ledger.disk import Disk
from jilog_ledger.errors import SegmentDamaged
from jilog_ledger.frontier import FrontierEntry, Span, segment_hash
from jilog_ledger.head import Head, RecordedHead, decode_head_file
from jilog_ledger.identifiers import Writer
from jilog_ledger.layout import ZoneLayout
from jilog_ledger.limits import HEADER_BYTES_MAX
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.segment import SegmentReader, decode_header


class Stream:
    """The state of one writer in memory; the zone's lock guards whatever it writes."""

    def __init__(self, zone: str, writer: Writer, layout: ZoneLayout, disk: Disk) -> None:
        self.zone = zone
        self.writer = writer
        self.sealed: dict[int, SegmentInfo] = {}
        self._numbers: list[int] = []
        self.active_number = 1
        self.active: SegmentReader | None = None
        self.recorded: RecordedHead | None = None
        self._layout = layout
        self._disk = disk
        self._read_recorded = False
        self._head_durable = False
        self._size_seen = -1
        self._head_path = layout.head(writer)
        self._active_path = layout.segment(writer, 1)
        self._branch: BranchPoint | None = None
        self._read_branch = False

    def take_sealed(self, info: SegmentInfo) -> None:
        """Add a sealed segment; the active one is then one after it, unless that is known to be later.

        Segments below that are in quarantine leave a gap; their numbers are never used again.
        """
        if info.number not in self.sealed:
            bisect.insort(self._numbers, info.number)
        self.sealed[info.number] = info
        number = max(self.active_number, info.number + 1)
        while number in self.sealed:
            number += 1
        self.activate(number)

    def drop_sealed(self, number: int) -> None:
        """Forget a sealed segment; one that is not held is fine."""
        if self.sealed.pop(number, None) is not None:
            del self._numbers[bisect.bisect_left(self._numbers, number)]

    def sealed_from(self, number: int) -> list[SegmentInfo]:
        """Describe the sealed segments from ``number`` on, in order, without looking at those before."""
        return [self.sealed[held] for held in self._numbers[bisect.bisect_left(self._numbers, number) :]]

    def sealed_after(self, number: int) -> SegmentInfo | None:
        """Describe the first sealed segment past ``number``."""
        place = bisect.bisect_right(self._numbers, number)
        return self.sealed[self._numbers[place]] if place < len(self._numbers) else None

    def activate(self, number: int) -> None:
        """Take ``number`` as that of the active segment."""
        if number != self.active_number:
            self.active_number = number
            self._active_path = self._layout.segment(self.writer, number)
            self.forget()

    def cut(self, number: int) -> None:
        """Forget all segments from ``number`` on; the stream goes on there with other ones."""
        for info in self.sealed_from(number):
            self.drop_sealed(info.number)
        self.active_number = number
        self._active_path = self._layout.segment(self.writer, number)
        self.forget()

    @property
    def branch(self) -> BranchPoint | None:
        """Where this branch begins; None for any stream that is not one."""
        if not self._read_branch:
            path = self._layout.branch(self.writer)
            if self._disk.size(path):
                self._branch = decode_point(self.writer.source, self._disk.read(path))
            self._read_branch = True
        return self._branch

    def begin_branch(self, point: BranchPoint) -> None:
        """Note where the branch begins, durably, before it gets its first segment."""
        self._disk.replace(self._layout.branch(self.writer), point.encode())
        self._branch, self._read_branch = point, True

    @property
    def origin(self) -> Writer:
        """The writer that the segments name: another one when this is a branch."""
        return self.branch.origin if self.branch else self.writer

    @property
    def public_key(self) -> bytes | None:
        """The writer's key, pinned by the first segment seen; None before any."""
        for info in self.sealed.values():
            return info.public_key
        return self.active.header.public_key if self.active else None

    def recorded_head(self) -> RecordedHead | None:
        """Read the head file, once; None when it is missing or speaks of an earlier segment."""
        if not self._read_recorded:
            data = self._disk.read(self._head_path) if self._disk.size(self._head_path) else b""
            self.recorded = decode_head_file(data, self.zone, self.origin)
            self._read_recorded = True
            self._head_durable = False
        if self.recorded is not None and self.recorded.head.number == self.active_number:
            return self.recorded
        return None

    def record_head(self, head: Head, signature: bytes, *, durable: bool) -> None:
        """Write the head file's older slot."""
        self.recorded_head()
        counter = self.recorded.counter + 1 if self.recorded else 1
        recorded = RecordedHead(counter, head, signature)
        self._disk.overwrite(self._head_path, recorded.slot_offset, recorded.encode(), durable=durable)
        self.recorded = recorded
        self._head_durable = durable

    def confirm_head(self) -> None:
        """Make sure that a peer's head, which another process wrote, is on stable storage.

        That process may have been killed between its write and its sync.
        """
        recorded = self.recorded_head()
        if recorded is not None and recorded.signature and not self._head_durable:
            self.record_head(recorded.head, recorded.signature, durable=True)

    def drop_head(self) -> None:
        """Take back what was vouched for in the active segment, because it is not there any more."""
        if self.recorded_head() is not None and self._disk.size(self._active_path) is None:
            self._disk.remove(self._head_path)
            self.forget()

    def forget(self) -> None:
        """Drop what was read of the active segment; it is read again when needed."""
        self.active = None
        self.recorded = None
        self._read_recorded = False
        self._size_seen = -1

    def acknowledged_length(self) -> int:
        """Bytes of the active segment that its head vouches for; zero when no head does."""
        recorded = self.recorded_head()
        return recorded.head.length if recorded else 0

    def path(self) -> Path:
        """Give the active segment's path."""
        return self._active_path

    def read_active(self, data: bytes) -> tuple[SegmentReader | None, SegmentDamaged | None]:
        """Read ``data`` as the active segment: what is whole, and the damage that ends it, if any."""
        try:
            reader = SegmentReader.start(data)
        except SegmentDamaged as exc:
            return None, exc
        header = reader.header
        if (header.zone, header.writer, header.number) != (self.zone, self.origin, self.active_number):
            claim = f"{header.zone}/{header.writer} number {header.number}"
            return None, SegmentDamaged(f"segment claims to be {claim}", offset=0)
        try:
            reader.feed(data, start=reader.length)
        except SegmentDamaged as exc:
            return reader, exc
        return reader, None

    def contiguous(self) -> tuple[int, SegmentInfo | None]:
        """Find the last sealed segment before the first gap: its number and description."""
        number = self.branch.number - 1 if self.branch else 0
        while number + 1 in self.sealed:
            number += 1
        return number, self.sealed.get(number)

    def frontier_entry(self) -> FrontierEntry:
        """Say what is held of this writer."""
        number, info = self.contiguous()
        active = self.trusted_head()
        above = self._spans_above(number, active)
        if active is not None and active.number == number + 1:
            return FrontierEntry(
                self.writer,
                active.last_sequence,
                active.number,
                active.length,
                active.sha256,
                sealed=False,
                above=above,
            )
        if info is None:
            return FrontierEntry(self.writer, 0, 0, 0, b"", sealed=False, above=above)
        return FrontierEntry(
            self.writer,
            info.last_sequence,
            number,
            info.content_length,
            info.sha256,
            sealed=True,
            above=above,
        )

    def trusted_head(self) -> Head | None:
        """Give the head of the active segment, None when there is none or nothing vouches for it.

        The file's size tells whether another process went on, and whether the file is there at all.
        """
        size = self._disk.size(self._active_path) or 0
        if self.active is not None and self.active.length == size:
            return self.active.head()
        if size != self._size_seen:
            self._read_recorded = False
            self._size_seen = size
        recorded = self.recorded_head()
        return recorded.head if recorded is not None and recorded.head.length <= size else None

    @property
    def unvouched(self) -> bool:
        """Whether there are bytes of which no head tells, as far as the last :meth:`trusted_head` saw.

        They may be our own, of an earlier epoch, whose head a power cut took.
        """
        return self.active is None and self._size_seen > 0 and self.recorded_head() is None

    def _first_active_sequence(self) -> int | None:
        """Give the first sequence of the active segment; None when its header cannot be read."""
        if self.active is not None:
            return self.active.header.first_sequence
        previous = self.sealed.get(self.active_number - 1)
        if previous is not None:
            return previous.last_sequence + 1
        try:
            return decode_header(self._disk.read(self._active_path, 0, HEADER_BYTES_MAX))[0].first_sequence
        except SegmentDamaged:
            return None

    def _spans_above(self, contiguous: int, active: Head | None) -> tuple[Span, ...]:
        held = [
            (info.number, info.first_sequence, info.last_sequence, info.sha256)
            for info in self.sealed_from(contiguous + 1)
        ]
        if active is not None and active.number > contiguous + 1:
            first = self._first_active_sequence()
            if first is not None:
                partial = segment_hash(active.sha256, sealed=False)
                held.append((active.number, first, active.last_sequence, partial))
        spans: list[Span] = []
        for number, first_sequence, last_sequence, sha256 in sorted(held):
            if spans and spans[-1].last_number == number - 1:
                start = spans.pop()
                first_number, first_sequence = start.first_number, start.first_sequence  # noqa: PLW2901
            else:
                first_number = number
            spans.append(Span(first_number, number, first_sequence, last_sequence, sha256))
        return tuple(spans)
