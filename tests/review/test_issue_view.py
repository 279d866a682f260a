"""What a digest says of issues: from the ledger alone, and nothing of what came after its date."""

from __future__ import annotations

import random
from datetime import date

from jilog_ledger.times import parse_rfc3339
from jilog_review.aggregate import Window
from jilog_review.detector import Kind
from jilog_review.digest import render_digest
from jilog_review.filed import all_filed_issues
from jilog_review.issue_view import judge_all
from jilog_review.nightly import summarise
from jilog_review.outcomes import Outcome
from jilog_review.profiles import Profile
from jilog_review.runs import ReaderCount, Run
from jilog_review.summary_json import summary_fields
from jilog_review.testing import MemoryLog
from jilog_review.testing_tracker import MemoryServer, MemoryTracker
from support.filing_night import file_night, filing_run, learn, signal

FULL = Profile("precise", ())
PLAIN = Profile("precise", (), plain_layout=True)


def digest(log: MemoryLog, night: str, profile: Profile = FULL) -> str:
    day = date.fromisoformat(night)
    return render_digest(summarise(log, Window(day, day), profile), plain=profile.plain_layout)


def read(log: MemoryLog, night: str, sessions: int) -> None:
    """Let a host read sessions in which nothing was wrong."""
    count = ReaderCount(reader="claude-code", sessions=sessions)
    run = Run(host="alpha", profile="precise", review_date=night, readers=(count,))
    log.append([run.to_draft(parse_rfc3339(f"{night}T06:00:00Z"))])


def test_digest_of_a_date_says_nothing_of_issues_that_were_filed_later() -> None:
    log, tracker = MemoryLog(), MemoryTracker(MemoryServer())
    learn(log, signal())
    before = digest(log, "2026-05-09")

    file_night(log, tracker, "2026-05-10")

    assert digest(log, "2026-05-09") == before


def test_plain_layout_names_issues_but_never_those_of_deferrals() -> None:
    log, tracker = MemoryLog(), MemoryTracker(MemoryServer())
    learn(log, signal(), signal("later, then", kind=Kind.DEFERRAL, label="defer"))
    file_night(log, tracker)

    page = digest(log, "2026-05-09", PLAIN)

    assert page.count("(→ memory#") == 1
    assert "after 30 seconds (→ memory#" in page
    assert digest(log, "2026-05-09").count("(→ memory#") == 2


def test_digest_is_the_same_whatever_order_filings_arrived_in() -> None:
    log, server = MemoryLog(), MemoryServer(now_ns=lambda: parse_rfc3339("2026-05-09T12:00:00Z"))
    learn(log, signal(), signal("no such flag", tool="make"))
    file_night(log, MemoryTracker(server))
    for issue_id in list(server.issues):
        server.close(issue_id)
    read(log, "2026-05-12", 9)
    learn(log, signal(night="2026-05-18", at="2026-05-18T01:00:00Z"))
    file_night(log, MemoryTracker(server), "2026-05-18")
    page = digest(log, "2026-05-18")
    assert "**Fix holds**" in page
    assert "**Fix did not hold**" in page

    other = MemoryLog("beta")
    other.merge(log)
    random.Random(7).shuffle(other.kept)

    assert digest(other, "2026-05-18") == page


def test_run_that_finds_an_issue_closed_records_it_for_the_other_hosts() -> None:
    log, server = MemoryLog(), MemoryServer(now_ns=lambda: parse_rfc3339("2026-05-09T12:00:00Z"))
    learn(log, signal())
    file_night(log, MemoryTracker(server))
    server.close(next(iter(server.issues)))

    result = file_night(log, MemoryTracker(server), "2026-05-10")
    again = file_night(log, MemoryTracker(server), "2026-05-11")

    assert [str(filing.state) for filing in result.observed] == ["done"]
    assert again.observed == ()


def test_fix_without_sessions_to_fail_in_is_not_called_one_that_holds() -> None:
    log, server = MemoryLog(), MemoryServer(now_ns=lambda: parse_rfc3339("2026-05-09T12:00:00Z"))
    learn(log, signal())
    file_night(log, MemoryTracker(server))
    server.close(next(iter(server.issues)))
    file_night(log, MemoryTracker(server), "2026-05-10")

    unproven = digest(log, "2026-05-18")
    read(log, "2026-05-12", 5)
    proven = digest(log, "2026-05-18")

    assert "- 1 closed issue not seen since, in too few days or sessions to call resolved" in unproven
    assert "**Fix holds**" not in unproven
    assert "closed 2026-05-09, quiet for 9 days and 5 sessions" in proven
    day = date(2026, 5, 18)
    told = summary_fields(summarise(log, Window(day, day), FULL))["issues"]
    assert isinstance(told, list)
    (judgement,) = told
    assert isinstance(judgement, dict)
    assert (judgement["outcome"], judgement["exposure_sessions"]) == ("resolved", 5)


def test_issue_that_jilog_opened_again_counts_as_recurred_until_it_is_closed() -> None:
    log, server = MemoryLog(), MemoryServer(now_ns=lambda: parse_rfc3339("2026-05-09T12:00:00Z"))
    learn(log, signal())
    file_night(log, MemoryTracker(server))
    issue_id = next(iter(server.issues))
    server.close(issue_id)
    learn(log, signal(night="2026-05-11", at="2026-05-11T01:00:00Z"))
    file_night(log, MemoryTracker(server), "2026-05-11")

    (opened,) = judge_all(all_filed_issues(log.filings()), [], [], date(2026, 5, 12))
    server.now_ns = lambda: parse_rfc3339("2026-05-13T12:00:00Z")
    server.close(issue_id)
    file_night(log, MemoryTracker(server), "2026-05-14")
    (closed,) = judge_all(all_filed_issues(log.filings()), [], [], date(2026, 5, 14))

    assert (opened.outcome, closed.outcome) == (Outcome.RECURRED, Outcome.QUIET)


def test_muted_problem_is_neither_filed_nor_counted() -> None:
    log, muted = MemoryLog(), signal()
    learn(log, muted, signal("another"))
    run = filing_run(muted={muted.fingerprint})

    result = file_night(log, MemoryTracker(MemoryServer()), muted=run.muted)

    assert [done.fingerprint for done in result.done] != [muted.fingerprint]
    assert len(result.done) == 1
