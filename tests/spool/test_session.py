"""The session over pipes in memory: what it moves, what it costs, and what it refuses."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_ledger.errors import PeerError, StorageError
from jilog_ledger.receive import Ingested
from jilog_spool import limits, wire
from jilog_spool.claims import Claims
from jilog_spool.errors import ConnectionLost, ProtocolError, VersionMismatch
from jilog_spool.memory import Pipe, exchange
from jilog_spool.session import Finished, PeerKnown, Session, State
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import (
    AnyReplica,
    drafts,
    held_bytes,
    key_of,
    memory_replica,
    root_of,
    session,
    sync,
    zone_store,
)

Make = Callable[[str], AnyReplica]


@pytest.fixture(params=["memory", "zone_store"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return memory_replica
    return lambda source: zone_store(tmp_path, source)


def put(target: AnyReplica, source: AnyReplica, number: int) -> None:
    """Give ``target`` one segment of the source's own stream as it stands."""
    writer = source.own_writer
    info = source.segments(writer, number)[0]
    data = source.read(writer, number, 0, info.length)
    target.complete(writer, number, 0, data, source.signed_head(writer, number))


def test_both_directions_move_in_one_exchange(make: Make) -> None:
    first, second = make("a"), make("b")
    first.append(drafts(10))
    first.seal()
    first.append(drafts(5))
    second.append(drafts(7))

    pipe = sync(first, second)

    assert root_of(first) == root_of(second)
    assert held_bytes(first) == held_bytes(second)
    report = pipe.first.session.report
    assert (report.events_sent, report.events_received) == (15, 7)
    assert (report.segments_sent, report.segments_received) == (2, 1)
    assert report.clean
    assert report.peer == "b"


def test_tail_of_an_active_segment_moves_only_what_is_new(make: Make) -> None:
    first, second = make("a"), make("b")
    first.append(drafts(200))
    sync(first, second)
    first.append(drafts(1))

    pipe = sync(first, second)

    report = pipe.second.session.report
    whole = len(first.read(first.own_writer, 1, 0, 10**6))
    assert report.events_received == 1
    assert report.bytes_received < 300 < whole
    assert root_of(first) == root_of(second)


def test_any_node_relays_any_writer(make: Make) -> None:
    first, relay, third = make("a"), make("relay"), make("c")
    first.append(drafts(3))
    sync(first, relay)

    sync(relay, third)

    assert held_bytes(third) == held_bytes(first)
    assert third.signed_head(first.own_writer, 1) == first.signed_head(first.own_writer, 1)


@pytest.mark.parametrize("events", [1, 10, 1000])
def test_nothing_new_costs_one_round_trip_and_the_same_few_bytes(make: Make, events: int) -> None:
    first, second = make("host-a"), make("host-b")
    first.append(drafts(events))
    sync(first, second)

    pipe = sync(first, second)

    assert pipe.first.sent_bytes + pipe.second.sent_bytes == 158
    assert pipe.first.session.report.round_trips == 1
    assert pipe.first.events == [PeerKnown("host-b", in_sync=True), Finished()]


def test_gap_is_filled_and_what_lies_above_it_is_not_sent_again(make: Make) -> None:
    first, second = make("a"), make("b")
    for _ in range(5):
        first.append(drafts(2))
        first.seal()
    for number in (2, 4):
        put(second, first, number)

    pipe = sync(first, second)

    assert root_of(first) == root_of(second)
    assert pipe.second.session.report.segments_received == 3
    assert pipe.second.session.report.duplicates == 0


def test_seal_above_a_gap_that_nobody_can_fill_still_arrives(make: Make) -> None:
    first, second = make("a"), make("b")
    for _ in range(2):
        first.append(drafts(2))
        first.seal()
    first.append(drafts(2))
    put(second, first, 1)
    put(second, first, 3)
    first.seal()
    third = make("c")
    put(third, first, 1)
    put(third, first, 3)
    assert root_of(second) != root_of(third)

    sync(third, second)

    assert [info.sealed for info in second.segments(first.own_writer)] == [True, True]
    assert root_of(second) == root_of(third)


