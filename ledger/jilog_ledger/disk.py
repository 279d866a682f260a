"""Every durable write of jilog, in one place.

A method that promises durability returns only after the kernel said that the bytes, and the directory entry
that leads to them, are on stable storage. No method retries a failed sync: after one the kernel may have
dropped the dirty pages and will report success next time (the "fsyncgate" finding of 2018), so the caller has
to stop and read the file afresh.

``RealDisk`` is the file system. A simulated disk that can lose unsynced writes has the same methods.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from jilog_ledger.errors import BusyError, StorageError, SyncFailed
from jilog_ledger.limits import LOCK_WAIT_SECONDS

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class Disk(Protocol):
    """What the ledger asks of storage. All errors of the operating system arrive as StorageError."""

    def make_directory(self, path: Path) -> None:
        """Make a directory of mode 0700 and its missing parents, durably; an existing one is fine.

        The name of one that exists is synced again, for its maker may have been killed before that.
        """

    def list_directory(self, path: Path) -> list[str]:
        """Name the entries of a directory, sorted; none when it does not exist."""

    def size(self, path: Path) -> int | None:
        """Give a file's length in bytes, None when there is no such file."""

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        """Read up to ``length`` bytes from ``offset``, all of the rest by default."""

    def create(self, path: Path, data: bytes) -> None:
        """Create a file in place, durably; a crash may leave a part of it. It must not exist yet."""

    def append(self, path: Path, offset: int, data: bytes) -> None:
        """Write at ``offset``, the current end, durably; a crash may leave a part of it."""

    def overwrite(self, path: Path, offset: int, data: bytes, *, durable: bool) -> None:
        """Write in place, creating the file if needed; without ``durable`` a power cut may undo it."""

    def extend(self, path: Path, offset: int, data: bytes) -> None:
        """Write at ``offset`` of a scratch file, creating it; nothing is promised after a crash."""

    def truncate(self, path: Path, length: int) -> None:
        """Cut a file to ``length`` bytes, durably."""

    def publish(self, path: Path, data: bytes) -> None:
        """Make a file appear whole or not at all, durably; refuse when the name is taken."""

    def replace(self, path: Path, data: bytes) -> None:
        """Make a file hold ``data``, whole old or whole new at any crash, durably."""

    def move(self, source: Path, target: Path) -> None:
        """Rename within the file system, durably."""

    def remove(self, path: Path) -> None:
        """Remove a file, durably; one that is not there is fine."""

    def lock(self, path: Path, *, shared: bool = False) -> contextlib.AbstractContextManager[None]:
        """Hold an advisory lock between processes, waiting LOCK_WAIT_SECONDS at most, else BusyError."""


@contextlib.contextmanager
def _explained(action: str, path: Path) -> Iterator[None]:
    """Turn the operating system's refusal into our error, with the hint that fits it."""
    try:
        yield
    except OSError as exc:
        raise StorageError(f"cannot {action} {path}: {exc.strerror or exc}", hint=_hint(exc, path)) from exc


def _hint(exc: OSError, path: Path) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space on the file system of {path.parent}, then run the command again"
    if exc.errno in (errno.EACCES, errno.EPERM):
        return f"check who owns {path.parent}: ls -ld {path.parent}"
    if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        return f"look at what is there: ls -ld {path.parent}"
    if exc.errno == errno.EROFS:
        return f"the file system is mounted read-only; see why: findmnt -T {path.parent}"
    if exc.errno == errno.EIO:
        return "the disk reports errors; look at dmesg, then run: jilog verify"
    return "run: jilog verify"


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write every byte: one call may write fewer, as it does just before a disk is full."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def _sync(descriptor: int, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
    try:
        sync(descriptor)
    except OSError as exc:
        raise SyncFailed(
            f"cannot sync {path} to stable storage: {exc.strerror or exc}", hint=_hint(exc, path)
        ) from exc


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync(descriptor, path)
    finally:
        os.close(descriptor)


