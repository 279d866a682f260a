"""Stores with fixed keys, clocks and epochs, what they hold, and the smallest possible sync."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jilog_ledger.disk import Disk
from jilog_ledger.errors import IntegrityError
from jilog_ledger.event import EventDraft, StoredEvent
from jilog_ledger.identifiers import Writer, derived_event_id
from jilog_ledger.keys import SigningKey
from jilog_ledger.receive import Ingested
from jilog_ledger.store import ZoneStore
from jilog_ledger.times import SECOND_NS

NOON_NS = 1_778_328_000 * SECOND_NS
"""2026-05-09T12:00:00Z."""


@dataclass
class Clock:
    """Unix nanoseconds that move when told to."""

    ns: int = NOON_NS

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += int(seconds * SECOND_NS)


@dataclass
class Epochs:
    """Epochs that count, told apart by source."""

    source: str
    drawn: list[str] = field(default_factory=list)

    def __call__(self) -> str:
        seed = f"{self.source}:{len(self.drawn)}".encode()
        self.drawn.append(hashlib.sha256(seed).hexdigest()[:16])
        return self.drawn[-1]


def key_of(name: str) -> SigningKey:
    """Give the same key for the same name."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


def draft(number: int, *, text: str = "", source: str = "any") -> EventDraft:
    """Make an event draft that tells its number, the same each time."""
    return EventDraft(
        "state_change",
        {"number": number, "text": text},
        object_ref=f"file-{number % 3}.py",
        timestamp_ns=NOON_NS + number * SECOND_NS,
        event_id=derived_event_id("draft", source, str(number)),
    )


def open_store(
    root: Path,
    source: str = "alpha",
    *,
    disk: Disk | None = None,
    clock: Callable[[], int] | None = None,
    epochs: Callable[[], str] | None = None,
    zone: str = "main",
    key: SigningKey | None = None,
    local: bool = False,
) -> ZoneStore:
    """Open a store whose key follows from its source."""
    optional = {} if epochs is None else {"epochs": epochs}
    return ZoneStore.open(
        root,
        zone,
        source=source,
        key=key or key_of(source),
        disk=disk,
        clock=clock or Clock(),
        local=local,
        **optional,
    )


def held(store: ZoneStore) -> dict[Writer, list[StoredEvent]]:
    """Give every event the store holds, by writer."""
    found = {}
    for writer in store.writers():
        events = [event for batch in store.events_after(writer) for event in batch.events]
        if events:
            found[writer] = events
    return found


def numbers(store: ZoneStore) -> list[object]:
    """Give the ``number`` of each event of :func:`draft`, all writers, in order."""
    import msgspec

    return [
        msgspec.msgpack.decode(event.payload)["number"] for events in held(store).values() for event in events
    ]


def pull(
    target: ZoneStore, source: ZoneStore, *, chunk_bytes: int = 1 << 20, refused: list[str] | None = None
) -> list[Ingested]:
    """Bring to ``target`` every segment of ``source``; damaged and refused ones are passed over."""
    done = []
    for writer in source.writers():
        for info in source.segments(writer):
            try:
                done.append(pull_segment(target, source, writer, info.number, chunk_bytes=chunk_bytes))
            except IntegrityError as exc:
                if refused is not None:
                    refused.append(exc.message)
    return done


def pull_segment(
    target: ZoneStore, source: ZoneStore, writer: Writer, number: int, *, chunk_bytes: int = 1 << 20
) -> Ingested:
    """Bring one segment over in chunks, resuming where an earlier attempt ended."""
    info = next(info for info in source.segments(writer, number) if info.number == number)
    signed = source.signed_head(writer, number)
    offset = target.resume_offset(writer, number)
    while info.length - offset > chunk_bytes:
        target.stage(writer, number, offset, source.read(writer, number, offset, chunk_bytes))
        offset += chunk_bytes
    data = source.read(writer, number, offset, max(0, info.length - offset))
    return target.complete(writer, number, offset, data, signed)


def flip_bit(data: bytes, bit: int) -> bytes:
    """Turn one bit over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)
