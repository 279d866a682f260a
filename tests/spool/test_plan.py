"""What is offered to whom, and when two histories are told apart."""

from __future__ import annotations

import pytest

from jilog_ledger.frontier import FrontierEntry
from jilog_spool.plan import Relation, missing_above, plan_offers, plan_writer, relate
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import drafts, memory_replica, sync


def _grown(blocks: int, *, seal: bool = False) -> MemoryReplica:
    replica = memory_replica("w")
    # Ids and times are drawn from a counter, so two replicas never hold the same bytes by themselves.
    for _ in range(blocks):
        replica.append(drafts(1))
    if seal:
        replica.seal()
    return replica


def _entry(replica: MemoryReplica) -> FrontierEntry:
    return replica.frontier().entries[0]


def _copy(replica: MemoryReplica) -> MemoryReplica:
    copy = memory_replica("copy")
    sync(replica, copy)
    return copy


def test_equal_frontiers_need_no_plan() -> None:
    replica = _grown(2)

    assert plan_offers(replica.frontier(), _copy(replica).frontier().entries) == []


def test_writer_that_the_peer_has_never_seen_is_offered_from_its_first_segment() -> None:
    (plan,) = plan_offers(_grown(2).frontier(), [])

    assert (plan.first_number, plan.theirs) == (1, None)


def test_writer_of_whom_the_peer_has_more_segments_needs_no_plan() -> None:
    replica = _grown(1, seal=True)
    copy = _copy(replica)
    replica.append(drafts(1))

    assert plan_writer(_entry(copy), _entry(replica)) is None
    assert plan_writer(_entry(replica), _entry(copy)) is not None


@pytest.mark.parametrize("seal_first", [False, True])
def test_our_copy_stands_to_the_peers_as_it_grew(seal_first: bool) -> None:
    replica = _grown(1)
    before = _copy(replica)
    if not seal_first:
        replica.append(drafts(1))
    else:
        replica.seal()

    ours, theirs = replica.segments(replica.own_writer)[0], before.segments(replica.own_writer)[0]

    ahead = Relation.AHEAD_UNSEALED if seal_first else Relation.LONGER
    assert relate(ours, _entry(before)) is ahead
    assert relate(theirs, _entry(replica)) is Relation.BEHIND
    assert relate(ours, _entry(replica)) is Relation.SAME


def test_other_bytes_of_the_same_length_are_a_fork() -> None:
    one, other = _grown(1), _grown(1)

    assert relate(one.segments(one.own_writer)[0], _entry(other)) is Relation.FORKED


def test_more_bytes_than_a_sealed_segment_has_are_a_fork() -> None:
    sealed, longer = _grown(1, seal=True), _grown(3)

    assert relate(sealed.segments(sealed.own_writer)[0], _entry(longer)) is Relation.FORKED
    assert relate(longer.segments(longer.own_writer)[0], _entry(sealed)) is Relation.FORKED


def test_segments_in_the_peers_spans_are_passed_over() -> None:
    replica = memory_replica("w")
    for _ in range(6):
        replica.append(drafts(1))
        replica.seal()
    copy = _copy(replica)
    for number in (2, 5):
        copy.drop(replica.own_writer, number)

    missing = missing_above(replica.segments(replica.own_writer), _entry(copy))

    assert [info.number for info in missing] == [2, 5]
