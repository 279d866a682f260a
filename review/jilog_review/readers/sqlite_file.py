"""Other programs' SQLite databases, read while they are being written and never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from jilog_review import limits


@contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database read-only; text that is not UTF-8 is repaired.

    Raises:
        OSError: it is missing, no database, stays locked, or lacks what is asked of it. Errors of statements
            inside the block become this, too.
    """
    if not path.exists():
        raise FileNotFoundError(2, "No such file or directory", str(path))
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=limits.SQLITE_BUSY_MS / 1000
        )
        try:
            connection.text_factory = _text
            connection.execute("PRAGMA query_only = ON")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise OSError(f"cannot be read as a database: {exc}") from exc


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
