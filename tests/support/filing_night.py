"""Signals and filing runs for the tests of filing issues."""

from __future__ import annotations

from datetime import date

from jilog_ledger.times import SECOND_NS, parse_rfc3339
from jilog_review.detector import Kind, Tier
from jilog_review.filing import FilingResult, FilingRun, file_issues
from jilog_review.fingerprint import fingerprint
from jilog_review.log import LearningLog
from jilog_review.signal import Signal
from jilog_review.testing import MemoryLog
from jilog_review.tracker import Tracker

FIRST_NIGHT = "2026-05-09"
_COUNT = iter(range(1, 1_000_000_000))


def signal(
    excerpt: str = "Command timed out after 30 seconds",
    *,
    kind: Kind = Kind.ERROR,
    night: str = FIRST_NIGHT,
    session: str = "0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2",
    tool: str | None = "bash",
    label: str | None = None,
    host: str = "alpha",
    tier: Tier = Tier.A,
    profile: str = "precise",
    at: str | None = None,
    detector: str = "errors",
) -> Signal:
    """One signal, each call another one; ``at`` is its own time."""
    number = next(_COUNT)
    return Signal(
        id=f"{number:020x}",
        kind=kind,
        detector=detector,
        version=1,
        rule="rule",
        tier=tier,
        profile=profile,
        reader="claude-code",
        host=host,
        session_id=session,
        root_session=session,
        source_file="~/s.jsonl",
        line=number,
        part=0,
        fingerprint=fingerprint(kind, tool if kind is Kind.ERROR else None, excerpt),
        excerpt=excerpt,
        review_date=night,
        timestamp=at,
        tool=tool if kind is Kind.ERROR else None,
        label=label,
    )


def learn(log: MemoryLog, *signals: Signal) -> None:
    """Put signals into a log, as a scan does."""
    log.append([each.to_draft(parse_rfc3339(f"{each.review_date}T06:00:00Z")) for each in signals])


def filing_run(
    night: str = FIRST_NIGHT, *, host: str = "alpha", at: str = "08:02:11", **changes: object
) -> FilingRun:
    """A run of the precise profile on the morning of a night."""
    moment_ns = parse_rfc3339(f"{night}T{at}Z")
    fields: dict[str, object] = {"profile": "precise", **changes}
    return FilingRun(
        host=host,
        run_date=date.fromisoformat(night),
        now_ns=lambda: moment_ns,
        **fields,  # type: ignore[arg-type] # each test changes what it needs
    )


def file_night(
    log: LearningLog, tracker: Tracker, night: str = FIRST_NIGHT, **changes: object
) -> FilingResult:
    """File, and fail the test when the tracker failed."""
    result = file_issues(filing_run(night, **changes), log, tracker)
    result.raise_for_failures()
    return result


def verbs(result: FilingResult) -> list[str]:
    """Name what a run did."""
    return [str(done.verb) for done in result.done]


__all__ = ["FIRST_NIGHT", "SECOND_NS", "file_night", "filing_run", "learn", "signal", "verbs"]
