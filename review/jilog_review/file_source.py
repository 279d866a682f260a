"""Where a reader's files are: on this host, or on another that makes them look as if they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jilog_review.files import stat_files, walk_files
from jilog_review.reader import Problem


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file by its path where it lies, with its age in Unix nanoseconds."""

    path: str
    modified_ns: int


class FileSource(Protocol):
    """Finds files and brings them here; one for another host keeps copies of what it fetched."""

    def find(self, folder: str, suffix: str, problems: list[Problem]) -> Iterable[FoundFile]:
        """Find the files below ``folder`` whose name ends with ``suffix``, in any order.

        A missing folder has none; what cannot be looked into is added to ``problems``. Never raises.
        """
        ...

    def fetch(self, path: str) -> Path:
        """Give a file of this host with the content of ``path``.

        Cursors know a file by device, inode and the bytes before their offset: a copy must be the same file
        each time, with what was appended appended to it, and replaced when the original was.

        Raises:
            OSError: the file cannot be reached or read now.
        """
        ...

    def fetch_database(self, path: str) -> Path:
        """Give a file of this host that SQLite can open read-only, of a database that may be being written.

        Raises:
            OSError: the database cannot be reached or read now.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files of this host, as they are."""

    def find(self, folder: str, suffix: str, problems: list[Problem]) -> Iterable[FoundFile]:
        """Walk the folder."""
        for path, status in stat_files(walk_files(Path(folder), suffix, problems), 0, problems):
            yield FoundFile(str(path), status.st_mtime_ns)

    def fetch(self, path: str) -> Path:
        """Give the file itself."""
        return Path(path)

    def fetch_database(self, path: str) -> Path:
        """Give the database itself: SQLite reads beside its writers."""
        return Path(path)
