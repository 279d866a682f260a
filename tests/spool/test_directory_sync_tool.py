"""Three hosts behind a file-sync tool that delays, reorders, repeats, halves and makes conflict copies."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jilog_ledger.store import ZoneStore
from jilog_spool.directory import SpoolDirectory
from support.spool_directory import SyncTool, directory, equal
from support.spool_fleet import drafts, held_bytes, zone_store

HOSTS = ("a", "b", "c")


def _act(store: ZoneStore, place: SpoolDirectory, chance: random.Random) -> None:
    doing = chance.random()
    if doing < 0.5:
        store.append(drafts(chance.randint(1, 4), size=chance.choice([10, 300])))
    elif doing < 0.6:
        store.seal()
    elif doing < 0.8:
        place.emit()
    else:
        place.ingest()


@pytest.mark.parametrize("seed", range(6))
def test_hosts_behind_a_bad_sync_tool_come_to_hold_the_same(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    stores = {name: zone_store(tmp_path / "homes", name) for name in HOSTS}
    folders = [tmp_path / "shared" / name for name in HOSTS]
    for folder in folders:
        folder.mkdir(parents=True)
    places = {
        name: directory(folder, stores[name], trusted=HOSTS)
        for name, folder in zip(HOSTS, folders, strict=True)
    }
    tool = SyncTool(folders, chance)
    for _ in range(60):
        name = chance.choice(HOSTS)
        _act(stores[name], places[name], chance)
        if chance.random() < 0.4:
            tool.step()

    for _ in range(6):
        for place in places.values():
            place.ingest()
            place.emit()
        tool.finish()
    reports = [place.ingest() for place in places.values()]

    assert equal(*stores.values())
    assert held_bytes(stores["a"]) == held_bytes(stores["b"]) == held_bytes(stores["c"])
    assert [report.forks for report in reports] == [[], [], []]
    assert [store.verify().findings for store in stores.values()] == [[], [], []]
    assert sum(entry.sequence for entry in stores["a"].frontier().entries) > 20


def test_tool_that_never_brings_the_first_segment_is_seen_by_the_same_check(tmp_path: Path) -> None:
    """The check of the test above finds a hole: the planted fault."""
    a, b = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    a.append(drafts(2))
    a.seal()
    a.append(drafts(2))
    a.seal()
    place = directory(tmp_path / "shared", a, trusted="b")
    place.emit()
    next((tmp_path / "shared").glob("*/s+main+a+*+00000001+*.seg")).unlink()

    directory(tmp_path / "shared", b, trusted="a").ingest()

    assert not equal(a, b)
    (entry,) = b.frontier().entries
    assert (entry.sequence, entry.last_sequence) == (0, 4)
