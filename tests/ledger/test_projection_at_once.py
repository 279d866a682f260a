"""Several readers bring one projection up to date at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import Projection

WORKERS = 4
ROUNDS = 25


def test_readers_that_apply_at_once_never_give_one_row_number_twice(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path, "main", source="alpha", key=SigningKey.generate())
    ledger.append([EventDraft("health", {"n": 0})])
    Projection.open(ledger).close()

    def append_and_apply(worker: int) -> None:
        for turn in range(ROUNDS):
            ledger.append([EventDraft("health", {"n": [worker, turn]})])
            with Projection.open(ledger) as projection:
                projection.apply()

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(append_and_apply, range(WORKERS)))

    with Projection.open(ledger) as projection:
        assert projection.count() == 1 + WORKERS * ROUNDS
