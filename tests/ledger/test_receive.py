"""Taking in segments of other writers: what is checked, what is refused, what resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger import limits
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.receive import ForkDetected, Ingested
from jilog_ledger.segment import BLOCK, SegmentHeader, encode_frame, encode_header
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk
from support.stores import (
    Clock,
    Epochs,
    draft,
    flip_bit,
    held,
    key_of,
    numbers,
    open_store,
    pull,
    pull_segment,
)


def source_store(name: str = "beta", *, root: str = "/beta") -> ZoneStore:
    store = open_store(Path(root), name, disk=MemoryDisk(), epochs=Epochs(name))
    store.append([draft(1), draft(2)])
    store.append([draft(3)])
    return store


def target_store(disk: MemoryDisk | None = None) -> ZoneStore:
    return open_store(Path("/alpha"), "alpha", disk=disk or MemoryDisk(), epochs=Epochs("alpha"))


def whole(store: ZoneStore, number: int = 1) -> tuple[bytes, SignedHead]:
    writer = store.own_writer
    return store.read(writer, number, 0, 1 << 30), store.signed_head(writer, number)


def test_tail_then_more_of_it_then_its_seal_become_the_same_file() -> None:
    source, target = source_store(), target_store()
    writer = source.own_writer

    outcomes = [pull_segment(target, source, writer, 1)]
    source.append([draft(4)])
    outcomes.append(pull_segment(target, source, writer, 1))
    source.seal()
    outcomes.append(pull_segment(target, source, writer, 1))
    outcomes.append(pull_segment(target, source, writer, 1))

    assert outcomes == [Ingested.PUBLISHED, Ingested.EXTENDED, Ingested.EXTENDED, Ingested.DUPLICATE]
    assert whole(target_view(target, source))[0] == whole(source)[0]
    assert held(target)[writer] == held(source)[writer]
    assert target.frontier() == source.frontier()
    assert target.frontier().root() == source.frontier().root()


def target_view(target: ZoneStore, source: ZoneStore) -> ZoneStore:
    """Let ``whole`` read the source's writer from the target."""

    class View:
        own_writer = source.own_writer
        read = staticmethod(target.read)
        signed_head = staticmethod(target.signed_head)

    return View()  # type: ignore[return-value]


def test_follower_relays_what_it_has_with_the_writers_own_signature() -> None:
    source, relay, far = source_store(), target_store(), open_store(Path("/far"), "gamma", disk=MemoryDisk())
    pull(relay, source)

    pull(far, relay)

    assert held(far) == held(source)
    far.signed_head(source.own_writer, 1).verify(key_of("beta").public_key)


def test_older_head_than_ours_is_a_duplicate() -> None:
    source, target = source_store(), target_store()
    data, head = whole(source)
    source.append([draft(4)])
    pull(target, source)

    outcome = target.complete(source.own_writer, 1, 0, data, head)

    assert outcome is Ingested.DUPLICATE


def test_staged_bytes_when_the_store_reopens_are_where_the_transfer_resumes() -> None:
    disk = MemoryDisk()
    source, target = source_store(), target_store(disk)
    writer = source.own_writer
    data, head = whole(source)

    target.stage(writer, 1, 0, data[:100])
    target.stage(writer, 1, 50, data[50:120])
    target.stage(writer, 1, 0, data[:10])
    reopened = target_store(disk)
    offset = reopened.resume_offset(writer, 1)
    outcome = reopened.complete(writer, 1, offset, data[offset:], head)

    assert offset == 120
    assert outcome is Ingested.PUBLISHED
    assert held(reopened) == held(source)
    assert disk.list_directory(reopened.layout.incoming) == []


def test_staged_bytes_count_for_nothing_before_they_are_complete() -> None:
    source, target = source_store(), target_store()
    data, _ = whole(source)

    target.stage(source.own_writer, 1, 0, data)

    assert held(target) == {}
    assert target.frontier().entries == ()


