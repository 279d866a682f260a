"""A host without room takes nothing and still gives; two hosts tell each other what their clocks show."""

from __future__ import annotations

import pytest

from jilog_spool.memory import Pipe, exchange
from support.spool_fleet import drafts, memory_replica, root_of, session, sync
from support.spool_live import Link, LiveFleet

REASON = "9 MiB are free on the disk, less than 100"


@pytest.mark.parametrize("version", [1, 2])
def test_a_host_without_room_takes_nothing_says_why_and_gives_its_own(version: int) -> None:
    rich, poor = memory_replica("rich"), memory_replica("poor")
    rich.append(drafts(3))
    rich.seal()
    poor.append(drafts(2))

    pipe = exchange(session(rich, version=version), session(poor, version=version, full=lambda: REASON))
    giving, taking = pipe.first.session.report, pipe.second.session.report

    assert (giving.events_received, giving.events_sent) == (2, 0)
    assert taking.events_received == 0
    assert [(item.by_peer, item.reason) for item in giving.refused] == [(True, REASON)]
    assert [(item.by_peer, item.reason) for item in taking.refused] == [(False, REASON)]
    assert not giving.clean
    assert taking.peer_sequences == {("main", rich.own_writer): 3}
    sync(rich, poor)
    assert root_of(rich) == root_of(poor)


def test_in_a_warm_session_what_was_refused_comes_once_there_is_room() -> None:
    rich, poor = memory_replica("rich"), memory_replica("poor")
    reason: list[str | None] = [None]
    fleet = LiveFleet([rich, poor])
    options = {"live": True, "chance": lambda: 0.5}
    pipe = Pipe(session(rich, **options), session(poor, **options, full=lambda: reason[0]))
    fleet.links.append(Link((0, 1), pipe))
    fleet.tick(0)
    fleet.settle()

    reason[0] = REASON
    fleet.append(0, drafts(1))
    for _ in range(3):
        fleet.settle()
        fleet.tick(2)
    refused = pipe.first.session.report.refused_count, root_of(poor) == root_of(rich)
    reason[0] = None
    for _ in range(40):
        fleet.settle()
        fleet.tick(5)

    assert refused == (1, False)
    assert root_of(poor) == root_of(rich)
    assert pipe.first.session.report.clean
    assert pipe.second.session.report.clean


@pytest.mark.parametrize("version", [1, 2])
def test_hosts_tell_each_other_what_their_clocks_show(version: int) -> None:
    one, other = memory_replica("one"), memory_replica("other")

    pipe = exchange(
        session(one, version=version, clock=lambda: 1_000_000),
        session(other, version=version, clock=lambda: 1_003_600),
    )

    assert pipe.first.session.report.clock_ahead_seconds == 3600
    assert pipe.second.session.report.clock_ahead_seconds == -3600


def test_a_peer_that_does_not_tell_its_clock_has_none() -> None:
    one, other = memory_replica("one"), memory_replica("other")

    pipe = exchange(session(one, clock=lambda: 1_000_000), session(other))

    assert pipe.first.session.report.clock_ahead_seconds is None
    assert pipe.second.session.report.clock_ahead_seconds is None
