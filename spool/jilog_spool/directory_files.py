"""The files of a spool directory, which other programs and other people write, too.

Reading never follows a symbolic link, never opens anything but a regular file, and never takes more bytes
than it was told to. Writing goes to this host's own folder only, whole files under new names. What a crash
leaves behind is a file too few, or a temporary one, which the next emit takes away; what was emitted is
still in the host's own store, so nothing depends on the directory.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import PeerError, StorageError, SyncFailed
from jilog_spool import limits
from jilog_spool.directory_names import is_folder

_NO_DIRECTORY_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
"""What file systems answer that do not know how to sync a directory (CIFS, some of FUSE)."""

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OPEN_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY


class Problem(enum.Enum):
    """Why a directory cannot be used, or not wholly. The values are printed with ``--json``, so they stay."""

    MISSING = "directory_missing"
    FULL = "directory_full"
    READ_ONLY = "directory_read_only"
    ERROR = "directory_error"


class DirectoryUnusable(PeerError):
    """The directory cannot be read or written."""

    def __init__(self, message: str, problem: Problem, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.problem = problem


class Unreadable(PeerError):
    """One file cannot be read; the rest can."""


class Entry(NamedTuple):
    """A regular file: its length in bytes and when it was last changed, in Unix nanoseconds."""

    size: int
    changed_ns: int


class Shelf(Protocol):
    """A directory of host folders. Every method may find that something has vanished since it was listed."""

    def folders(self) -> list[str]:
        """Name the folders of hosts, sorted; links and other names are passed over.

        Raises:
            DirectoryUnusable: the directory is not there, cannot be read, or has too many.
        """

    def entries(self, folder: str) -> dict[str, Entry]:
        """List the regular files of a folder; none when it is not there, or is not a folder of its own."""

    def read(self, folder: str, name: str, bytes_max: int) -> bytes | None:
        """Read a file; None when it has vanished.

        Raises:
            Unreadable: it is a link, no regular file, larger than ``bytes_max``, or the disk refuses.
        """

    def put(self, folder: str, name: str, data: bytes) -> None:
        """Make a file appear whole, or not at all; the same name with the same content again is fine.

        Raises:
            DirectoryUnusable: it cannot be written.
        """

    def remove(self, folder: str, name: str) -> None:
        """Remove a file; one that is not there is fine."""

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Let one process of this host at a time write; other hosts have folders of their own."""


