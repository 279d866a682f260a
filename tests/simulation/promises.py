"""What the fleet has promised, kept outside of it: every event, who acknowledged it, who may have lost it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jilog_ledger.branch import decode_point
from jilog_ledger.errors import IntegrityError
from jilog_ledger.event import EventDraft, StoredEvent, encode_payload
from jilog_ledger.head import decode_head_file
from jilog_ledger.identifiers import Writer
from jilog_ledger.layout import segment_number
from jilog_ledger.segment import SegmentReader, decode_header, read_block, read_frames
from jilog_ledger.testing import MemoryDisk


class Broken(AssertionError):
    """An invariant does not hold; ``number`` is that of DESIGN's and the architecture's list."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"invariant {number}: {what}")
        self.number = number


@dataclass(slots=True)
class Fact:
    """One event that somebody tried to append. ``place`` counts the events of one life of one host."""

    event_id: bytes
    zone: str
    life: str
    place: int
    host: int
    confidential: bool
    content: bytes
    acknowledged: bool = False


def content_of(event: StoredEvent) -> bytes:
    """Sum up what must not change of an event."""
    parts = (event.event_id, event.timestamp_ns, event.event_class, event.tier, event.object_ref)
    return hashlib.blake2b(repr(parts).encode() + bytes(event.payload), digest_size=16).digest()


@dataclass(slots=True)
class Promises:
    """All events by id. ``excused`` are those of which something destroyed every copy."""

    facts: dict[bytes, Fact] = field(default_factory=dict)
    excused: set[bytes] = field(default_factory=set)
    rivals: list[tuple[str, Writer, bytes, bytes]] = field(default_factory=list)
    """Pairs of events that two lives of a host appended at one place of one writer."""

    _places: dict[tuple[str, Writer, int], bytes] = field(default_factory=dict)

    def placed(self, zone: str, writer: Writer, sequence: int, event_id: bytes) -> None:
        """Note where an acknowledged event was put by its own host."""
        first = self._places.setdefault((zone, writer, sequence), event_id)
        if first != event_id:
            self.rivals.append((zone, writer, first, event_id))

    def forked(self, zone: str, held: Collection[bytes]) -> set[Writer]:
        """Name the writers of which both histories are among what is ``held``."""
        return {w for z, w, first, second in self.rivals if z == zone and {first, second} <= set(held)}

    def attempt(self, draft: EventDraft, zone: str, life: str, host: int) -> None:
        """Note an event before it is appended."""
        place = len(self.facts)
        parts = (draft.event_id, draft.timestamp_ns, draft.event_class, _tier(draft), draft.object_ref)
        content = hashlib.blake2b(
            repr(parts).encode() + encode_payload(draft.payload), digest_size=16
        ).digest()
        self.facts[draft.event_id] = Fact(
            draft.event_id, zone, life, place, host, draft.confidential, content
        )

    def check(self, event: StoredEvent, zone: str, *, local: bool, where: str) -> Fact:
        """Check an event that a store gives out."""
        fact = self.facts.get(event.event_id)
        if fact is None or fact.zone != zone:
            raise Broken(5, f"{where} gives out event {event.event_id.hex()}, which nobody appended there")
        if fact.content != content_of(event):
            raise Broken(1, f"{where} gives out event {fact.place} with another content than was appended")
        if fact.confidential != local:
            raise Broken(6, f"{where} holds confidential event {fact.place} where it travels")
        return fact


def _tier(draft: EventDraft) -> int:
    return draft.stored(1).tier


def intact_files(disk: MemoryDisk, own_source: str) -> Iterator[tuple[Path, frozenset[bytes]]]:
    """Read a disk without the store's code: each undamaged segment and the ids of its events.

    Of an active segment that others wrote, only what its head vouches for counts.
    """
    files = dict(disk.stable_files())
    for path, data in files.items():
        if segment_number(path.name) is None or "segments" not in path.parts or disk.rot_in(path):
            continue  # rot takes a segment as a whole
        length = len(data)
        if path.parent.parent.name != own_source:
            length = min(length, _vouched(path, data, files.get(path.parent / "head", b"")))
        ids = _ids(data[:length], _own_from(path, files))
        if ids:
            yield path, ids


def _vouched(path: Path, data: bytes, head: bytes) -> int:
    try:
        reader = SegmentReader.start(data)
        reader.feed(data, start=reader.length)
        if reader.seal is not None:
            return len(data)
    except IntegrityError:
        pass
    try:
        header, _ = decode_header(data)
    except IntegrityError:
        return 0
    recorded = decode_head_file(head, header.zone, header.writer)
    if recorded is None or recorded.head.number != segment_number(path.name):
        return 0
    return recorded.head.length


def _own_from(path: Path, files: Mapping[Path, bytes]) -> int:
    """Give the byte from which a segment's events are its own: a branch begins with a copy of others."""
    note = files.get(path.parent / "branch")
    if not note:
        return 0
    point = decode_point(path.parent.parent.name, note)
    return point.start if point.number == segment_number(path.name) else 0


def _ids(data: bytes, own_from: int) -> frozenset[bytes]:
    found: list[bytes] = []
    try:
        header, offset = decode_header(data)
        sequence = header.first_sequence
        for frame in read_frames(data, offset):
            if frame.kind == 1:
                events = read_block(data, frame, sequence)
                sequence += len(events)
                if frame.offset < own_from:
                    continue
                found += [event.event_id for event in events]
    except IntegrityError:
        pass  # a torn tail takes only itself
    return frozenset(found)


def intact(disk: MemoryDisk, own_source: str) -> set[bytes]:
    """Give the ids of all events that a disk holds undamaged."""
    return {event_id for _, ids in intact_files(disk, own_source) for event_id in ids}
