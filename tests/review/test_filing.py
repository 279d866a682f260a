"""Filing: each problem once, told again when it comes back, whatever dies in between."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from jilog_ledger.errors import TrackerError
from jilog_ledger.times import parse_rfc3339
from jilog_review.detector import Kind, Tier
from jilog_review.filed import all_filed_issues, filed_issues
from jilog_review.filing import file_issues, pending_problems, sync_issues
from jilog_review.filing_plan import Verb
from jilog_review.filings import histories, issue_names
from jilog_review.testing import MemoryLog
from jilog_review.testing_tracker import MemoryServer, MemoryTracker
from jilog_review.tracker import IssueState
from support.filing_night import file_night, filing_run, learn, signal, verbs


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer(now_ns=lambda: parse_rfc3339("2026-05-09T08:02:11Z"))


@pytest.fixture
def tracker(server: MemoryServer) -> MemoryTracker:
    return MemoryTracker(server)


def close(server: MemoryServer, issue_id: str, at: str, state: IssueState = IssueState.DONE) -> None:
    server.close(issue_id, state)
    server.issues[issue_id] = replace(server.issues[issue_id], closed_ns=parse_rfc3339(at))


class Cut(BaseException):
    """The process dies here: nothing may catch it."""


def test_problem_when_filed_twice_is_one_issue_and_one_record(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal(), signal(session="another"))

    first = file_night(log, tracker)
    second = file_night(log, tracker)

    assert verbs(first) == ["create"]
    assert verbs(second) == []
    assert len(server.issues) == 1
    (filed,) = filed_issues(log.filings(), "memory", "here")
    assert (filed.ref.id, filed.filed_on, filed.filed_by) == ("#1", "2026-05-09", "alpha")


def test_signal_of_low_confidence_is_not_filed(log: MemoryLog, tracker: MemoryTracker) -> None:
    learn(log, signal(tier=Tier.B), signal("other", profile="seed"))

    assert verbs(file_night(log, tracker)) == []


def test_problem_seen_again_when_its_issue_is_open_is_told_once_a_date(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    learn(log, signal(night="2026-05-10", host="beta", session="b"))

    told = file_night(log, tracker, "2026-05-10")
    learn(log, signal(night="2026-05-10", host="beta", session="c"))
    same_day = file_night(log, tracker, "2026-05-10")

    assert (verbs(told), verbs(same_day)) == (["bump"], [])
    (comment,) = server.comments["#1"]
    assert comment.startswith("Seen again on 2026-05-10: once in 1 session (beta 1), 2026-05-10.")


def test_fix_that_did_not_hold_is_reopened_and_told_so(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    close(server, "#1", "2026-05-10T12:00:00Z")
    assert verbs(file_night(log, tracker, "2026-05-11")) == []
    learn(log, signal(night="2026-05-12", at="2026-05-11T21:00:00Z"))

    reopened = file_night(log, tracker, "2026-05-12")
    again = file_night(log, tracker, "2026-05-12")

    assert (verbs(reopened), verbs(again)) == (["reopen"], [])
    assert server.issues["#1"].state is IssueState.OPEN
    assert "Recurred on 2026-05-12 — closure may have been premature." in server.comments["#1"][0]


def test_old_occurrence_that_is_read_after_the_closing_does_not_reopen(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    close(server, "#1", "2026-05-10T12:00:00Z")
    learn(log, signal(night="2026-05-12", at="2026-05-10T11:59:59Z"))

    assert verbs(file_night(log, tracker, "2026-05-12")) == []


@pytest.mark.parametrize("state", [IssueState.DECLINED, IssueState.DUPLICATE])
def test_issue_closed_as_not_planned_or_duplicate_is_left_alone_however_often_it_recurs(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker, state: IssueState
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    close(server, "#1", "2026-05-10T12:00:00Z", state)

    for night in ("2026-05-11", "2026-05-12", "2026-05-13"):
        learn(log, signal(night=night, at=f"{night}T01:00:00Z"))
        assert verbs(file_night(log, tracker, night)) == []

    assert (len(server.issues), server.comments) == (1, {})


def test_muted_problem_is_neither_filed_nor_pending(log: MemoryLog, tracker: MemoryTracker) -> None:
    muted = signal()
    learn(log, muted)

    result = file_night(log, tracker, muted=(muted.fingerprint,))

    assert verbs(result) == []
    assert result.plan.actions[0].reason == "muted by a label"
    assert pending_problems(filing_run(muted=(muted.fingerprint,)), log, "memory", "here") == ()


def test_more_problems_than_the_cap_are_filed_over_several_runs_the_most_pressing_first(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, *(signal(f"problem {word}") for word in ("one", "two", "three", "four")))
    learn(log, *(signal("everywhere", session=session) for session in "abc"))

    first = file_night(log, tracker, max_new=2)
    second = file_night(log, tracker, max_new=2)
    third = file_night(log, tracker, max_new=2)

    assert [len(each.done) for each in (first, second, third)] == [2, 2, 1]
    assert [each.more for each in (first, second, third)] == [3, 1, 0]
    assert server.issues["#1"].ref.title == "[jilog/error] bash: everywhere"
    assert len(first.pending) == 3


def test_dry_run_asks_and_changes_nothing(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    events = len(log.kept)

    result = file_issues(filing_run(), log, tracker, dry_run=True)

    assert [action.verb for action in result.pending] == [Verb.CREATE]
    assert (server.issues, len(log.kept)) == ({}, events)


def test_tracker_that_is_away_leaves_everything_pending_and_is_tried_again(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    def away(request: str) -> None:
        raise TrackerError("cannot ask", hint="try later")

    learn(log, signal())
    server.fail = away
    with pytest.raises(TrackerError) as caught:
        file_issues(filing_run(), log, tracker)

    assert caught.value.exit_code == 8
    assert len(pending_problems(filing_run(), log, "memory", "here")) == 1
    server.fail = lambda _request: None
    assert verbs(file_night(log, tracker, "2026-05-12")) == ["create"]
    assert pending_problems(filing_run("2026-05-12"), log, "memory", "here") == ()


def test_tracker_that_fails_one_step_does_the_others_and_fails_the_run(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    calls = itertools.count()

    def fail_second(request: str) -> None:
        if request == "create" and next(calls) == 1:
            raise TrackerError("refused", hint="look")

    learn(log, *(signal(f"problem {word}") for word in ("one", "two", "three")))
    server.fail = fail_second

    result = file_issues(filing_run(), log, tracker)

    assert (len(result.done), len(result.failures), len(result.pending)) == (2, 1, 1)
    with pytest.raises(TrackerError, match=r"refused \(1 pending\)"):
        result.raise_for_failures()
    assert verbs(file_night(log, tracker)) == ["create"]


def test_tracker_that_fails_every_step_is_left_in_peace_after_a_few(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    def refuse(request: str) -> None:
        if request == "create":
            server.requests.append("tried")
            raise TrackerError("refused", hint="look")

    learn(log, *(signal(f"problem {word}") for word in "abcdefgh"))
    server.fail = refuse

    result = file_issues(filing_run(), log, tracker)

    assert server.requests.count("tried") == 3
    assert len(result.pending) == 8


STEPS = ("create", "after:create", "comment", "after:comment", "reopen", "after:reopen")


@pytest.mark.parametrize("settle_seconds", [0, 60])
@pytest.mark.parametrize("step", STEPS)
def test_death_at_any_request_when_run_again_leaves_one_issue_and_one_comment_each(
    log: MemoryLog, server: MemoryServer, step: str, settle_seconds: int
) -> None:
    tracker = MemoryTracker(server, settle_seconds=settle_seconds)
    learn(log, signal("kept open"), signal("closed"))
    if step not in ("create", "after:create"):
        file_night(log, tracker)
        closed = next(ref for ref, issue in server.issues.items() if "closed" in issue.ref.title)
        close(server, closed, "2026-05-09T12:00:00Z")
        learn(log, signal("kept open", night="2026-05-10"), signal("closed", night="2026-05-10"))

    def die(request: str) -> None:
        if request == step:
            raise Cut

    server.fail = die
    with pytest.raises(Cut):
        file_issues(filing_run("2026-05-10"), log, tracker)
    server.fail = lambda _request: None
    later = MemoryTracker(server, settle_seconds=settle_seconds)
    for _ in range(3):
        file_night(log, later, "2026-05-10", at="09:30:00")

    assert len(server.issues) == len(server.bodies) == 2
    assert all(issue.state is IssueState.OPEN for issue in server.issues.values())
    assert {len(comments) for comments in server.comments.values()} <= {1}
    assert pending_problems(filing_run("2026-05-10"), log, "memory", "here") == ()


def test_death_before_the_record_can_be_written_when_run_again_adopts_the_issue(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    class FullDisk(MemoryLog):
        def append(self, drafts: object) -> None:
            raise Cut

    learn(log, signal())
    full = FullDisk()
    full.kept = log.kept
    with pytest.raises(Cut):
        file_issues(filing_run(), full, tracker)

    result = file_night(log, tracker)

    assert verbs(result) == ["adopt"]
    assert len(server.issues) == 1


def test_answer_that_was_lost_when_listings_lag_waits_until_the_tracker_has_settled(
    log: MemoryLog, server: MemoryServer
) -> None:
    class Lagging(MemoryTracker):
        def list_issues(self):  # type: ignore[no-untyped-def] # the listing does not show it yet
            return ()

    def lose(request: str) -> None:
        if request == "after:create":
            raise TrackerError("no answer", uncertain=True)

    learn(log, signal())
    server.fail = lose
    assert len(file_issues(filing_run(), log, Lagging(server, settle_seconds=60)).failures) == 1
    server.fail = lambda _request: None

    soon = file_issues(filing_run(at="08:02:41"), log, Lagging(server, settle_seconds=60))
    later = file_night(log, MemoryTracker(server, settle_seconds=60), at="08:05:00")

    assert (verbs(soon), [action.verb for action in soon.pending]) == ([], [Verb.WAIT])
    assert verbs(later) == ["adopt"]
    assert len(server.bodies) == 1


def test_refusal_that_is_certain_when_listings_lag_is_tried_again_at_once(
    log: MemoryLog, server: MemoryServer
) -> None:
    def refuse(request: str) -> None:
        if request == "create":
            raise TrackerError("title is too long")

    learn(log, signal())
    server.fail = refuse
    file_issues(filing_run(), log, MemoryTracker(server, settle_seconds=60))
    server.fail = lambda _request: None

    assert verbs(file_night(log, MemoryTracker(server, settle_seconds=60), at="08:02:12")) == ["create"]


def test_two_hosts_that_never_met_when_both_file_share_one_issue(server: MemoryServer) -> None:
    alpha, beta = MemoryLog("alpha"), MemoryLog("beta")
    learn(alpha, signal())
    learn(beta, signal(host="beta", session="b"))

    first = file_night(alpha, MemoryTracker(server), host="alpha")
    second = file_night(beta, MemoryTracker(server), host="beta")

    assert (verbs(first), verbs(second)) == (["create"], ["adopt"])
    assert len(server.issues) == 1


def test_host_that_takes_over_knows_what_the_other_filed_from_the_ledger(server: MemoryServer) -> None:
    alpha, beta = MemoryLog("alpha"), MemoryLog("beta")
    learn(alpha, signal())
    file_night(alpha, MemoryTracker(server), host="alpha")
    beta.merge(alpha)

    assert [filed.filed_by for filed in filed_issues(beta.filings(), "memory", "here")] == ["alpha"]
    assert pending_problems(filing_run(host="beta"), beta, "memory", "here") == ()
    assert verbs(file_night(beta, MemoryTracker(server), host="beta")) == []


def test_issue_that_lost_its_label_or_hidden_line_is_still_the_same_issue(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    server.issues["#1"] = replace(server.issues["#1"], fingerprint=None)
    learn(log, signal(night="2026-05-10"))

    assert verbs(file_night(log, tracker, "2026-05-10")) == ["bump"]
    assert len(server.issues) == 1


def test_issue_that_somebody_deleted_is_not_filed_again(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    del server.issues["#1"]
    learn(log, signal(night="2026-05-10"))

    result = file_night(log, tracker, "2026-05-10")

    assert verbs(result) == []
    assert result.plan.actions[0].reason == "its issue #1 was deleted"


def test_another_tracker_when_configured_gets_its_own_issues(log: MemoryLog, tracker: MemoryTracker) -> None:
    learn(log, signal())
    file_night(log, tracker)

    elsewhere = MemoryTracker(MemoryServer(), place="elsewhere")

    assert verbs(file_night(log, elsewhere)) == ["create"]


def test_work_of_a_tracker_that_was_away_longer_than_the_horizon_is_given_up(
    log: MemoryLog, tracker: MemoryTracker
) -> None:
    learn(log, signal(night="2026-05-09"))

    assert verbs(file_night(log, tracker, "2026-05-22")) == ["create"]
    assert verbs(file_night(log, MemoryTracker(MemoryServer(), place="b"), "2026-05-23")) == []


def test_closing_when_synced_is_recorded_once_for_every_host(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    close(server, "#1", "2026-05-10T12:00:00Z")

    first = sync_issues(filing_run("2026-05-11"), log, tracker)
    second = sync_issues(filing_run("2026-05-11"), log, tracker)

    assert (len(first), len(second)) == (1, 0)
    (filed,) = filed_issues(log.filings(), "memory", "here")
    assert filed.state is IssueState.DONE
    assert filed.closed_ns == parse_rfc3339("2026-05-10T12:00:00Z")
    assert verbs(file_night(log, tracker, "2026-05-11")) == []


def test_correction_and_workaround_with_one_wording_are_two_issues(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal("do it for now", kind=Kind.WORKAROUND, label="for now"))
    learn(log, signal("do it for now", kind=Kind.CORRECTION))

    assert len(file_night(log, tracker).done) == 2


def test_issues_of_several_trackers_when_listed_are_all_named(log: MemoryLog, tracker: MemoryTracker) -> None:
    learn(log, signal())
    file_night(log, tracker)
    file_night(log, MemoryTracker(MemoryServer(), place="elsewhere"), at="09:00:00")

    assert [issue.place for issue in all_filed_issues(log.filings())] == ["elsewhere", "here"]
    assert list(issue_names(log.filings()).values()) == ["memory#1"]


def test_filings_when_replicated_in_any_order_say_the_same(
    log: MemoryLog, server: MemoryServer, tracker: MemoryTracker
) -> None:
    learn(log, signal())
    file_night(log, tracker)
    learn(log, signal(night="2026-05-10"))
    file_night(log, tracker, "2026-05-10")
    events = list(log.filings())

    assert histories(reversed(events), "memory", "here") == histories(events, "memory", "here")
    assert histories(events, "memory", "here").popitem()[1].covers == "2026-05-10"