@pytest.mark.parametrize("aftermath", list(Aftermath), ids=lambda aftermath: aftermath.name.lower())
def test_staged_bytes_that_a_power_cut_spoiled_are_dropped_and_fetched_again(aftermath: Aftermath) -> None:
    disk = MemoryDisk()
    source, target = source_store(), target_store(disk)
    writer = source.own_writer
    data, head = whole(source)
    target.stage(writer, 1, 0, data[:100])
    disk.crash(aftermath)
    reopened = target_store(disk)

    offset = reopened.resume_offset(writer, 1)
    try:
        reopened.complete(writer, 1, offset, data[offset:], head)
    except SegmentDamaged:
        assert reopened.resume_offset(writer, 1) == 0
        reopened.complete(writer, 1, 0, data, head)

    assert held(reopened) == held(source)


def test_hole_in_a_transfer_is_refused() -> None:
    source, target = source_store(), target_store()
    data, head = whole(source)

    with pytest.raises(IntegrityError, match="arrived at 10 where 0 was due"):
        target.stage(source.own_writer, 1, 10, data[10:])
    with pytest.raises(SegmentDamaged, match="hole before byte 10"):
        target.complete(source.own_writer, 1, 10, data[10:], head)

    assert held(target) == {}


def test_transfer_larger_than_any_segment_is_refused_before_it_is_kept() -> None:
    source, target = source_store(), target_store()
    _, head = whole(source)
    huge = bytes(limits.SEGMENT_BYTES_MAX + 1)

    with pytest.raises(IntegrityError, match="larger than"):
        target.stage(source.own_writer, 1, 0, huge)
    with pytest.raises(IntegrityError, match="larger than"):
        target.complete(source.own_writer, 1, 0, huge, head)

    assert target.resume_offset(source.own_writer, 1) == 0


@pytest.mark.parametrize("data", [b"", b"garbage", bytes(5000), b"JILOGSEG", b"JILOGSEG" + b"\xff" * 100])
def test_garbage_instead_of_a_segment_is_refused_and_leaves_nothing(data: bytes) -> None:
    source, target = source_store(), target_store()
    _, head = whole(source)

    with pytest.raises(SegmentDamaged):
        target.complete(source.own_writer, 1, 0, data, head)

    assert held(target) == {}
    assert target.resume_offset(source.own_writer, 1) == 0


def test_damage_on_the_way_drops_what_was_staged_and_the_next_attempt_works() -> None:
    source, target = source_store(), target_store()
    writer = source.own_writer
    data, head = whole(source)
    target.stage(writer, 1, 0, flip_bit(data[:100], 8 * 60))

    with pytest.raises(SegmentDamaged):
        target.complete(writer, 1, 100, data[100:], head)
    outcome = target.complete(writer, 1, 0, data, head)

    assert outcome is Ingested.PUBLISHED


def test_head_of_other_bytes_number_writer_or_zone_is_refused() -> None:
    source, target = source_store(), target_store()
    writer = source.own_writer
    data, signed = whole(source)
    key = key_of("beta")
    wrong = [
        replace(signed.head, sha256=bytes(32)),
        replace(signed.head, last_sequence=2),
        replace(signed.head, length=signed.head.length - 1),
        replace(signed.head, sealed=True),
        replace(signed.head, number=2),
        replace(signed.head, zone="other"),
        replace(signed.head, writer=writer._replace(source="gamma")),
    ]

    for head in wrong:
        with pytest.raises(IntegrityError):
            target.complete(writer, 1, 0, data, SignedHead(head, key.sign(head.message())))

    assert held(target) == {}


def test_signature_by_another_key_than_the_headers_is_refused() -> None:
    source, target = source_store(), target_store()
    data, signed = whole(source)

    with pytest.raises(IntegrityError, match="signature"):
        target.complete(
            source.own_writer,
            1,
            0,
            data,
            SignedHead(signed.head, key_of("mallory").sign(signed.head.message())),
        )

    assert held(target) == {}


