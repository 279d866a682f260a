"""The projection's file: where it may lie, rebuilds at once, and what helps when it cannot be written."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.sql.compiler import SQLCompiler

from jilog_ledger.decision import FileRef, FileScope
from jilog_ledger.errors import StorageError
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import EventQuery, Projection, database


def ledger_in(folder: Path) -> ZoneLedger:
    folder.mkdir(exist_ok=True)
    ledger = ZoneLedger.open(folder, "main", source="alpha", key=SigningKey.generate())
    ledger.append([EventDraft("health", {"n": 0})])
    return ledger


@pytest.mark.parametrize("name", ["50%41", "what?a=1", "a#b", "two\nlines", "a b", "ü"])
def test_folder_of_any_name_holds_a_projection(tmp_path: Path, name: str) -> None:
    ledger = ledger_in(tmp_path / name)

    with Projection.open(ledger) as projection:
        assert projection.count() == 1
    with Projection.open(ledger) as again:
        assert again.rebuilt is None


def test_rebuild_leaves_the_file_of_another_that_runs_and_removes_a_stray_one(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    running, stray = (tmp_path / f"projection.sqlite.rebuild-{n}" for n in (1, 2))
    running.touch()
    stray.touch()

    with running.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with Projection.open(ledger) as projection:
            projection.rebuild()

        assert (running.exists(), stray.exists()) == (True, False)
    with Projection.open(ledger) as projection:
        projection.rebuild()
    assert sorted(tmp_path.glob("*rebuild*")) == []


def test_file_of_a_running_rebuild_is_locked_and_goes_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_in(tmp_path)
    seen = []

    def fail(path: Path, *_: object) -> int:
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(database, "_build", fail)

    with pytest.raises(StorageError, match="No space left"):
        Projection.open(ledger)

    assert len(seen) == 1
    assert not [name for name in os.listdir(tmp_path) if "rebuild" in name]


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (sqlite3.SQLITE_FULL, "free some space"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "check who owns"),
        (sqlite3.SQLITE_CORRUPT, "run: jilog rebuild"),
    ],
)
def test_hint_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, hint: str) -> None:
    ledger = ledger_in(tmp_path)

    def fail(*_: object) -> int:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(database, "_build", fail)

    with pytest.raises(StorageError) as caught:
        Projection.open(ledger)

    assert (caught.value.hint or "").startswith(hint)


@pytest.mark.parametrize(("since_ns", "until_ns", "found"), [(-(2**70), 2**70, 1), (2**70, None, 0)])
def test_times_beyond_the_integers_of_the_database_are_times(
    tmp_path: Path, since_ns: int, until_ns: int | None, found: int
) -> None:
    with Projection.open(ledger_in(tmp_path)) as projection:
        assert projection.count(EventQuery(since_ns=since_ns, until_ns=until_ns)) == found


@pytest.mark.parametrize(
    ("query", "value", "index"),
    [
        (EventQuery(object_ref="task:one"), "task:one", "events_object"),
        (EventQuery(correlation_id=b"c" * 16), b"c" * 16, "events_correlation"),
    ],
)
def test_events_of_one_object_or_run_are_found_by_an_index(
    tmp_path: Path, query: EventQuery, value: object, index: str
) -> None:
    ledger = ledger_in(tmp_path)
    ledger.append([EventDraft("health", {}, object_ref="task:one", correlation_id=b"c" * 16)])
    asked: list[str] = []

    with Projection.open(ledger) as projection:
        projection.apply()
        engine = projection._engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
        assert len(projection.query(query)) == 1
        with engine.connect() as opened:
            plan = opened.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}", (value, 100, 0)).fetchall()

    assert any(index in str(row) for row in plan), plan


def test_known_objects_are_those_of_shared_events_of_the_classes_asked_for(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    ledger.append([EventDraft("learning", {}, object_ref=f"signal:{number}") for number in range(1200)])
    ledger.append([EventDraft("health", {}, object_ref="signal:health")])
    ledger.append([EventDraft("learning", {}, object_ref="signal:local", tier="confidential")])
    asked = {f"signal:{number}" for number in range(600, 1800)} | {"signal:health", "signal:local"}

    with Projection.open(ledger) as projection:
        projection.apply()
        known = projection.known_objects(asked, ("learning", "review"))

    assert known == {f"signal:{number}" for number in range(600, 1200)}


def test_statement_is_compiled_once_however_often_the_projection_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiling takes longer than running: an agent opens a projection for each request."""
    ledger = ledger_in(tmp_path)
    compiled: list[object] = []
    begin = SQLCompiler.__init__

    def counted(
        self: SQLCompiler, dialect: object, statement: object, *rest: object, **options: object
    ) -> None:
        if isinstance(statement, sqlalchemy.Select):
            compiled.append(statement)
        begin(self, dialect, statement, *rest, **options)  # type: ignore[arg-type] # what it was called with

    monkeypatch.setattr(SQLCompiler, "__init__", counted)

    for files in range(1, 6):
        scope = FileScope(tuple(FileRef("repo", f"file-{number}.py") for number in range(files)))
        with Projection.open(ledger) as projection:
            projection.rebuild()
            assert projection.query(EventQuery(files=(scope,))) == []

    assert len(compiled) == 1


def test_engines_of_many_zones_are_bounded(tmp_path: Path) -> None:
    most = database._engine.cache_info().maxsize
    assert most is not None

    for number in range(most + 5):
        database._engine(tmp_path / str(number))

    assert database._engine.cache_info().currsize == most
