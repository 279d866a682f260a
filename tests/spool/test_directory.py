"""What lies in a spool directory besides what belongs there, and what may be taken away from it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import InputError, IntegrityError, StorageError
from jilog_ledger.limits import SEGMENT_BYTES_MAX
from jilog_ledger.store import ZoneStore
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_files import DirectoryUnusable, DiskShelf, Problem, Unreadable
from jilog_spool.directory_format import decode_state, decode_tail
from jilog_spool.directory_names import SegmentName, is_folder, parse_segment, parse_state
from jilog_spool.limits import DIRECTORY_FORGET_SECONDS
from support.spool_directory import START_NS, directory, equal, member, pump
from support.spool_fleet import drafts, held_bytes, root_of, zone_store
from support.stores import Clock, held


class Two:
    """Hosts ``a`` and ``b``; what ``a`` wrote lies in the directory."""

    def __init__(self, tmp_path: Path) -> None:
        self.shared = tmp_path / "shared"
        self.a, self.b = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
        self.at_a = directory(self.shared, self.a, trusted="b")
        self.at_b = directory(self.shared, self.b, trusted="a")
        for _ in range(2):
            self.a.append(drafts(3))
            self.a.seal()
        self.a.append(drafts(2))
        self.at_a.emit()

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.shared.glob(f"h+a+*/{pattern}"))

    def file(self, pattern: str) -> Path:
        (path,) = self.files(pattern)
        return path


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def test_names_of_files_survive_their_own_parser_and_any_case() -> None:
    for file in (
        "s+main+laptop+0123456789abcdef+00000012+00112233445566778899aabbccddeeff.seg",
        "t+main+laptop+0123456789abcdef+00000012+0-512+00112233445566778899aabbccddeeff.tail",
    ):
        name = parse_segment(file)
        assert name is not None
        assert name.file_name == file
        upper = parse_segment(file.upper())
        assert upper is not None
        assert (upper.key, upper.digest, upper.end) == (name.key, name.digest, name.end)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "s+main",
        "desktop.ini",
        "s+main+laptop+0123456789abcdeg+00000012+00112233445566778899aabbccddeeff.seg",
        "s+../x+laptop+0123456789abcdef+00000012+00112233445566778899aabbccddeeff.seg",
        "t+main+laptop+0123456789abcdef+00000012+9-9+00112233445566778899aabbccddeeff.tail",
        "t+main+laptop+0123456789abcdef+00000012+9-3+00112233445566778899aabbccddeeff.tail",
    ],
)
def test_name_of_another_form_is_nothing(file: str) -> None:
    assert parse_segment(file) is None
    assert parse_state(file) is None
    assert not is_folder(file)


def test_longest_names_fit_every_file_system() -> None:
    zone = source = "x" * 64
    from jilog_ledger.identifiers import Writer

    name = SegmentName(zone, Writer(source, "f" * 16), 10**8, "a" * 32, 10**7 - 1, 10**7)

    # 255 are allowed, and a temporary name puts a dot, a process id, 8 digits and a suffix around it.
    assert len(name.file_name) <= 255 - len(".1234567.12345678.tmp")
    assert not set(name.file_name) & set('\\/:*?"<>|')


def test_foreign_partial_and_conflict_files_do_no_harm(two: Two) -> None:
    folder = two.file("*.state").parent
    sealed = two.files("*.seg")[0]
    (two.shared / "desktop.ini").write_text("x")
    (two.shared / "h+nobody").mkdir()
    (folder / ".DS_Store").write_bytes(b"\0" * 10)
    (folder / "notes.txt").write_text("s+main")
    (folder / f".syncthing.{sealed.name}.tmp").write_bytes(sealed.read_bytes()[:50])
    (folder / f"{sealed.name}.part").write_bytes(b"half")
    conflict = f"{sealed.stem}.sync-conflict-20260101-120000-ABCDEFG.seg"
    (folder / conflict).write_bytes(sealed.read_bytes()[:80])
    (folder / "i+99999999999999999999+00000000000000000000000000000000.state").write_bytes(b"JLSTATE1junk")

    report = two.at_b.ingest()

    assert equal(two.a, two.b)
    assert not two.b.verify().findings
    assert (report.foreign, report.partial, report.conflicts) == (2, 2, 1)
    assert (folder / conflict).exists()


def test_conflict_copy_is_used_when_the_file_itself_is_damaged(two: Two) -> None:
    sealed = two.files("*.seg")[0]
    copy = sealed.with_name(f"{sealed.stem} (a's conflicted copy 2026-01-01){sealed.suffix}")
    copy.write_bytes(sealed.read_bytes())
    sealed.write_bytes(sealed.read_bytes()[:100])

    two.at_b.ingest()

    assert equal(two.a, two.b)


@pytest.mark.parametrize("pattern", ["*00000001*.seg", "*.tail"])
@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "grown"])
def test_damaged_file_is_not_taken_is_told_and_is_written_again_by_its_owner(
    two: Two, pattern: str, how: str
) -> None:
    path = two.file(pattern)
    whole = path.read_bytes()
    flipped = bytes([*whole[:-30], whole[-30] ^ 1, *whole[-29:]])
    path.write_bytes({"cut": whole[:-7], "flipped": flipped, "empty": b"", "grown": whole + b"x"}[how])

    first = two.at_b.ingest()
    damaged = root_of(two.b)
    two.at_a.emit()
    two.at_b.ingest()

    assert first.unreadable
    assert damaged != root_of(two.a)
    assert equal(two.a, two.b)
    assert not two.b.verify().findings
    assert path.read_bytes() == whole


def test_damaged_file_of_a_host_that_is_gone_is_put_out_by_another(two: Two, tmp_path: Path) -> None:
    two.at_b.ingest()
    c = zone_store(tmp_path, "c")
    at_c = directory(two.shared, c, trusted="ab")
    at_b = directory(two.shared, two.b, trusted="ac")
    two.files("*.seg")[0].write_bytes(b"rot")

    at_c.ingest()
    before = list(two.shared.glob("h+b+*/*.seg"))
    at_b.emit()
    at_c.ingest()

    assert before == []
    assert len(list(two.shared.glob("h+b+*/*.seg"))) == 1
    assert equal(two.a, two.b, c)


def test_links_pipes_and_huge_files_are_not_followed_opened_or_read(two: Two, tmp_path: Path) -> None:
    folder = two.file("*.state").parent
    secret = tmp_path / "elsewhere"
    sealed = two.files("*.seg")
    sealed[0].rename(secret)
    sealed[0].symlink_to(secret)
    sealed[1].unlink()
    os.mkfifo(sealed[1])
    tail = two.file("*.tail")
    with tail.open("wb") as file:
        file.truncate(SEGMENT_BYTES_MAX * 4)
    (two.shared / "h+linked+0123456789abcdef").symlink_to(folder)

    report = two.at_b.ingest()

    # A link that takes a file's place after the folder was listed is refused as well.
    with pytest.raises(Unreadable):
        DiskShelf(two.shared, tmp_path / "lock").read(folder.name, sealed[0].name, SEGMENT_BYTES_MAX)
    assert two.b.frontier().entries == ()
    assert report.bytes_read < SEGMENT_BYTES_MAX
    assert list(report.hosts) == [folder.name]
    assert any("are allowed" in why for why in report.unreadable.values())


def test_own_folder_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    store = zone_store(tmp_path, "a")
    store.append(drafts(1))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place = directory(tmp_path / "shared", store)
    (tmp_path / "shared" / place.member.folder).symlink_to(elsewhere)

    with pytest.raises(DirectoryUnusable, match="symbolic link"):
        place.emit()

    assert list(elsewhere.iterdir()) == []


def test_folded_names_are_taken_by_what_their_bytes_say(two: Two) -> None:
    folder = two.file("*.state").parent
    for path in two.files("*"):
        path.rename(path.with_name(path.name.upper()))
    folder.rename(folder.with_name(folder.name.upper()))

    two.at_b.ingest()

    assert equal(two.a, two.b)


def test_file_that_vanishes_while_it_is_read_is_left_for_the_next_time(two: Two) -> None:
    gone: set[str] = set()

    class Vanishing(DiskShelf):
        def read(self, folder: str, name: str, bytes_max: int) -> bytes | None:
            if name.endswith(".seg"):
                (self.root / folder / name).replace(self.root / name) if name not in gone else None
                gone.add(name)
            return super().read(folder, name, bytes_max)

    shelf = Vanishing(two.shared, two.shared.parent / "other.lock")
    late = SpoolDirectory(shelf, member("b", "a"), {"main": two.b})

    report = late.ingest()
    for path in two.shared.glob("*.seg"):
        path.rename(two.file("*.state").parent / path.name)
    two.at_b.ingest()

    assert report.vanished >= 2
    assert equal(two.a, two.b)


class RefusingDisk(RealDisk):
    """A file system that takes nothing: read-only, or full."""

    def __init__(self, number: int) -> None:
        self.number = number

    def _refuse(self) -> None:
        try:
            raise OSError(self.number, os.strerror(self.number))
        except OSError as exc:
            raise StorageError("cannot write") from exc

    def replace(self, path: Path, data: bytes) -> None:
        self._refuse()

    def make_directory(self, path: Path) -> None:
        if "shared" in path.name or path.name.startswith("h+"):
            self._refuse()
        super().make_directory(path)


@pytest.mark.parametrize(
    ("number", "problem"),
    [(errno.EROFS, Problem.READ_ONLY), (errno.EACCES, Problem.READ_ONLY), (errno.ENOSPC, Problem.FULL)],
)
def test_directory_that_cannot_be_written_gives_all_it_has_and_says_why(
    two: Two, number: int, problem: Problem
) -> None:
    shelf = DiskShelf(two.shared, two.shared.parent / "other.lock", RefusingDisk(number))
    place = SpoolDirectory(shelf, member("b", "a"), {"main": two.b})

    report = place.ingest()
    two.b.append(drafts(1))
    with pytest.raises(DirectoryUnusable) as caught:
        place.emit()

    assert report.events_received == 8
    assert report.error is not None
    assert report.error.problem is caught.value.problem is problem
    assert caught.value.hint


def test_file_system_that_cannot_sync_directories_can_be_used(two: Two) -> None:
    from jilog_ledger.errors import SyncFailed

    class NoDirectorySync(RealDisk):
        def replace(self, path: Path, data: bytes) -> None:
            super().replace(path, data)
            try:
                raise OSError(errno.EINVAL, "Invalid argument")
            except OSError as exc:
                raise SyncFailed("cannot sync") from exc

    two.b.append(drafts(1))
    shelf = DiskShelf(two.shared, two.shared.parent / "other.lock", NoDirectorySync())
    SpoolDirectory(shelf, member("b", "a"), {"main": two.b}).emit()

    two.at_a.ingest()

    assert two.b.own_writer in two.a.writers()


def test_stranger_is_told_and_neither_its_writers_nor_those_it_vouches_for_are_taken(
    two: Two, tmp_path: Path
) -> None:
    c = zone_store(tmp_path, "c")
    c.append(drafts(1))
    at_c = directory(two.shared, c, trusted="a")
    at_c.ingest()
    for path in two.files("[st]*"):
        path.unlink()
    at_c.emit()
    two.b.append(drafts(1))

    report = directory(two.shared, two.b).ingest()

    assert sorted(item.source for item in report.strangers) == ["a", "c"]
    assert report.unvouched == 4
    assert two.b.writers() == [two.b.own_writer]


def test_writer_that_a_trusted_host_vouches_for_is_taken_from_anybodys_folder(
    two: Two, tmp_path: Path
) -> None:
    c = zone_store(tmp_path, "c")
    at_c = directory(two.shared, c, trusted="a")
    at_c.ingest()
    at_c.emit()

    report = directory(two.shared, two.b, trusted="c").ingest()

    assert equal(two.a, two.b, c)
    assert [item.source for item in report.strangers] == ["a"]


def test_forged_statement_counts_for_nothing(two: Two) -> None:
    path = two.file("*.state")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    with pytest.raises(IntegrityError):
        decode_state(bytes(data))
    report = two.at_b.ingest()

    assert report.hosts == {}
    assert path.name in " ".join(report.unreadable)
    # The key of a trusted host signs its own segments all the same.
    assert equal(two.a, two.b)


def test_every_bit_of_the_small_files_counts(two: Two) -> None:
    for path, decode in ((two.file("*.state"), decode_state), (two.file("*.tail"), decode_tail)):
        data = path.read_bytes()
        # The bytes of a slice are proved by its head, and not before they are joined.
        checked = len(data) if decode is decode_state else 16 + int.from_bytes(data[8:12], "big")
        for index in range(checked):
            changed = bytes([*data[:index], data[index] ^ 0x10, *data[index + 1 :]])
            with pytest.raises(IntegrityError):
                decode(changed)
        for length in range(len(data)):
            with pytest.raises(IntegrityError):
                decode(data[:length])


def test_emitting_one_event_after_the_other_leaves_few_slices_and_writes_each_byte_a_few_times(
    tmp_path: Path,
) -> None:
    store = zone_store(tmp_path, "a")
    place = directory(tmp_path / "shared", store)
    written = 0
    for _ in range(80):
        store.append(drafts(1))
        written += place.emit().bytes_written

    slices = list((tmp_path / "shared").glob("*/*.tail"))
    (info,) = store.segments(store.own_writer)

    assert len(slices) <= 10
    assert written < 10 * info.length + 80 * 300


def test_nothing_new_writes_nothing_and_reads_no_segment(two: Two) -> None:
    pump(two.at_a, two.at_b)
    before = {path: path.stat().st_mtime_ns for path in two.shared.rglob("*")}

    reports = [place.ingest() for place in (two.at_a, two.at_b)] + [two.at_a.emit(), two.at_b.emit()]

    assert [(report.files_read, report.files_written) for report in reports] == [(0, 0)] * 4
    assert {path: path.stat().st_mtime_ns for path in two.shared.rglob("*")} == before
    assert len(list(two.shared.glob("*/*.state"))) == 2


def test_relay_leaves_out_what_lies_there_already(two: Two) -> None:
    two.at_b.ingest()

    report = two.at_b.emit()

    assert report.files_written == 0


def test_third_host_takes_both_histories_of_clones_that_know_nothing_of_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = zone_store(tmp_path / "one", "a")
    first.append(drafts(1))
    shutil.copytree(tmp_path / "one" / "a", tmp_path / "two" / "a")
    second = zone_store(tmp_path / "two", "a")
    for store in (first, second):
        for _ in range(3):
            store.append(drafts(2))
            store.seal()
    shared = tmp_path / "shared"
    for store, instance in ((first, b"one"), (second, b"two")):
        directory(shared, store, instance=instance).emit()
    c = zone_store(tmp_path, "c")

    report = directory(shared, c, trusted="a").ingest()

    assert len({event.event_id for events in held(c).values() for event in events}) == 13
    assert len(report.forks) == 1
    assert not c.verify().findings


def test_local_streams_are_refused(tmp_path: Path) -> None:
    from support.spool_fleet import key_of

    local = ZoneStore.open(tmp_path / "local", "main", source="a", key=key_of("a"), local=True)

    with pytest.raises(InputError, match="must not be shared"):
        directory(tmp_path / "shared", local, source="a")


class Pruning:
    """Three hosts and a directory that is pruned; ``clock`` is everybody's."""

    def __init__(self, tmp_path: Path, *, keep_seconds: int = 0) -> None:
        self.clock = Clock(START_NS)
        self.shared = tmp_path / "shared"
        self.stores = {name: zone_store(tmp_path, name) for name in "abc"}
        self.places = {
            name: directory(self.shared, store, trusted="abc", keep_seconds=keep_seconds, clock=self.clock)
            for name, store in self.stores.items()
        }

    def sealed(self) -> list[Path]:
        return sorted(self.shared.glob("*/*.seg"))

    def write(self) -> None:
        self.stores["a"].append(drafts(2))
        self.stores["a"].seal()
        self.places["a"].emit()


