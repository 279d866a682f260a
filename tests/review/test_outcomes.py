"""Outcomes: closed is not resolved before the problem had the chance to come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from jilog_ledger.times import parse_rfc3339
from jilog_review.exposure import ToolSessions, session_key
from jilog_review.filed import FiledIssue
from jilog_review.outcomes import Outcome, judge, sessions_exposed, sessions_read
from jilog_review.runs import ReaderCount, Run
from jilog_review.tracker import IssueRef, IssueState
from support.filing_night import signal

SEEN = signal(at="2026-05-01T00:00:00Z")
CLOSED_NS = parse_rfc3339("2026-05-10T12:00:00Z")


def filed(state: IssueState = IssueState.DONE, closed_ns: int | None = CLOSED_NS) -> FiledIssue:
    return FiledIssue(
        fingerprint=SEEN.fingerprint,
        ref=IssueRef("#1", "github", "title"),
        place="o/r",
        kind="error",
        state=state,
        filed_on="2026-05-01",
        filed_by="alpha",
        last_told="2026-05-01",
        closed_ns=closed_ns,
    )


def scans(first_day: int, last_day: int, reader: str = "claude-code", sessions: int = 1) -> list[Run]:
    return [
        Run(
            host="alpha",
            profile="precise",
            review_date=f"2026-05-{day:02}",
            readers=(ReaderCount(reader=reader, sessions=sessions),),
        )
        for day in range(first_day, last_day + 1)
    ]


@pytest.mark.parametrize(
    ("today", "runs", "outcome"),
    [
        (17, scans(11, 17), Outcome.RESOLVED),
        (16, scans(11, 16), Outcome.QUIET),
        (17, [], Outcome.UNPROVEN),
        (17, scans(1, 10, sessions=9), Outcome.UNPROVEN),
        (17, scans(11, 17, reader="codex"), Outcome.UNPROVEN),
    ],
)
def test_closed_issue_when_nothing_recurred_is_judged_by_time_and_exposure(
    today: int, runs: list[Run], outcome: Outcome
) -> None:
    assert (
        judge(filed(), [SEEN], sessions_read(runs, {"claude-code"}), date(2026, 5, today)).outcome is outcome
    )


def test_closed_issue_when_its_problem_was_seen_since_has_recurred() -> None:
    late = signal(night="2026-05-14", at="2026-05-13T23:00:00Z")

    judgement = judge(filed(), [SEEN, late], sessions_read(scans(11, 30)), date(2026, 5, 30))

    assert (judgement.outcome, judgement.recurrences, judgement.quiet_days) == (Outcome.RECURRED, 1, 16)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (IssueState.OPEN, Outcome.OPEN),
        (IssueState.DECLINED, Outcome.DECLINED),
        (IssueState.DUPLICATE, Outcome.DECLINED),
    ],
)
def test_issue_that_was_not_closed_as_done_is_never_resolved(state: IssueState, outcome: Outcome) -> None:
    assert judge(filed(state), [], sessions_read(scans(11, 30)), date(2026, 5, 30)).outcome is outcome


def test_issue_closed_at_an_unknown_time_is_not_counted_as_a_success() -> None:
    judgement = judge(filed(closed_ns=None), [], sessions_read(scans(1, 30)), date(2026, 5, 30))

    assert judgement.outcome is Outcome.UNPROVEN


def test_exposure_is_counted_in_sessions_that_used_the_tool_whichever_harness_they_are_of() -> None:
    used = (ToolSessions(tool="shell", sessions=tuple(session_key(f"s{number}") for number in range(4))),)
    runs = [replace(run, tools=used) for run in scans(11, 17, reader="codex", sessions=9)]

    count = sessions_exposed(runs, [SEEN])

    assert count(date(2026, 5, 10)) == 4
    assert judge(filed(), [SEEN], count, date(2026, 5, 17)).outcome is Outcome.UNPROVEN
    assert sessions_exposed(runs, [signal(tool="make")])(date(2026, 5, 10)) == 0


def test_exposure_where_a_scan_did_not_record_tools_is_counted_by_reader() -> None:
    runs = [*(replace(run, tools=()) for run in scans(11, 16)), *scans(17, 17, sessions=3)]

    assert sessions_exposed(runs, [SEEN])(date(2026, 5, 10)) == 9
