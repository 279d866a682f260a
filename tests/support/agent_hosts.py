"""Hosts that know each other, for tests of replication between agents over SSH on loopback."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.jilog_cli import Host


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def new_host(tmp_path: Path, name: str, *, listen: int | None = None) -> Host:
    root = tmp_path / name
    root.mkdir()
    host = Host(root)
    address = f'listen = "127.0.0.1:{listen}"\n' if listen else ""
    host.config.write_text(f'[agent]\nmdns = false\nsync_every = "1s"\n{address}')
    assert host.run("init", "--source", name).returncode == 0
    return host


def public_key(host: Host) -> str:
    return (host.state / "identity" / "id_ed25519.pub").read_text().strip()


def introduce(client: Host, server: Host, port: int) -> None:
    arguments = ("peer", "add", "beta", "127.0.0.1", "--port", str(port), "--host-key", public_key(server))
    assert client.run(*arguments).returncode == 0
    assert server.run("peer", "add", "alpha", "192.0.2.9", "--host-key", public_key(client)).returncode == 0


@contextmanager
def serving(host: Host, port: int) -> Iterator[None]:
    """Let a host listen without an agent."""
    with host.start("spool", "serve", "--listen", f"127.0.0.1:{port}") as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
