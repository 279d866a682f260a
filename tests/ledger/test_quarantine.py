"""Rot: found, moved away with its reason, fetched again from a peer; the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.identifiers import Writer
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import MemoryDisk
from support.stores import Clock, Epochs, draft, flip_bit, held, key_of, open_store, pull

ROOT = Path("/alpha")
PEER = Path("/beta")


def two_hosts() -> tuple[ZoneStore, MemoryDisk, ZoneStore, MemoryDisk]:
    """Two hosts that hold the same: of each a sealed segment, another sealed one, and a tail."""
    disks = MemoryDisk(), MemoryDisk()
    alpha = open_store(ROOT, "alpha", disk=disks[0], epochs=Epochs("alpha"))
    beta = open_store(PEER, "beta", disk=disks[1], epochs=Epochs("beta"))
    for store in (alpha, beta):
        for number in (1, 2):
            store.append([draft(number), draft(10 + number)])
            store.seal()
        store.append([draft(3)])
        store.append([draft(4)])
    pull(alpha, beta)
    pull(beta, alpha)
    return alpha, disks[0], beta, disks[1]


def reopen(disk: MemoryDisk) -> ZoneStore:
    return open_store(ROOT, "alpha", disk=disk, epochs=Epochs("alpha later"))


def segment_paths(store: ZoneStore) -> list[tuple[Writer, int, Path]]:
    return [
        (writer, info.number, store.layout.segment(writer, info.number))
        for writer in store.writers()
        for info in store.segments(writer)
    ]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=st.integers(0, 5),
    position=st.floats(0, 1, exclude_max=True),
    cut=st.booleans(),
    bit=st.integers(0, 7),
)
def test_flip_or_cut_anywhere_is_quarantined_the_rest_works_and_a_peer_heals_it(
    which: int, position: float, cut: bool, bit: int
) -> None:
    alpha, disk, beta, _ = two_hosts()
    before = held(alpha)
    writer, number, path = segment_paths(alpha)[which]
    whole = disk.read(path)
    place = int(position * len(whole))
    disk.alter(path, whole[:place] if cut else flip_bit(whole, 8 * place + bit))

    rotten = reopen(disk)
    report = rotten.verify()
    remaining = held(rotten)
    clean = rotten.verify()
    pull(rotten, beta)
    pull(beta, rotten)

    found = [
        finding for finding in report.findings + rotten.findings if finding.action == "moved to quarantine"
    ]
    assert {(finding.writer, finding.number) for finding in found} == {(writer, number)}
    assert clean.findings == []
    assert all(remaining[other] == before[other] for other in before if other != writer)
    assert len(remaining.get(writer, [])) < len(before[writer])
    assert held(rotten) == before
    assert rotten.frontier().root() == beta.frontier().root()
    assert rotten.verify().findings == []


def test_rot_is_never_served_and_never_given_to_a_reader() -> None:
    alpha, disk, _, _ = two_hosts()
    writer, number, path = segment_paths(alpha)[3]
    assert number == 1
    whole = disk.read(path)
    for place in (0, len(whole) // 2, len(whole) - 1):
        disk.alter(path, flip_bit(whole, 8 * place))
        store = reopen(disk)

        with pytest.raises(SegmentDamaged):
            store.read(writer, number, 0, 10)

        assert disk.size(path) is None
        assert [event.sequence for event in held(store)[writer]] == [3, 4, 5, 6]
        disk.create(path, whole)
        store.verify()


def test_rot_in_a_segment_that_is_open_is_never_served_and_ends_the_epoch() -> None:
    disk = MemoryDisk()
    store = open_store(ROOT, "alpha", disk=disk, epochs=Epochs("alpha"))
    store.append([draft(1)])
    store.append([draft(2)])
    writer = store.own_writer
    whole = store.segments(writer)[0].length
    disk.flip_bit(store.layout.segment(writer, 1), 8 * (whole - 3))

    with pytest.raises(SegmentDamaged):
        store.read(writer, 1, 0, whole)

    assert [finding.action for finding in store.findings] == ["moved to quarantine"]
    store.append([draft(3)])
    assert [event.sequence for event in held(store)[store.own_writer]] == [1]
    assert store.own_writer != writer


def test_last_block_of_an_open_segment_is_checked_when_it_is_read_alone() -> None:
    disk = MemoryDisk()
    store = open_store(ROOT, "alpha", disk=disk, epochs=Epochs("alpha"))
    store.append([draft(1)])
    start = store.segments(store.own_writer)[0].length
    store.append([draft(2)])
    writer = store.own_writer
    whole = store.segments(writer)[0].length
    block = store.read(writer, 1, start, whole - start)
    disk.flip_bit(store.layout.segment(writer, 1), 8 * (start + len(block) // 2))

    with pytest.raises(SegmentDamaged):
        store.read(writer, 1, start, whole - start)


def test_rot_in_an_open_copy_is_not_taken_for_another_history() -> None:
    alpha, disk, beta, _ = two_hosts()
    writer = beta.own_writer
    shorter = beta.signed_head(writer, 3)
    data = beta.read(writer, 3, 0, shorter.head.length)
    beta.append([draft(9)])
    pull(alpha, beta)
    disk.flip_bit(alpha.layout.segment(writer, 3), 8 * 200)

    with pytest.raises(SegmentDamaged):
        alpha.complete(writer, 3, 0, data, shorter)

    pull(alpha, beta)
    assert alpha.frontier() == beta.frontier()


def test_quarantine_keeps_each_damaged_file_with_its_reason() -> None:
    alpha, disk, beta, _ = two_hosts()
    writer, number, path = segment_paths(alpha)[3]
    whole = disk.read(path)
    clock = Clock()
    for attempt in (1, 2):
        disk.alter(path, flip_bit(whole, 800 + attempt))
        store = open_store(ROOT, "alpha", disk=disk, clock=clock)
        store.verify()
        pull(store, beta)

    names = disk.list_directory(store.layout.quarantine)
    note = json.loads(disk.read(store.layout.quarantined(writer, number, 2).with_suffix(".json")))

    assert names == [
        f"{writer.source}.{writer.epoch}.00000001.{attempt}.{kind}"
        for attempt in (1, 2)
        for kind in ("json", "seg")
    ]
    assert disk.read(store.layout.quarantined(writer, number, 1)) == flip_bit(whole, 801)
    assert note["found_at"] == "2026-05-09T12:00:00Z"
    assert (note["zone"], note["source"], note["epoch"], note["number"]) == ("main", *writer, 1)
    assert "hash differs" in note["reason"]


def test_verify_without_repair_reports_and_leaves_everything_where_it_is() -> None:
    alpha, disk, _, _ = two_hosts()
    paths = segment_paths(alpha)
    for _, _, path in (paths[0], paths[2], paths[3], paths[5]):
        disk.alter(path, flip_bit(disk.read(path), 8 * (disk.size(path) or 0) - 9))
    listing = {path: disk.read(path) for _, _, path in paths}

    report = alpha.verify(repair=False)

    assert [(f.writer, f.number) for f in report.findings] == [
        (w, n) for w, n, _ in (paths[0], paths[2], paths[3], paths[5])
    ]
    assert {finding.action for finding in report.findings} == {"left where it is"}
    assert {path: disk.read(path) for _, _, path in paths} == listing


def test_verify_of_a_sound_store_counts_what_it_read() -> None:
    alpha, disk, _, _ = two_hosts()

    report = alpha.verify()

    assert (report.segments, report.events, report.findings) == (6, 12, [])
    assert report.bytes_read == sum(disk.size(path) or 0 for _, _, path in segment_paths(alpha))


def test_missing_segment_is_found_and_fetched_again() -> None:
    alpha, disk, beta, _ = two_hosts()
    before = alpha.frontier()
    writer, number, path = segment_paths(alpha)[4]
    disk.remove(path)

    store = reopen(disk)
    report = store.verify()
    pull(store, beta)

    assert [(finding.writer, finding.number) for finding in report.findings] == [(writer, number)]
    assert store.frontier() == before


def test_segment_of_another_place_is_not_taken_for_this_one() -> None:
    """A file that is whole and signed, but lies under another's name."""
    alpha, disk, _, _ = two_hosts()
    paths = segment_paths(alpha)
    disk.alter(paths[3][2], disk.read(paths[0][2]))
    disk.remove(alpha.layout.manifest)

    store = reopen(disk)

    assert any("claims to be" in finding.problem for finding in store.findings)
    assert [event.sequence for event in held(store)[paths[3][0]]] == [3, 4, 5, 6]


def test_segment_signed_by_a_stranger_is_found_by_verify_and_by_rebuild() -> None:
    alpha, disk, _, _ = two_hosts()
    writer, _, path = segment_paths(alpha)[3]
    other_disk = MemoryDisk()
    forger = open_store(PEER, "beta", disk=other_disk, epochs=Epochs("beta"), key=key_of("mallory"))
    forger.append([draft(7)])
    forger.seal()
    disk.alter(path, other_disk.read(forger.layout.segment(writer, 1)))

    report = reopen(disk).verify()

    assert [(finding.writer, finding.number) for finding in report.findings] == [(writer, 1)]


@pytest.mark.parametrize("missing", ["all of it", "nothing yet"])
def test_reading_what_is_not_held_says_so(missing: str) -> None:
    alpha, _, _, _ = two_hosts()
    writer = alpha.own_writer if missing == "nothing yet" else Writer("nobody", "0" * 16)

    for ask in (lambda: alpha.read(writer, 99, 0, 1), lambda: alpha.signed_head(writer, 99)):
        with pytest.raises(IntegrityError, match="is not held"):
            ask()
