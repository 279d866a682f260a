"""What a sync costs on the wire, inside the transport: for nothing new, and for one event."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.append import draft
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_spool.memory import exchange
from jilog_spool.session import Session

BATCH = 500


def sync(first: ZoneStore, second: ZoneStore) -> tuple[int, int]:
    """Run one session; give bytes in both directions and the first side's round trips."""
    one = Session({first.zone: first}, source="first")
    two = Session({second.zone: second}, source="second")
    exchange(one, two)
    return one.report.wire_bytes_in + one.report.wire_bytes_out, one.report.round_trips


def run() -> str:
    """Measure and give the table."""
    rows = ["sync on the wire (bytes in both directions, round trips seen by the caller)"]
    with tempfile.TemporaryDirectory() as directory:
        for events in (1_000, 100_000):
            root = Path(directory) / str(events)
            first = ZoneStore.open(root / "a", "main", source="first", key=SigningKey.generate())
            second = ZoneStore.open(root / "b", "main", source="second", key=SigningKey.generate())
            for _ in range(events // BATCH):
                first.append([draft(number) for number in range(BATCH)])
            sync(first, second)
            size, trips = sync(first, second)
            rows.append(f"  nothing new, {events:>7,} events held   {size:>6} bytes  {trips} round trip(s)")
            first.append([draft(0)])
            size, trips = sync(first, second)
            rows.append(f"  one event, {events:>9,} events held   {size:>6} bytes  {trips} round trip(s)")
    return "\n".join(rows)
