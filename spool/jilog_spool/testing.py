"""Fakes that keep every promise of the real thing except durability, for tests of the spool and on top of it.

``MemoryReplica`` is a zone store in memory, with the real segment format. It passes the same conformance
suite as the ledger's zone store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from jilog_ledger.branch import BranchPoint, BranchTaken, Parting, alias_of, find_point, part
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.event import EventDraft, encode_events
from jilog_ledger.frontier import Frontier, FrontierEntry, Span, segment_hash
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import ForkDetected, Ingested
from jilog_ledger.segment import (
    BLOCK,
    NO_PREVIOUS,
    SegmentHeader,
    SegmentReader,
    encode_frame,
    encode_header,
    encode_seal,
    read_segment,
)


@dataclass(slots=True)
class _Segment:
    data: bytes
    reader: SegmentReader
    head: SignedHead | None = None


@dataclass(slots=True)
class MemoryReplica:
    """One zone of one host, in memory. ``source`` in ``epoch`` is the writer it appends as."""

    zone: str
    source: str
    key: SigningKey
    epoch: str = "00000000000000aa"
    local: bool = False
    completed: list[tuple[Writer, int, Ingested]] = field(default_factory=list)
    """Every transfer that was taken, for tests that count them."""

    branches: dict[Writer, BranchPoint] = field(default_factory=dict)
    """Where each branch begins."""

    _segments: dict[Writer, dict[int, _Segment]] = field(default_factory=dict)
    _parts: dict[tuple[Writer, int], tuple[int, bytes]] = field(default_factory=dict)

    @property
    def own_writer(self) -> Writer:
        """The writer this replica appends as."""
        return Writer(self.source, self.epoch)

    def append(self, drafts: Sequence[EventDraft]) -> None:
        """Append one block of events to the own stream."""
        held = self._segments.setdefault(self.own_writer, {})
        number = max(held, default=1)
        last = held.get(number)
        if last is not None and last.reader.seal is not None:
            number += 1
        if number not in held:
            header = SegmentHeader(
                self.zone,
                self.own_writer,
                number,
                last.reader.last_sequence + 1 if last else 1,
                last.reader.sha256 if last else NO_PREVIOUS,
                self.key.public_key,
                created_ns=0,
            )
            data = encode_header(header)
            held[number] = _Segment(data, SegmentReader(header, data))
        segment = held[number]
        sequence = segment.reader.next_sequence
        events = [draft.stored(sequence + index) for index, draft in enumerate(drafts)]
        frame = encode_frame(BLOCK, encode_events(events))
        segment.reader.feed(frame)
        segment.data += frame

    def seal(self) -> bool:
        """Close the own active segment; tell whether there was one."""
        held = self._segments.get(self.own_writer, {})
        segment = held.get(max(held, default=0))
        if segment is None or segment.reader.seal is not None:
            return False
        head = replace(segment.reader.head(), sealed=True)
        frame = encode_seal(segment.reader.make_seal(self.key.sign(head.message())))
        segment.reader.feed(frame)
        segment.data += frame
        return True

    def frontier(self) -> Frontier:
        """Say what is held of every writer."""
        entries = [
            _entry(writer, held, self.branches[writer].number - 1 if writer in self.branches else 0)
            for writer, held in sorted(self._segments.items())
            if held
        ]
        return Frontier(self.zone, tuple(entries))

    def origin(self, writer: Writer) -> Writer:
        """Give the writer that a branch's segments name."""
        return self.branches[writer].origin if writer in self.branches else writer

    def take_branch(self, writer: Writer, number: int, data: bytes, head: SignedHead) -> BranchTaken:
        """Take in another history, as the zone store does."""
        held = self._held(writer, number)
        theirs = read_segment(data)
        if theirs.head() != head.head or theirs.header.writer != self.origin(writer):
            raise SegmentDamaged(f"{writer} segment {number} does not match its head", offset=theirs.length)
        head.verify(held.reader.header.public_key)
        if held.reader.header.previous_sha256 != theirs.header.previous_sha256:
            return BranchTaken.DEEPER
        parting = part(held.data, data)
        if parting is None:
            return BranchTaken.KNOWN
        if writer == self.own_writer:
            self._begin_epoch()
        self._split(writer, number, parting, data, head)
        return BranchTaken.TAKEN

    def _split(self, writer: Writer, number: int, parting: Parting, data: bytes, head: SignedHead) -> Writer:
        """Give the smaller key the name, the other one its alias; give the name that ``data`` went under."""
        key = max(parting.ours, parting.theirs)
        alias = alias_of(self.zone, self.origin(writer), number, key)
        if key == parting.theirs:
            return self._begin(alias, number, data, head)
        for n in sorted(n for n in self._segments[writer] if n >= number):
            alias = self._begin(alias, n, self._held(writer, n).data, self.signed_head(writer, n))
        for n in [n for n in self._segments[writer] if n >= number]:
            del self._segments[writer][n]
        self.complete(writer, number, 0, data, head)
        return writer

    def _begin(self, alias: Writer, number: int, data: bytes, head: SignedHead) -> Writer:
        try:
            self.complete(alias, number, 0, data, head)
        except ForkDetected:
            parting = part(self._held(alias, number).data, data)
            return self._split(alias, number, parting, data, head) if parting else alias
        return alias

    def _begin_epoch(self) -> None:
        drawn = len(self._segments).to_bytes(4, "big") + repr(self.contents()).encode()
        self.epoch = hashlib.sha256(self.epoch.encode() + drawn).hexdigest()[:16]

    def segments(self, writer: Writer, first_number: int = 1) -> list[SegmentInfo]:
        """Describe a writer's segments."""
        held = self._segments.get(writer, {})
        return [
            SegmentInfo.of(held[number].reader, writer) for number in sorted(held) if number >= first_number
        ]

    def read(self, writer: Writer, number: int, offset: int, length: int) -> bytes:
        """Read segment bytes."""
        return self._held(writer, number).data[offset : offset + length]

    def signed_head(self, writer: Writer, number: int) -> SignedHead:
        """Sign an own head, or give the one that came with a follower's copy."""
        segment = self._held(writer, number)
        sealed = segment.reader.signed_seal()
        if sealed is not None:
            return sealed
        if segment.head is not None:
            return segment.head
        head = segment.reader.head()
        return SignedHead(head, self.key.sign(head.message()))

    def resume_offset(self, writer: Writer, number: int) -> int:
        """Count the bytes held and staged."""
        base = self._base(writer, number)
        return base + len(self._staged(writer, number, base))

    def stage(self, writer: Writer, number: int, offset: int, data: bytes) -> None:
        """Keep bytes of a transfer."""
        base = self._base(writer, number)
        staged = self._staged(writer, number, base)
        if offset > base + len(staged):
            raise IntegrityError(f"bytes of {writer} segment {number} leave a hole before {offset}")
        self._parts[writer, number] = (base, staged + data[base + len(staged) - offset :])

    def complete(self, writer: Writer, number: int, offset: int, data: bytes, head: SignedHead) -> Ingested:
        """Check a transfer and take it in."""
        base = self._base(writer, number)
        staged = self._staged(writer, number, base)
        self._parts.pop((writer, number), None)
        held = self._segments.get(writer, {}).get(number)
        if held is not None and offset == 0 and data and part(held.data, data) is not None:
            raise ForkDetected(f"{writer} has two histories", ours=held.reader.head(), theirs=head)
        outcome = self._ingest(
            writer, number, staged[: max(0, offset - base)] + data[max(0, base - offset) :], head
        )
        self.completed.append((writer, number, outcome))
        return outcome

    def damage(self, writer: Writer, number: int, offset: int) -> None:
        """Flip a bit of a held segment behind the replica's back, as a rotting disk would."""
        segment = self._held(writer, number)
        data = bytearray(segment.data)
        data[offset] ^= 1
        segment.data = bytes(data)

    def drop(self, writer: Writer, number: int) -> None:
        """Lose a segment, as a quarantine does."""
        del self._segments[writer][number]

    def contents(self) -> dict[tuple[Writer, int], bytes]:
        """Give every segment's bytes."""
        return {
            (writer, number): segment.data
            for writer, held in self._segments.items()
            for number, segment in held.items()
        }

    def _ingest(self, writer: Writer, number: int, rest: bytes, signed: SignedHead) -> Ingested:
        held = self._segments.get(writer, {}).get(number)
        if held is not None and self._is_known(held, signed):
            return Ingested.DUPLICATE
        whole = (held.data if held else b"") + rest
        reader = read_segment(whole)
        header = reader.header
        if reader.head() != signed.head:
            raise SegmentDamaged(f"{writer} segment {number} does not match its head", offset=reader.length)
        point = self.branches.get(writer)
        if header.writer != writer and point is None:
            point = find_point(self.zone, header.writer, writer, number, whole)
        origin = point.origin if point else writer
        if (header.zone, header.writer, header.number) != (self.zone, origin, number) or header.local:
            raise IntegrityError(f"{writer} segment {number} is not what was announced")
        signed.verify(header.public_key)
        previous = self._segments.get(writer, {}).get(number - 1)
        if previous is not None and header.previous_sha256 != previous.reader.sha256:
            raise SegmentDamaged(f"{writer} segment {number} does not follow {number - 1}", offset=0)
        if point is not None:
            self.branches[writer] = point
            if point.origin == self.own_writer:
                self._begin_epoch()
        self._segments.setdefault(writer, {})[number] = _Segment(whole, reader, signed)
        return Ingested.EXTENDED if held else Ingested.PUBLISHED

    def _is_known(self, held: _Segment, signed: SignedHead) -> bool:
        ours, theirs = held.reader.head(), signed.head
        if (theirs.length, theirs.sealed) > (ours.length, ours.sealed):
            return False
        if hashlib.sha256(held.data[: theirs.length]).digest() != theirs.sha256:
            raise ForkDetected(f"{ours.writer} has two histories", ours=ours, theirs=signed)
        return True

    def _held(self, writer: Writer, number: int) -> _Segment:
        try:
            return self._segments[writer][number]
        except KeyError:
            raise SegmentDamaged(f"{writer} segment {number} is not held", offset=0) from None

    def _base(self, writer: Writer, number: int) -> int:
        held = self._segments.get(writer, {}).get(number)
        return len(held.data) if held else 0

    def _staged(self, writer: Writer, number: int, base: int) -> bytes:
        started_at, staged = self._parts.get((writer, number), (base, b""))
        return staged if started_at == base else b""


def _entry(writer: Writer, held: dict[int, _Segment], number: int) -> FrontierEntry:
    while number + 1 in held:
        number += 1
    spans: list[Span] = []
    for above in sorted(n for n in held if n > number):
        reader = held[above].reader
        tail = segment_hash(reader.sha256, sealed=reader.seal is not None)
        if spans and spans[-1].last_number == above - 1:
            first = spans.pop()
            span = Span(first.first_number, above, first.first_sequence, reader.last_sequence, tail)
        else:
            span = Span(above, above, reader.header.first_sequence, reader.last_sequence, tail)
        spans.append(span)
    if number not in held:
        return FrontierEntry(writer, 0, 0, 0, b"", sealed=False, above=tuple(spans))
    head: Head = held[number].reader.head()
    return FrontierEntry(
        writer, head.last_sequence, number, head.length, head.sha256, head.sealed, tuple(spans)
    )
