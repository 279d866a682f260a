"""A session that only asks: what would move, and that nothing does."""

from __future__ import annotations

import pytest

from jilog_spool.memory import exchange
from support.spool_fleet import drafts, held_bytes, memory_replica, session, sync


@pytest.mark.parametrize("version", [1, 2])
def test_forecast_says_what_a_sync_would_move_and_moves_nothing(version: int) -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for _ in range(4):
        first.append(drafts(5, size=2000))
        first.seal()
    sync(first, second)
    for _ in range(3):
        first.append(drafts(5, size=2000))
        first.seal()
    first.append(drafts(1))
    second.append(drafts(7))
    before = held_bytes(first), held_bytes(second)

    pipe = exchange(session(first, forecast=True, version=version), session(second))

    assert (held_bytes(first), held_bytes(second)) == before
    report, theirs = pipe.first.session.report, pipe.second.session.report
    assert report.clean
    assert theirs.clean
    out = report.forecast_out["main", first.own_writer]
    incoming = report.forecast_in["main", second.own_writer]
    assert (out.segments, out.events) == (4, 16)
    assert (incoming.segments, incoming.events) == (1, 7)
    moved = sync(first, second).first.session.report
    assert out.bytes == moved.bytes_sent
    assert incoming.bytes == moved.bytes_received


def test_forecast_of_whole_segments_counts_events_and_kibibytes() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for _ in range(3):
        second.append(drafts(5, size=2000))
        second.seal()

    pipe = exchange(session(first, forecast=True), session(second))

    forecast = pipe.first.session.report.forecast_in["main", second.own_writer]
    size = sum(info.length for info in second.segments(second.own_writer))
    assert (forecast.segments, forecast.events) == (3, 15)
    assert size <= forecast.bytes < size + 3 * 1024


def test_forecast_of_equal_hosts_is_empty() -> None:
    first, second = memory_replica("a"), memory_replica("b")

    pipe = exchange(session(first, forecast=True), session(second))

    assert pipe.first.session.report.forecast_in == {}
    assert pipe.first.session.report.forecast_out == {}


def test_forecast_tells_of_a_fork_and_takes_nothing() -> None:
    first, second = memory_replica("a"), memory_replica("a")
    first.append(drafts(2))
    second.append(drafts(2))

    pipe = exchange(session(first, forecast=True), session(second))

    assert len(pipe.first.session.report.forks) == 1
    assert len(held_bytes(first)) == len(held_bytes(second)) == 1
