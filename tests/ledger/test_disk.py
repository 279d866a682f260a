"""The contract of durable storage, on the real file system and on the simulated one."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jilog_ledger import disk as disk_module
from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import BusyError, StorageError, SyncFailed
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut

ROOT = Path("/zone")


@pytest.fixture(params=["real", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Disk, Path]:
    if request.param == "real":
        return RealDisk(), tmp_path
    memory = MemoryDisk(lock_wait_seconds=0.05)
    memory.make_directory(ROOT)
    return memory, ROOT


def test_created_file_when_read_has_its_bytes(place: tuple[Disk, Path]) -> None:
    disk, root = place

    disk.create(root / "a", b"0123456789")

    assert disk.size(root / "a") == 10
    assert disk.read(root / "a") == b"0123456789"
    assert disk.read(root / "a", 3) == b"3456789"
    assert disk.read(root / "a", 3, 4) == b"3456"
    assert disk.read(root / "a", 8, 100) == b"89"
    assert disk.read(root / "a", 50) == b""


def test_missing_file_when_looked_at_has_no_size_and_no_entries(place: tuple[Disk, Path]) -> None:
    disk, root = place

    assert disk.size(root / "none") is None
    assert disk.list_directory(root / "none") == []
    with pytest.raises(StorageError):
        disk.read(root / "none")


def test_create_and_publish_when_the_name_is_taken_refuse_and_change_nothing(
    place: tuple[Disk, Path],
) -> None:
    disk, root = place
    disk.create(root / "a", b"old")

    with pytest.raises(StorageError):
        disk.create(root / "a", b"new")
    with pytest.raises(StorageError):
        disk.publish(root / "a", b"new")

    assert disk.read(root / "a") == b"old"
    assert disk.list_directory(root) == ["a"]


def test_append_extends_and_overwrite_changes_in_place(place: tuple[Disk, Path]) -> None:
    disk, root = place
    disk.create(root / "a", b"0123")

    disk.append(root / "a", 4, b"4567")
    disk.overwrite(root / "a", 2, b"xx", durable=False)
    disk.overwrite(root / "b", 512, b"slot", durable=True)
    disk.extend(root / "c", 0, b"part")

    assert disk.read(root / "a") == b"01xx4567"
    assert disk.read(root / "b") == bytes(512) + b"slot"
    assert disk.read(root / "c") == b"part"


def test_append_to_a_missing_file_is_refused(place: tuple[Disk, Path]) -> None:
    disk, root = place

    with pytest.raises(StorageError, match="append"):
        disk.append(root / "none", 0, b"x")

    assert disk.size(root / "none") is None


def test_truncate_replace_move_and_remove(place: tuple[Disk, Path]) -> None:
    disk, root = place
    disk.create(root / "a", b"0123456789")
    disk.make_directory(root / "deep" / "er")

    disk.truncate(root / "a", 4)
    disk.replace(root / "b", b"one")
    disk.replace(root / "b", b"two")
    disk.move(root / "a", root / "deep" / "er" / "a")
    disk.remove(root / "b")
    disk.remove(root / "b")

    assert disk.read(root / "deep" / "er" / "a") == b"0123"
    assert disk.list_directory(root) == ["deep"]
    assert disk.list_directory(root / "deep" / "er") == ["a"]


def test_directory_that_exists_when_made_again_keeps_its_files(place: tuple[Disk, Path]) -> None:
    disk, root = place
    disk.make_directory(root / "d")
    disk.create(root / "d" / "a", b"x")

    disk.make_directory(root / "d")

    assert disk.list_directory(root / "d") == ["a"]


def test_write_into_a_missing_directory_is_a_storage_error(place: tuple[Disk, Path]) -> None:
    disk, root = place

    for write in (disk.create, disk.publish, disk.replace):
        with pytest.raises(StorageError):
            write(root / "none" / "a", b"x")


def test_lock_when_held_makes_another_wait_and_give_up_as_busy(
    place: tuple[Disk, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, root = place
    monkeypatch.setattr(disk_module, "LOCK_WAIT_SECONDS", 0.01)

    with (
        disk.lock(root / "lock"),
        pytest.raises(BusyError, match="another process has held"),
        disk.lock(root / "lock"),
    ):
        pass

    with disk.lock(root / "lock"):
        pass


def test_shared_locks_go_together_and_keep_an_exclusive_one_out(
    place: tuple[Disk, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, root = place
    monkeypatch.setattr(disk_module, "LOCK_WAIT_SECONDS", 0.01)

    with (
        disk.lock(root / "lock", shared=True),
        disk.lock(root / "lock", shared=True),
        pytest.raises(BusyError),
        disk.lock(root / "lock"),
    ):
        pass


@pytest.mark.parametrize("kind", ["real", "memory"])
def test_lock_when_released_lets_the_waiting_thread_in(kind: str, tmp_path: Path) -> None:
    disk, root = (RealDisk(), tmp_path) if kind == "real" else (memory(), ROOT)
    order: list[str] = []

    def wait() -> None:
        with disk.lock(root / "lock"):
            order.append("second")

    with disk.lock(root / "lock"):
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_real_files_and_directories_are_private(tmp_path: Path) -> None:
    disk = RealDisk()

    disk.make_directory(tmp_path / "d" / "e")
    disk.create(tmp_path / "d" / "created", b"")
    disk.publish(tmp_path / "d" / "published", b"")
    disk.replace(tmp_path / "d" / "replaced", b"")

    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "d" / "e").stat().st_mode) == 0o700
    for name in ("created", "published", "replaced"):
        assert stat.S_IMODE((tmp_path / "d" / name).stat().st_mode) == 0o600


def test_short_writes_are_continued_until_all_bytes_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real_pwrite(fd, data[:3], offset))

    RealDisk().create(tmp_path / "a", b"0123456789")

    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "check who owns"),
        (errno.ENOENT, "ls -ld"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "dmesg"),
        (errno.EINVAL, "jilog verify"),
    ],
)
def test_refusal_of_the_system_says_what_was_tried_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", refuse)

    with pytest.raises(StorageError, match=r"cannot create .*/a: ") as caught:
        RealDisk().create(tmp_path / "a", b"x")

    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_failed_sync_is_told_apart_and_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)

    with pytest.raises(SyncFailed):
        RealDisk().publish(tmp_path / "a", b"x")

    assert list(tmp_path.iterdir()) == []


def test_file_size_limit_of_the_system_is_a_storage_error(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from jilog_ledger.disk import RealDisk\n"
        "from jilog_ledger.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    RealDisk().create(Path(sys.argv[1]), bytes(10_000))\n"
        "except StorageError as exc:\n"
        "    print(exc)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] in (resource.RLIM_INFINITY, -1)

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "File too large" in done.stdout
    assert (tmp_path / "a").stat().st_size == 4096


# The simulated disk's own powers.


def memory() -> MemoryDisk:
    disk = MemoryDisk()
    disk.make_directory(ROOT)
    return disk


@pytest.mark.parametrize("aftermath", list(Aftermath))
def test_power_cut_when_everything_was_synced_loses_nothing(aftermath: Aftermath) -> None:
    disk = memory()
    disk.create(ROOT / "a", b"12")
    disk.append(ROOT / "a", 2, b"34")
    disk.replace(ROOT / "b", b"56")
    disk.make_directory(ROOT / "d")
    disk.move(ROOT / "b", ROOT / "d" / "b")

    disk.crash(aftermath)

    assert disk.read(ROOT / "a") == b"1234"
    assert disk.read(ROOT / "d" / "b") == b"56"
    assert disk.list_directory(ROOT) == ["a", "d"]


@pytest.mark.parametrize(
    ("aftermath", "content"),
    [
        (Aftermath.LOST, b"12"),
        (Aftermath.KEPT, b"12abcd"),
        (Aftermath.NAMES_ONLY, b"12"),
        (Aftermath.BYTES_ONLY, b"12abcd"),
        (Aftermath.TORN, b"12ab"),
        (Aftermath.HOLED, b"12\0\0cd"),
        (Aftermath.ZEROED, b"12\0\0\0\0"),
    ],
)
def test_power_cut_when_bytes_were_not_synced_leaves_what_the_aftermath_says(
    aftermath: Aftermath, content: bytes
) -> None:
    disk = memory()
    disk.create(ROOT / "a", b"12")
    disk.extend(ROOT / "a", 2, b"abcd")

    disk.crash(aftermath)

    assert disk.read(ROOT / "a") == content


def test_power_cut_when_the_directory_was_not_synced_may_take_the_name() -> None:
    for aftermath, expected in ((Aftermath.LOST, None), (Aftermath.KEPT, 4), (Aftermath.NAMES_ONLY, 0)):
        disk = memory()
        disk.extend(ROOT / "a", 0, b"abcd")

        disk.crash(aftermath)

        assert disk.size(ROOT / "a") == expected


def test_failed_sync_when_synced_again_does_not_save_the_bytes() -> None:
    disk = memory()
    disk.create(ROOT / "a", b"12")
    disk.fail_at(disk.operations + 2)
    with pytest.raises(SyncFailed):
        disk.append(ROOT / "a", 2, b"34")

    disk.append(ROOT / "a", 4, b"56")
    seen = disk.read(ROOT / "a")
    disk.crash(Aftermath.KEPT)

    assert seen == b"123456"
    assert disk.read(ROOT / "a") == b"12\0\x0056"


def test_disk_without_power_answers_nothing_until_it_restarts() -> None:
    disk = memory()
    disk.cut_power_at(disk.operations + 1)

    with pytest.raises(PowerCut):
        disk.create(ROOT / "a", b"x")
    with pytest.raises(PowerCut):
        disk.size(ROOT / "a")
    disk.crash(Aftermath.KEPT)

    assert disk.size(ROOT / "a") is None


def test_full_disk_takes_what_fits_and_then_refuses() -> None:
    disk = memory()
    disk.create(ROOT / "a", b"")
    disk.fail_at(disk.operations + 1, errno.ENOSPC)

    with pytest.raises(StorageError, match="No space left"):
        disk.append(ROOT / "a", 0, b"abcd")

    assert disk.read(ROOT / "a") == b"ab"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system read-only")
def test_lock_on_a_read_only_file_system_can_still_be_held(tmp_path: Path) -> None:
    disk, lock = RealDisk(), tmp_path / "lock"
    with disk.lock(lock):
        pass
    mounted = (["mount", "--bind", tmp_path, tmp_path], ["mount", "-o", "remount,bind,ro", tmp_path])
    try:
        for command in mounted:
            subprocess.run(command, check=True, capture_output=True)

        with disk.lock(lock), pytest.raises(StorageError, match="Read-only file system") as caught:
            disk.create(tmp_path / "a", b"")
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=False, capture_output=True)

    assert caught.value.hint is not None
    assert "findmnt" in caught.value.hint
