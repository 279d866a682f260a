"""Clones, restored hosts and reused names: both histories end up on every node, and nobody has to act."""

from __future__ import annotations

import itertools
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.branch import alias_of, part
from jilog_ledger.errors import IntegrityError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.fork import Evidence, ForkProof, decode_proof
from jilog_ledger.head import SignedHead
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection.database import Projection
from jilog_ledger.projection.query import EventQuery
from jilog_ledger.store import ZoneStore
from jilog_spool.memory import Pipe
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import (
    AnyReplica,
    drafts,
    held_bytes,
    key_of,
    memory_replica,
    root_of,
    sync,
    zone_store,
)
from support.spool_live import LiveFleet


def _clone(root: Path, source: str, copy: str) -> ZoneStore:
    """Copy a host's home as ``cp -a`` does, and open the copy."""
    shutil.copytree(root / source, root / copy / source)
    return zone_store(root / copy, source)


def _ids(replica: AnyReplica) -> list[bytes]:
    """Give the ids of all events that a store shows, each as often as it is shown."""
    assert isinstance(replica, ZoneStore)
    return sorted(
        bytes(event.event_id)
        for writer in replica.writers()
        for batch in replica.events_after(writer)
        for event in batch.events
    )


def _mesh(*replicas: AnyReplica) -> list[Pipe]:
    """Sync each with each, often enough for anything to reach anybody."""
    return [sync(*pair) for _ in range(3) for pair in itertools.combinations(replicas, 2)]


def _appended(*batches: list[Event]) -> list[bytes]:
    return sorted(bytes(event.stored.event_id) for events in batches for event in events)


def test_clone_and_original_meet_and_every_event_of_both_is_everywhere(tmp_path: Path) -> None:
    first, relay = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    before = first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    ours, theirs = first.append(drafts(3)), clone.append(drafts(1))
    epoch = first.own_writer
    sync(first, relay)

    pipe = sync(clone, relay)
    after = clone.append(drafts(1))
    _mesh(first, relay, clone)

    assert len(pipe.second.session.report.forks) == 1
    assert root_of(first) == root_of(relay) == root_of(clone)
    assert held_bytes(first) == held_bytes(relay) == held_bytes(clone)
    everything = _appended(before, ours, theirs, after)
    for store in (first, relay, clone):
        assert _ids(store) == everything
    assert epoch not in (first.own_writer, clone.own_writer)
    assert first.own_writer != clone.own_writer