def test_segment_with_another_key_than_the_known_one_is_a_fork() -> None:
    source, target = source_store(), target_store()
    source.seal()
    pull(target, source)
    impostor = open_store(Path("/m"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"), key=key_of("mallory"))
    for number in (1, 2):
        impostor.append([draft(number)])
        impostor.seal()
    data, head = whole(impostor, 2)

    with pytest.raises(ForkDetected, match="another key"):
        target.complete(source.own_writer, 2, 0, data, head)

    assert held(target) == held(source)


def test_local_segment_is_refused() -> None:
    target = target_store()
    secret = open_store(Path("/secret"), "beta", disk=MemoryDisk(), local=True)
    secret.append([draft(1)])
    data, head = whole(secret)

    with pytest.raises(IntegrityError, match="must not travel"):
        target.complete(secret.own_writer, 1, 0, data, head)


def test_segment_of_another_zone_is_refused() -> None:
    target = target_store()
    other = open_store(Path("/other"), "beta", disk=MemoryDisk(), zone="private")
    other.append([draft(1)])
    data, head = whole(other)

    with pytest.raises(IntegrityError):
        target.complete(other.own_writer, 1, 0, data, head)
    with pytest.raises(SegmentDamaged, match="claims to be"):
        target.complete(other.own_writer, 1, 0, data, replace(head, head=replace(head.head, zone="main")))


def test_payload_that_is_not_msgpack_is_refused_although_all_checksums_fit() -> None:
    target = target_store()
    key, writer = key_of("beta"), source_store().own_writer
    header = encode_header(SegmentHeader("main", writer, 1, 1, bytes(32), key.public_key, 0))
    # One event whose payload is an array that claims two elements and has one: [1, id, 0, "health", 1, [1, …
    event = b"\x91\x9a\x01\xc4\x10" + bytes(16) + b"\x00\xa6health\x01" + b"\xa1\xff" + b"\xc0" * 4
    data = header + encode_frame(BLOCK, event)
    import hashlib

    head = Head("main", writer, 1, len(data), 1, hashlib.sha256(data).digest(), sealed=False)

    with pytest.raises(SegmentDamaged, match="malformed"):
        target.complete(writer, 1, 0, data, SignedHead(head, key.sign(head.message())))


def test_segment_that_does_not_follow_its_predecessor_is_refused() -> None:
    source, target = source_store(), target_store()
    source.seal()
    pull(target, source)
    writer, key = source.own_writer, key_of("beta")
    stranger = encode_header(SegmentHeader("main", writer, 2, 4, b"x" * 32, key.public_key, 0))
    skipping = encode_header(
        SegmentHeader("main", writer, 2, 9, source.segments(writer)[0].sha256, key.public_key, 0)
    )
    import hashlib

    for data, last in ((stranger, 3), (skipping, 8)):
        head = Head("main", writer, 2, len(data), last, hashlib.sha256(data).digest(), sealed=False)
        with pytest.raises(SegmentDamaged, match="does not follow"):
            target.complete(writer, 2, 0, data, SignedHead(head, key.sign(head.message())))


# Forks.


def diverging() -> tuple[ZoneStore, ZoneStore]:
    """A host and its clone: same source, epoch and key, one event in common, then each its own."""
    stores = []
    for name in ("one", "two"):
        store = open_store(Path(f"/{name}"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"), clock=Clock())
        store.append([draft(1)])
        stores.append(store)
    stores[0].append([draft(2)])
    stores[1].append([draft(3)])
    return stores[0], stores[1]


@pytest.mark.parametrize("seal_one", [False, True])
@pytest.mark.parametrize("more", [0, 1])
def test_two_histories_of_one_writer_are_a_fork_that_shows_both_heads(seal_one: bool, more: int) -> None:
    one, two = diverging()
    target = target_store()
    if seal_one:
        one.seal()
    pull(target, one)
    two.append([draft(10 + i) for i in range(more)])
    data, head = whole(two)

    with pytest.raises(ForkDetected, match="two histories") as caught:
        target.complete(two.own_writer, 1, 0, data, head)

    assert caught.value.theirs == head
    assert caught.value.ours.sha256 != head.head.sha256
    assert held(target) == held(one)
    assert target.verify().findings == []


@pytest.mark.parametrize("partial_first", [True, False])
def test_a_partial_segment_and_a_later_one_of_another_history_are_not_held_together(
    partial_first: bool,
) -> None:
    one, two = diverging()
    one.append([draft(4)])
    two.seal()
    two.append([draft(5)])
    two.seal()
    target, writer = target_store(), one.own_writer
    moves = [(one, 1), (two, 2)] if partial_first else [(two, 2), (one, 1)]
    assert pull_segment(target, moves[0][0], writer, moves[0][1]) is Ingested.PUBLISHED

    with pytest.raises(ForkDetected, match="two histories"):
        pull_segment(target, moves[1][0], writer, moves[1][1])

    assert [info.number for info in target.segments(writer)] == [moves[0][1]]
    assert target.verify().findings == []


def test_forged_fork_that_is_not_signed_by_the_writer_is_refused_as_forged() -> None:
    one, two = diverging()
    target = target_store()
    pull(target, one)
    data, head = whole(two)
    forged = SignedHead(head.head, key_of("mallory").sign(head.head.message()))

    with pytest.raises(IntegrityError, match="signature") as caught:
        target.complete(two.own_writer, 1, 0, data, forged)

    assert not isinstance(caught.value, ForkDetected)


def test_peer_that_has_more_of_our_own_stream_makes_us_begin_a_new_epoch() -> None:
    disk = MemoryDisk()
    before = open_store(Path("/alpha"), "alpha", disk=disk, epochs=Epochs("alpha"))
    before.append([draft(1)])
    peer = open_store(Path("/beta"), "beta", disk=MemoryDisk())
    rolled_back = bytes(disk.read(before.layout.segment(before.own_writer, 1)))
    head = bytes(disk.read(before.layout.head(before.own_writer)))
    before.append([draft(2)])
    pull(peer, before)
    disk.alter(before.layout.segment(before.own_writer, 1), rolled_back)
    disk.alter(before.layout.head(before.own_writer), head)

    restored = open_store(Path("/alpha"), "alpha", disk=disk, epochs=Epochs("alpha later"))
    pull(restored, peer)
    [event] = restored.append([draft(3)])

    assert event.writer.epoch == Epochs("alpha later")()
    assert sorted(numbers(restored)) == [1, 2, 3]
    assert len(numbers(open_store(Path("/alpha"), "alpha", disk=disk))) == 3


# Gaps.


def three_segments() -> ZoneStore:
    source = source_store()
    for number in (4, 5, 6):
        source.seal()
        source.append([draft(number)])
    return source


def test_segments_above_a_gap_are_held_and_named_as_spans() -> None:
    source, target = three_segments(), target_store()
    writer = source.own_writer
    infos = source.segments(writer)

    for number in (1, 3):
        pull_segment(target, source, writer, number)

    entry = target.frontier().entry(writer)
    assert entry is not None
    assert (entry.sequence, entry.number, entry.sealed, entry.last_sequence) == (3, 1, True, 5)
    [span] = entry.above
    assert (span.first_number, span.last_number, span.first_sequence, span.last_sequence) == (3, 3, 5, 5)
    assert span.sha256 == infos[2].sha256
    assert [event.sequence for event in held(target)[writer]] == [1, 2, 3, 5]


def test_gap_when_filled_leaves_the_same_frontier_as_without() -> None:
    source, target = three_segments(), target_store()
    writer = source.own_writer

    for number in (3, 1, 2, 4):
        pull_segment(target, source, writer, number)

    assert target.frontier() == source.frontier()


def test_tail_above_a_gap_when_reopened_is_still_held() -> None:
    disk = MemoryDisk()
    source, target = three_segments(), target_store(disk)
    writer = source.own_writer
    for number in (1, 4):
        pull_segment(target, source, writer, number)
    before = target.frontier()

    disk.crash(Aftermath.LOST)
    reopened = target_store(disk)

    assert reopened.frontier() == before
    assert [event.sequence for event in held(reopened)[writer]] == [1, 2, 3, 6]


def _tail_and_the_next_segment(disk: MemoryDisk) -> tuple[ZoneStore, ZoneStore]:
    """A source, and a target that holds its first segment without the seal, and its second one."""
    source, target = source_store(), target_store(disk)
    writer = source.own_writer
    pull_segment(target, source, writer, 1)
    source.seal()
    source.append([draft(4)])
    source.seal()
    pull_segment(target, source, writer, 2)
    return source, target


def test_later_segment_does_not_push_out_the_tail_that_is_held() -> None:
    source, target = _tail_and_the_next_segment(MemoryDisk())

    entry = target.frontier().entry(source.own_writer)

    assert entry is not None
    assert (entry.sequence, entry.number, [span.first_number for span in entry.above]) == (3, 1, [2])
    assert [event.sequence for event in held(target)[source.own_writer]] == [1, 2, 3, 4]
    pull(target, source)
    assert target.frontier() == source.frontier()


@pytest.mark.parametrize("without_manifest", [False, True])
def test_tail_below_a_later_segment_is_still_held_after_a_power_cut(without_manifest: bool) -> None:
    disk = MemoryDisk()
    source, target = _tail_and_the_next_segment(disk)
    before = target.frontier()

    disk.crash(Aftermath.LOST)
    if without_manifest:
        disk.remove(target.layout.manifest)
    reopened = target_store(disk)

    assert reopened.frontier() == before
    assert reopened.verify().findings == []
    pull(reopened, source)
    assert reopened.frontier() == source.frontier()


def test_seal_that_the_writer_lost_to_rot_is_made_again_from_a_peers_copy_without_it() -> None:
    source, peer = source_store(), target_store()
    writer = source.own_writer
    pull(peer, source)
    source.seal()
    path = source.layout.segment(writer, 1)
    sealed, _ = whole(source)
    source.append([draft(4)])
    disk = source._catalog.disk
    assert isinstance(disk, MemoryDisk)
    disk.flip_bit(path, 800)
    source.verify()

    pull(source, peer)
    pull(peer, source)

    assert disk.read(path) == sealed
    assert source.own_writer != writer
    assert source.frontier() == peer.frontier()
    assert [event.sequence for event in held(peer)[writer]] == [1, 2, 3, 4]


def test_part_of_a_segment_that_the_writer_lost_for_good_comes_back_and_the_rest_goes_on() -> None:
    source, peer = source_store(), target_store()
    writer = source.own_writer
    pull(peer, source)
    source.append([draft(4)])
    source.seal()
    source.append([draft(5)])
    disk = source._catalog.disk
    assert isinstance(disk, MemoryDisk)
    disk.flip_bit(source.layout.segment(writer, 1), 800)
    source.verify()

    pull(source, peer)
    pull(peer, source)

    assert source.frontier() == peer.frontier()
    assert [event.sequence for event in held(peer)[writer]] == [1, 2, 3, 5]


def test_part_files_of_transfers_that_were_overtaken_are_swept_by_verify() -> None:
    disk = MemoryDisk()
    source, target = source_store(), target_store(disk)
    writer = source.own_writer
    data, _ = whole(source)
    target.stage(writer, 1, 0, data[:50])
    first, head = whole(source)
    source.append([draft(4)])
    target.complete(writer, 1, 0, first, head)
    target.stage(writer, 1, len(first), source.read(writer, 1, len(first), 5))
    source.seal()
    disk.extend(target.layout.part(writer, 1, 7), 0, b"stale")

    target.verify()

    assert disk.list_directory(target.layout.incoming) == [target.layout.part(writer, 1, len(first)).name]


def test_tail_whose_predecessor_is_missing_is_claimed_as_a_span() -> None:
    source, target = three_segments(), target_store()
    writer = source.own_writer

    for number in (1, 4):
        pull_segment(target, source, writer, number)

    entry = target.frontier().entry(writer)
    assert entry is not None
    [span] = entry.above
    assert (span.first_number, span.last_number, span.first_sequence, span.last_sequence) == (4, 4, 6, 6)


def test_unsealed_part_of_a_segment_does_not_fill_a_gap_below_the_tail() -> None:
    source, relay = source_store(), open_store(Path("/relay"), "gamma", disk=MemoryDisk())
    writer = source.own_writer
    pull(relay, source)
    source.seal()
    source.append([draft(4)])
    target = target_store()
    pull_segment(target, source, writer, 2)
    before = target.frontier()

    with pytest.raises(IntegrityError, match="is not sealed, and segment 2 is held in part"):
        pull_segment(target, relay, writer, 1)

    assert target.frontier() == before
    assert target.verify().findings == []
    pull(target, source)
    assert target.frontier() == source.frontier()


def test_frontier_follows_what_another_process_received_and_appended() -> None:
    disk = MemoryDisk()
    source, target, other = source_store(), target_store(disk), target_store(disk)
    pull(target, source)
    assert other.frontier() == target.frontier()

    source.append([draft(4)])
    pull(other, source)
    other.append([draft(5)])

    assert target.frontier() == other.frontier()
    assert target.frontier().entry(source.own_writer) == source.frontier().entry(source.own_writer)


def test_part_that_a_peer_still_has_comes_back_although_the_whole_was_lost_here() -> None:
    disk = MemoryDisk()
    source, target = source_store(), target_store(disk)
    writer = source.own_writer
    peer = open_store(Path("/peer"), "gamma", disk=MemoryDisk())
    pull(peer, source)
    source.seal()
    pull(target, source)
    disk.remove(target.layout.segment(writer, 1))
    target.verify()
    assert held(target) == {}

    pull(target, peer)
    frontier = target.frontier()
    disk.remove(target.layout.manifest)

    assert held(target)[writer] == held(peer)[writer]
    assert frontier == peer.frontier()
    assert target_store(disk).frontier() == frontier
    pull(target, source)
    assert target.frontier() == source.frontier()


def test_part_below_sealed_segments_is_claimed_with_what_is_above() -> None:
    source, target = source_store(), target_store()
    writer = source.own_writer
    peer = open_store(Path("/peer"), "gamma", disk=MemoryDisk())
    pull(peer, source)
    source.seal()
    source.append([draft(4)])
    source.seal()
    pull_segment(target, source, writer, 2)

    pull_segment(target, peer, writer, 1)

    entry = target.frontier().entry(writer)
    assert entry is not None
    assert (entry.sequence, entry.number, entry.sealed, len(entry.above)) == (3, 1, False, 1)
    assert [event.sequence for event in held(target)[writer]] == [1, 2, 3, 4]
    pull(target, source)
    assert target.frontier() == source.frontier()


def test_part_of_our_own_lost_segment_is_never_appended_to() -> None:
    disk = MemoryDisk()
    epochs = Epochs("alpha")
    store = open_store(Path("/alpha"), "alpha", disk=disk, epochs=epochs)
    store.append([draft(1)])
    writer = store.own_writer
    peer = open_store(Path("/peer"), "gamma", disk=MemoryDisk())
    pull(peer, store)
    store.seal()
    store.append([draft(2)])
    store.seal()
    disk.remove(store.layout.segment(writer, 1))
    store.verify()

    pull(store, peer)
    [event] = store.append([draft(3)])

    assert event.writer != writer
    assert [event.sequence for event in held(store)[writer]] == [1, 2]
