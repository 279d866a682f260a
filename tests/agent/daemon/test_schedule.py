"""When the agent does what."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.daemon.schedule import Budget, last_occurrence, read_only, review_due, sync_delay

BERLIN = ZoneInfo("Europe/Berlin")
AT = time(3, 30)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(st.floats(0, 1), st.integers(0, 100), st.integers(1, 86_400))
def test_a_sync_comes_within_its_interval_and_a_fifth_however_often_it_has_failed(
    chance: float, failures: int, interval: int
) -> None:
    seconds = sync_delay(interval, failures, chance)

    assert seconds <= 1.2 * interval * 1.0000001
    assert failures or seconds * 1.0000001 >= 0.8 * interval


def test_each_failure_doubles_the_wait_up_to_the_interval() -> None:
    assert [sync_delay(60, failures, 0.5) for failures in range(8)] == [60, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-05-09T12:00:00", "2026-05-09T01:30:00"),
        ("2026-05-09T01:30:00", "2026-05-09T01:30:00"),
        ("2026-05-09T01:29:59", "2026-05-08T01:30:00"),
        ("2026-12-09T12:00:00", "2026-12-09T02:30:00"),
    ],
)
def test_the_last_occurrence_follows_the_local_clock(now: str, expected: str) -> None:
    assert last_occurrence(AT, BERLIN, utc(now)) == utc(expected)


def test_nights_on_which_the_clocks_change_have_one_occurrence_each() -> None:
    at = time(2, 30)
    moments = []
    moment = utc("2026-03-27T00:00:00")
    while moment < utc("2026-11-01T00:00:00"):
        moments.append(last_occurrence(at, BERLIN, moment))
        moment += timedelta(minutes=30)

    distinct = sorted(set(moments))
    gaps = {(later - earlier) for earlier, later in itertools.pairwise(distinct)}
    assert gaps <= {timedelta(hours=hours) for hours in (23, 24, 25)}


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        ("2026-05-08T01:31:00", "2026-05-09T01:29:00", False),
        ("2026-05-08T01:31:00", "2026-05-09T01:30:00", True),
        ("2026-05-09T01:30:00", "2026-05-09T01:31:00", False),
        ("2026-05-01T00:00:00", "2026-05-09T20:00:00", True),
    ],
)
def test_a_review_is_due_once_a_night_and_a_missed_one_is_caught_up(last: str, now: str, due: bool) -> None:
    assert review_due(AT, BERLIN, utc(now), utc(last)) is due


def test_without_a_time_no_review_is_ever_due() -> None:
    assert not review_due(None, BERLIN, utc("2026-05-09T20:00:00"), None)


def test_read_only_mode_does_not_flicker_around_its_threshold() -> None:
    states, was = [], False
    for free in (200, 99, 110, 124, 126, 101, 99):
        was = read_only(free, 100, was=was)
        states.append(was)

    assert states == [False, True, True, True, False, False, True]


def test_a_budget_grows_with_time_up_to_a_minute_and_debts_are_paid_first() -> None:
    budget = Budget(60).after(30)
    assert budget.available == 30
    assert budget.after(3600).available == 60

    indebted = budget.spend(90)
    assert indebted.available == -60
    assert indebted.after(60).available == 0
