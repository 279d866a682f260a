"""What an agent costs that has nothing to do: processor time, and bytes on the line, with one peer.

Two agents run as their users run them, and hold the same. The bytes are those of TCP, SSH included, as a
proxy between the two counts them; JILOG_IDLE_MINUTES says for how long.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

MINUTES = float(os.environ.get("JILOG_IDLE_MINUTES", "10"))
SETTLE_SECONDS = 30.0
READY_SECONDS = 120.0
TICKS = os.sysconf("SC_CLK_TCK")


def run() -> str:
    """Measure and give the table."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        port, proxy = _free_port(), Proxy()
        there = _Host(Path(directory) / "there", port)
        here = _Host(Path(directory) / "here", None)
        stack.enter_context(proxy.forwarding(port))
        here.jilog("peer", "add", "there", "127.0.0.1", "--port", str(proxy.port), "--host-key", there.key)
        _accept(there, here)
        here.jilog("write", "--type", "decision", "--title", "something to compare")
        pids = [stack.enter_context(host.agent()) for host in (there, here)]
        here.wait_connected()
        # What follows a start, such as the first round of the scrub, is over by then.
        time.sleep(SETTLE_SECONDS)
        return _measure(pids, proxy)


def _accept(there: _Host, here: _Host) -> None:
    """Let one host be called by the other without calling it."""
    path = there.root / ".jilog" / "peers.toml"
    path.write_text(f'[peer.here]\nhost_key = "{" ".join(here.key.split()[:2])}"\ninbound = true\n')
    path.chmod(0o600)


def _measure(pids: Sequence[int], proxy: Proxy) -> str:
    before, bytes_before, started = [_cpu_seconds(pid) for pid in pids], proxy.count, time.monotonic()
    time.sleep(MINUTES * 60)
    seconds = time.monotonic() - started
    used = [_cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    shares = " and ".join(f"{100 * item / seconds:.3f} %" for item in used)
    per_minute = (proxy.count - bytes_before) / seconds * 60
    return "\n".join(
        [
            f"an idle agent with one peer, {seconds / 60:.1f} minutes (target in brackets)",
            f"  processor time, called and calling side   {shares}   [0.1 %]",
            f"  bytes a minute on the line, both ways     {per_minute:.0f}   [264]",
        ]
    )


def _cpu_seconds(pid: int) -> float:
    """Give the processor time of a process and its threads, in user mode and for it (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Proxy:
    """Forward TCP connections to a port of this machine, and count the bytes of both directions."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @contextmanager
    def forwarding(self, port: int) -> Iterator[None]:
        """Forward for the length of a block."""
        threading.Thread(target=self._accept, args=(port,), daemon=True).start()
        with self._listener:
            yield

    def _accept(self, port: int) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                with self._lock:
                    self.count += len(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            target.close()


@dataclass(frozen=True, slots=True)
class _Host:
    """A home of its own; it listens when it has a port."""

    root: Path
    port: int | None

    def __post_init__(self) -> None:
        self.root.mkdir()
        listen = f'listen = "127.0.0.1:{self.port}"\n' if self.port else ""
        (self.root / ".jilog.toml").write_text(f"[agent]\nmdns = false\n{listen}")
        self.jilog("init", "--source", self.root.name)

    @property
    def key(self) -> str:
        return (self.root / ".jilog" / "identity" / "id_ed25519.pub").read_text().strip()

    def jilog(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JILOG_")}
        done = subprocess.run(
            [sys.executable, "-m", "jilog_agent", *arguments],
            env={**kept, "HOME": str(self.root)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    @contextmanager
    def agent(self) -> Iterator[int]:
        pid = json.loads(self.jilog("agent", "start", "--json"))["pid"]
        try:
            yield int(pid)
        finally:
            self.jilog("agent", "stop")

    def wait_connected(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not json.loads(self.jilog("agent", "status", "--json"))["agent"]["peers"][0]["connected"]:
            if time.monotonic() > deadline:
                raise RuntimeError("the agents did not connect")
            time.sleep(1)
