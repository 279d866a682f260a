"""Replicas, fake and real, and small fleets of them for the spool's tests."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from jilog_ledger.event import EventDraft
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_spool.claims import Claims
from jilog_spool.memory import Pipe, exchange
from jilog_spool.session import Session, SessionOptions
from jilog_spool.testing import MemoryReplica

AnyReplica = MemoryReplica | ZoneStore

_ids = itertools.count(1)


def key_of(source: str) -> SigningKey:
    """Give the same key for the same source in every test."""
    return SigningKey.from_seed(source.encode().ljust(32, b"\0")[:32])


def drafts(count: int, *, size: int = 20) -> list[EventDraft]:
    """Make events with fresh ids and a payload of ``size`` characters."""
    return [
        EventDraft(
            "health",
            {"text": "x" * size},
            timestamp_ns=next(_ids),
            event_id=next(_ids).to_bytes(16, "big"),
        )
        for _ in range(count)
    ]


def memory_replica(source: str, *, zone: str = "main", epoch: str = "00000000000000aa") -> MemoryReplica:
    """Make an empty fake."""
    return MemoryReplica(zone, source, key_of(source), epoch)


def zone_store(root: Path, source: str, *, zone: str = "main") -> ZoneStore:
    """Make an empty zone store below ``root``."""
    return ZoneStore.open(root / source / zone, zone, source=source, key=key_of(source))


def session(replica: AnyReplica, *, claims: Claims | None = None, **options: Any) -> Session:
    """Start a session over one replica; ``options`` are those of SessionOptions."""
    chosen = SessionOptions(**options)
    return Session({replica.zone: replica}, source=replica.own_writer.source, claims=claims, options=chosen)


def sync(first: AnyReplica, second: AnyReplica) -> Pipe:
    """Run one whole exchange."""
    return exchange(session(first), session(second))


def root_of(replica: AnyReplica) -> bytes:
    """Give a replica's fleet root."""
    return replica.frontier().root()


def held_bytes(replica: AnyReplica) -> dict[tuple[Writer, int], bytes]:
    """Read all that a replica holds."""
    return {
        (entry.writer, info.number): replica.read(entry.writer, info.number, 0, info.length)
        for entry in replica.frontier().entries
        for info in replica.segments(entry.writer)
    }
