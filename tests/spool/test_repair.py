"""Rot on several hosts at once, dead hosts, and what comes back from whom."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

import pytest

from jilog_ledger.event import EventDraft
from jilog_ledger.store import ZoneStore
from jilog_spool.repair import Lost, Repair, gaps
from support.damage import destroy
from support.spool_fleet import drafts, held_bytes, key_of, root_of, sync, zone_store
from support.spool_live import LiveFleet


def _segment_files(root: Path, host: str) -> list[Path]:
    return sorted((root / host / "main" / "segments").rglob("*.seg"))


def _fleet(root: Path) -> list[ZoneStore]:
    """Make three hosts that hold the same: four sealed segments and an active one of each."""
    stores = [zone_store(root, name) for name in "abc"]
    for store in stores:
        for _ in range(4):
            store.append(drafts(3))
            store.seal()
        store.append(drafts(2))
    for _ in range(2):
        for first, second in itertools.combinations(stores, 2):
            sync(first, second)
    return stores


@pytest.mark.parametrize("seed", range(8))
def test_two_of_three_copies_of_everything_destroyed_and_all_is_restored(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    stores = _fleet(tmp_path)
    before, root = held_bytes(stores[0]), root_of(stores[0])
    files = [_segment_files(tmp_path, name) for name in "abc"]
    for index in range(len(files[0])):
        for host in chance.sample(range(3), 2):
            destroy(files[host][index], chance)

    reopened = [zone_store(tmp_path, name) for name in "abc"]
    repairs = [Repair.begin({"main": store}) for store in reopened]
    for _ in range(2):
        for first, second in itertools.combinations(reopened, 2):
            sync(first, second)

    for store, repair in zip(reopened, repairs, strict=True):
        report = repair.finish()
        assert report.missing == []
        held = held_bytes(store)
        assert all(held[key] == data for key, data in before.items())
        assert store.verify().findings == []
    assert len({root_of(store) for store in reopened}) == 1
    assert root_of(reopened[0]) == root or len(reopened[0].writers()) > 3


def test_what_is_lost_is_asked_for_in_an_open_session_and_reported_as_healed(tmp_path: Path) -> None:
    stores = _fleet(tmp_path)
    fleet = LiveFleet(list(stores))
    link = fleet.connect(0, 1)
    path = tmp_path / "b" / "main" / "segments" / "a" / stores[0].own_writer.epoch / "00000002.seg"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    repair = Repair.begin({"main": stores[1]})
    lost = Lost("main", stores[0].own_writer, 2)
    assert repair.lost == [lost] == gaps({"main": stores[1]})
    assert repair.ask(link.sessions[1]) == 1
    fleet.settle()

    report = repair.finish()
    assert (report.healed, report.missing) == ([lost], [])
    assert held_bytes(stores[1]) == held_bytes(stores[0])
    assert str(lost).endswith("segment 2")
    assert repair.ask(link.sessions[1]) == 0


def test_what_nobody_has_any_more_stays_on_the_list(tmp_path: Path) -> None:
    stores = _fleet(tmp_path)
    writer = stores[2].own_writer
    for name in "abc":
        (tmp_path / name / "main" / "segments" / "c" / writer.epoch / "00000003.seg").unlink()
    repairs = [Repair.begin({"main": store}) for store in stores]

    for first, second in itertools.combinations(stores, 2):
        sync(first, second)

    assert [repair.finish().missing for repair in repairs] == [[Lost("main", writer, 3)]] * 3


@pytest.mark.parametrize("peer", [1, 2])
def test_dead_host_comes_back_from_any_peer_and_goes_on_under_a_new_epoch(tmp_path: Path, peer: int) -> None:
    stores = _fleet(tmp_path)
    old, before = stores[0].own_writer, held_bytes(stores[0])
    shutil.rmtree(tmp_path / "a")

    reborn = ZoneStore.open(tmp_path / "a" / "main", "main", source="a", key=key_of("a"))
    sync(reborn, stores[peer])
    assert held_bytes(reborn) == before
    reborn.append([EventDraft("health", {"text": "back"})])
    for store in stores[1:]:
        sync(reborn, store)

    assert reborn.own_writer.source == "a"
    assert reborn.own_writer != old
    assert held_bytes(reborn) == held_bytes(stores[1]) == held_bytes(stores[2])
