"""A running agent, and clients of its socket that know nothing of our own client's code."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from jilog_agent.agent_socket import socket_path
from jilog_agent.daemon.instance import is_running
from jilog_agent.home import Home
from support.jilog_cli import Host

DEADLINE_SECONDS = 30.0


def wait_for(
    condition: Callable[[], object], what: str = "the condition", *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Wait until something is so; a deadline makes a wrong program fail instead of hang."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"{what} did not come to be"
        sleep(0.01)


def start_agent(host: Host, **options: Any) -> int:
    """Start an agent in the background and give its pid."""
    done = host.run("agent", "start", "--json", **options)
    assert done.returncode == 0, done.stderr
    pid = json.loads(done.stdout)["pid"]
    assert isinstance(pid, int)
    return pid


def stop_agent(host: Host) -> None:
    """Make sure that no agent of this home is left."""
    if is_running(Home(host.state)):
        host.run("agent", "stop")


@contextmanager
def running(host: Host) -> Iterator[int]:
    """Let an agent run in the background for the length of a block."""
    pid = start_agent(host)
    try:
        yield pid
    finally:
        stop_agent(host)


def path_of(host: Host) -> Path:
    """Give the socket's path."""
    return socket_path(Home(host.state))


def connected(host: Host) -> socket.socket:
    """Connect a client."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(DEADLINE_SECONDS)
    try:
        channel.connect(str(path_of(host)))
    except OSError:
        channel.close()
        raise
    return channel


def ask_raw(host: Host, request: bytes) -> Any:
    """Send one line as agentlog's clients do, and read to the end of the connection."""
    with connected(host) as channel, channel.makefile("rb") as lines:
        channel.sendall(request)
        data = lines.read()
    assert data.count(b"\n") == 1
    return json.loads(data)


def ask(host: Host, method: str, params: object = None) -> Any:
    """Ask one thing in agentlog's protocol and give the result."""
    request = {"method": method} if params is None else {"method": method, "params": params}
    reply = ask_raw(host, json.dumps(request).encode() + b"\n")
    assert reply["ok"], reply
    return reply["result"]


def refusal(host: Host, method: str, params: object = None) -> str:
    """Ask for something that is refused and give the reason."""
    request = {"method": method} if params is None else {"method": method, "params": params}
    reply = ask_raw(host, json.dumps(request).encode() + b"\n")
    assert reply["ok"] is False
    return str(reply["error"])


class LineClient:
    """One connection with ids: as a client in any language would do it."""

    def __init__(self, host: Host) -> None:
        self.channel = connected(host)
        self.lines = self.channel.makefile("rb")

    def close(self) -> None:
        self.lines.close()
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, **request: object) -> None:
        self.channel.sendall(json.dumps(request).encode() + b"\n")

    def read(self) -> Any:
        return json.loads(self.lines.readline())

    def ask(self, **request: object) -> Any:
        self.send(**request)
        return self.read()


def finished(process: subprocess.Popen[str]) -> int:
    """Wait for a process to end."""
    return process.wait(timeout=DEADLINE_SECONDS)
