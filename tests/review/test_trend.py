"""Trend: counts by day, host and reader, the P0 timeline, and issues before and after they were closed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.event import Event
from jilog_review.aggregate import Background, Window
from jilog_review.detector import Kind, Tier
from jilog_review.filings import Filing, FilingAction
from jilog_review.issue_history import issue_histories
from jilog_review.labels import Verdict, read_labels
from jilog_review.tracker import IssueState
from jilog_review.trend import Trend, trend_of
from jilog_review.trend_text import alert_rows, issue_rows, week_rows
from support.learned import NOON_NS, Fleet, a_label, a_run, a_signal

WEEK = Window(date(2026, 5, 3), date(2026, 5, 9))


def trend(fleet: Fleet, events: Sequence[Event] | None = None, alert_days: int = 1) -> Trend:
    held = fleet.events() if events is None else events
    background = Background(read_labels(held), frozenset())
    return trend_of(held, held, WEEK, "full", background, alert_days=alert_days)


def closing_ns(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T10:00:00").replace(tzinfo=UTC).timestamp()) * 10**9


def a_filing(action: FilingAction, day: str, closed: str | None = None, ref: str = "#1") -> Filing:
    return Filing(
        fingerprint="f",
        backend="github",
        place="o/r",
        action=action,
        host="alpha",
        review_date=day,
        title="Bash: failure",
        kind=Kind.ERROR,
        ref=ref,
        state=IssueState.OPEN if closed is None else IssueState.DONE,
        closed_ns=None if closed is None else closing_ns(closed),
    )


def file(fleet: Fleet, *filings: Filing) -> None:
    for number, filing in enumerate(filings):
        fleet.logs["alpha"].append([filing.to_draft(NOON_NS + number)])


def test_every_day_of_the_window_is_counted_even_one_without_a_review() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, review_date="2026-05-04"), a_run(day="2026-05-04", sessions=3))
    fleet.record("alpha", a_signal(2, review_date="2026-05-04", tier=Tier.B), a_signal(3, kind=Kind.PATTERN))
    fleet.record("alpha", a_signal(4, review_date="2026-05-02"))

    found = trend(fleet)

    assert [day.day for day in found.days] == [f"2026-05-0{number}" for number in range(3, 10)]
    assert [day.total for day in found.days] == [0, 1, 0, 0, 0, 0, 1]
    assert (found.days[1].low_confidence, found.days[1].sessions) == (1, 3)
    assert found.days[6].kinds[Kind.PATTERN] == 1


def test_hosts_and_readers_are_listed_even_those_that_found_nothing() -> None:
    fleet = Fleet("alpha", "beta")
    fleet.record("alpha", a_signal(1, reader="codex"), a_run())
    fleet.record("beta", a_run("beta", sessions=4))

    found = trend(fleet)

    assert [(host.name, host.total, host.sessions) for host in found.hosts] == [
        ("alpha", 1, 1),
        ("beta", 0, 4),
    ]
    assert [(reader.name, reader.total, reader.sessions) for reader in found.readers] == [
        ("codex", 1, 0),
        ("generic", 0, 5),
    ]


def test_alerts_stand_on_the_days_on_which_they_fired() -> None:
    fleet = Fleet("alpha")
    for number, day in enumerate(("2026-05-07", "2026-05-07", "2026-05-07", "2026-05-08", "2026-05-09")):
        fleet.record("alpha", a_signal(number, review_date=day, fingerprint="f"))

    by_day = trend(fleet).alerts
    by_three = trend(fleet, alert_days=3).alerts

    assert [(mark.day, mark.by, mark.key, mark.sessions) for mark in by_day] == [
        ("2026-05-07", "tool", "Bash", 3),
        ("2026-05-07", "signature", "f", 3),
    ]
    assert [mark.sessions for mark in by_three if mark.by == "signature"] == [3, 4, 5]


def test_muted_signals_are_not_in_the_trend() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1), a_signal(2), a_label(a_signal(1), Verdict.WRONG))

    assert sum(day.total for day in trend(fleet).days) == 1


def test_an_issues_problem_is_counted_before_and_after_its_closing_with_exposure() -> None:
    fleet = Fleet("alpha")
    for number, day in enumerate(("2026-05-03", "2026-05-05", "2026-05-05", "2026-05-08")):
        fleet.record("alpha", a_signal(number, review_date=day, fingerprint="f", occurrences=2))
    fleet.record("alpha", a_run(day="2026-05-05", sessions=10), a_run(day="2026-05-09", sessions=4))
    file(
        fleet,
        a_filing(FilingAction.CREATED, "2026-05-03"),
        a_filing(FilingAction.OBSERVED, "2026-05-06", closed="2026-05-05"),
    )

    (item,) = trend(fleet).issues

    assert (item.before, item.exposure_before, item.after, item.exposure_after) == (6, 10, 2, 4)
    assert item.outcome == "came back"
    assert item.issue.filed_on == "2026-05-03"
    assert item.days == {"2026-05-03": 2, "2026-05-05": 4, "2026-05-08": 2}


def test_a_closed_issue_is_quiet_only_where_something_was_read_since() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, review_date="2026-05-04", fingerprint="f"))
    file(fleet, a_filing(FilingAction.OBSERVED, "2026-05-06", closed="2026-05-05"))

    assert [item.outcome for item in trend(fleet).issues] == ["nothing read since"]

    fleet.record("alpha", a_run(day="2026-05-08"))

    assert [item.outcome for item in trend(fleet).issues] == ["quiet"]


def test_an_open_issue_has_all_before() -> None:
    fleet = Fleet("alpha")
    fleet.record("alpha", a_signal(1, fingerprint="f"))
    file(fleet, a_filing(FilingAction.CREATED, "2026-05-09"))

    (item,) = trend(fleet).issues

    assert (item.outcome, item.before, item.after) == ("open", 1, 0)


def test_an_issue_that_was_reopened_and_closed_again_counts_from_its_last_closing() -> None:
    fleet = Fleet("alpha")
    file(
        fleet,
        a_filing(FilingAction.OBSERVED, "2026-05-04", closed="2026-05-04"),
        a_filing(FilingAction.REOPENED, "2026-05-05"),
        a_filing(FilingAction.OBSERVED, "2026-05-08", closed="2026-05-07"),
    )

    (issue,) = issue_histories(fleet.events())

    assert issue.closed_on == "2026-05-07"
    assert issue.state is IssueState.DONE


@given(st.randoms())
def test_trend_does_not_depend_on_the_order_of_events(random: object) -> None:
    fleet = Fleet("alpha", "beta")
    for number in range(6):
        fleet.record("alpha", a_signal(number, fingerprint="f", review_date=f"2026-05-0{3 + number}"))
        fleet.record("beta", a_signal(number, fingerprint="f", host="beta"), a_run("beta"))
    file(fleet, a_filing(FilingAction.CREATED, "2026-05-03"), a_filing(FilingAction.BUMPED, "2026-05-05"))
    events = fleet.events()
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis's Random

    assert trend(fleet, [*shuffled, *shuffled[:2]]).to_json() == trend(fleet, events).to_json()


def test_rows_for_a_terminal_sum_up_weeks_alerts_and_issues() -> None:
    fleet = Fleet("alpha")
    for number in range(3):
        fleet.record("alpha", a_signal(number, fingerprint="f"))
    fleet.record("alpha", a_run(sessions=5))
    file(fleet, a_filing(FilingAction.CREATED, "2026-05-09"))

    found = trend(fleet)

    assert week_rows(found) == [("2026-05-03", "0", "3", "0", "0", "0", "5")]
    assert alert_rows(found) == [
        ("Bash fails", "tool", "1", "2026-05-09", "3"),
        ("Bash: failure 0", "signature", "1", "2026-05-09", "3"),
    ]
    assert issue_rows(found) == [("github #1", "open", "", "3 in 5", "0 in 0", "Bash: failure")]
