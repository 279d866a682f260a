"""Copies of one home that exchange through a directory: each meets the other history."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from jilog_ledger.store import ZoneStore
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_format import Tail, decode_tail, join_tails
from support.spool_directory import directory, equal, pump
from support.spool_fleet import drafts, key_of, zone_store
from support.stores import Epochs, draft, held


def clones(tmp_path: Path, *, first: int = 1) -> tuple[ZoneStore, ZoneStore]:
    """Give a host that wrote one event and a copy of it, one with three events more and one with one more.

    ``first`` is the number of the copy's own event, on which it depends which history keeps the name.
    """
    places = [tmp_path / name / "main" for name in ("home", "copy")]
    store = open_as_a(places[0])
    store.append([draft(0)])
    store.close()
    shutil.copytree(*places)
    original, copy = (open_as_a(place) for place in places)
    original.append([draft(100)])
    original.append([draft(101), draft(102)])
    copy.append([draft(first)])
    return original, copy


def open_as_a(place: Path) -> ZoneStore:
    return ZoneStore.open(place, "main", source="a", key=key_of("a"), epochs=Epochs(place.parent.name))


def event_ids(*stores: ZoneStore) -> set[bytes]:
    return {event.event_id for store in stores for events in held(store).values() for event in events}


def test_relay_between_two_directories_brings_either_history_to_the_other_clone(tmp_path: Path) -> None:
    kept_by_longer = set()
    for number in range(3):
        base = tmp_path / str(number)
        original, copy = clones(base, first=number + 1)
        name = original.own_writer
        relay = zone_store(base, "b")
        everything = event_ids(original, copy)

        pump(
            directory(base / "one", original, trusted="b"),
            directory(base / "one", relay, trusted="a"),
            directory(base / "two", relay, trusted="a"),
            directory(base / "two", copy, trusted="b", instance=b"two"),
        )

        assert equal(original, copy, relay)
        assert event_ids(copy) == everything
        kept_by_longer.add(relay.segments(name)[0].events == 4)
    assert kept_by_longer == {True, False}


@pytest.mark.parametrize("others", [(), ("b",)])
def test_clones_that_share_one_folder_meet_each_others_history(tmp_path: Path, others: Sequence[str]) -> None:
    for number in range(3):
        base = tmp_path / str(number)
        original, copy = clones(base, first=number + 1)
        shared = base / "shared"
        stores = [original, copy, *(zone_store(base, name) for name in others)]
        places = [directory(shared, store, trusted="ab") for store in stores]
        assert places[0].member.folder == places[1].member.folder
        everything = event_ids(*stores)

        pump(*places)

        assert equal(*stores)
        assert event_ids(copy) == everything
        assert len({store.own_writer for store in stores}) == len(stores)
        assert not any(store.verify().findings for store in stores)


@pytest.mark.parametrize("seed", range(5))
def test_clones_in_one_folder_that_go_on_prune_and_take_turns_in_any_order_lose_nothing(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    original, copy = clones(tmp_path, first=seed + 1)
    stores = [original, copy, zone_store(tmp_path, "b")]
    places = [directory(tmp_path / "shared", store, trusted="ab", keep_seconds=0) for store in stores]

    for _ in range(25):
        at = chance.randrange(len(stores))
        doing = chance.randrange(4)
        if doing == 0:
            stores[at].append(drafts(chance.randrange(1, 4)))
        elif doing == 1 and chance.random() < 0.5:
            stores[at].seal()
        else:
            _pass(places[at], doing)
    everything = event_ids(*stores)
    pump(*places)

    assert equal(*stores)
    assert event_ids(original) == everything
    assert not any(store.verify().findings for store in stores)


def _pass(place: SpoolDirectory, doing: int) -> None:
    place.ingest() if doing == 2 else place.emit()


def test_slices_of_two_histories_side_by_side_are_joined_to_both(tmp_path: Path) -> None:
    original, copy = clones(tmp_path)
    tails = [*_tails(tmp_path / "one", original), *_tails(tmp_path / "two", copy)]

    chains = join_tails(tails)

    assert {data for data, _ in chains} == {
        store.read(store.own_writer, 1, 0, store.segments(store.own_writer)[0].content_length)
        for store in (original, copy)
    }


def _tails(shared: Path, store: ZoneStore) -> list[Tail]:
    directory(shared, store).emit()
    return [decode_tail(path.read_bytes()) for path in sorted(shared.glob("*/*.tail"))]
