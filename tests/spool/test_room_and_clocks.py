"""A host without room takes nothing and still gives; two hosts tell each other what their clocks show."""

from __future__ import annotations

import pytest

from jilog_spool.memory import Pipe, exchange
from support.spool_fleet import drafts, memory_replica, root_of, session, sync
from support.spool_live import Link, LiveFleet

COMPARISON_BYTES = 2 * 31
CLOCK_BYTES_MAX = 8
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


@pytest.mark.parametrize("set_by", [3600, -3600])
@pytest.mark.parametrize("whose", ["ours", "the peer's"])
def test_a_clock_that_is_set_while_a_session_is_warm_is_told_once(whose: str, set_by: int) -> None:
    fleet = LiveFleet([memory_replica("one"), memory_replica("other")])
    shift = {"ours": 0, "the peer's": 0}
    options = {"live": True, "chance": lambda: 0.5}
    pipe = Pipe(
        session(fleet.replicas[0], **options, clock=lambda: 1_000_000 + int(fleet.now) + shift["ours"]),
        session(fleet.replicas[1], **options, clock=lambda: 1_000_000 + int(fleet.now) + shift["the peer's"]),
    )
    link = Link((0, 1), pipe)
    fleet.links.append(link)
    fleet.tick(0)
    fleet.settle()
    before = _told_while(fleet, link)

    shift[whose] = set_by
    told = _told_while(fleet, link)
    after = _told_while(fleet, link)

    ahead = -set_by if whose == "ours" else set_by
    assert pipe.first.session.report.clock_ahead_seconds == ahead
    assert pipe.second.session.report.clock_ahead_seconds == -ahead
    assert 0 < told[0] <= CLOCK_BYTES_MAX
    assert (before, told[1], after) == ((0, 0), 2, (0, 0))


def _told_while(fleet: LiveFleet, link: Link) -> tuple[int, int]:
    """Let five minutes pass; count the bytes beside those of comparisons, and how often a state was told."""
    before = link.wire_bytes, link.settled
    for _ in range(60):
        fleet.settle()
        fleet.tick(5)
    fleet.settle()
    return (link.wire_bytes - before[0]) % COMPARISON_BYTES, link.settled - before[1]


def test_a_peer_that_does_not_tell_its_clock_has_none() -> None:
    one, other = memory_replica("one"), memory_replica("other")

    pipe = exchange(session(one, clock=lambda: 1_000_000), session(other))

    assert pipe.first.session.report.clock_ahead_seconds is None
    assert pipe.second.session.report.clock_ahead_seconds is None


@pytest.mark.parametrize("version", [1, 2])
def test_hosts_tell_each_other_which_program_they_run(version: int) -> None:
    one, other = memory_replica("one"), memory_replica("other")

    pipe = exchange(session(one, version=version, software="0.9.0+mine"), session(other, version=version))

    assert pipe.first.session.report.software == ""
    assert pipe.second.session.report.software == "0.9.0+mine"
