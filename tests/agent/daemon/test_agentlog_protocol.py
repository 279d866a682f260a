"""A client of agentlog's, as that program's own protocol describes it, pointed at our socket.

Nothing of ours is used to speak: each documented request is sent as its line, and the reply is held against
the documented shape: its keys, their types, null where a list is empty, one line, and then the end.
"""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.agent_process import path_of, running
from support.jilog_local import LocalHost

RFC3339_NANO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z")
TYPES = ("decision", "attempt_failed", "deferred", "assumption", "question")
SECONDS = 60.0


class Client:
    """What agentlog's clients do: one connection, one line, one line back, and the connection ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.session: str | None = None

    def reply(self, line: bytes) -> Any:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
            channel.settimeout(SECONDS)
            channel.connect(str(self.path))
            channel.sendall(line)
            data = channel.makefile("rb").read()
        assert data.endswith(b"\n"), data
        assert data.count(b"\n") == 1, data
        return json.loads(data)

    def call(self, method: str, params: object) -> Any:
        """Give a result; agentlog's clients raise the ``error`` of a reply that is not ``ok``."""
        reply = self.reply(json.dumps({"method": method, "params": params}).encode() + b"\n")
        if not reply["ok"]:
            raise RuntimeError(reply["error"])
        return reply["result"]

    def write(self, type_: str, title: str, **more: object) -> str:
        """Write as the SDKs do: a session is asked for once, and used from then on."""
        self.session = self.session or self.call("create_session", {})["session_id"]
        entry = {"session_id": self.session, "type": type_, "title": title, **more}
        return str(self.call("write", {"entry": entry})["id"])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client, and an agent that holds two sessions."""
    host = LocalHost(tmp_path_factory.mktemp("host"))
    assert host.run("init", "--source", "alpha").returncode == 0
    with running(host):
        client = Client(path_of(host))
        for entry in ENTRIES:
            client.call("write", {"entry": entry})
        yield client


ENTRIES = (
    {
        "id": "0dfe43a2-0000-4000-8000-000000000001",
        "timestamp": "2026-01-01T00:00:05Z",
        "session_id": "s1",
        "type": "decision",
        "title": "Use SQLite & <one> file",
        "body": "No server.",
        "tags": ["storage", "index"],
        "file_refs": ["src/index.py", "/etc/hosts"],
    },
    {
        "id": "0dfe43a2-0000-4000-8000-000000000002",
        "timestamp": "2026-01-01T00:00:05.5Z",
        "session_id": "s1",
        "type": "question",
        "title": "How large?",
    },
    {
        "id": "0dfe43a2-0000-4000-8000-000000000003",
        "timestamp": "2026-01-02T00:00:00.123456789Z",
        "session_id": "s2",
        "type": "decision",
        "title": "Threads",
        "tags": ["storage"],
        "file_refs": ["src/index.py"],
    },
)


def entry_problem(value: Any) -> str:
    """Say what keeps a value from being an entry as documented; nothing when it is one."""
    required = {"id", "timestamp", "session_id", "type", "title"}
    optional = {"body": str, "tags": list, "file_refs": list}
    if not isinstance(value, dict) or not required <= set(value) <= required | set(optional):
        return f"keys: {value}"
    if not all(isinstance(value[key], str) and value[key] for key in required):
        return f"a required value: {value}"
    if not RFC3339_NANO.fullmatch(value["timestamp"]) or value["type"] not in TYPES:
        return f"time or type: {value}"
    for key in optional.keys() & value.keys():
        empty_or_other = not value[key] or not isinstance(value[key], optional[key])
        if empty_or_other or (key != "body" and not all(isinstance(item, str) for item in value[key])):
            return f"{key}: {value}"
    return ""


def entry(value: Any) -> bool:
    return entry_problem(value) == ""


def entries(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(entry, value))


def nothing(value: Any) -> bool:
    return value is None


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def names(value: Any) -> bool:
    return isinstance(value, list) and value == sorted(value) and all(isinstance(item, str) for item in value)


def new_session(value: Any) -> bool:
    return set(value) == {"session_id"} and uuid.UUID(value["session_id"]).version == 4


@dataclass(frozen=True)
class Documented:
    """A request and the shape of its result, with the numbers of the entries that must be in it, in order."""

    method: str
    params: object
    shape: Any
    gives: tuple[int, ...] | None = None


RESULTS = (
    Documented("create_session", {}, new_session),
    Documented("write", {"entry": ENTRIES[0]}, entry),
    Documented("query", {}, entries, (2, 1, 0)),
    Documented("query", {"limit": 1, "offset": 1}, entries, (1,)),
    Documented("query", {"type": "decision"}, entries, (2, 0)),
    Documented("query", {"session_id": "s1"}, entries, (1, 0)),
    Documented("query", {"tags": ["storage", "index"]}, entries, (0,)),
    Documented("query", {"file_path": "src/index.py"}, entries, (2, 0)),
    Documented("query", {"start": "2026-01-01T00:00:05Z", "end": "2026-01-01T00:00:06Z"}, entries, (1, 0)),
    Documented("query", {"start": "2026-01-02T00:00:00Z"}, entries, (2,)),
    Documented("query", {"type": "decision", "session_id": "s1"}, entries, (0,)),
    Documented("query", {"type": "deferred"}, nothing),
    Documented(
        "query", {"type": "", "session_id": "", "tags": None, "limit": 0, "offset": 0, "x": 1}, entries
    ),
    Documented("search", {"query": "server"}, entries, (0,)),
    Documented("search", {"query": "nowhere-to-be-found"}, nothing),
    Documented("search", {"query": '"unbalanced AND ('}, nothing),
    Documented("get_session", {"session_id": "s1"}, entries, (0, 1)),
    Documented("list_sessions", {}, names),
    Documented("blame", {"file_path": "src/index.py"}, entries, (0, 2)),
    Documented("blame", {"file_path": "/etc/hosts"}, entries, (0,)),
    Documented("blame", {"file_path": "nobody.py"}, nothing),
    Documented("context", {"files": ["src/index.py"], "topic": "large"}, entries, (2, 1, 0)),
    Documented("context", {"files": ["src/index.py"], "limit": 1}, entries, (2,)),
    Documented("context", {"files": ["src/index.py"], "limit": -1}, entries, (2, 0)),
    Documented("context", {"topic": "nowhere-to-be-found"}, nothing),
    *(
        Documented("export", {"session_id": "s1", "format": name}, text)
        for name in ("", "markdown", "json", "text")
    ),
    *(
        Documented("export", {"tag": "storage", "template": name}, text)
        for name in ("pr", "retro", "handoff")
    ),
    Documented("export", {"type": "deferred", "format": "text"}, text),
    Documented("export", {"since": "2026-01-01", "until": "52w", "file_path": "src/index.py"}, text),
)


@pytest.mark.parametrize("asked", RESULTS, ids=lambda asked: f"{asked.method} {asked.params}"[:60])
def test_af27_each_documented_request_has_the_documented_result(client: Client, asked: Documented) -> None:
    reply = client.reply(json.dumps({"method": asked.method, "params": asked.params}).encode() + b"\n")

    assert set(reply) == {"ok", "result"}, reply
    assert reply["ok"] is True
    assert asked.shape(reply["result"]), reply
    if asked.gives is not None:
        assert reply["result"] == [ENTRIES[number] for number in asked.gives]


NEW = {"session_id": "s9", "type": "decision", "title": "t"}
ERRORS = (
    (b"{", "invalid request: "),
    (b'{"method":"nonsense","params":{}}', "unknown method: nonsense"),
    (b'{"method":"query"}', "invalid query params: unexpected end of JSON input"),
    (b'{"method":"context"}', "invalid context params: unexpected end of JSON input"),
    (b'{"method":"export"}', "invalid export params: unexpected end of JSON input"),
    (b'{"method":"search","params":{"query":""}}', "search query must not be empty"),
    (b'{"method":"get_session","params":{"session_id":""}}', "session_id must not be empty"),
    (b'{"method":"get_session","params":{"session_id":"nobody"}}', "get session failed: "),
    (b'{"method":"blame","params":{"file_path":""}}', "file_path must not be empty"),
    (b'{"method":"context","params":{"limit":3}}', "context requires at least one of files or topic"),
    (b'{"method":"query","params":{"start":"x","end":"y"}}', "invalid start time: "),
    (b'{"method":"query","params":{"end":"y"}}', "invalid end time: "),
    (b'{"method":"export","params":{"format":"pdf"}}', 'invalid format "pdf": must be one of markdown, json'),
    (b'{"method":"export","params":{"template":"x"}}', 'invalid template "x": must be one of pr, retro'),
    (b'{"method":"export","params":{"since":"x"}}', "export query failed: invalid since: "),
    *(
        (json.dumps({"method": "write", "params": {"entry": {**NEW, **wrong}}}).encode(), error)
        for wrong, error in (
            ({"timestamp": "noon"}, "invalid timestamp: "),
            ({"session_id": ""}, "write failed: entry session_id must not be empty"),
            ({"title": ""}, "write failed: entry title must not be empty"),
            ({"type": "idea"}, 'write failed: invalid entry type "idea": must be one of decision, attempt'),
        )
    ),
)


@pytest.mark.parametrize(("line", "error"), ERRORS, ids=lambda value: str(value)[:40])
def test_af27_each_documented_error_has_the_documented_shape(client: Client, line: bytes, error: str) -> None:
    reply = client.reply(line + b"\n")

    # More than agentlog says may be there, and its clients pass over it; nothing of its own is missing.
    assert set(reply) - {"code", "hint"} == {"ok", "error"}
    assert reply["ok"] is False
    assert reply["error"].startswith(error)
    assert client.call("query", {"session_id": NEW["session_id"]}) is None


def test_af27_optional_keys_are_left_out_and_times_are_written_without_trailing_zeros(client: Client) -> None:
    minimal = client.call("write", {"entry": {**NEW, "session_id": "minimal", "body": "", "tags": []}})
    zoned = client.call(
        "write", {"entry": {**NEW, "session_id": "zoned", "timestamp": "2026-01-01T02:00:00.500+02:00"}}
    )

    assert set(minimal) == {"id", "timestamp", "session_id", "type", "title"}
    assert RFC3339_NANO.fullmatch(minimal["timestamp"])
    assert uuid.UUID(minimal["id"])
    assert zoned["timestamp"] == "2026-01-01T00:00:00.5Z"


def test_af27_a_clients_day_from_first_write_to_export(client: Client) -> None:
    mine = Client(client.path)
    first = mine.write("decision", "Pool connections", body="They leak.", tags=["net"], file_refs=["net.py"])
    second = mine.write("question", "Which timeout?", file_refs=["net.py"])
    assert mine.session is not None

    assert mine.session in mine.call("list_sessions", {})
    assert [found["id"] for found in mine.call("get_session", {"session_id": mine.session})] == [
        first,
        second,
    ]
    assert [found["id"] for found in mine.call("blame", {"file_path": "net.py"})] == [first, second]
    assert [found["id"] for found in mine.call("context", {"files": ["net.py"]})] == [second, first]
    assert [found["id"] for found in mine.call("search", {"query": "leak"})] == [first]
    exported = json.loads(mine.call("export", {"session_id": mine.session, "format": "json"}))
    assert [found["title"] for found in exported] == ["Pool connections", "Which timeout?"]
    with pytest.raises(RuntimeError, match="invalid entry type"):
        mine.write("idea", "no")


@pytest.mark.parametrize(
    "wrong",
    [
        {**ENTRIES[1], "zone": "main"},
        {key: value for key, value in ENTRIES[1].items() if key != "id"},
        {**ENTRIES[1], "tags": []},
        {**ENTRIES[1], "tags": [1]},
        {**ENTRIES[1], "timestamp": "2026-01-01T00:00:05.50Z"},
        {**ENTRIES[1], "type": "idea"},
        None,
    ],
)
def test_the_shape_of_an_entry_takes_entries_and_nothing_else(wrong: Any) -> None:
    assert all(entry(item) for item in ENTRIES)

    assert not entry(wrong)