def test_segment_stays_until_every_reader_has_said_that_it_holds_it(tmp_path: Path) -> None:
    hosts = Pruning(tmp_path)
    for place in hosts.places.values():
        place.ingest()
    hosts.write()
    counts = []
    for name in "bc":
        hosts.places[name].ingest()
        hosts.places["a"].emit()
        counts.append(len(hosts.sealed()))

    assert counts == [1, 0]
    assert equal(*hosts.stores.values())


def test_reader_that_comes_to_lack_what_was_pruned_gets_it_again(tmp_path: Path) -> None:
    hosts = Pruning(tmp_path)
    for place in hosts.places.values():
        place.ingest()
    hosts.write()
    hosts.places["b"].ingest()
    hosts.places["c"].ingest()
    hosts.places["a"].emit()
    b = hosts.stores["b"]
    path = b.layout.segment(hosts.stores["a"].own_writer, 1)
    path.write_bytes(bytes(path.stat().st_size))
    assert b.verify().findings

    hosts.places["b"].ingest()
    hosts.places["a"].emit()
    again = len(hosts.sealed())
    hosts.places["b"].ingest()

    assert again == 1
    assert equal(*hosts.stores.values())


def test_segment_without_any_reader_and_one_that_is_young_are_kept(tmp_path: Path) -> None:
    for name in ("alone", "young"):
        (tmp_path / name).mkdir()
    alone = Pruning(tmp_path / "alone")
    young = Pruning(tmp_path / "young", keep_seconds=3600)
    for place in young.places.values():
        place.ingest()
    for hosts in (alone, young):
        hosts.write()
    # The clock of this host runs wildly ahead of the file's; only its own and the file's are compared.
    young.clock.ns = young.sealed()[0].stat().st_mtime_ns
    young.places["b"].ingest()
    young.places["c"].ingest()

    young.places["a"].emit()
    alone.places["a"].emit()
    kept = len(young.sealed())
    young.clock.advance(3601)
    young.places["a"].emit()

    assert len(alone.sealed()) == 1
    assert kept == 1
    assert young.sealed() == []