class DiskShelf:
    """A directory of this host's file system.

    ``lock_path`` lies on this host, since locks on a network or a USB stick cannot be relied on.
    """

    def __init__(self, root: Path, lock_path: Path, disk: Disk | None = None) -> None:
        self.root = root
        self._lock_path = lock_path
        self._disk = disk or RealDisk()

    def lock(self) -> contextlib.AbstractContextManager[None]:
        self._disk.make_directory(self._lock_path.parent)
        return self._disk.lock(self._lock_path)

    def folders(self) -> list[str]:
        found = [name for name, kind in self._scan() if kind and is_folder(name)]
        if len(found) > limits.DIRECTORY_HOSTS_MAX:
            raise DirectoryUnusable(
                f"{self.root} has {len(found)} folders of hosts; {limits.DIRECTORY_HOSTS_MAX} are allowed",
                Problem.ERROR,
                hint=f"look at what is there: ls {self.root}",
            )
        return sorted(found)

    def entries(self, folder: str) -> dict[str, Entry]:
        try:
            with self._opened(folder) as descriptor, os.scandir(descriptor) as listing:
                return dict(_files(listing))
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return {}
            raise self._explained("list", exc) from exc

    def read(self, folder: str, name: str, bytes_max: int) -> bytes | None:
        try:
            with self._opened(folder) as parent:
                descriptor = os.open(name, _READ, dir_fd=parent)
                try:
                    return _read_all(descriptor, name, bytes_max)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise Unreadable(f"cannot read {folder}/{name}: {exc.strerror or exc}") from exc

    def put(self, folder: str, name: str, data: bytes) -> None:
        path = self.root / folder
        try:
            if not path.is_dir() or path.is_symlink():
                self._make_folder(path)
            self._disk.replace(path / name, data)
        except SyncFailed as exc:
            # The file is there and whole. That its name is on stable storage was promised to nobody.
            if _number(exc) not in _NO_DIRECTORY_SYNC or self._disk.size(path / name) != len(data):
                raise self._refused("write to", exc) from exc
        except StorageError as exc:
            raise self._refused("write to", exc) from exc

    def remove(self, folder: str, name: str) -> None:
        try:
            self._disk.remove(self.root / folder / name)
        except SyncFailed as exc:
            if _number(exc) not in _NO_DIRECTORY_SYNC:
                raise self._refused("remove from", exc) from exc
        except StorageError as exc:
            raise self._refused("remove from", exc) from exc

    def _make_folder(self, path: Path) -> None:
        if path.is_symlink():
            raise DirectoryUnusable(
                f"{path} is a symbolic link, which nothing is written through",
                Problem.ERROR,
                hint=f"remove it: rm {path}",
            )
        # Never the directory itself: a stick that is not plugged in must not become a folder of this disk.
        self._scan()
        try:
            self._disk.make_directory(path)
        except SyncFailed as exc:
            if _number(exc) not in _NO_DIRECTORY_SYNC:
                raise
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o700)

    def _scan(self) -> list[tuple[str, bool]]:
        """List the directory: names, and whether each is a folder and no link."""
        try:
            with os.scandir(self.root) as listing:
                return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing]
        except OSError as exc:
            raise self._explained("list", exc) from exc

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        descriptor = os.open(self.root / folder, _OPEN_FOLDER)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _refused(self, action: str, exc: StorageError) -> DirectoryUnusable:
        origin = exc.__cause__
        if isinstance(origin, OSError):
            return self._explained(action, origin)
        return DirectoryUnusable(f"cannot {action} {self.root}: {exc.message}", Problem.ERROR, hint=exc.hint)

    def _explained(self, action: str, exc: OSError) -> DirectoryUnusable:
        problem = problem_of(exc)
        return DirectoryUnusable(
            f"cannot {action} {self.root}: {exc.strerror or exc}",
            problem,
            hint=_HINTS[problem].format(self.root),
        )


def directory_stamp(root: Path) -> tuple[tuple[str, int], ...] | None:
    """Tell one state of a directory from another by a few calls of stat; None when it cannot be looked at.

    A file that changes in place, and a change within the grain of the file system's clock, do not show.
    """
    try:
        with os.scandir(root) as listing:
            folders = [
                (item.name, item.stat(follow_symlinks=False).st_mtime_ns)
                for item in listing
                if is_folder(item.name)
            ]
    except OSError:
        return None
    return tuple(sorted(folders))


_HINTS = {
    Problem.MISSING: "plug it in, mount it, or make it: mkdir -p {}",
    Problem.FULL: "free some space: df -h {}",
    Problem.READ_ONLY: "what is in it can still be taken: jilog spool ingest {}",
    Problem.ERROR: "look at what is there: ls -la {}",
}


def problem_of(exc: OSError) -> Problem:
    """Tell what an error of the operating system means for a directory."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Problem.FULL
    if exc.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Problem.READ_ONLY
    if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN):
        return Problem.MISSING
    return Problem.ERROR


def _number(exc: StorageError) -> int | None:
    return exc.__cause__.errno if isinstance(exc.__cause__, OSError) else None


def _files(listing: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, Entry]]:
    for count, item in enumerate(listing):
        if count >= limits.DIRECTORY_FILES_MAX:
            return
        try:
            found = item.stat(follow_symlinks=False)
        except OSError:
            continue  # it has vanished since
        if stat.S_ISREG(found.st_mode):
            yield item.name, Entry(found.st_size, found.st_mtime_ns)


def _read_all(descriptor: int, name: str, bytes_max: int) -> bytes:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"{name} is no regular file")
    if found.st_size > bytes_max:
        raise Unreadable(f"{name} has {found.st_size} bytes; {bytes_max} are allowed")
    parts = []
    # It may grow while it is read; what comes past the limit is somebody else's mistake.
    left = bytes_max
    while left and (part := os.read(descriptor, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
