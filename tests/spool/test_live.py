"""Sessions that stay: what a push costs, who hears what from whom, and how a lost push is made good."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_ledger.event import EventDraft
from jilog_ledger.receive import Ingested
from jilog_spool import limits, wire
from jilog_spool.errors import ConnectionLost, ProtocolError
from jilog_spool.memory import Pipe, exchange
from jilog_spool.session import Finished, State
from support.spool_fleet import (
    AnyReplica,
    drafts,
    held_bytes,
    memory_replica,
    root_of,
    session,
    sync,
    zone_store,
)
from support.spool_live import LiveFleet

Make = Callable[[str], AnyReplica]


@pytest.fixture(params=["memory", "zone_store"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return memory_replica
    return lambda source: zone_store(tmp_path, source)


def _kibibyte(seed: int) -> EventDraft:
    """Make an event of 1 KiB."""
    return EventDraft("health", {"text": random.Random(seed).randbytes(505).hex()})


def test_session_stays_only_when_both_sides_want_it(make: Make) -> None:
    first, second = make("a"), make("b")
    first.append(drafts(1))

    pipe = exchange(session(first, live=True), session(second))

    assert pipe.first.session.finished
    assert root_of(first) == root_of(second)


def test_one_event_is_pushed_at_once_and_costs_its_payload_and_little_more(make: Make) -> None:
    fleet = LiveFleet([make("laptop"), make("attic-server")])
    first, second = fleet.replicas
    first.append(drafts(3))
    # Without compression, so that it is the overhead that is seen.
    link = fleet.connect(0, 1, zstd=False)
    costs = []

    for seed in range(3):
        before = link.wire_bytes
        fleet.append(0, [_kibibyte(seed)])
        fleet.settle()
        costs.append(link.wire_bytes - before)
        assert held_bytes(first) == held_bytes(second)

    assert max(costs) <= 1024 + 350
    assert link.sessions[1].report.events_received == 6
    assert link.sessions[0].report.events_sent == 6


def test_both_sides_push_at_the_same_time(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    fleet.connect(0, 1)

    for _ in range(4):
        fleet.append(0, drafts(2))
        fleet.append(1, drafts(1))
    fleet.settle()

    assert held_bytes(fleet.replicas[0]) == held_bytes(fleet.replicas[1])
    assert fleet.links[0].sessions[0].report.rounds == 0


def test_relay_passes_on_what_it_was_pushed(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("hub"), make("c")])
    fleet.connect(0, 1)
    fleet.connect(1, 2)

    fleet.append(0, drafts(2))
    fleet.append(2, drafts(1))
    fleet.settle()

    assert held_bytes(fleet.replicas[0]) == held_bytes(fleet.replicas[1]) == held_bytes(fleet.replicas[2])


def test_in_a_full_mesh_news_that_everybody_has_is_offered_not_sent() -> None:
    fleet = LiveFleet([memory_replica(name) for name in "abc"])
    for ends in ((0, 1), (0, 2), (1, 2)):
        fleet.connect(*ends)
    side = fleet.links[2]
    for _ in range(2):
        fleet.append(0, [_kibibyte(1)])
        fleet.settle()
    before = side.wire_bytes

    fleet.append(0, [_kibibyte(2)])
    fleet.settle()

    assert side.wire_bytes - before < 300
    assert len({root_of(replica) for replica in fleet.replicas}) == 1


def test_sealed_and_rotated_segments_and_large_batches_arrive_live(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    first, second = fleet.replicas
    fleet.connect(0, 1)

    fleet.append(0, drafts(2))
    fleet.settle()
    first.seal()
    fleet.append(0, drafts(1))
    fleet.settle()
    first.seal()
    fleet.notice(0)
    fleet.settle()
    noise = random.Random(3)
    fleet.append(0, [EventDraft("health", {"text": noise.randbytes(300_000).hex()})])
    fleet.settle()

    assert held_bytes(first) == held_bytes(second)
    assert fleet.links[0].sessions[0].report.refused_count == 0


@pytest.mark.parametrize("hosts", [0, 3, 63])
@pytest.mark.parametrize("events", [1, 1000])
def test_comparing_roots_costs_one_round_trip_and_the_same_few_bytes(hosts: int, events: int) -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    fleet.replicas[0].append(drafts(events))
    for index in range(hosts):
        writer = memory_replica(f"w{index}")
        writer.append(drafts(1))
        sync(writer, fleet.replicas[0])
    link = fleet.connect(0, 1)
    before, trips = link.wire_bytes, link.sessions[0].report.round_trips

    fleet.tick(limits.GOSSIP_SECONDS + 1)
    fleet.settle()

    assert link.wire_bytes - before == 62
    assert link.sessions[0].report.round_trips - trips <= 1


def test_idle_minutes_cost_little_and_both_sides_stay() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    link = fleet.connect(0, 1, chance=0.0)
    before = link.wire_bytes

    for _ in range(600):
        fleet.tick(1.0)
        fleet.settle()

    assert all(live.state is State.LIVE for live in link.sessions)
    # SSH pads each of these messages to 68 bytes on the wire.
    messages = (link.wire_bytes - before) / 31
    assert messages * 68 / 10 <= 264


def test_answer_that_comes_twice_does_not_make_two_hosts_answer_each_other_for_ever() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    link = fleet.connect(0, 1, chance=0.0)
    first, second = link.sessions
    fleet.tick(limits.GOSSIP_SECONDS)
    asked = first.data_to_send()
    second.data_to_send()

    second.receive_data(asked)
    answer = second.data_to_send()
    first.receive_data(answer + answer)

    moves = [link.pipe.step() for _ in range(10)]
    assert moves[-1] is False
    for _ in range(200):
        fleet.tick(1.0)
        fleet.settle()
    assert all(live.state is State.LIVE for live in link.sessions)


def test_moment_of_the_comparison_is_left_to_chance() -> None:
    moments = []
    for chance in (0.0, 1.0):
        fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
        link = fleet.connect(0, 1, chance=chance)
        before = link.wire_bytes
        while link.wire_bytes == before:
            fleet.tick(1.0)
            fleet.settle()
        moments.append(fleet.now)

    assert moments == [44.0, 66.0]


def test_append_that_nobody_was_told_of_is_found_by_comparing_roots(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    link = fleet.connect(0, 1)
    fleet.replicas[0].append(drafts(3))

    fleet.settle()
    assert root_of(fleet.replicas[0]) != root_of(fleet.replicas[1])
    fleet.tick(limits.GOSSIP_SECONDS + 1)
    fleet.settle()

    assert held_bytes(fleet.replicas[0]) == held_bytes(fleet.replicas[1])
    assert all(live.state is State.LIVE for live in link.sessions)
    fleet.append(1, drafts(1))
    fleet.settle()
    assert held_bytes(fleet.replicas[0]) == held_bytes(fleet.replicas[1])


def test_push_that_does_not_fit_is_made_good_by_a_comparison() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    first, second = fleet.replicas
    first.append(drafts(2))
    first.seal()
    first.append(drafts(1))
    link = fleet.connect(0, 1)
    second.drop(first.own_writer, 2)  # type: ignore[union-attr]

    fleet.append(0, drafts(1))
    fleet.settle()
    assert held_bytes(first) != held_bytes(second)
    for _ in range(3):
        fleet.tick(limits.RESYNC_SECONDS)
        fleet.settle()

    assert held_bytes(first) == held_bytes(second)
    assert link.sessions[0].report.refused_count == 0
    assert link.pipe.failures == []


def test_segment_lost_to_quarantine_is_fetched_again_in_the_same_session() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    first, second = fleet.replicas
    for _ in range(3):
        first.append(drafts(2))
        first.seal()
    link = fleet.connect(0, 1)
    second.drop(first.own_writer, 2)  # type: ignore[union-attr]

    assert link.sessions[1].request("main", first.own_writer, 2)
    fleet.settle()

    assert held_bytes(first) == held_bytes(second)
    assert link.sessions[0].report.rounds == 1


def test_request_for_what_the_peer_does_not_have_is_answered_too() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    fleet.replicas[0].append(drafts(1))
    link = fleet.connect(0, 1)

    assert link.sessions[1].request("main", fleet.replicas[0].own_writer, 9)
    fleet.settle()

    assert not link.sessions[1]._in.requests.open
    assert not link.sessions[1].request("private", fleet.replicas[0].own_writer, 1)


def test_end_of_the_stream_ends_a_warm_session_without_an_error(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    link = fleet.connect(0, 1)

    link.sessions[0].leave()
    link.sessions[1].receive_eof()

    assert all(live.finished for live in link.sessions)
    events = []
    while (event := link.sessions[1].next_event()) is not None:
        events.append(event)
    assert events[-1] == Finished()


def test_connection_that_breaks_is_told_with_what_the_peer_may_lack(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    link = fleet.connect(0, 1)
    mine, other = link.sessions
    own = fleet.replicas[0].own_writer
    fleet.append(0, drafts(1))
    fleet.settle()

    fleet.append(0, drafts(1))
    assert mine.data_to_send()
    for live in link.sessions:
        with pytest.raises(ConnectionLost):
            live.receive_eof(broken=True)

    assert mine.report.pending == {("main", own)}
    assert other.report.pending == frozenset()


def test_session_that_ends_level_leaves_nothing_that_the_peer_may_lack(make: Make) -> None:
    fleet = LiveFleet([make("a"), make("b")])
    link = fleet.connect(0, 1)
    fleet.append(0, drafts(2))
    fleet.settle()

    link.sessions[0].leave()
    link.sessions[1].receive_eof()

    assert [live.report.pending for live in link.sessions] == [frozenset(), frozenset()]


def test_peer_that_does_not_answer_a_push_is_given_up() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    link = fleet.connect(0, 1)
    mine = link.sessions[0]
    fleet.append(0, drafts(1))
    assert mine.data_to_send()

    mine.tick(1.0)
    mine.tick(limits.SILENCE_SECONDS_MAX)
    with pytest.raises(ConnectionLost, match="silent for 60 seconds"):
        mine.tick(limits.SILENCE_SECONDS_MAX + 2)


def test_peer_that_leaves_a_comparison_unanswered_is_given_up_after_the_time_that_was_set() -> None:
    mine, theirs = memory_replica("a"), memory_replica("b")
    options = {"live": True, "chance": lambda: 0.5, "gossip_seconds": 3.0, "answer_seconds": 10.0}
    asking = session(mine, **options)
    pipe = Pipe(asking, session(theirs, live=True))
    asking.tick(0.0)
    while pipe.step():
        pass
    asking.tick(3.5)

    asking.tick(13.0)
    with pytest.raises(ConnectionLost, match="silent for 10 seconds"):
        asking.tick(14.0)


def test_silence_is_no_fault_while_nothing_is_due() -> None:
    fleet = LiveFleet([memory_replica("a"), memory_replica("b")])
    link = fleet.connect(0, 1)
    mine = link.sessions[0]

    for second in range(40):
        mine.tick(float(second))

    assert mine.state is State.LIVE


def test_push_in_a_version_1_session_is_refused() -> None:
    mine = session(memory_replica("a"))
    mine.receive_data(wire.MAGIC + wire.encode(wire.Hello((1, 1), "b", {"main": bytes(32)})))

    with pytest.raises(ProtocolError, match="version 2 message in a version 1 session"):
        mine.receive_data(wire.encode(wire.Get("main", "b", bytes(8), 1)))


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(0, 3), st.booleans()),
            st.tuples(st.just("seal"), st.integers(0, 3), st.booleans()),
            st.tuples(st.just("carry"), st.integers(0, 2), st.booleans()),
            st.tuples(st.just("tick"), st.integers(1, 70), st.booleans()),
        ),
        max_size=40,
    ),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=6),
)
def test_any_order_of_news_among_warm_hosts_ends_in_equal_roots(
    steps: list[tuple[str, int, bool]], sizes: list[int]
) -> None:
    fleet = LiveFleet([memory_replica(name) for name in "abcd"])
    for ends in ((0, 1), (1, 2), (2, 3), (3, 0)):
        link = fleet.connect(*ends)
        turn = iter(range(10**9))
        link.pipe._chunk = lambda _, turn=turn: sizes[next(turn) % len(sizes)]  # type: ignore[misc]
    for action, argument, told in steps:
        if action == "append":
            fleet.replicas[argument].append(drafts(1))
        elif action == "seal":
            fleet.replicas[argument].seal()
        elif action == "carry":
            fleet.links[argument].pipe.step()
            fleet._pass_on(fleet.links[argument])
        else:
            fleet.tick(argument / 10)
        if told and action in ("append", "seal"):
            fleet.notice(argument)

    fleet.settle()
    for _ in range(3):
        fleet.tick(limits.GOSSIP_SECONDS * 1.5)
        fleet.settle()

    assert [link.pipe.failures for link in fleet.links] == [[]] * 4
    assert all(live.state is State.LIVE for link in fleet.links for live in link.sessions)
    assert all(held_bytes(replica) == held_bytes(fleet.replicas[0]) for replica in fleet.replicas)
    assert sum(live.report.refused_count for link in fleet.links for live in link.sessions) == 0


def test_cut_of_a_warm_session_at_every_byte_loses_nothing() -> None:
    def news(cut: int | None) -> tuple[AnyReplica, AnyReplica, Pipe]:
        first, second = memory_replica("a"), memory_replica("b")
        first.append(drafts(1))
        pipe = Pipe(session(first, live=True), session(second, live=True), cut_after_bytes=cut)
        while pipe.step():
            pass
        first.append(drafts(2))
        second.append(drafts(1))
        pipe.first.session.notice("main")
        pipe.second.session.notice("main")
        pipe.run()
        return first, second, pipe

    total = news(None)[2].delivered_bytes

    for cut in range(0, total, 7):
        first, second, pipe = news(cut)
        sync(first, second)

        assert held_bytes(first) == held_bytes(second), f"cut after {cut} bytes"
        stored = [item[:2] for item in second.completed if item[2] is not Ingested.DUPLICATE]  # type: ignore[union-attr]
        assert all(isinstance(failure, ConnectionLost) for failure in pipe.failures)
        assert len(stored) <= 2
