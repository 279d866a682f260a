"""Filing against a real ledger and its projection: what was filed survives a rebuild."""

from __future__ import annotations

from pathlib import Path

from jilog_agent.learning_log import LedgerLog
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import Projection
from jilog_ledger.times import parse_rfc3339
from jilog_review.filed import all_filed_issues
from jilog_review.filing import pending_problems
from jilog_review.testing_tracker import MemoryServer, MemoryTracker
from support.filing_night import file_night, filing_run, signal, verbs
from support.stores import key_of


def test_filings_in_a_real_ledger_when_its_projection_is_rebuilt_are_still_known(tmp_path: Path) -> None:
    tracker = MemoryTracker(MemoryServer(), settle_seconds=60)
    with ZoneLedger.open(tmp_path, "main", source="alpha", key=key_of("alpha")) as ledger:
        projection = Projection.open(ledger)
        log = LedgerLog(ledger, projection)
        log.append([signal(session=s).to_draft(parse_rfc3339("2026-05-09T06:00:00Z")) for s in "abc"])

        assert verbs(file_night(log, tracker)) == ["create"]
        before = all_filed_issues(log.filings())
        projection.rebuild()

        assert all_filed_issues(log.filings()) == before != ()
        assert pending_problems(filing_run(), log, "memory", "here") == ()
        assert verbs(file_night(log, tracker)) == []
        projection.close()
