"""Commands through the agent and without it leave the same events, each once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from jilog_agent.agent_socket import socket_path
from jilog_agent.home import Home
from jilog_agent.sink import Sink
from jilog_ledger.errors import InputError, StorageError
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from support.agent_process import ask, running, start_agent, wait_for
from support.jilog_cli import Host

DRAFTS = [EventDraft("health", {"n": n}) for n in range(3)]


def test_supervise_leaves_the_same_events_with_and_without_an_agent(host: Host) -> None:
    host.run("supervise", "--task", "job", "--", "sh", "-c", "exit 3")
    with running(host):
        done = host.run("supervise", "--task", "job", "--", "sh", "-c", "exit 3")
        through_agent = ask(host, "metrics")

    without, with_agent = host.events()[:2], host.events()[2:]
    assert done.returncode == 3
    assert "jilog_events_appended_total 2\n" in through_agent
    for first, second in zip(without, with_agent, strict=True):
        assert set(first) == set(second)
        assert first["actor_ref"] == second["actor_ref"]
        assert _stable(first) == _stable(second)


def _stable(event: Mapping[str, object]) -> dict[str, object]:
    payload = event["payload"]
    assert isinstance(payload, dict)
    fixed = {key: value for key, value in payload.items() if key != "duration_seconds"}
    return {"class": event["event_class"], "tier": event["payload_tier"], "ref": event["object_ref"], **fixed}


def test_supervise_goes_on_when_the_agent_is_killed_while_the_task_runs(host: Host) -> None:
    pid = start_agent(host)
    arguments = ("supervise", "--task", "job", "--", "sh", "-c", "echo begun; read line")
    with host.start(*arguments, stdin=subprocess.PIPE) as task:
        assert task.stdout is not None
        assert task.stdin is not None
        assert task.stdout.readline() == "begun\n"
        os.kill(pid, signal.SIGKILL)
        task.stdin.write("go on\n")
        task.stdin.close()
        status = task.wait(timeout=60)

    assert status == 0
    assert [payload["status"] for payload in host.payloads()] == ["started", "succeeded"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir(mode=0o700)
    return Home(tmp_path / "home")


@pytest.fixture
def ledger(tmp_path: Path) -> ZoneLedger:
    return ZoneLedger.open(tmp_path / "zone", "main", source="alpha", key=SigningKey.generate())


@contextmanager
def dying_agent(home: Home, ledger: ZoneLedger, written: int) -> Iterator[None]:
    """Let an agent write the first few events it is asked for and go away without an answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(socket_path(home)))
        listener.listen()

        def die() -> None:
            channel, _ = listener.accept()
            with channel, channel.makefile("rb") as lines:
                lines.readline()
                ledger.append(DRAFTS[:written])

        thread = threading.Thread(target=die)
        thread.start()
        yield
        thread.join(timeout=30)


@pytest.mark.parametrize("written", [0, 3])
def test_an_agent_that_dies_before_it_answers_neither_loses_nor_doubles_an_event(
    home: Home, ledger: ZoneLedger, written: int
) -> None:
    with dying_agent(home, ledger, written):
        sink = Sink(home, "main", lambda: ledger)
        events = sink.append(DRAFTS)
        sink.close()

    stored = [
        event.event_id
        for batch in ledger.shared.events_after(ledger.shared.own_writer)
        for event in batch.events
    ]
    assert stored == [draft.event_id for draft in DRAFTS]
    assert [event.stored.event_id for event in events] == stored


def test_what_the_agent_refuses_is_refused_and_not_written_around_it(host: Host) -> None:
    host.config.write_text("[agent]\ndisk_floor_mib = 1048576\n")
    with running(host):
        sink = Sink(Home(host.state), "main", lambda: pytest.fail("the ledger was opened"))
        with pytest.raises(StorageError, match="takes no events"):
            sink.append(DRAFTS)
        sink.close()
        wrong = Sink(Home(host.state), "mian", lambda: pytest.fail("the ledger was opened"))
        with pytest.raises(InputError, match="unknown zone"):
            wrong.append(DRAFTS)
        wrong.close()
    wait_for(lambda: not socket_path(Home(host.state)).exists())