def test_segments_larger_than_a_chunk_and_than_the_credit_window_arrive_whole(make: Make) -> None:
    first, second = make("a"), make("b")
    noise = random.Random(1)
    for _ in range(9):
        batch = drafts(1)
        text = noise.randbytes(600_000).hex()
        first.append([type(batch[0])("health", {"text": text}, event_id=batch[0].event_id)])
        first.seal()

    pipe = sync(first, second)

    assert held_bytes(first) == held_bytes(second)
    assert pipe.second.session.report.bytes_received > 2 * limits.CREDIT_BYTES


def test_compressible_data_is_compressed_when_both_can(make: Make) -> None:
    first, second, third = make("a"), make("b"), make("c")
    first.append(drafts(1000, size=200))

    packed = sync(first, second)
    plain = exchange(session(first), session(third, zstd=False))

    assert packed.first.sent_bytes * 3 < plain.first.sent_bytes
    assert held_bytes(second) == held_bytes(third) == held_bytes(first)


def test_events_appended_during_the_sync_are_sent_now_or_next_time(make: Make) -> None:
    first, second = make("a"), make("b")
    first.append(drafts(50))
    pipe = Pipe(session(first), session(second), chunk=lambda data: min(len(data), 97))

    pipe.run(on_step=lambda: first.append(drafts(1)))

    assert pipe.failures == []
    assert pipe.second.session.report.clean
    sync(first, second)
    assert root_of(first) == root_of(second)


def test_segment_sealed_during_the_sync_arrives_as_it_is_then(make: Make) -> None:
    first, second = make("a"), make("b")
    first.append(drafts(50))
    pipe = Pipe(session(first), session(second), chunk=lambda data: min(len(data), 31))
    steps: list[int] = []

    def grow() -> None:
        steps.append(1)
        if len(steps) == 12:
            first.seal()
            first.append(drafts(3))

    pipe.run(on_step=grow)

    assert pipe.failures == []
    sync(first, second)
    assert held_bytes(first) == held_bytes(second)


def test_zone_that_only_one_side_has_is_left_alone() -> None:
    shared_a, shared_b = memory_replica("a"), memory_replica("b")
    private = memory_replica("a", zone="private")
    private.append(drafts(1))
    shared_a.append(drafts(1))
    first = Session({"main": shared_a, "private": private}, source="a")

    exchange(first, session(shared_b))

    assert first.report.zones_not_shared == ["private"]
    assert root_of(shared_a) == root_of(shared_b)


def test_fork_is_shown_with_both_heads_and_the_other_writers_go_on() -> None:
    first, second, relay = memory_replica("a"), memory_replica("b"), memory_replica("c")
    clone = memory_replica("a")
    first.append(drafts(3))
    clone.append(drafts(2))
    relay.append(drafts(1))
    second.append(drafts(4))
    sync(second, clone)
    sync(first, relay)
    forked, head = first.own_writer, first.signed_head(first.own_writer, 1)

    pipe = sync(first, second)

    (mine,) = pipe.first.session.report.forks
    (theirs,) = pipe.second.session.report.forks
    assert mine.writer == forked
    assert mine.mine == theirs.theirs == head
    assert mine.theirs == theirs.mine == clone.signed_head(forked, 1)
    assert second.segments(relay.own_writer)
    assert first.segments(second.own_writer)
    assert not pipe.first.session.report.clean


@pytest.mark.parametrize("sealed", [(False, False), (True, False), (False, True), (True, True)])
def test_fork_is_found_whichever_branch_is_longer_or_sealed(sealed: tuple[bool, bool]) -> None:
    for lengths in ((1, 2), (2, 1), (2, 2)):
        sides = [memory_replica("a"), memory_replica("a")]
        keepers = [memory_replica("b"), memory_replica("c")]
        for side, keeper, length, seal in zip(sides, keepers, lengths, sealed, strict=True):
            for _ in range(length):
                side.append(drafts(2))
            if seal:
                side.seal()
            sync(side, keeper)

        pipe = sync(*keepers)

        assert [fork.writer for fork in pipe.first.session.report.forks] == [sides[0].own_writer]
        assert [fork.writer for fork in pipe.second.session.report.forks] == [sides[0].own_writer]
        assert pipe.first.session.finished
        assert pipe.second.session.finished


