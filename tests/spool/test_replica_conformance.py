"""What a session relies on, checked on the fake and on the real zone store alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.head import SignedHead
from jilog_ledger.receive import Ingested
from support.spool_fleet import AnyReplica, drafts, held_bytes, key_of, memory_replica, root_of, zone_store

Make = Callable[[str], AnyReplica]


@pytest.fixture(params=["memory", "zone_store"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "memory":
        return memory_replica
    return lambda source: zone_store(tmp_path, source)


def test_empty_replica_has_an_empty_frontier(make: Make) -> None:
    replica = make("a")

    assert replica.frontier().entries == ()
    assert replica.segments(replica.own_writer) == []
    assert replica.resume_offset(replica.own_writer, 1) == 0


def test_two_empty_replicas_have_one_root(make: Make) -> None:
    assert root_of(make("a")) == root_of(make("b"))


def test_active_segment_after_append_is_described_up_to_its_head(make: Make) -> None:
    replica = make("a")
    replica.append(drafts(3))

    (info,) = replica.segments(replica.own_writer)
    (entry,) = replica.frontier().entries
    signed = replica.signed_head(replica.own_writer, 1)

    assert (info.number, info.first_sequence, info.last_sequence, info.sealed) == (1, 1, 3, False)
    assert (entry.number, entry.sequence, entry.length, entry.sealed) == (1, 3, info.length, False)
    assert entry.sha256 == info.sha256 == signed.head.sha256
    assert signed.head.length == len(replica.read(replica.own_writer, 1, 0, 10**6))
    signed.verify(key_of("a").public_key)


def test_sealed_segment_has_a_seal_past_its_content(make: Make) -> None:
    replica = make("a")
    replica.append(drafts(3))
    replica.seal()

    (info,) = replica.segments(replica.own_writer)
    (entry,) = replica.frontier().entries
    signed = replica.signed_head(replica.own_writer, 1)

    assert info.sealed
    assert entry.sealed
    assert info.length > info.content_length == entry.length == signed.head.length
    assert len(replica.read(replica.own_writer, 1, 0, 10**6)) == info.length
    signed.verify(key_of("a").public_key)


def test_bytes_of_a_segment_do_not_change_when_it_grows_and_is_sealed(make: Make) -> None:
    replica = make("a")
    replica.append(drafts(1))
    before = replica.read(replica.own_writer, 1, 0, 10**6)

    replica.append(drafts(1))
    replica.seal()

    assert replica.read(replica.own_writer, 1, 0, len(before)) == before


def _transfer(source: AnyReplica, target: AnyReplica, number: int = 1) -> Ingested:
    writer = source.own_writer
    info = source.segments(writer, number)[0]
    offset = target.resume_offset(writer, number)
    data = source.read(writer, number, offset, info.length - offset)
    return target.complete(writer, number, offset, data, source.signed_head(writer, number))


def test_transfer_of_a_tail_extends_and_a_second_one_is_a_duplicate(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(1))
    assert _transfer(source, target) is Ingested.PUBLISHED
    source.append(drafts(1))

    outcomes = [_transfer(source, target), _transfer(source, target)]

    assert outcomes == [Ingested.EXTENDED, Ingested.DUPLICATE]
    assert held_bytes(target) == held_bytes(source)
    assert root_of(target) == root_of(source)


def test_follower_that_gets_the_seal_alone_holds_the_same_sealed_file(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(1))
    _transfer(source, target)
    source.seal()

    outcome = _transfer(source, target)

    assert outcome is Ingested.EXTENDED
    assert held_bytes(target) == held_bytes(source)


def test_follower_serves_the_head_that_came_with_the_bytes(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(2))
    _transfer(source, target)

    signed = target.signed_head(source.own_writer, 1)

    assert signed == source.signed_head(source.own_writer, 1)


def test_staged_bytes_count_for_resuming_and_for_nothing_else(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(5))
    data = source.read(source.own_writer, 1, 0, 10**6)

    target.stage(source.own_writer, 1, 0, data[:100])

    assert target.resume_offset(source.own_writer, 1) == 100
    assert target.frontier().entries == ()
    outcome = target.complete(source.own_writer, 1, 100, data[100:], source.signed_head(source.own_writer, 1))
    assert outcome is Ingested.PUBLISHED
    assert held_bytes(target) == held_bytes(source)


def test_transfer_from_before_the_staged_end_uses_the_new_bytes(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(5))
    data = source.read(source.own_writer, 1, 0, 10**6)
    target.stage(source.own_writer, 1, 0, data[:50] + b"\xff" * 50)

    target.complete(source.own_writer, 1, 50, data[50:], source.signed_head(source.own_writer, 1))

    assert held_bytes(target) == held_bytes(source)


def test_flipped_bit_is_refused_and_what_was_staged_is_dropped(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(5))
    data = bytearray(source.read(source.own_writer, 1, 0, 10**6))
    data[len(data) // 2] ^= 1
    target.stage(source.own_writer, 1, 0, bytes(data[:-10]))

    with pytest.raises(SegmentDamaged):
        target.complete(
            source.own_writer,
            1,
            len(data) - 10,
            bytes(data[-10:]),
            source.signed_head(source.own_writer, 1),
        )

    assert target.resume_offset(source.own_writer, 1) == 0
    assert target.frontier().entries == ()


def test_head_with_a_wrong_signature_is_refused(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(1))
    signed = source.signed_head(source.own_writer, 1)
    forged = SignedHead(signed.head, bytes(64))
    data = source.read(source.own_writer, 1, 0, 10**6)

    with pytest.raises(IntegrityError, match="signature"):
        target.complete(source.own_writer, 1, 0, data, forged)

    assert target.frontier().entries == ()


def test_head_that_covers_less_than_the_bytes_is_refused(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(1))
    short = source.signed_head(source.own_writer, 1)
    source.append(drafts(1))
    data = source.read(source.own_writer, 1, 0, 10**6)

    with pytest.raises(SegmentDamaged):
        target.complete(source.own_writer, 1, 0, data, short)

    assert target.frontier().entries == ()


def test_segment_past_a_gap_is_held_above_it(make: Make) -> None:
    source, target = make("a"), make("b")
    for _ in range(3):
        source.append(drafts(2))
        source.seal()

    _transfer(source, target, number=3)

    (entry,) = target.frontier().entries
    assert (entry.sequence, entry.number) == (0, 0)
    assert [(span.first_number, span.last_number, span.last_sequence) for span in entry.above] == [(3, 3, 6)]
    _transfer(source, target, number=1)
    _transfer(source, target, number=2)
    assert root_of(target) == root_of(source)


def test_segment_that_does_not_follow_the_one_before_is_refused(make: Make) -> None:
    source, target = make("a"), make("b")
    source.append(drafts(1))
    source.seal()
    source.append(drafts(1))
    data = source.read(source.own_writer, 2, 0, 10**6)
    signed = source.signed_head(source.own_writer, 2)
    wrong = SignedHead(replace(signed.head, number=1), signed.signature)

    with pytest.raises(IntegrityError):
        target.complete(source.own_writer, 1, 0, data, wrong)

    assert target.frontier().entries == ()
