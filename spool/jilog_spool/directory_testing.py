"""A spool directory on the disk that forgets, for tests that cut the power."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from jilog_ledger.errors import StorageError
from jilog_ledger.testing import MemoryDisk
from jilog_spool.directory_files import DirectoryUnusable, Entry, Problem, Unreadable, problem_of
from jilog_spool.directory_names import is_folder


class MemoryShelf:
    """Folders on a :class:`~jilog_ledger.testing.MemoryDisk`, with the same promises as a real one."""

    def __init__(self, root: Path, lock_path: Path, disk: MemoryDisk) -> None:
        self.root = root
        self.disk = disk
        self._lock_path = lock_path

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """Hold the lock."""
        self.disk.make_directory(self._lock_path.parent)
        return self.disk.lock(self._lock_path)

    def folders(self) -> list[str]:
        """Name the folders."""
        return [name for name in self.disk.list_directory(self.root) if is_folder(name)]

    def entries(self, folder: str) -> dict[str, Entry]:
        """List a folder; everything in it is as old as time."""
        path = self.root / folder
        names = self.disk.list_directory(path)
        return {name: Entry(size, 0) for name in names if (size := self.disk.size(path / name)) is not None}

    def read(self, folder: str, name: str, bytes_max: int) -> bytes | None:
        """Read a file."""
        path = self.root / folder / name
        size = self.disk.size(path)
        if size is None:
            return None
        if size > bytes_max:
            raise Unreadable(f"{name} has {size} bytes; {bytes_max} are allowed")
        return self.disk.read(path)

    def put(self, folder: str, name: str, data: bytes) -> None:
        """Write a file."""
        with _explained():
            self.disk.make_directory(self.root / folder)
            self.disk.replace(self.root / folder / name, data)

    def remove(self, folder: str, name: str) -> None:
        """Remove a file."""
        with _explained():
            self.disk.remove(self.root / folder / name)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except StorageError as exc:
        origin = exc.__cause__
        problem = problem_of(origin) if isinstance(origin, OSError) else Problem.ERROR
        raise DirectoryUnusable(exc.message, problem, hint=exc.hint) from exc