def test_host_restored_from_an_old_copy_gets_its_newest_events_back_and_a_new_epoch(tmp_path: Path) -> None:
    second = zone_store(tmp_path, "b")
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    shutil.copytree(tmp_path / "a", tmp_path / "old" / "a")
    first.append(drafts(3))
    sync(first, second)
    restored = zone_store(tmp_path / "old", "a")
    epoch = restored.own_writer

    sync(restored, second)
    restored.append(drafts(1))
    sync(restored, second)

    assert restored.own_writer != epoch
    assert held_bytes(restored) == held_bytes(second)
    assert restored.frontier().entry(epoch) == first.frontier().entry(epoch)


def test_cloned_host_is_shown_as_a_fork_by_the_real_store(tmp_path: Path) -> None:
    first, second = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    first.append(drafts(2))
    shutil.copytree(tmp_path / "a", tmp_path / "clone" / "a")
    clone = zone_store(tmp_path / "clone", "a")
    first.append(drafts(1))
    clone.append(drafts(2))
    sync(first, second)

    pipe = sync(clone, second)

    (fork,) = pipe.second.session.report.forks
    assert fork.mine is not None
    assert fork.theirs is not None
    for signed in (fork.mine, fork.theirs):
        signed.verify(key_of("a").public_key)
    assert fork.mine.head.sha256 != fork.theirs.head.sha256


def test_damaged_segment_of_the_peer_is_refused_and_the_rest_goes_on() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for _ in range(3):
        first.append(drafts(2))
        first.seal()
    first.damage(first.own_writer, 2, 200)

    pipe = sync(first, second)

    for side, by_peer in ((pipe.second, False), (pipe.first, True)):
        (refused,) = side.session.report.refused
        assert (refused.writer, refused.number, refused.by_peer) == (first.own_writer, 2, by_peer)
    assert [info.number for info in second.segments(first.own_writer)] == [1, 3]
    assert second.frontier().entries[0].above[0].first_number == 3


def test_bad_staged_bytes_of_an_earlier_session_cost_one_more_attempt() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(20))
    second.stage(first.own_writer, 1, 0, b"\0" * 100)

    pipe = sync(first, second)

    assert pipe.second.session.report.clean
    assert held_bytes(second) == held_bytes(first)


def test_equal_xxh3_with_unequal_sha256_is_an_integrity_error_not_a_duplicate() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for replica in (first, second):
        replica.append(drafts(1))
        replica.seal()
    sync(first, second)
    peer, mine = session(memory_replica("c")), session(second)
    mine.receive_data(peer.data_to_send())
    info = second.segments(first.own_writer)[0]
    segment = wire.WireSegment(1, 1, 1, info.length, sealed=True, xxh3=info.xxh3, sha256=bytes(32))
    offer = wire.Offer("main", "a", bytes.fromhex(first.epoch), 0, [segment])

    mine.receive_data(wire.encode(offer))

    (refused,) = mine.report.refused
    assert "XXH3-128" in refused.reason


def test_two_peers_with_the_same_segments_send_each_of_them_once() -> None:
    origin, left, right, mine = (memory_replica(name) for name in ("o", "l", "r", "m"))
    for _ in range(6):
        origin.append(drafts(5))
        origin.seal()
    sync(origin, left)
    sync(origin, right)
    claims = Claims()
    pipes = [
        Pipe(session(mine, claims=claims), session(peer), chunk=lambda data: min(len(data), 200))
        for peer in (left, right)
    ]

    now = 0.0
    while not all(pipe.first.session.finished for pipe in pipes):
        now += 0.01
        for pipe in pipes:
            pipe.step()
            pipe.first.session.tick(now)

    outcomes = [outcome for _, _, outcome in mine.completed]
    assert outcomes == [Ingested.PUBLISHED] * 6
    assert held_bytes(mine) == held_bytes(origin)