def test_segment_that_the_own_store_has_lost_is_not_pruned_but_comes_back(tmp_path: Path) -> None:
    hosts = Pruning(tmp_path)
    for place in hosts.places.values():
        place.ingest()
    hosts.write()
    a = hosts.stores["a"]
    for name in "bc":
        hosts.places[name].ingest()
    path = a.layout.segment(a.own_writer, 1)
    path.write_bytes(bytes(path.stat().st_size))
    assert a.verify().findings

    hosts.places["a"].emit()
    kept = len(hosts.sealed())
    hosts.places["a"].ingest()

    assert kept == 1
    assert equal(*hosts.stores.values())


def test_host_that_is_silent_for_months_by_our_own_clock_is_not_waited_for_and_loses_nothing(
    tmp_path: Path,
) -> None:
    hosts = Pruning(tmp_path)
    for place in hosts.places.values():
        place.ingest()
    hosts.places["a"].emit()
    hosts.write()
    hosts.places["b"].ingest()
    hosts.places["a"].emit()
    waited = len(hosts.sealed())
    for _ in range(3):
        hosts.clock.advance(DIRECTORY_FORGET_SECONDS / 2 + 1)
        hosts.places["b"].ingest()
        hosts.places["a"].emit()
    forgotten = len(hosts.sealed())
    hosts.places["c"].ingest()
    for name in "aca":
        hosts.places[name].ingest()
        hosts.places[name].emit()

    assert (waited, forgotten) == (1, 0)
    hosts.places["c"].ingest()
    assert equal(*hosts.stores.values())
    assert held_bytes(hosts.stores["a"]) == held_bytes(hosts.stores["c"])


def test_host_that_lost_its_store_gets_everything_back_from_its_own_folder(two: Two, tmp_path: Path) -> None:
    before = held_bytes(two.a)
    (tmp_path / "second").mkdir()
    again = zone_store(tmp_path / "second", "a")

    directory(two.shared, again, trusted="b").ingest()

    assert held_bytes(again) == before
    assert again.own_writer != two.a.own_writer