class RealDisk:
    """The file system of this host."""

    def make_directory(self, path: Path) -> None:
        with _explained("make directory", path):
            missing = []
            while not path.is_dir():
                missing.append(path)
                path = path.parent
            # Whoever made the one that exists may have been killed before its name was on stable storage.
            # A parent that may not be read belongs to somebody else, who made it long ago.
            with contextlib.suppress(PermissionError):
                _sync_directory(path.parent)
            for directory in reversed(missing):
                self._make_one_directory(directory)

    @staticmethod
    def _make_one_directory(path: Path) -> None:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=DIRECTORY_MODE)
        try:
            _sync_directory(path.parent)
        except SyncFailed:
            # Take the name back: the next one to come finds it missing, makes it again and syncs again.
            with contextlib.suppress(OSError):
                path.rmdir()
            raise

    def list_directory(self, path: Path) -> list[str]:
        with _explained("list", path):
            try:
                return sorted(os.listdir(path))
            except FileNotFoundError:
                return []

    def size(self, path: Path) -> int | None:
        with _explained("look at", path):
            try:
                return path.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        with _explained("read", path), path.open("rb", buffering=0) as file:
            remaining = max(0, path.stat().st_size - offset) if length is None else length
            parts = []
            while remaining > 0:
                part = os.pread(file.fileno(), remaining, offset)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                remaining -= len(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)

    def create(self, path: Path, data: bytes) -> None:
        with _explained("create", path):
            self._write(path, os.O_CREAT | os.O_EXCL, 0, data, sync=True)
            # A crash before this line may lose the name; nothing was acknowledged yet.
            _sync_directory(path.parent)

    def append(self, path: Path, offset: int, data: bytes) -> None:
        with _explained("append to", path):
            self._write(path, 0, offset, data, sync=True)

    def overwrite(self, path: Path, offset: int, data: bytes, *, durable: bool) -> None:
        with _explained("write", path):
            existed = path.exists()
            self._write(path, os.O_CREAT, offset, data, sync=durable)
            if durable and not existed:
                _sync_directory(path.parent)

    def extend(self, path: Path, offset: int, data: bytes) -> None:
        with _explained("write", path):
            self._write(path, os.O_CREAT, offset, data, sync=False)

    def truncate(self, path: Path, length: int) -> None:
        with _explained("truncate", path):
            descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.ftruncate(descriptor, length)
                _sync(descriptor, path)
            finally:
                os.close(descriptor)

    def publish(self, path: Path, data: bytes) -> None:
        with _explained("publish", path):
            temporary = self._write_temporary(path, data)
            try:
                # link, not rename: it refuses a name that is taken. A crash after it leaves the whole file
                # under both names; the temporary one is swept by the next verify.
                os.link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_directory(path.parent)

    def replace(self, path: Path, data: bytes) -> None:
        with _explained("replace", path):
            temporary = self._write_temporary(path, data)
            try:
                os.rename(temporary, path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            _sync_directory(path.parent)

    def move(self, source: Path, target: Path) -> None:
        with _explained("move", source):
            os.rename(source, target)
            _sync_directory(target.parent)
            if source.parent != target.parent:
                _sync_directory(source.parent)

    def remove(self, path: Path) -> None:
        with _explained("remove", path):
            try:
                path.unlink()
            except FileNotFoundError:
                return
            _sync_directory(path.parent)

    @contextlib.contextmanager
    def lock(self, path: Path, *, shared: bool = False) -> Iterator[None]:
        with _explained("open lock", path):
            descriptor = _open_lock(path)
        try:
            _wait_for_lock(descriptor, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield
        finally:
            # Closing releases the lock; the file stays, for removing it would let two processes lock
            # two files of one name.
            os.close(descriptor)

    @staticmethod
    def _write(path: Path, flags: int, offset: int, data: bytes, *, sync: bool) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flags, FILE_MODE)
        try:
            _write_all(descriptor, data, offset)
            if sync:
                # A crash before this line loses or tears the bytes; the caller has promised nothing yet.
                _sync(descriptor, path, os.fdatasync)
        finally:
            os.close(descriptor)

    def _write_temporary(self, path: Path, data: bytes) -> Path:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        try:
            self._write(temporary, os.O_CREAT | os.O_EXCL, 0, data, sync=True)
        except (OSError, StorageError):
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def _open_lock(path: Path) -> int:
    """Open a lock file. One that lies on a read-only file system can still be locked, for those who read."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as exc:
        if exc.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _wait_for_lock(descriptor: int, path: Path, mode: int) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    pause_seconds = 0.0005
    while True:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"another process has held {path} for {LOCK_WAIT_SECONDS:.0f} seconds",
                    hint=f"see which one: fuser -v {path}",
                ) from None
        time.sleep(pause_seconds)
        # Short at first, since a batch takes a fraction of a millisecond; never a busy loop.
        pause_seconds = min(pause_seconds * 2, 0.02)
