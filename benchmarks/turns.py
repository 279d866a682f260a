"""What one more turn costs a session that has 10,000 of them, against one that has ten."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.timing import Timed, compare, table
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.turns.record import TurnRequest, record_turn, start_session
from jilog_agent.turns.site import Site
from jilog_agent.turns.store import TurnStore
from jilog_agent.vcs.capture import WorkingTree
from jilog_ledger.disk import RealDisk
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import now_ns
from jilog_ledger.turn import Session, Turn, Verification, record_draft

FEW, MANY = 10, 10_000
RECORDED = 50
BATCH = 500


@contextmanager
def _filled(root: Path, turns: int) -> Iterator[tuple[Site, str]]:
    """Make a site with one session and so many turns of it in the ledger."""
    (root / "work").mkdir(parents=True)
    ledger = ZoneLedger.open(root / "zone", "main", source="bench", key=SigningKey.generate())
    zone = OpenZone(ledger, RealDisk())
    site = Site(zone, TurnStore(root / "work"), WorkingTree(root / "work", "none"), "bench", now_ns)
    session = start_session(site, Session(id="sess_0000", goal="measure")).dated.record
    assert isinstance(session, Session)
    drafts = [
        record_draft(
            Turn(id=f"turn_{number:06}", session=session.id, summary="earlier"), timestamp_ns=now_ns()
        )
        for number in range(turns)
    ]
    for start in range(0, turns, BATCH):
        ledger.append(drafts[start : start + BATCH])
    try:
        yield site, session.id
    finally:
        zone.close()


def _record(site: Site, session: str) -> None:
    for number in range(RECORDED):
        record_turn(site, TurnRequest(session=session, summary=f"turn {number}"), _nothing)


def _nothing(_check: object) -> Verification:
    raise AssertionError("no checks are asked for")


def run() -> str:
    """Measure and give the table."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        timed = []
        for turns in (FEW, MANY):
            site, session = stack.enter_context(_filled(Path(directory) / str(turns), turns))
            timed.append(
                Timed(
                    f"with {turns:,} turns",
                    RECORDED,
                    lambda site=site, session=session: _record(site, session),
                )  # type: ignore[misc]
            )
        return table("recording turns", compare(*timed, unit="turns"))