def test_fork_is_settled_in_the_session_that_finds_it(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    first.append(drafts(1))
    clone.append(drafts(1))
    clone.seal()
    clone.append(drafts(1))

    pipe = sync(first, clone)

    assert pipe.first.session.report.rounds == 2
    assert root_of(first) == root_of(clone)
    assert sync(first, clone).first.session.report.clean


def test_fork_deep_in_the_past_is_traced_back_to_where_it_began(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    for store in (first, clone):
        for _ in range(5):
            store.append(drafts(2))
            store.seal()
        store.append(drafts(1))

    _mesh(first, clone)

    assert root_of(first) == root_of(clone)
    assert len(_ids(first)) == len(set(_ids(first))) == 2 + 2 * 11
    (alias,) = [writer for writer in first.writers() if first.branch(writer)]
    assert len(first.segments(alias)) == 6


def test_host_restored_from_a_snapshot_that_went_on_writing_loses_nothing(tmp_path: Path) -> None:
    relay = zone_store(tmp_path, "b")
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    restored = _clone(tmp_path, "a", "snapshot")
    first.append(drafts(4))
    sync(first, relay)
    restored.append(drafts(1))
    old_epoch = restored.own_writer

    sync(restored, relay)
    restored.append(drafts(1))
    sync(restored, relay)

    assert restored.own_writer != old_epoch
    assert _ids(restored) == _ids(relay)
    assert len(set(_ids(relay))) == 2 + 4 + 1 + 1


def test_reused_host_name_is_another_writer(tmp_path: Path) -> None:
    old, relay = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    old.append(drafts(2))
    key = key_of("another")
    new = ZoneStore.open(tmp_path / "reinstalled", "main", source="a", key=key)
    new.append(drafts(3))
    sync(old, relay)

    pipe = sync(new, relay)

    assert pipe.second.session.report.clean
    assert len(_ids(relay)) == len(_ids(new)) == 5


def test_same_writer_with_another_key_is_refused_and_told(tmp_path: Path) -> None:
    first, relay = memory_replica("a"), zone_store(tmp_path, "b")
    first.append(drafts(2))
    sync(first, relay)
    impostor = MemoryReplica("main", "a", key_of("mallory"))
    impostor.append(drafts(1))

    pipe = sync(impostor, relay)

    assert len(pipe.second.session.report.forks) == 1
    assert pipe.second.session.report.refused_count
    assert held_bytes(relay) == held_bytes(first)


def test_clock_set_back_changes_nothing_about_the_sequence(tmp_path: Path) -> None:
    times = iter([10**18, 10**18, 10**17, 10**17, 10**17, 10**17])
    first = ZoneStore.open(
        tmp_path / "a", "main", source="a", key=key_of("a"), clock=lambda: next(times, 10**17)
    )
    relay = zone_store(tmp_path, "b")
    first.append(drafts(1))
    sync(first, relay)
    first.append(drafts(1))

    pipe = sync(first, relay)

    assert pipe.first.session.report.clean
    assert root_of(first) == root_of(relay)


def test_clones_that_stay_connected_are_told_apart_by_the_first_push(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(1))
    clone = _clone(tmp_path, "a", "clone")
    fleet = LiveFleet([first, clone, zone_store(tmp_path, "b")])
    for ends in ((0, 2), (1, 2), (0, 1)):
        fleet.connect(*ends)

    fleet.append(0, drafts(1))
    fleet.append(1, drafts(2))
    fleet.settle()
    for _ in range(4):
        fleet.tick(2.0)
        fleet.settle()
    for index in (0, 1):
        fleet.append(index, drafts(1))
    fleet.settle()

    assert [link.pipe.failures for link in fleet.links] == [[], [], []]
    assert len({root_of(replica) for replica in fleet.replicas}) == 1
    assert all(len(set(_ids(replica))) == len(_ids(replica)) == 6 for replica in fleet.replicas)


def _grow(replica: AnyReplica, chance: random.Random) -> None:
    for _ in range(chance.randrange(4)):
        replica.append(_drafts(chance))
        if chance.random() < 0.3:
            replica.seal()


def _drafts(chance: random.Random) -> list[EventDraft]:
    """Make events whose ids follow from the seed, so that a failing seed fails again."""
    return [
        EventDraft("health", {"n": n}, timestamp_ns=n, event_id=chance.randbytes(16))
        for n in range(chance.randint(1, 3))
    ]


def _twin(parent: MemoryReplica) -> MemoryReplica:
    twin = memory_replica("a")
    twin._segments = {
        writer: {number: replace(segment, reader=segment.reader.copy()) for number, segment in held.items()}
        for writer, held in parent._segments.items()
    }
    return twin


def _meet_in_any_order(fleet: list[AnyReplica], chance: random.Random) -> None:
    """Let all meet each other until nothing is new; what any of them held must be everywhere then."""
    everything = {data for replica in fleet for data in held_bytes(replica).values()}
    pairs = list(itertools.combinations(range(len(fleet)), 2))
    chance.shuffle(pairs)

    for first, second in pairs * 4:
        sync(fleet[first], fleet[second])

    assert len({root_of(replica) for replica in fleet}) == 1
    assert all(held_bytes(replica) == held_bytes(fleet[0]) for replica in fleet)
    # A clone that stopped early holds the start of what another one holds.
    kept = held_bytes(fleet[0]).values()
    assert all(any(data.startswith(part_held) for data in kept) for part_held in everything)


@pytest.mark.parametrize("seed", range(30))
def test_clones_of_clones_in_any_order_of_meeting_end_in_one_state(seed: int) -> None:
    chance = random.Random(seed)
    clones = [memory_replica("a")]
    clones[0].append(_drafts(chance))
    for _ in range(3):
        clones.append(_twin(chance.choice(clones)))
        for clone in clones:
            _grow(clone, chance)

    _meet_in_any_order([*clones, memory_replica("r"), memory_replica("s")], chance)


@pytest.mark.parametrize("seed", range(6))
def test_real_clones_in_any_order_of_meeting_end_in_one_state(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    clones = [zone_store(tmp_path / "0", "a")]
    clones[0].append(_drafts(chance))
    for index in range(1, 4):
        parent = chance.randrange(len(clones))
        shutil.copytree(tmp_path / str(parent), tmp_path / str(index))
        clones.append(zone_store(tmp_path / str(index), "a"))
        for clone in clones:
            _grow(clone, chance)
    shown = set().union(*(_ids(clone) for clone in clones))
    fleet: list[AnyReplica] = [*clones, zone_store(tmp_path, "r"), zone_store(tmp_path, "s")]

    _meet_in_any_order(fleet, chance)

    assert all(_ids(replica) == sorted(shown) for replica in fleet)
    assert all(replica.verify().findings == [] for replica in fleet if isinstance(replica, ZoneStore))


@pytest.mark.parametrize("sealed", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (1, 3)])
def test_proof_can_be_checked_offline_and_a_changed_one_cannot(
    tmp_path: Path, sealed: tuple[bool, bool], sizes: tuple[int, int]
) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    for store, seal, size in zip((first, clone), sealed, sizes, strict=True):
        for _ in range(size):
            store.append(drafts(1))
        if seal:
            store.seal()
    sync(first, clone)

    (proof,) = first.fork_proofs()
    path = next((tmp_path / "a" / "main" / "forks").iterdir())
    read = decode_proof(path.read_bytes())

    assert clone.fork_proofs() == [proof]
    assert read == proof
    read.verify()
    assert (read.zone, read.writer.source, read.number) == ("main", "a", 1)
    forged = SignedHead(replace(read.second.signed.head, last_sequence=99), read.second.signed.signature)
    with pytest.raises(IntegrityError):
        replace(read, second=replace(read.second, signed=forged)).verify()
    with pytest.raises(IntegrityError):
        replace(read, second=read.first).verify()
    with pytest.raises(IntegrityError):
        replace(read, public_key=key_of("mallory").public_key).verify()
    with pytest.raises(IntegrityError):
        decode_proof(b"not a proof")


def test_no_fork_proof_for_one_history_that_grew(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(1))
    early = first.signed_head(first.own_writer, 1)
    content = first.read(first.own_writer, 1, 0, early.head.length)
    first.append(drafts(1))
    late = first.signed_head(first.own_writer, 1)

    proof = ForkProof.of(
        key_of("a").public_key,
        Evidence(early, content),
        Evidence(late, first.read(first.own_writer, 1, 0, late.head.length)),
    )

    with pytest.raises(IntegrityError, match="agree"):
        proof.verify()


def test_alias_that_does_not_follow_from_the_bytes_is_refused(tmp_path: Path) -> None:
    first, second = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    first.append(drafts(2))
    writer = first.own_writer
    data = first.read(writer, 1, 0, 10**6)
    alias = alias_of("main", writer, 1, bytes(32))

    with pytest.raises(IntegrityError, match="not the name of a branch"):
        second.complete(alias, 1, 0, data, first.signed_head(writer, 1))

    assert second.writers() == []


def test_copies_of_which_one_is_the_start_of_the_other_do_not_part(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(1))
    short = first.read(first.own_writer, 1, 0, 10**6)
    first.append(drafts(1))
    long = first.read(first.own_writer, 1, 0, 10**6)

    assert part(short, long) is None
    assert part(long, long) is None


def test_projection_shows_both_branches_once_whatever_it_showed_before(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path / "b", "main", source="b", key=key_of("b"))
    first = zone_store(tmp_path, "a")
    before = first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    ours = first.append(drafts(3))
    theirs = clone.append(drafts(4))
    prints = set()
    for order in ((first, clone), (clone, first)):
        shutil.rmtree(tmp_path / "b", ignore_errors=True)
        ledger = ZoneLedger.open(tmp_path / "b", "main", source="b", key=key_of("b"))
        with Projection.open(ledger) as projection:
            for other in order:
                sync(ledger.shared, other)
                projection.apply()
            sync(ledger.shared, order[0])
            projection.apply()

            shown = projection.query(EventQuery(limit=100))
            assert sorted(bytes(event.stored.event_id) for event in shown) == _appended(before, ours, theirs)
            prints.add(projection.fingerprint())
            projection.rebuild()
            prints.add(projection.fingerprint())

    assert len(prints) == 1


def test_store_with_a_branch_reopens_and_rebuilds_its_manifest(tmp_path: Path) -> None:
    first = zone_store(tmp_path, "a")
    first.append(drafts(2))
    clone = _clone(tmp_path, "a", "clone")
    first.append(drafts(1))
    clone.append(drafts(2))
    clone.seal()
    clone.append(drafts(1))
    _mesh(first, clone)
    root, held = root_of(first), held_bytes(first)

    reopened = zone_store(tmp_path, "a")
    assert (root_of(reopened), held_bytes(reopened)) == (root, held)
    (tmp_path / "a" / "main" / "manifest").unlink()
    rebuilt = zone_store(tmp_path, "a")

    assert (root_of(rebuilt), held_bytes(rebuilt)) == (root, held)
    assert rebuilt.verify().findings == []
