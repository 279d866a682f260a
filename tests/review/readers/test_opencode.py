"""OpenCode sessions: a database that is being written, and the older folder of files."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from jilog_review import limits
from jilog_review.reader import Reader, ReaderConfig, make_reader
from jilog_review.transcript import Denial, Marker, MarkerKind, Provenance, ToolCall, ToolResult
from support.transcripts import Gathered, of_kind, only_source, read_all, read_on

START_MS = 1_793_523_600_000

Record = dict[str, object]
Item = tuple[str, Record, list[tuple[str, Record]]]
"""A message with its id, and its parts with theirs."""


def user(number: int, *parts: Record) -> Item:
    info: Record = {"role": "user", "time": {"created": START_MS + number}}
    return f"msg_{number:03}", info, [(f"prt_{number:03}{at}", part) for at, part in enumerate(parts)]


def assistant(number: int, *parts: Record, **fields: object) -> Item:
    name, info, made = user(number, *parts)
    times = {"created": START_MS + number, "completed": START_MS + number + 1}
    tokens = {"input": 10, "output": 2, "reasoning": 1, "cache": {"read": 5, "write": 0}}
    info = {"role": "assistant", "modelID": "model-x", "time": times, "cost": 0.1, "tokens": tokens}
    return name, {**info, **fields}, made


def text(words: str, **fields: object) -> Record:
    return {"type": "text", "text": words, **fields}


def tool(name: str, status: str, *, metadata: Record | None = None, **state: object) -> Record:
    made = {"status": status, "input": {"command": "pytst", "filePath": "a.py"}, "metadata": metadata or {}}
    times = {"start": START_MS, "end": START_MS + 5}
    return {"type": "tool", "tool": name, "callID": "c1", "state": {**made, "time": times, **state}}


STORY: list[Item] = [
    user(1, text("run the tests"), text("file content", synthetic=True)),
    assistant(
        2,
        {"type": "step-start"},
        text("Running."),
        tool("bash", "completed", output="sh: pytst: not found", metadata={"exit": 127}),
        tool("read", "error", error="File not found: a.py"),
        tool("invalid", "completed", output="The arguments provided to the tool are invalid"),
        {"type": "hologram"},
    ),
    user(3, {"type": "compaction", "auto": True}),
    assistant(4, text("summary"), summary=True),
    assistant(5, error={"name": "MessageAbortedError", "data": {"message": "aborted"}}),
    assistant(6, error={"name": "APIError", "data": {"message": "overloaded"}}),
    user(7, text("use uv")),
]


class Database:
    """A stand-in for OpenCode's own database and how it is written."""

    def __init__(self, folder: Path, name: str = "opencode.db") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(folder / name)
        self.connection.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, time_updated INTEGER);
            CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_updated INTEGER, data TEXT);
            CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, time_updated INTEGER, data TEXT);
            """
        )
        self.clock = START_MS

    def session(self, name: str = "ses_1", parent: str | None = None) -> None:
        self._write("INSERT INTO session VALUES (?, ?, '/w/app', ?)", name, parent, self._now())

    def message(self, item: Item, session: str = "ses_1") -> None:
        name, info, parts = item
        self._write("INSERT INTO message VALUES (?, ?, ?, ?)", name, session, self._now(), json.dumps(info))
        for part, data in parts:
            self._write("INSERT INTO part VALUES (?, ?, ?, ?)", part, name, self._now(), json.dumps(data))

    def update(self, table: str, name: str, data: str) -> None:
        self._write(f"UPDATE {table} SET data = ?, time_updated = ? WHERE id = ?", data, self._now(), name)

    def _now(self) -> int:
        self.clock += 1
        return self.clock

    def _write(self, statement: str, *values: object) -> None:
        with self.connection:
            self.connection.execute(statement, values)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "opencode")
    made.session()
    yield made
    made.connection.close()


def make(tmp_path: Path) -> Reader:
    return make_reader(ReaderConfig("opencode", {"path": str(tmp_path / "opencode")}))


def write_files(tmp_path: Path, items: list[Item], session: str = "ses_1", **info: object) -> Path:
    storage = tmp_path / "opencode/storage"
    head = storage / "session/prj" / f"{session}.json"
    records = [(head, {"id": session, "directory": "/w/app", **info})]
    for name, message, parts in items:
        records.extend((storage / "part" / name / f"{part}.json", data) for part, data in parts)
        records.append((storage / "message" / session / f"{name}.json", message))
    for age, (path, data) in enumerate(records):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(data), encoding="utf-8")
            os.utime(path, ns=(age, age))
    return head


def check_story(gathered: Gathered) -> None:
    assert gathered.human() == ["run the tests", "use uv"]
    assert gathered.said(Provenance.INJECTED) == ["file content", "summary"]
    assert gathered.said(Provenance.ASSISTANT) == ["Running."]
    calls = [(call.tool, call.command, call.paths) for call in of_kind(gathered.entries, ToolCall)]
    assert calls == [("bash", "pytst", ("a.py",)), ("read", None, ("a.py",)), ("invalid", None, ("a.py",))]
    results = [(r.tool, r.failed, r.exit_status, r.denial) for r in of_kind(gathered.entries, ToolResult)]
    assert results == [
        ("bash", False, 127, None),
        ("read", True, None, None),
        ("invalid", True, None, None),
    ]
    markers = [(marker.kind, marker.detail) for marker in of_kind(gathered.entries, Marker)]
    assert markers == [
        (MarkerKind.COMPACTION, ""),
        (MarkerKind.INTERRUPT, "aborted"),
        (MarkerKind.API_ERROR, "overloaded"),
    ]
    assert gathered.coverage.unknown == {"part:hologram": 1}
    assert (gathered.usage.input_tokens, gathered.usage.output_tokens) == (60, 12)
    assert gathered.usage.cost == Decimal("0.4")
    assert gathered.transcript.project == "/w/app"


def test_database_when_read_gives_people_tools_and_markers(tmp_path: Path, database: Database) -> None:
    for item in STORY:
        database.message(item)
    reader = make(tmp_path)

    check_story(read_all(reader, only_source(reader)))


@pytest.mark.parametrize("rows_max", [1, 3, 1000])
def test_growing_database_when_read_row_by_row_gives_the_same(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, rows_max: int
) -> None:
    monkeypatch.setattr(limits, "SQLITE_ROWS_MAX", rows_max)
    reader = make(tmp_path)
    source = only_source(reader)
    gathered = Gathered()

    for item in STORY:
        database.message(item)
        read_on(reader, source, gathered)
    read_on(reader, source, gathered)

    assert gathered.entries == read_all(reader, source).entries
    assert gathered.usage.cost == Decimal("0.4")


def test_message_when_still_being_written_waits_until_it_is_complete(
    tmp_path: Path, database: Database
) -> None:
    name, info, parts = assistant(1, tool("bash", "running"))
    database.message((name, {**info, "time": {"created": 1}}, parts))
    reader = make(tmp_path)
    source = only_source(reader)
    gathered = read_all(reader, source)
    assert gathered.entries == []
    database.message(user(2, text("meanwhile")))
    read_on(reader, source, gathered)

    database.update("part", parts[0][0], json.dumps(tool("bash", "completed", metadata={"exit": 1})))
    database.update("message", name, json.dumps(info))
    read_on(reader, source, gathered)

    (result,) = of_kind(gathered.entries, ToolResult)
    assert result.exit_status == 1
    assert gathered.human() == ["meanwhile"]


def test_database_when_a_writer_holds_it_is_still_read(tmp_path: Path, database: Database) -> None:
    database.message(user(1, text("hello")))
    database.connection.execute("BEGIN IMMEDIATE")
    database.connection.execute("DELETE FROM message")
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    database.connection.rollback()
    assert gathered.human() == ["hello"]


@pytest.mark.parametrize(
    ("words", "denial"),
    [
        ("The user rejected permission to use this specific tool call.", Denial.USER),
        ("The user has specified a rule which prevents you from using this tool", Denial.POLICY),
        ("Tool execution aborted", Denial.ABORTED),
        ("boom", None),
    ],
)
def test_call_that_was_not_carried_out_when_read_says_why(
    tmp_path: Path, database: Database, words: str, denial: Denial | None
) -> None:
    database.message(assistant(1, tool("bash", "error", error=words)))
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.failed, result.denial, result.text) == (True, denial, words)
    kinds = [marker.kind for marker in of_kind(gathered.entries, Marker)]
    assert kinds == ([MarkerKind.REJECTION] if denial is Denial.USER else [])


def test_words_typed_while_refusing_when_read_are_a_rejection(tmp_path: Path, database: Database) -> None:
    said = "The user rejected permission to use this specific tool call with the following feedback: use uv"
    database.message(assistant(1, tool("bash", "error", error=said)))
    reader = make(tmp_path)

    assert read_all(reader, only_source(reader)).said(Provenance.REJECTION) == ["use uv"]


def test_sub_agent_when_nested_belongs_to_the_first_session(tmp_path: Path, database: Database) -> None:
    database.session("ses_2", "ses_1")
    database.session("ses_3", "ses_2")
    database.message(user(1, text("do this")), "ses_3")
    reader = make(tmp_path)

    source = reader.discover(0).sources[2]

    assert (source.session_id, source.root_session, source.is_subagent) == ("ses_3", "ses_1", True)
    assert read_all(reader, source).human() == []


def test_rows_when_they_are_no_json_are_counted(tmp_path: Path, database: Database) -> None:
    database.message(user(1, text("before")))
    database.message(user(2, text("broken")))
    database.update("part", "prt_0020", "{oops")
    database.message(user(3, text("half a pair \ud800")))
    database.message(user(4, text("lost")))
    database.update("message", "msg_004", "[]")
    reader = make(tmp_path)

    gathered = read_all(reader, only_source(reader))

    assert gathered.human() == ["before", "half a pair \ufffd"]
    assert gathered.coverage.bad_lines == 2


@pytest.mark.parametrize("content", [b"no database" * 500, b""])
def test_database_when_of_another_shape_is_a_problem(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "opencode").mkdir()
    (tmp_path / "opencode/opencode.db").write_bytes(content)

    discovery = make(tmp_path).discover(0)

    assert discovery.sources == ()
    assert "cannot be read as a database" in discovery.problems[0].message


def test_files_of_an_older_version_when_read_give_the_same(tmp_path: Path) -> None:
    write_files(tmp_path, STORY)
    reader = make(tmp_path)

    check_story(read_all(reader, only_source(reader)))


def test_growing_files_when_read_message_by_message_give_the_same(tmp_path: Path) -> None:
    gathered = Gathered()
    reader = make(tmp_path)
    for count in range(1, len(STORY) + 1):
        write_files(tmp_path, STORY[:count])
        read_on(reader, only_source(reader), gathered)
    read_on(reader, only_source(reader), gathered)

    assert gathered.entries == read_all(reader, only_source(reader)).entries
    assert gathered.usage.cost == Decimal("0.4")


def test_files_when_damaged_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    write_files(tmp_path, STORY)
    storage = tmp_path / "opencode/storage"
    (storage / "part/msg_001/prt_0010.json").write_bytes(b'{"type": "text", "te')
    (storage / "session/prj/ses_9.json").write_bytes(b"\xff")
    reader = make(tmp_path)

    discovery = reader.discover(0)
    gathered = read_all(reader, discovery.sources[0])

    assert [problem.message for problem in discovery.problems] == ["is no session of a known shape"]
    assert gathered.human() == ["use uv"]
    assert gathered.coverage.bad_lines == 1


def test_files_when_moved_into_the_database_are_not_read_again(tmp_path: Path, database: Database) -> None:
    write_files(tmp_path, STORY)
    write_files(tmp_path, STORY[:1], "ses_old")

    keys = [source.key.rpartition("/")[2] for source in make(tmp_path).discover(0).sources]

    assert keys == ["opencode.db#ses_1", "ses_old.json"]


def test_old_sessions_when_not_touched_since_are_not_found(tmp_path: Path, database: Database) -> None:
    assert make(tmp_path).discover((database.clock + 1) * 1_000_000).sources == ()


def test_default_folder_when_nothing_is_configured_is_the_homes(tmp_path: Path) -> None:
    made = Database(tmp_path / ".local/share/opencode", "opencode-dev.db")
    made.session()
    made.connection.close()

    reader = make_reader(ReaderConfig("opencode", {}, {"HOME": str(tmp_path)}))

    assert only_source(reader).session_id == "ses_1"