def test_claim_of_a_session_that_dies_goes_to_the_next() -> None:
    origin, other, mine = (memory_replica(name) for name in ("o", "p", "m"))
    origin.append(drafts(50))
    sync(origin, other)
    claims = Claims()
    dying = Pipe(session(mine, claims=claims), session(origin), cut_after_bytes=700)
    waiting = Pipe(session(mine, claims=claims), session(other))
    for _ in range(6):
        dying.step()
    for _ in range(6):
        waiting.step()
    assert waiting.first.session.deferred

    dying.run()
    waiting.first.session.tick(1.0)
    waiting.run()

    assert waiting.first.session.finished
    assert root_of(mine) == root_of(origin)


@settings(max_examples=40, deadline=None)
@given(
    plan=st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(0, 3), st.integers(1, 4)),
            st.tuples(st.just("seal"), st.integers(0, 3), st.just(0)),
            st.tuples(st.just("sync"), st.integers(0, 3), st.integers(0, 3)),
            st.tuples(st.just("cut"), st.integers(0, 3), st.integers(0, 2000)),
        ),
        max_size=25,
    ),
    order=st.permutations([(a, b) for a in range(4) for b in range(a)]),
)
def test_any_order_and_repetition_of_syncs_gives_equal_roots(
    plan: list[tuple[str, int, int]], order: list[tuple[int, int]]
) -> None:
    fleet = [memory_replica(name) for name in "abcd"]
    for action, index, argument in plan:
        if action == "append":
            fleet[index].append(drafts(argument))
        elif action == "seal":
            fleet[index].seal()
        elif action == "cut":
            peer = fleet[(index + 1 + argument % 3) % 4]
            Pipe(session(fleet[index]), session(peer), cut_after_bytes=argument).run()
        elif index != argument:
            sync(fleet[index], fleet[argument])

    for first, second in [*order, *order]:
        sync(fleet[first], fleet[second])

    assert len({root_of(replica) for replica in fleet}) == 1
    assert all(held_bytes(replica) == held_bytes(fleet[0]) for replica in fleet)
    for replica in fleet:
        assert Ingested.DUPLICATE not in [outcome for _, _, outcome in replica.completed]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 400), min_size=1), events=st.integers(1, 20))
def test_arbitrary_chunking_changes_nothing(sizes: list[int], events: int) -> None:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(events))
    first.seal()
    second.append(drafts(events))
    turn = iter(range(10**9))
    pipe = Pipe(session(first), session(second), chunk=lambda _: sizes[next(turn) % len(sizes)])

    pipe.run()

    assert pipe.failures == []
    assert held_bytes(first) == held_bytes(second)


def test_cut_at_every_byte_resumes_and_nothing_is_stored_twice() -> None:
    whole = sync(*_two_hosts())
    total = whole.delivered_bytes
    assert total > 1000

    for cut in range(total):
        first, second = _two_hosts()
        broken = Pipe(session(first), session(second), cut_after_bytes=cut)
        broken.run()
        sync(first, second)

        assert root_of(first) == root_of(second), f"cut after {cut} bytes"
        for replica in (first, second):
            stored = [(writer, number) for writer, number, outcome in replica.completed]
            assert len(stored) == len(set(stored)), f"cut after {cut} bytes"
        for failure in broken.failures:
            assert isinstance(failure, ConnectionLost)


def _two_hosts() -> tuple[AnyReplica, AnyReplica]:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(4))
    first.seal()
    first.append(drafts(2))
    second.append(drafts(3))
    return first, second


def test_resumed_transfer_sends_only_what_was_not_staged() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    noise = random.Random(2)
    batch = drafts(1)
    first.append([type(batch[0])("health", {"text": noise.randbytes(700_000).hex()})])
    size = first.segments(first.own_writer)[0].length
    broken = Pipe(session(first), session(second), cut_after_bytes=600_000)
    broken.run()

    resumed = sync(first, second)

    assert second.completed == [(first.own_writer, 1, Ingested.PUBLISHED)]
    assert resumed.second.session.report.bytes_received == size - 4 * limits.CHUNK_BYTES_MAX
    assert held_bytes(second) == held_bytes(first)


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 5000), bit=st.integers(0, 7))
def test_flipped_bit_on_the_way_never_reaches_a_store(position: int, bit: int) -> None:
    first, second = _two_hosts()
    seen = 0

    def flip(data: bytes) -> bytes:
        nonlocal seen
        at, seen = position - seen, seen + len(data)
        if not 0 <= at < len(data):
            return data
        return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]

    pipe = Pipe(session(first), session(second), change=flip)
    pipe.run()

    flipped = position < seen
    assert bool(pipe.failures) == flipped
    honest = held_bytes(first)
    for key, data in held_bytes(second).items():
        assert data == honest[key] if key in honest else key[0] == second.own_writer


