"""Another host's transcripts: a mirror that only grows, so that the review's cursors fit it.

A file of the mirror is the same file each night with what was appended appended to it; when the original is
no longer what it was, the copy is made anew under a new inode. The mirror may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from jilog_ledger.errors import JilogError
from jilog_review.file_source import FoundFile
from jilog_review.reader import Problem

if TYPE_CHECKING:
    from jilog_spool.ssh_files import FarFile

CHUNK_BYTES = 4 * 1024 * 1024
MIRROR_FILE_BYTES_MAX = 2 * 1024 * 1024 * 1024
"""A longer file of another host is called unreadable: copying it takes the night, and the disk."""
MIRROR_BYTES_MAX = 8 * 1024 * 1024 * 1024
"""All copies of one host together; beyond it nothing more is fetched."""
DATABASE_BYTES_MAX = 256 * 1024 * 1024
MARK_BYTES = 512
"""Bytes at the start, and before the end of what is held, that tell a file that grew from another one."""


class FarHost(Protocol):
    """The files of another host: see :class:`jilog_spool.ssh_files.SshFiles`."""

    def walk(self, folder: str, suffix: str, refused: Callable[[str, str], None]) -> Iterator[FarFile]:
        """Give the files below a folder."""
        ...

    def size(self, path: str) -> int:
        """Give a file's size in bytes."""
        ...

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Read some bytes; none at the end."""
        ...


@dataclass(slots=True)
class Mirror:
    """Implements ``jilog_review.file_source.FileSource`` over another host.

    Paths carry the host's name before them, since two hosts may have equal ones.
    """

    host: str
    far: FarHost
    folder: Path
    _held_bytes: int | None = field(default=None)

    def expand(self, path: str) -> str:
        """Write a path of the far host as one of this source; ``~`` is the far login's home."""
        path = path.removeprefix("~/") if path.startswith("~/") else path
        return f"{self.host}:{'.' if path == '~' else path}"

    def find(self, folder: str, suffix: str, problems: list[Problem]) -> Iterator[FoundFile]:
        """Find the files below a folder of the far host; a host that is away is one problem."""

        def refused(path: str, reason: str) -> None:
            problems.append(Problem(self.expand(path), f"cannot be listed: {reason}"))

        try:
            for file in self.far.walk(self._far_path(folder), suffix, refused):
                yield FoundFile(self.expand(file.path), file.modified_ns)
        except JilogError as error:
            problems.append(Problem(folder, error.message))

    def fetch(self, path: str) -> Path:
        """Bring the copy of a file up to date.

        Raises:
            OSError: the file or the host cannot be reached, or it is too large.
        """
        try:
            return self._bring(self._far_path(path), MIRROR_FILE_BYTES_MAX, self._copy_of(path))
        except JilogError as error:
            raise OSError(error.message) from error

    def fetch_database(self, path: str) -> Path:
        """Copy a database anew, with its write-ahead log where it has one.

        Raises:
            OSError: the database or the host cannot be reached, or it is too large.
        """
        copy = self._copy_of(path)
        for ending in ("", "-wal", "-shm"):
            Path(f"{copy}{ending}").unlink(missing_ok=True)
        try:
            self._bring(self._far_path(path), DATABASE_BYTES_MAX, copy)
            try:
                self._bring(f"{self._far_path(path)}-wal", DATABASE_BYTES_MAX, Path(f"{copy}-wal"))
            except FileNotFoundError:
                return copy
        except JilogError as error:
            raise OSError(error.message) from error
        return copy

    def _far_path(self, path: str) -> str:
        return path.removeprefix(f"{self.host}:")

    def _copy_of(self, path: str) -> Path:
        digest = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self.folder / digest

    def _bring(self, path: str, bytes_max: int, copy: Path) -> Path:
        size = self.far.size(path)
        if size > bytes_max:
            raise OSError(f"has {size} bytes, more than the {bytes_max} that are fetched")
        held = copy.stat().st_size if copy.exists() else 0
        if not copy.exists() or size < held or not self._is_same(path, copy, held):
            copy.unlink(missing_ok=True)
            held = 0
        self._make_room(size - held)
        self._append(path, copy, held, size)
        return copy

    def _is_same(self, path: str, copy: Path, held: int) -> bool:
        """Compare the first bytes, and the last ones of what is held, with the original."""
        length = min(MARK_BYTES, held)
        with copy.open("rb") as file:
            head = file.read(length)
            file.seek(held - length)
            tail = file.read(length)
        return self.far.read(path, 0, length) == head and self.far.read(path, held - length, length) == tail

    def _append(self, path: str, copy: Path, held: int, size: int) -> None:
        """Append what is new. A death in between leaves a shorter copy, which the next fetch continues."""
        # Folders that ``parents`` makes take no mode.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as file:
            while held < size:
                data = self.far.read(path, held, min(CHUNK_BYTES, size - held))
                if not data:
                    return
                file.write(data)
                held += len(data)

    def _make_room(self, more_bytes: int) -> None:
        if self._held_bytes is None:
            copies = self.folder.iterdir() if self.folder.is_dir() else iter(())
            self._held_bytes = sum(copy.stat().st_size for copy in copies)
        if self._held_bytes + more_bytes > MIRROR_BYTES_MAX:
            raise OSError(f"the copies of {self.host} have reached {MIRROR_BYTES_MAX} bytes in {self.folder}")
        self._held_bytes += max(0, more_bytes)


FarFiles: TypeAlias = Callable[[str], Mirror]
"""Gives the files of another host by its name."""
