"""The projection's file: opening, bringing up to date, rebuilding beside and renaming.

Whoever uses the file holds its lock shared; a rebuild works on a file of its own and takes the lock alone
only for the rename, so that no process ever sees a new database with an old write-ahead log.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import URL, create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from jilog_ledger.disk import FILE_MODE, Disk, RealDisk
from jilog_ledger.errors import StorageError
from jilog_ledger.event import Event
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import schema
from jilog_ledger.projection.apply import Applier
from jilog_ledger.projection.query import (
    EventQuery,
    count,
    facet_values,
    known_objects,
    run_query,
)

FILE_NAME = "projection.sqlite"
LOCK_NAME = "projection.lock"
_BUSY_TIMEOUT_SECONDS = 10
_ENGINES_MAX = 64
"""Paths whose engines are kept in one process, each with at most 500 statements: zones are few."""

_PRIMARY_CODE = 0xFF  # SQLite's extended result codes carry the primary one in the low byte


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild put into the new file."""

    events: int
    bytes_written: int


class Projection:
    """The SQL projection of one zone. Open one with :meth:`open`; it is a context manager.

    What a method reads is as new as the last :meth:`apply`. The file is disposable: one that is missing,
    damaged or of another version is rebuilt, which :attr:`rebuilt` then tells.
    """

    def __init__(self, ledger: ZoneLedger, disk: Disk) -> None:
        self._ledger = ledger
        self._disk = disk
        self._path = ledger.root / FILE_NAME
        self._lock_path = ledger.root / LOCK_NAME
        self._shared = contextlib.ExitStack()
        self.rebuilt: str | None = None
        self._engine: Engine = _engine(self._path)

    @classmethod
    def open(cls, ledger: ZoneLedger, *, disk: Disk | None = None) -> Projection:
        """Open the projection of a zone, making it when there is none that can be used."""
        projection = cls(ledger, disk or RealDisk())
        problem = projection._problem()
        if problem is not None:
            projection.rebuilt = problem
            projection.rebuild()
        projection._hold()
        return projection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and release its lock."""
        self._engine.dispose()
        self._shared.close()

    def apply(self) -> int:
        """Bring the projection up to the segments; give the number of events added.

        Rows and checkpoint are one transaction: after a crash at any point the next call goes on from there.
        """
        with self._explained(), self._driver() as connection:
            applier = Applier(connection)
            added = applier.apply(self._ledger.local, local=True)
            return added + applier.apply(self._ledger.shared, local=False)

    def query(self, query: EventQuery) -> list[Event]:
        """Give the events that match."""
        with self._explained(), self._engine.connect() as connection:
            return list(run_query(connection, self._ledger.zone, query))

    def count(self, query: EventQuery | None = None) -> int:
        """Count the events that match, all by default."""
        with self._explained(), self._engine.connect() as connection:
            return count(connection, query or EventQuery())

    def facet_values(self, name: str, *, prefix: str = "", limit: int | None = None) -> list[str]:
        """Give the values that the vocabularies gave one facet, sorted, those that begin with ``prefix``."""
        with self._explained(), self._engine.connect() as connection:
            return facet_values(connection, name, prefix, limit)

    def known_objects(self, references: Collection[str], classes: tuple[str, ...]) -> set[str]:
        """Give those of ``references`` that are the object of a shared event of one of ``classes``."""
        with self._explained(), self._engine.connect() as connection:
            return known_objects(connection, references, classes)

    def fingerprint(self) -> bytes:
        """Give the SHA-256 over all shared events in the fleet's total order.

        Equal frontiers give equal fingerprints, on every node and after every rebuild.
        """
        digest = hashlib.sha256()
        everything = EventQuery(limit=None, oldest_first=True, shared_only=True)
        with self._explained(), self._engine.connect() as connection:
            for event_ in run_query(connection, self._ledger.zone, everything):
                stored = event_.stored
                digest.update(
                    repr(
                        (event_.order, stored.event_class, stored.tier, stored.event_id, stored.object_ref)
                    ).encode()
                )
                digest.update(repr((stored.actor_ref, stored.correlation_id, stored.causation_id)).encode())
                digest.update(bytes(stored.payload))
        return digest.digest()

    def rebuild(self, progress: Callable[[int], None] | None = None) -> RebuildReport:
        """Make the projection anew from the segments, beside the old one, and put it in its place.

        ``progress`` is told the events of each segment once they are in the new file.

        A crash before the rename leaves the old file and a stray one, which the next rebuild removes; a crash
        inside the swap leaves none, and the next opening rebuilds.
        """
        self.close()
        with self._explained():
            self._remove_strays()
        beside = self._ledger.root / f"{FILE_NAME}.rebuild-{os.getpid()}-{os.urandom(4).hex()}"
        with self._explained(), _new_file(beside):
            added = _build(beside, self._ledger, progress)
            size = beside.stat().st_size
            with self._disk.lock(self._lock_path):
                # The log goes with the database it belongs to: SQLite drops a log that has no database.
                for suffix in ("", "-wal", "-shm"):
                    self._disk.remove(Path(f"{self._path}{suffix}"))
                self._disk.move(beside, self._path)
        self._engine = _engine(self._path)
        self._hold()
        return RebuildReport(added, size)

    def _remove_strays(self) -> None:
        """Remove what rebuilds that were killed have left; the file of one that runs is locked."""
        for name in self._disk.list_directory(self._ledger.root):
            if name.startswith(f"{FILE_NAME}.rebuild-") and not _is_locked(self._ledger.root / name):
                self._disk.remove(self._ledger.root / name)

    def _hold(self) -> None:
        self._shared.close()
        self._shared = contextlib.ExitStack()
        self._shared.enter_context(self._disk.lock(self._lock_path, shared=True))

    def _problem(self) -> str | None:
        """Say why the file cannot be used, None when it can."""
        if not self._disk.size(self._path):
            return "there was no projection"
        try:
            with self._engine.connect() as connection:
                row = connection.exec_driver_sql("SELECT value FROM meta WHERE key = 'schema'").fetchone()
        except Exception as exc:
            # Whatever SQLite says of a broken file, the answer is a new one.
            return f"the projection could not be read: {getattr(exc, 'orig', exc)}"
        if row is None or row[0] != str(schema.SCHEMA_VERSION):
            return "the projection is of another version"
        return None

    @contextlib.contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        with self._engine.connect() as connection:
            yield _driver_connection(connection)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            original = getattr(exc, "orig", exc)
            if not isinstance(original, (sqlite3.Error, OSError)):
                raise
            raise StorageError(
                f"projection {self._path} cannot be used: {original}", hint=_hint(original, self._path)
            ) from exc


def _hint(error: sqlite3.Error | OSError, path: Path) -> str:
    """Say what helps: a new projection does not where there is no room for one, or no right to write."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    number = error.errno if isinstance(error, OSError) else None
    if code == sqlite3.SQLITE_FULL or number in (errno.ENOSPC, errno.EDQUOT):
        return f"free some space on the file system of {path.parent}, then run the command again"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM) or number is not None:
        return f"check who owns {path.parent} and whether it can be written: ls -ld {path.parent}"
    return "run: jilog rebuild"


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[None]:
    """Make a file that is locked while it is worked on, and is removed unless it was moved away."""
    unlocked = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(unlocked, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    try:
        # SQLite locks with fcntl, which flock does not touch. The name by which others know a rebuild comes
        # after the lock, so that none of them takes the file for a stray one.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.rename(unlocked, path)
        yield
    finally:
        unlocked.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@functools.lru_cache(_ENGINES_MAX)
def _engine(path: Path) -> Engine:
    """Give the engine of a path, whose connections are plain autocommit ones: transactions are begun by name.

    An engine is kept for the statements it has compiled, which takes longer than to run them, and holds no
    connection, so that it does not matter which file has the path by now. Threads may share it.
    """
    # Not as text: the home may lie in a folder whose name has a percent sign or a question mark.
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _build(path: Path, ledger: ZoneLedger, progress: Callable[[int], None] | None) -> int:
    """Write a whole projection into an empty file: no journal, indexes last, one sync at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
            connection.execute(f"PRAGMA {pragma}")
        for statement in schema.table_statements():
            connection.execute(statement)
        applier = Applier(connection, progress)
        added = applier.apply(ledger.local, local=True) + applier.apply(ledger.shared, local=False)
        for statement in schema.index_statements():
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('schema', ?)", (str(schema.SCHEMA_VERSION),))
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    # Without this a power cut after the rename could leave a name for bytes that never arrived.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return added
