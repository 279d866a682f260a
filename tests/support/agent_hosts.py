"""Hosts that know each other, for tests of replication between agents over SSH on loopback."""

from __future__ import annotations

import itertools
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
def serving_anywhere(host: Host) -> Iterator[int]:
    """Let a host listen without an agent, on a port that the kernel chooses."""
    with host.start("spool", "serve", "--listen", "127.0.0.1:0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield int(line.split()[2].rpartition(":")[2])
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0


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


def mesh(tmp_path: Path, names: Sequence[str]) -> list[Host]:
    """Make hosts that listen, each a peer of every other."""
    ports = {name: free_port() for name in names}
    hosts = {name: new_host(tmp_path, name, listen=port) for name, port in ports.items()}
    for name, other in itertools.permutations(names, 2):
        befriend(hosts[name], hosts[other], ports[other])
    return list(hosts.values())


def befriend(host: Host, other: Host, port: int) -> None:
    """Make one host known to another by its folder's name, with its key and its port."""
    key, name = public_key(other), other.root.name
    done = host.run("peer", "add", name, "127.0.0.1", "--port", str(port), "--host-key", key)
    assert done.returncode == 0, done.stderr


def connect_all(hosts: Sequence[Host]) -> None:
    """Bring hosts of a mesh to the same state without their agents: the first one gathers, then tells all."""
    first, *others = hosts
    with ExitStack() as stack:
        for other in others:
            stack.enter_context(serving(other, listen_port(other)))
        for _ in range(2):
            done = first.run("spool", "sync")
            assert done.returncode == 0, done.stderr


def listen_port(host: Host) -> int:
    """Give the port on which a host made by :func:`new_host` is to listen."""
    return int(host.config.read_text().rpartition("127.0.0.1:")[2].split('"')[0])