def test_garbage_from_the_peer_is_one_clear_error() -> None:
    mine = session(memory_replica("a"))

    with pytest.raises(ProtocolError, match="it began with 'Welcome to Debian'") as caught:
        mine.receive_data(b"Welcome to Debian\n")

    assert "start-up file" in (caught.value.hint or "")
    assert mine.state is State.FAILED


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_no_garbage_raises_anything_but_a_protocol_error(data: bytes) -> None:
    mine = session(memory_replica("a"))

    try:
        mine.receive_data(wire.MAGIC + data)
        mine.receive_eof()
    except PeerError:
        pass
    else:
        pytest.fail("garbage was taken for an exchange")


_HELLO = wire.Hello((1, 1), "b", {"main": bytes(32)})


@settings(max_examples=200, deadline=None)
@given(code=st.integers(0, 12), fields=st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.binary(max_size=40) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from("zesiwgdohbnmrvc"), inner, max_size=6),
))  # fmt: skip
def test_well_framed_nonsense_is_refused_or_ignored(code: int, fields: object) -> None:
    import msgspec

    mine = session(memory_replica("a"))
    mine.receive_data(wire.MAGIC + wire.encode(_HELLO))
    body = msgspec.msgpack.encode([code, fields])

    try:
        mine.receive_data(wire.FRAME.pack(len(body), wire.crc32(body)) + body)
    except PeerError:
        assert mine.state is State.FAILED


def test_oversize_frame_is_refused_before_it_is_read() -> None:
    mine = session(memory_replica("a"))

    with pytest.raises(ProtocolError, match="announced a frame of 4294967295 bytes"):
        mine.receive_data(wire.MAGIC + b"\xff\xff\xff\xff" + bytes(4))


def test_chunk_that_claims_to_unpack_to_a_gigabyte_is_refused_unopened() -> None:
    import zstandard

    first, mine = memory_replica("b"), session(memory_replica("a"))
    first.append(drafts(1))
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(64_000_000))
    mine.receive_data(wire.MAGIC + wire.encode(_HELLO))
    segment = wire.WireSegment(1, 1, 1, 1000, sealed=False)
    mine.receive_data(wire.encode(wire.Offer("main", "b", bytes(8), 0, [segment])))

    with pytest.raises(ProtocolError, match="claims 64000000 bytes"):
        mine.receive_data(wire.encode(wire.Data(0, 0, bomb, zstd=True)))


def test_message_out_of_place_is_refused() -> None:
    mine = session(memory_replica("a"))

    with pytest.raises(ProtocolError, match="sent offered in state await_hello"):
        mine.receive_data(wire.MAGIC + wire.encode(wire.Offered()))


def test_peer_that_sends_more_than_its_credit_is_cut_off() -> None:
    mine = session(memory_replica("a"))
    mine.receive_data(wire.MAGIC + wire.encode(_HELLO))
    segment = wire.WireSegment(1, 1, 1, 10**6, sealed=False)
    mine.receive_data(wire.encode(wire.Offer("main", "b", bytes(8), 0, [segment])))
    mine._in._credit_left = 10

    with pytest.raises(ProtocolError, match="more than it had credit for"):
        mine.receive_data(wire.encode(wire.Data(0, 0, bytes(11))))


def test_sealed_segment_that_goes_on_past_its_offered_length_is_cut_off() -> None:
    mine = session(memory_replica("a"))
    mine.receive_data(wire.MAGIC + wire.encode(_HELLO))
    segment = wire.WireSegment(1, 1, 1, 100, sealed=True, xxh3=bytes(16), sha256=bytes(32))
    mine.receive_data(wire.encode(wire.Offer("main", "b", bytes(8), 0, [segment])))

    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        mine.receive_data(wire.encode(wire.Data(0, 0, bytes(101))))


