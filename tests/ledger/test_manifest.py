"""The manifest is a cache: whatever happens to it, the store is the same."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jilog_ledger.errors import IntegrityError
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import MAGIC, Entry, Manifest, WriterSeen
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import MemoryDisk
from support.stores import Epochs, draft, held, open_store, pull

ROOT = Path("/alpha")


def stocked(disk: MemoryDisk) -> ZoneStore:
    """A store with two writers: own sealed and active segments, a peer's with a gap and a tail."""
    peer = open_store(Path("/beta"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"))
    store = open_store(ROOT, disk=disk, epochs=Epochs("alpha"))
    for owner in (store, peer):
        for number in (1, 2, 3):
            owner.append([draft(number)])
            owner.seal()
        owner.append([draft(4)])
    pull(store, peer)
    disk.remove(store.layout.segment(peer.own_writer, 2))
    store.verify()
    return store


def reopened(disk: MemoryDisk) -> ZoneStore:
    return open_store(ROOT, disk=disk, epochs=Epochs("never drawn"))


def test_manifest_when_missing_is_made_again_and_says_the_same() -> None:
    disk = MemoryDisk()
    store = stocked(disk)
    before = store.frontier(), held(store), {writer: store.segments(writer) for writer in store.writers()}
    disk.remove(store.layout.manifest)

    again = reopened(disk)

    assert (again.frontier(), held(again), {w: again.segments(w) for w in again.writers()}) == before
    assert again.own_writer == store.own_writer
    assert again.verify().findings == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.floats(0, 1), noise=st.binary(max_size=30), cut=st.booleans())
def test_manifest_with_any_damage_leaves_the_store_as_it_was(place: float, noise: bytes, cut: bool) -> None:
    disk = MemoryDisk()
    store = stocked(disk)
    before = store.frontier(), held(store)
    data = disk.read(store.layout.manifest)
    position = int(place * len(data))
    damaged = data[:position] + noise + (b"" if cut else data[position + len(noise) :])
    disk.alter(store.layout.manifest, damaged)

    again = reopened(disk)
    again.verify()

    assert (again.frontier(), held(again)) == before


def test_manifest_cut_at_any_record_leaves_the_store_as_it_was() -> None:
    """Each of these is a sound manifest of a store that holds less."""
    disk = MemoryDisk()
    store = stocked(disk)
    before = store.frontier(), held(store)
    data = disk.read(store.layout.manifest)
    ends = [len(MAGIC)]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 8 + int.from_bytes(data[ends[-1] : ends[-1] + 4], "little"))

    for end in ends:
        disk.alter(store.layout.manifest, data[:end])
        again = reopened(disk)
        again.verify()

        assert (again.frontier(), held(again)) == before

    assert ends[-1] == len(data)


def test_manifest_that_another_process_made_anew_is_read_anew() -> None:
    disk = MemoryDisk()
    store = stocked(disk)
    disk.remove(store.layout.manifest)
    other = reopened(disk)
    other.append([draft(9)])
    other.seal()

    assert store.frontier() == other.frontier()
    assert store.append([draft(10)])[0].sequence == 6


def test_segment_files_that_the_manifest_does_not_know_are_found_by_verify() -> None:
    disk = MemoryDisk()
    store = stocked(disk)
    writer = next(writer for writer in store.writers() if writer.source == "beta")
    names = disk.list_directory(store.layout.quarantine)
    peer = open_store(Path("/beta"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"))
    for number in (1, 2):
        peer.append([draft(number)])
        peer.seal()
    disk.create(store.layout.segment(writer, 2), peer.read(writer, 2, 0, 1 << 20))

    store.verify()

    assert names == []
    assert [event.sequence for event in held(store)[writer]] == [1, 2, 3, 4]


def test_store_on_a_read_only_file_system_can_be_looked_at() -> None:
    disk = MemoryDisk()
    store = stocked(disk)
    before = store.frontier(), held(store)
    changes = disk.operations
    disk.fail_next("pwrite", errno.EROFS)

    again = reopened(disk)

    assert (again.frontier(), held(again)) == before
    assert disk.log[changes:][:1] == [("pwrite", store.layout.manifest)]


def test_records_of_several_processes_are_each_read_once(tmp_path: Path) -> None:
    from jilog_ledger.disk import RealDisk

    writers = [Writer("a", f"{number:016x}") for number in range(4)]
    one, two = Manifest(tmp_path / "m", RealDisk()), Manifest(tmp_path / "m", RealDisk())
    one.rewrite([WriterSeen(writers[0])])
    seen: list[Entry] = list(two.read_new())

    one.add(WriterSeen(writers[1]))
    one.add(WriterSeen(writers[2]))
    seen += two.read_new()
    two.add(WriterSeen(writers[3]))

    assert seen == [WriterSeen(writer) for writer in writers[:3]]
    assert list(one.read_new()) == [WriterSeen(writers[3])]
    assert list(two.read_new()) == []


@pytest.mark.parametrize("damage", ["shrink", "magic", "tail"])
def test_manifest_that_cannot_be_right_says_so(damage: str) -> None:
    disk = MemoryDisk()
    manifest = Manifest(Path("/m"), disk)
    manifest.rewrite([WriterSeen(Writer("a", "0" * 16))])
    data = disk.read(Path("/m"))
    disk.alter(Path("/m"), {"shrink": MAGIC, "magic": b"x" + data[1:], "tail": data + b"\1"}[damage])
    reader = manifest if damage == "shrink" else Manifest(Path("/m"), disk)

    with pytest.raises(IntegrityError, match="manifest"):
        list(reader.read_new())
