"""Turns over the socket, from both SDKs: the same records that the command makes, each once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from jilog_agent.sdk import AsyncClient, Client, InvalidArgument, SessionEnd, Turn, TurnSession
from support.agent_process import LineClient, running
from support.turn_repo import TurnHost, git, git_repository

ROOT = Path(__file__).parents[3]
NODE = shutil.which("node")


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    root = git_repository(tmp_path / "app")
    # Otherwise the line that the first session adds to it is a change of its own.
    (root / ".gitignore").write_text(".turnlog/\n")
    git(root, "add", ".gitignore")
    git(root, "commit", "-q", "-m", "ignore")
    host = TurnHost.at(tmp_path, root)
    assert host.run("init", "--source", "alpha").returncode == 0
    return host


@pytest.fixture
def agent(app: TurnHost) -> Iterator[TurnHost]:
    with running(app.host):
        yield app


def ask(client: LineClient, method: str, key: str | None = None, **params: object) -> Any:
    request: dict[str, object] = {"id": 1, "method": method, "params": params}
    reply = client.ask(**request, **({"idempotency_key": key} if key else {}))
    assert reply["ok"], reply
    return reply["result"]


def test_a_session_is_begun_recorded_into_found_and_ended_over_the_socket(agent: TurnHost) -> None:
    cwd = str(agent.folder)
    (agent.folder / "new.txt").write_text("x\n")
    with LineClient(agent.host) as client:
        session = ask(client, "turn.start", cwd=cwd, goal="fix it", ticket="A-1")["session"]
        recorded = ask(
            client, "turn.record", cwd=cwd, summary="done", verification=["read"], attach_diff=True
        )

        assert ask(client, "turn.current", cwd=cwd)["session"]["id"] == session["id"]
        assert [item["type"] for item in ask(client, "turn.log", cwd=cwd, ticket="A-1")] == [
            "session_started",
            "turn_recorded",
        ]
        assert ask(client, "turn.log", everywhere=True, grep="DONE")[0]["id"] == recorded["turn"]["id"]
        assert ask(client, "turn.show", id=session["id"])["turns"] == [recorded["turn"]]
        assert ask(client, "turn.show", id=recorded["turn"]["id"])["turn"] == recorded["turn"]
        assert ask(client, "turn.status", cwd=cwd)["drift"]["missing"] == 0
        assert ask(client, "trace", id="A-1")["sessions"][0]["turns"][0]["id"] == recorded["turn"]["id"]
        assert ask(client, "turn.end", cwd=cwd, summary="merged")["created"] is True
        assert ask(client, "turn.current", cwd=cwd)["session"] is None
        assert ask(client, "turn.use", cwd=cwd, session=session["id"])["session"]["id"] == session["id"]

    assert recorded["turn"]["vcs"]["changed_files"] == ["new.txt"]
    assert agent.json("show", recorded["turn"]["id"])["turn"] == recorded["turn"]
    git(agent.folder, "stash", "-q", "-u")
    git(agent.folder, "apply", "--check", str(agent.store / "attachments" / f"{recorded['turn']['id']}.diff"))


@pytest.mark.parametrize("restart", [False, True])
def test_an_idempotency_key_makes_a_second_try_a_no_op_even_after_a_restart(
    app: TurnHost, restart: bool
) -> None:
    cwd = str(app.folder)

    def tried() -> tuple[Any, Any]:
        with LineClient(app.host) as client:
            start = ask(client, "turn.start", "k1", cwd=cwd, goal="fix it")
            return start, ask(
                client, "turn.record", "k2", cwd=cwd, summary="done", session=start["session"]["id"]
            )

    with running(app.host):
        first = tried()
        again = None if restart else tried()
    if again is None:
        with running(app.host):
            again = tried()

    assert [item["created"] for item in (*first, *again)] == [True, True, False, False]
    assert again[0]["session"] == first[0]["session"]
    assert again[1]["turn"] == first[1]["turn"]
    assert len(app.records()) == 2


def test_parallel_tries_with_one_key_make_one_session_and_one_turn(agent: TurnHost) -> None:
    cwd = str(agent.folder)
    agent.start()

    def work() -> None:
        with LineClient(agent.host) as client:
            ask(client, "turn.start", "k1", cwd=cwd, goal="fix it", agent="one")
            ask(client, "turn.record", "k2", cwd=cwd, summary="done", agent="one")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [item["type"] for item in agent.records("--all")] == ["session_started"] * 2 + ["turn_recorded"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("turn.start", {"cwd": "{cwd}"}, "invalid_params"),
        ("turn.start", {"goal": "x"}, "invalid_params"),
        ("turn.start", {"cwd": "relative", "goal": "x"}, "invalid_params"),
        ("turn.start", {"cwd": "/not/there", "goal": "x"}, "not_found"),
        ("turn.start", {"cwd": "{cwd}", "goal": "x", "agent": "../x"}, "invalid_params"),
        ("turn.start", {"cwd": "{cwd}", "goal": "x", "parent": "sess_9"}, "invalid_params"),
        ("turn.record", {"cwd": "{cwd}"}, "invalid_params"),
        ("turn.record", {"cwd": "{cwd}", "session": "../../etc/passwd"}, "invalid_params"),
        ("turn.show", {"id": ""}, "invalid_params"),
        ("turn.show", {"id": "../x"}, "invalid_params"),
        ("turn.log", {}, "invalid_params"),
        ("trace", {"id": "nothing"}, "invalid_params"),
        ("turn.recrod", {}, "unknown_method"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_code_and_writes_nothing(
    agent: TurnHost, method: str, params: dict[str, str], code: str
) -> None:
    cwd = str(agent.folder)
    given = {name: cwd if value == "{cwd}" else value for name, value in params.items()}
    with LineClient(agent.host) as client:
        reply = client.ask(id=1, method=method, params=given)
        left = ask(client, "turn.log", everywhere=True)

    assert (reply["ok"], reply["code"]) == (False, code), reply
    assert left == []


@pytest.mark.parametrize("with_agent", [True, False])
def test_python_does_the_same_with_an_agent_and_without(
    app: TurnHost, with_agent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(app.host.root))
    client = Client(app.host.state, cwd=app.folder, fallback=not with_agent)
    if not with_agent:
        drive(client, app)
        return
    with running(app.host):
        drive(client, app)


def drive(client: Client, app: TurnHost) -> None:
    session = client.turn.start("fix it", ticket="A-1", agent="bot")
    (app.folder / "a.txt").write_text("two\n")
    made = client.turn.record("done", agent="bot", verification=["read"], if_dirty=True)
    git(app.folder, "checkout", "-q", "--", ".")
    clean = client.turn.record("nothing", agent="bot", if_dirty=True)
    assert made is not None
    assert clean is None
    assert client.turn.current(agent="bot") == session
    assert client.turn.current() is None
    ended = client.turn.end("merged", agent="bot")
    assert [type(item) for item in client.turn.log(ticket="A-1")] == [TurnSession, Turn, SessionEnd]
    assert client.turn.log(changed="a.txt") == [made]
    assert (session.ticket, made.verification, ended.summary) == ("A-1", ("read",), "merged")
    assert client.turn.show(made.id)["turn"]["summary"] == "done"
    assert client.turn.trace("A-1")["sessions"][0]["session"]["id"] == session.id
    assert client.turn.use(session.id[:12]).id == session.id
    with pytest.raises(InvalidArgument):
        client.turn.start("  ")


def test_async_python_records_many_turns_at_once_each_once(agent: TurnHost) -> None:
    client = AsyncClient(agent.host.state, cwd=agent.folder, fallback=False)

    async def work() -> list[Turn | None]:
        await client.turn.start("many")
        return await asyncio.gather(*(client.turn.record(f"turn {number}") for number in range(16)))

    turns = asyncio.run(work())

    assert len({turn.id for turn in turns if turn}) == 16
    assert len(agent.records()) == 17


def check_measurements(checks: dict[str, Any], turn: dict[str, Any]) -> None:
    """Hold what JavaScript measured against what the same commands are to Python."""
    assert checks["seen"] == "fine\n"
    assert checks["green"]["output_sha256"] == hashlib.sha256(b"fine\n").hexdigest()
    wanted = {"green": 0, "red": 3, "late": 124, "gone": 127, "killed": 137, "left": 0}
    assert {name: checks[name]["exit_status"] for name in wanted} == wanted
    assert (checks["late"]["timed_out"], checks["late"]["output_bytes"]) == (True, 6)
    assert (checks["left"]["output_bytes"], checks["left"]["timed_out"]) == (5, False)
    assert (checks["stopped"], checks["wrong"]) == ("AbortError", "InvalidArgument")
    assert [item["kind"] for item in turn["checks"]] == ["claim", "evidence", "evidence"]
    for kept, name in zip(turn["checks"][1:], ("green", "red"), strict=True):
        said = {key: value for key, value in checks[name].items() if value is not False}
        assert kept == {"kind": "evidence", **said}


@pytest.mark.parametrize("with_agent", [True, False])
def test_tf25_a_program_measures_its_checks_and_the_agent_runs_nothing(
    app: TurnHost, with_agent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(app.host.root))
    client = Client(app.host.state, cwd=app.folder, fallback=not with_agent)
    with running(app.host) if with_agent else contextlib.nullcontext():
        client.turn.start("fix it")
        seen: list[bytes] = []
        green = client.turn.check([sys.executable, "-c", "print('fine')"], sink=seen.append)
        red = client.turn.check("echo --token=hunter22; exit 3", shell=True)
        made = client.turn.record("done", verification=["read it"], evidence=[green, red])

    assert made is not None
    assert (b"".join(seen), green.passed, red.passed) == (b"fine\n", True, False)
    claim, first, second = made.checks
    assert claim == {"kind": "claim", "text": "read it"}
    assert first["kind"] == second["kind"] == "evidence"
    kept = {**first, "command": tuple(first["command"])}
    assert {**asdict(green), **kept} == {**asdict(green), "kind": "evidence"}
    assert (second["exit_status"], second["output_sha256"]) == (3, red.output_sha256)
    assert "hunter22" not in json.dumps(app.json("show", made.id))
    assert "evidence: " in app.turn("show", made.id)


@pytest.mark.parametrize("wrong", [[], [" "], "", "echo 'open"])
def test_what_is_no_check_or_has_no_folder_to_run_in_is_refused(
    tmp_path: Path, wrong: str | list[str]
) -> None:
    client = Client(tmp_path / "home", cwd=tmp_path)

    for call in (
        lambda: client.turn.check(wrong),
        lambda: client.turn.check(["true"], shell=True),
        lambda: client.turn.check(["true"], timeout=0),
        lambda: Client(tmp_path / "home", cwd=tmp_path / "gone").turn.check(["true"]),
    ):
        with pytest.raises(InvalidArgument):
            call()


def test_tf25_a_check_of_a_cancelled_task_is_killed(app: TurnHost) -> None:
    client = AsyncClient(app.host.state, cwd=app.folder)
    begun = threading.Event()

    async def work() -> None:
        task = asyncio.create_task(
            client.turn.check("echo $$ > pid; echo up; sleep 600", shell=True, sink=lambda _: begun.set())
        )
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # Its end waits for the thread, and so for the command: without the kill this would take ten minutes.
    asyncio.run(asyncio.wait_for(work(), 120))

    pid = int((app.folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"exit_status": 256}, "exit status 256"),
        ({"exit_status": None}, "exit_status"),
        ({"command": []}, "names no command"),
        ({"command": ["x" * 30_000]}, "limit"),
        ({"output_sha256": "0"}, "SHA-256"),
        ({"output_bytes": -1}, "size"),
        ({"duration_seconds": -0.5}, "duration"),
        ({"ran_at": "noon"}, "when its command ran"),
    ],
)
def test_tf25_what_was_not_measured_is_no_evidence(
    app: TurnHost, wrong: dict[str, object], says: str
) -> None:
    app.start()
    whole = {
        "command": ["true"],
        "exit_status": 0,
        "duration_seconds": 0.1,
        "output_sha256": "0" * 64,
        "output_bytes": 0,
        "ran_at": "2026-01-01T00:00:00Z",
    }

    done = app.run("turn", "record", "--evidence", json.dumps({**whole, **wrong}))

    assert done.returncode == 2
    assert says in done.stderr
    assert len(app.records()) == 1
    assert app.run("turn", "record", "--evidence", json.dumps(whole)).returncode == 0


SCRIPT = """
import { Client } from "%(module)s";
const client = new Client({ home: "%(home)s", cwd: "%(cwd)s", command: %(command)s });
const session = await client.turn.start({ goal: "fix it", ticket: "A-1" });
const made = await client.turn.record({ summary: "done", verification: ["read"], messageId: "m1" });
const again = await client.turn.record({ summary: "done", messageId: "m1" });
let seen = "";
const onOutput = (data) => (seen += data);
const green = await client.turn.check([%(python)s, "-c", "print('fine')"], { onOutput });
const red = await client.turn.check("echo no >&2; exit 3", { shell: true });
const late = await client.turn.check("echo begun; sleep 60 & wait", { shell: true, timeoutMs: 300 });
const gone = await client.turn.check(["/not/there"]);
const killed = await client.turn.check("kill -9 $$", { shell: true });
const left = await client.turn.check("sleep 20 & echo done", { shell: true });
const stop = new AbortController();
const stopping = { shell: true, signal: stop.signal, onOutput: () => stop.abort() };
const running = client.turn.check("echo up; sleep 60", stopping);
const stopped = await running.then(() => "ended", (error) => error.name);
const wrong = await client.turn.check("npm test").then(() => "ran", (error) => error.name);
const measured = await client.turn.record({ verification: ["read"], evidence: [green, red] });
const clean = await client.turn.record({ ifDirty: true });
const current = await client.turn.current();
const shown = await client.turn.show(made.id);
const traced = await client.turn.trace("A-1");
const used = await client.turn.use(session.id);
const ended = await client.turn.end({ summary: "merged" });
const records = await client.turn.log({ ticket: "A-1" });
const checks = { seen, green, red, late, gone, killed, left, stopped, wrong };
const turns = { session, made, again, clean, current, shown, traced, used, ended, records };
console.log(JSON.stringify({ ...turns, checks, measured }));
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed: the JavaScript SDK is not run")
@pytest.mark.parametrize("with_agent", [True, False])
def test_af36_javascript_does_the_same_with_an_agent_and_without(app: TurnHost, with_agent: bool) -> None:
    script = SCRIPT % {
        "module": (ROOT / "agent" / "js" / "index.js").as_uri(),
        "home": app.host.state,
        "cwd": app.folder,
        "command": json.dumps([sys.executable, "-m", "jilog_agent"]),
        "python": json.dumps(sys.executable),
    }
    command = [str(NODE), "--input-type=module", "--eval", script]

    def run() -> dict[str, Any]:
        done = subprocess.run(
            command, env=app.host.environment(), capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    if with_agent:
        with running(app.host):
            found = run()
    else:
        found = run()

    assert found["again"] == found["made"]
    assert found["clean"] is None
    assert found["current"]["id"] == found["session"]["id"] == found["used"]
    assert found["shown"] == {**found["shown"], "turn": found["made"]}
    assert found["traced"]["sessions"][0]["turns"] == [found["made"], found["measured"]]
    check_measurements(found["checks"], found["measured"])
    assert found["ended"]["summary"] == "merged"
    assert [item["type"] for item in found["records"]] == [
        "session_started",
        "turn_recorded",
        "turn_recorded",
        "session_ended",
    ]
    assert app.json("show", found["made"]["id"])["turn"] == found["made"]
