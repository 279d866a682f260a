"""Durable appends against a bare write + fdatasync loop of the same number of bytes."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from benchmarks.timing import Timed, compare, table
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore

SINGLE = 400
BATCHES = 40
BATCH = 256
THREADS = 64
PER_THREAD = 20


def draft(number: int) -> EventDraft:
    """Make an event of the usual size: about 250 bytes stored."""
    return EventDraft(
        "health",
        {
            "subsystem": "heartbeat",
            "summary": f"task heartbeat finished, attempt {number}",
            "duration_seconds": 1.25,
            "exit_status": 0,
            "command": ["./heartbeat.sh", "--all"],
            "host": "laptop",
        },
        object_ref="task:heartbeat",
        actor_ref="host:laptop",
    )


def bare_loop(path: Path, count: int, record: bytes) -> None:
    """Write and sync records one by one, and nothing else."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            os.write(descriptor, record)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def threads(store: ZoneStore) -> None:
    """Let 64 threads append one event at a time: group commit carries those that wait together."""

    def work() -> None:
        for number in range(PER_THREAD):
            store.append([draft(number)])

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def run() -> str:
    """Measure and give the table."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        root = Path(directory)
        key = SigningKey.generate()
        store = ZoneStore.open(root / "zone", "main", source="bench", key=key)
        record = bytes(260)
        single = [draft(number) for number in range(SINGLE)]
        batch = [draft(number) for number in range(BATCH)]
        figures = compare(
            Timed("write + fdatasync, one by one", SINGLE, lambda: bare_loop(root / "bare", SINGLE, record)),
            Timed("append, one by one", SINGLE, lambda: [store.append([one]) for one in single]),
            Timed(
                f"append, batches of {BATCH}",
                BATCH * BATCHES,
                lambda: [store.append(batch) for _ in range(BATCHES)],
            ),
            Timed(f"append, {THREADS} threads", THREADS * PER_THREAD, lambda: threads(store)),
            unit="events",
        )
    return table("durable appends (events acknowledged after fdatasync)", figures)