def test_unknown_message_types_and_keys_of_a_newer_peer_are_ignored() -> None:
    import msgspec

    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(1))
    mine, peer = session(first), session(second)
    news = msgspec.msgpack.encode([77, {"x": 1}])

    hello = msgspec.msgpack.encode(
        [0, {"v": [1, 4], "s": "b", "z": {"main": root_of(second)}, "new": [1, {"deep": None}]}]
    )
    for body in (hello, news):
        mine.receive_data(
            (wire.MAGIC if body is hello else b"") + wire.FRAME.pack(len(body), wire.crc32(body)) + body
        )

    assert mine.state is State.EXCHANGE
    assert mine.report.version == wire.VERSION
    peer.close()


def test_peer_without_a_common_version_is_told_to_upgrade() -> None:
    mine = session(memory_replica("a"))

    with pytest.raises(VersionMismatch, match="speaks protocol versions 4 to 6") as caught:
        mine.receive_data(wire.MAGIC + wire.encode(wire.Hello((4, 6), "b", {})))

    assert "upgrade" in (caught.value.hint or "")


def test_acknowledgement_leaves_only_after_the_store_has_made_the_bytes_durable() -> None:
    first = memory_replica("a")
    first.append(drafts(1))
    said_before: list[bytes] = []

    class Watched(MemoryReplica):
        def complete(self, *arguments: object) -> Ingested:
            said_before.append(b"".join(mine._outbox._frames))
            return super().complete(*arguments)  # type: ignore[arg-type]

    second = Watched("main", "b", memory_replica("b").key)
    mine = session(second)
    pipe = Pipe(session(first), mine)
    pipe.run()

    ack = wire.encode(wire.Acks([(0, 1, wire.STORED)]))
    assert pipe.second.session.report.clean
    assert len(said_before) == 1
    assert ack not in said_before[0]
    assert mine._outbox._acks == []


def test_full_disk_ends_the_session_and_the_peer_learns_why() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(1))

    class FullDisk(type(second)):  # type: ignore[misc]
        def complete(self, *_: object) -> Ingested:
            raise StorageError("cannot write: no space left on device")

    full = FullDisk("main", "b", second.key)
    pipe = Pipe(session(first), session(full))
    pipe.run()

    assert isinstance(pipe.second.failure, StorageError)
    assert "b stopped: cannot write: no space left on device" in str(pipe.first.failure)


def test_silent_peer_is_given_up_after_a_minute() -> None:
    mine = session(memory_replica("a"))
    mine.tick(0.0)
    mine.tick(limits.SILENCE_SECONDS_MAX - 1)

    with pytest.raises(ConnectionLost, match="silent for 60 seconds"):
        mine.tick(limits.SILENCE_SECONDS_MAX + 1)


def test_idle_session_pings_so_that_the_peer_does_not_give_up() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(1))
    mine, peer = session(first), session(second)
    mine.tick(0.0)
    mine.data_to_send()
    mine.receive_data(peer.data_to_send())
    while mine.data_to_send():
        pass

    mine.tick(limits.PING_SECONDS + 1)

    assert mine.data_to_send() == wire.encode(wire.Ping())


def test_many_writers_with_long_frontiers_are_exchanged_in_several_messages() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    for index in range(40):
        writer = memory_replica(f"w{index}")
        writer.append(drafts(1))
        sync(writer, first)
    original = limits.FRONTIER_FRAME_BYTES
    try:
        limits.FRONTIER_FRAME_BYTES = 1000

        sync(first, second)
    finally:
        limits.FRONTIER_FRAME_BYTES = original

    assert root_of(first) == root_of(second)


def test_more_segments_than_offers_may_be_open_are_offered_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OFFERS_PER_FRAME_MAX", 4)
    monkeypatch.setattr(limits, "OFFERS_OPEN_MAX", 8)
    monkeypatch.setattr(limits, "WANTS_OPEN_MAX", 2)
    first, second = memory_replica("a"), memory_replica("b")
    for _ in range(30):
        first.append(drafts(1))
        first.seal()

    pipe = sync(first, second)

    assert pipe.second.session.report.segments_received == 30
    assert root_of(first) == root_of(second)
