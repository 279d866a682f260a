"""When replication rests: pauses that outlive restarts, and quiet hours on days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.daemon.schedule import last_occurrence, next_occurrence
from jilog_agent.home import Home
from jilog_agent.pauses import EVERYBODY, Pauses, quiet_until
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import InputError
from jilog_ledger.times import SECOND_NS
from jilog_spool.bandwidth import parse_rate

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = (time(22), time(7))


def pauses(home: Path, now: list[int]) -> Pauses:
    return Pauses(Home(home), RealDisk(), lambda: now[0])


def test_a_pause_ends_by_itself_and_is_read_by_any_process(tmp_path: Path) -> None:
    now = [100 * SECOND_NS]
    until = pauses(tmp_path, now).pause("nas", 60)

    during = pauses(tmp_path, now).of("nas", 0)
    other = pauses(tmp_path, now).of("laptop", 0)
    now[0] = until
    after = pauses(tmp_path, now).of("nas", 0)

    assert during is not None
    assert (during.until_ns, during.next_step) == (160 * SECOND_NS, "jilog spool resume nas")
    assert (other, after) == (None, None)


def test_of_two_pauses_the_longer_one_counts_and_resuming_everybody_ends_both(tmp_path: Path) -> None:
    now = [0]
    kept = pauses(tmp_path, now)
    kept.pause("nas", 60)
    kept.pause(EVERYBODY, None)

    hold = kept.of("nas", 0)
    one_ended = kept.resume("nas")
    still = kept.of("nas", 0)
    ended = kept.resume(EVERYBODY)

    assert hold is not None
    assert (hold.until_ns, hold.next_step) == (0, "jilog spool resume")
    assert one_ended == ["nas"]
    assert still is not None
    assert ended == [EVERYBODY]
    assert kept.of("nas", 0) is None


def test_a_pauses_file_that_is_not_ours_pauses_nobody(tmp_path: Path) -> None:
    kept = pauses(tmp_path, [0])
    kept.pause("nas", None)
    Home(tmp_path).pauses_path.write_bytes(b"\xff{")

    assert kept.of("nas", 0) is None


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-10T20:59:59+00:00", None),
        ("2026-01-10T21:00:00+00:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T05:59:59+00:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T06:00:00+00:00", None),
        ("2026-03-28T23:00:00+00:00", "2026-03-29T05:00:00+00:00"),  # the night of 23 hours
        ("2026-10-24T22:00:00+00:00", "2026-10-25T06:00:00+00:00"),  # the day of 25 hours
    ],
)
def test_quiet_hours_follow_the_local_clock_over_midnight(now: str, until: str | None) -> None:
    found = quiet_until(NIGHT, BERLIN, datetime.fromisoformat(now))

    assert found == (datetime.fromisoformat(until) if until else None)


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_once() -> None:
    hours = (time(1), time(2, 30))
    first_pass, second_pass = (
        datetime(2026, 10, 25, 0, 31, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 1, tzinfo=UTC),
    )

    assert quiet_until(hours, BERLIN, datetime(2026, 10, 25, 0, 29, tzinfo=UTC)) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert quiet_until(hours, BERLIN, first_pass) is None
    assert quiet_until(hours, BERLIN, second_pass) is None


@given(
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_the_next_occurrence_is_the_first_one_that_is_yet_to_come(at: time, now: datetime) -> None:
    found = next_occurrence(at, BERLIN, now)

    assert found > now
    assert last_occurrence(at, BERLIN, found) == found
    assert last_occurrence(at, BERLIN, now) <= now


@pytest.mark.parametrize(
    ("text", "rate"), [("500k", 512_000), ("1.5M", 1_572_864), ("2048", 2048), ("0", 0), ("1G", 1 << 30)]
)
def test_rates_are_bytes_a_second_in_binary_units(text: str, rate: int) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "k", "-1", "1e9", "500kb", "1", "0.5k", "9" * 20])
def test_what_is_no_rate_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_rate(text)

    assert caught.value.hint
