"""The Python clients: what they send, whose word counts, and what goes wrong in which way."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jilog_agent.sdk as jilog
from jilog_agent.agent_socket import socket_path
from jilog_agent.home import Home
from jilog_agent.sdk import AsyncClient, Client
from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError
from support.agent_process import running
from support.fake_agent import HANG, HANG_UP, fake_agent, ok, refused
from support.jilog_local import LocalHost

ENTRY = {"id": "e1", "timestamp": "2026-01-01T00:00:00Z", "session_id": "s", "type": "decision", "title": "t"}
SHORT_SECONDS = 0.2


class Blocking:
    """The asyncio client with the other one's face, so that each test is for both."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._client = AsyncClient(*args, **options)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not asyncio.iscoroutinefunction(attribute):
            return attribute
        return lambda *args, **options: asyncio.run(attribute(*args, **options))


@pytest.fixture(params=[Client, Blocking], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    """One of the clients."""
    return request.param


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A place for a socket."""
    return tmp_path / "s.sock"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHost:
    """A host that is set up, whose user this process is."""
    made = LocalHost(tmp_path / "home")
    made.root.mkdir()
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JILOG_SESSION", raising=False)
    monkeypatch.delenv("JILOG_HOME", raising=False)
    assert made.run("init", "--source", "alpha").returncode == 0
    return made


@pytest.fixture
def fresh_default() -> Iterator[None]:
    """Forget the module's client before and after."""
    jilog.default_client.cache_clear()
    yield
    jilog.default_client.cache_clear()


def test_af33_the_modules_functions_speak_to_the_agent_of_the_environments_home(
    host: LocalHost, fresh_default: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JILOG_HOME", str(host.state))
    monkeypatch.chdir(host.root)
    with running(host):
        first = jilog.write("decision", "Use SQLite", "One file.", ["storage"], ["src/index.py"])
        second = jilog.write("question", "How large?")

        listed = jilog.log(limit=1)
        assert [entry.id for entry in listed] == [second]
        assert listed[0].session_id == jilog.default_client().session_id
        assert [entry.id for entry in jilog.query("sqlite", tag="storage")] == [first]
        assert "Use SQLite" in jilog.context(files=["src/index.py"], topic="", limit=3)
        assert jilog.export("text", session=listed[0].session_id).count("[") == 2
        assert [entry.id for entry in jilog.blame("src")] == [first]
        found = jilog.show(first[:-1])
        assert isinstance(found, jilog.FoundEntry)
        assert found.entry.tags == ("storage",)
        assert jilog.default_client() is jilog.default_client()


def test_af33_arguments_count_before_the_environment_and_that_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JILOG_HOME", raising=False)
    by_default = Client()
    monkeypatch.setenv("JILOG_HOME", str(tmp_path / "variable"))
    by_variable = Client()
    by_argument = Client(tmp_path / "argument")
    by_socket = Client(socket_path=tmp_path / "other.sock")

    assert by_default.home == tmp_path / ".jilog"
    assert by_variable.home == tmp_path / "variable"
    assert by_argument.home == tmp_path / "argument"
    assert by_argument.socket_path == socket_path(Home(tmp_path / "argument"))
    assert by_socket.socket_path == tmp_path / "other.sock"
    assert Client("~/x").home == tmp_path / "x"


def test_af34_the_first_write_makes_a_session_and_others_use_it(
    kind: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JILOG_SESSION", raising=False)
    client = kind(socket_path=path)
    assert client.session_id is None
    with fake_agent(path, *[ok(ENTRY)] * 3) as agent:
        client.write("decision", "one")
        client.write("decision", "two", session="other")
        client.write("decision", "three")

    sessions = [request["params"]["entry"]["session_id"] for request in agent.requests]
    assert sessions == [client.session_id, "other", client.session_id]
    assert len(client.session_id) == 36


def test_af34_a_given_session_counts_before_the_environments(
    kind: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JILOG_SESSION", "from-environment")
    with fake_agent(path, *[ok(ENTRY)] * 2) as agent:
        kind(socket_path=path).write("decision", "one")
        kind(socket_path=path, session="given").write("decision", "two")

    sessions = [request["params"]["entry"]["session_id"] for request in agent.requests]
    assert sessions == ["from-environment", "given"]


def test_af34_what_cannot_be_meant_is_a_value_error_and_nothing_is_sent(kind: Any, path: Path) -> None:
    client = kind(socket_path=path)
    with fake_agent(path) as agent:
        for call in (
            lambda: client.write("thought", "t"),
            lambda: client.write("decision", " "),
            lambda: client.write("decision", "t", tags="a"),
            lambda: client.write("decision", "t", files="a"),
            lambda: client.query(" "),
            lambda: client.log(limit=-1),
            client.context,
            lambda: client.blame(""),
            lambda: client.show(""),
            lambda: kind(timeout=0),
        ):
            with pytest.raises(ValueError) as refusal:
                call()
            assert isinstance(refusal.value, jilog.InvalidArgument)
    assert agent.requests == []


def test_af34_no_socket_and_a_dead_one_are_connection_errors(kind: Any, path: Path) -> None:
    with pytest.raises(jilog.AgentNotRunning) as missing:
        kind(socket_path=path).log()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(jilog.ConnectionFailed) as refused_connection:
        kind(socket_path=path).log()

    assert isinstance(missing.value, ConnectionError)
    assert not isinstance(refused_connection.value, jilog.AgentNotRunning)
    assert refused_connection.value.hint == "start it: jilog agent start"


def test_af34_an_agent_that_hangs_is_a_timeout(kind: Any, path: Path) -> None:
    half = ok(ENTRY)[:10]
    with fake_agent(path, HANG) as agent, pytest.raises(TimeoutError) as late:
        kind(socket_path=path, timeout=SHORT_SECONDS).write("decision", "t")

    assert isinstance(late.value, jilog.RequestTimeout)
    assert len(agent.requests) == 1
    path.unlink()
    with fake_agent(path, half, half), pytest.raises(jilog.ConnectionFailed):
        kind(socket_path=path).log()


def test_af34_an_agent_that_goes_away_is_asked_again_with_the_same_id(kind: Any, path: Path) -> None:
    with fake_agent(path, HANG_UP, ok(ENTRY)) as agent:
        assert kind(socket_path=path).write("decision", "t") == "e1"

    first, second = agent.requests
    assert first["params"].pop("fresh") is True
    assert first == second
    assert len(first["params"]["entry"]["id"]) == 36


def test_af34_an_agent_that_goes_away_twice_is_an_error(kind: Any, path: Path) -> None:
    with fake_agent(path, HANG_UP, HANG_UP, ok([])) as agent, pytest.raises(jilog.ConnectionFailed):
        kind(socket_path=path).log()

    assert len(agent.requests) == 2


@pytest.mark.parametrize(
    ("code", "error", "base"),
    [
        ("invalid_params", jilog.InvalidArgument, InputError),
        ("conflict", jilog.InvalidArgument, ValueError),
        ("not_found", jilog.InvalidArgument, InputError),
        ("busy", jilog.Busy, BusyError),
        ("storage", jilog.StorageRefused, StorageError),
        ("integrity", jilog.Damaged, IntegrityError),
        ("internal", jilog.Refused, JilogError),
    ],
)
def test_af34_each_code_is_an_error_of_its_kind(
    path: Path, code: str, error: type[jilog.Refused], base: type[Exception]
) -> None:
    with fake_agent(path, refused(code)), pytest.raises(base) as told:
        Client(socket_path=path).log()

    assert type(told.value) is error
    assert isinstance(told.value, jilog.JilogSdkError)
    assert (told.value.code, str(told.value), told.value.hint) == (code, "it is so", "do this")


@pytest.mark.parametrize("answer", [b"\n", b"[]\n", b"{\n", b"\xff\n", ok(None), ok([{"id": 1}]), ok("x")])
def test_af34_an_answer_that_is_none_of_ours_is_a_connection_error(
    kind: Any, path: Path, answer: bytes
) -> None:
    with fake_agent(path, answer, answer), pytest.raises(jilog.ConnectionFailed):
        kind(socket_path=path).log()


def test_af34_a_reply_in_parts_is_put_together(kind: Any, path: Path) -> None:
    whole = ok([{**ENTRY, "body": "Größe 🎉\n" * 10}]).decode()
    parts = [{"id": 1, "part": whole[start : start + 7]} for start in range(0, len(whole), 7)]
    lines = [*parts, {"id": 1, "parts": len(parts)}]
    answer = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    with fake_agent(path, answer):
        (entry,) = kind(socket_path=path).log()

    assert entry.body == "Größe 🎉\n" * 10


def test_af34_a_client_falls_back_to_the_ledger_when_the_agent_left_only_its_socket(
    kind: Any, host: LocalHost
) -> None:
    dead = socket_path(Home(host.state))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    client = kind(host.state)

    written = client.write("decision", "t", id="mine")

    assert [entry.id for entry in client.log()] == [written] == ["mine"]
    with pytest.raises(jilog.ConnectionFailed):
        kind(host.state, fallback=False).log()


def test_af34_a_write_is_the_same_entry_with_an_agent_and_without(kind: Any, host: LocalHost) -> None:
    client = kind(host.state, session="s")
    with running(host):
        client.write("decision", "t", id="mine", tags=["a"])
    client.write("decision", "t", id="mine", tags=["a"])

    assert len(client.log()) == 1
    with pytest.raises(jilog.InvalidArgument, match="taken by an entry with other content"):
        client.write("decision", "other", id="mine")


def test_a_home_that_is_none_says_what_to_do(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("JILOG_CONFIG", raising=False)
    with pytest.raises(jilog.Refused) as told:
        kind(tmp_path / "none").log()

    assert told.value.hint == "run: jilog init"


def test_names_that_are_not_utf8_become_visible_escapes(kind: Any, path: Path) -> None:
    with fake_agent(path, ok(ENTRY)) as agent:
        kind(socket_path=path, cwd="/").write(
            "decision", "t", files=[b"a\xe9.py".decode("utf-8", "surrogateescape")]
        )

    assert agent.requests[0]["params"]["entry"]["file_refs"] == ["a\\xe9.py"]


def test_writes_of_many_tasks_at_once_are_all_there(host: LocalHost) -> None:
    client = AsyncClient(host.state)

    async def work() -> list[str]:
        return list(await asyncio.gather(*(client.write("decision", str(number)) for number in range(60))))

    with running(host):
        ids = asyncio.run(work())
        listed = Client(host.state).log(limit=0)

    assert {entry.id for entry in listed} == set(ids)
    assert len(ids) == len(listed) == 60
    assert {entry.session_id for entry in listed} == {client.session_id}


def test_importing_the_sdk_imports_nothing_heavy(host: LocalHost) -> None:
    heavy = ("sqlalchemy", "asyncssh", "click")
    script = f"import sys, jilog_agent.sdk; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout == "[]\n"
