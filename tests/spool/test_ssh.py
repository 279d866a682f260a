"""The own SSH endpoint and the SSH client, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import JilogError, PeerError
from jilog_ledger.keys import SigningKey
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.causes import Cause, cause_of
from jilog_spool.errors import ConnectionLost
from jilog_spool.peers import DEFAULT_COMMAND, Peer
from jilog_spool.pump import Pump
from jilog_spool.session import Session
from jilog_spool.ssh import SshSettings, SshTransport, run_over_ssh
from jilog_spool.ssh_errors import Attempt, explain
from jilog_spool.ssh_server import ServerLimits, SpoolServer, openssh_public_key
from jilog_spool.sync import sync_peers
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import drafts, held_bytes, key_of, memory_replica, root_of


class Hosts:
    """A served host ``b`` and a client host ``a``, with their keys in files."""

    def __init__(self, directory: Path) -> None:
        self.a, self.b = memory_replica("a"), memory_replica("b")
        self.key_a, self.key_b = directory / "a.key", directory / "b.key"
        key_of("a").save(self.key_a)
        key_of("b").save(self.key_b)
        self.known_hosts = directory / "known_hosts"
        self.settings = SshSettings(
            key=self.key_a, known_hosts=(self.known_hosts,), config=(), use_user_keys=False
        )
        self.reports: list[tuple[str, JilogError | None]] = []
        self.allowed = {key_of("a").public_key: "a"}

    @contextlib.asynccontextmanager
    async def serving(self, bounds: ServerLimits | None = None) -> AsyncIterator[Peer]:
        """Serve ``b`` and give the peer entry by which ``a`` knows it."""
        server = await SpoolServer.start(
            self.key_b,
            authorise=self.allowed.get,
            new_session=lambda _peer: self.session(self.b),
            report=lambda peer, _session, error: self.reports.append((peer, error)),
            bounds=bounds,
        )
        async with server:
            key = openssh_public_key(key_of("b").public_key)
            self.known_hosts.write_text(f"[127.0.0.1]:{server.port} {key}\n")
            yield Peer("b", host="127.0.0.1", port=server.port, user="jilog")

    @staticmethod
    def session(replica: MemoryReplica) -> Session:
        return Session({"main": replica}, source=replica.source)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Hosts(tmp_path)


def run(action: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await action()

    asyncio.run(bounded())


def test_sync_over_ssh_moves_both_directions(hosts: Hosts) -> None:
    hosts.a.append(drafts(20))
    hosts.a.seal()
    hosts.b.append(drafts(30))
    mine = hosts.session(hosts.a)

    async def action() -> None:
        async with hosts.serving() as peer:
            await run_over_ssh(peer, mine, hosts.settings)

    run(action)

    assert held_bytes(hosts.a) == held_bytes(hosts.b)
    assert (mine.report.events_sent, mine.report.events_received) == (20, 30)
    assert hosts.reports == [("a", None)]


def test_pinned_host_key_is_enough_without_known_hosts(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer:
            hosts.known_hosts.unlink()
            pinned = replace(peer, host_key=openssh_public_key(key_of("b").public_key))
            await run_over_ssh(pinned, hosts.session(hosts.a), hosts.settings)

    run(action)

    assert hosts.reports == [("a", None)]


def test_unknown_host_key_is_refused_and_shown(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer:
            hosts.known_hosts.unlink()
            with pytest.raises(PeerError, match="is not known; it showed SHA256:") as caught:
                await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)
            assert "jilog peer trust b" in (caught.value.hint or "")

    run(action)

    assert hosts.reports == []


def test_wrong_host_key_is_refused_with_both_fingerprints(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer:
            wrong = openssh_public_key(key_of("somebody").public_key)
            hosts.known_hosts.write_text(f"[127.0.0.1]:{peer.port} {wrong}\n")
            with pytest.raises(PeerError) as caught:
                await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)
            expected = asyncssh.import_public_key(wrong).get_fingerprint()
            got = asyncssh.import_public_key(openssh_public_key(key_of("b").public_key)).get_fingerprint()
            assert f"expected {expected}, got {got}" in caught.value.message

    run(action)

    assert hosts.reports == []


def test_wrong_client_key_is_refused(hosts: Hosts) -> None:
    hosts.allowed.clear()

    async def action() -> None:
        async with hosts.serving() as peer:
            with pytest.raises(PeerError, match="does not accept this host's key") as caught:
                await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)
            assert "authorized_keys" in (caught.value.hint or "")

    run(action)


def test_host_of_the_ssh_configuration_is_reached_with_the_users_own_key(
    hosts: Hosts, tmp_path: Path
) -> None:
    user_key = tmp_path / ".ssh" / "id_ed25519"
    user_key.parent.mkdir(mode=0o700)
    key_of("user").save(user_key)
    hosts.allowed = {key_of("user").public_key: "user"}
    config = tmp_path / "config"

    async def action() -> None:
        async with hosts.serving() as peer:
            config.write_text(f"Host attic\n  HostName 127.0.0.1\n  Port {peer.port}\n  User somebody\n")
            settings = replace(hosts.settings, config=(config,), use_user_keys=True)
            await run_over_ssh(Peer("attic"), hosts.session(hosts.a), settings)

    run(action)

    assert hosts.reports == [("user", None)]


def test_revoked_key_loses_its_connections_at_once(hosts: Hosts) -> None:
    async def action() -> None:
        server = await SpoolServer.start(
            hosts.key_b, authorise=hosts.allowed.get, new_session=lambda _: hosts.session(hosts.b)
        )
        async with server:
            key = openssh_public_key(key_of("b").public_key)
            hosts.known_hosts.write_text(f"[127.0.0.1]:{server.port} {key}\n")
            async with _connection(hosts, Peer("b", port=server.port)) as connection:
                hosts.allowed.clear()
                assert server.recheck() == ["a"]
                await connection.wait_closed()
            assert server.connections == set()

    run(action)


def test_nothing_listening_is_a_refused_connection(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer:
            pass
        with pytest.raises(PeerError, match="refused the connection"):
            await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)

    run(action)


@pytest.mark.parametrize(
    ("said", "words", "cause"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SSH", Cause.GARBAGE),
        (b"220 mail", "does not speak SSH", Cause.GARBAGE),
        (b"", "closed the connection", Cause.CONNECTION_LOST),
    ],
)
def test_what_is_no_ssh_server_is_told_from_one_that_hangs_up(
    hosts: Hosts, said: bytes, words: str, cause: Cause
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.write_eof()
        await reader.read()
        writer.close()

    async def action() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            other = Peer("b", "127.0.0.1", server.sockets[0].getsockname()[1])
            with pytest.raises(PeerError, match=words) as caught:
                await run_over_ssh(other, hosts.session(hosts.a), hosts.settings)
        assert cause_of(caught.value) is cause

    run(action)


@contextlib.asynccontextmanager
async def _connection(hosts: Hosts, peer: Peer) -> AsyncIterator[asyncssh.SSHClientConnection]:
    async with asyncssh.connect(
        "127.0.0.1",
        peer.port,
        config=None,
        known_hosts=str(hosts.known_hosts),
        client_keys=[str(hosts.key_a)],
        username="root",
        agent_path=None,
    ) as connection:
        yield connection


def test_accepted_key_gets_no_shell_command_terminal_or_file_transfer(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer, _connection(hosts, peer) as connection:
            for options in (
                {},
                {"command": "id"},
                {"command": DEFAULT_COMMAND + "; id"},
                {"term_type": "xterm", "command": DEFAULT_COMMAND},
                {"subsystem": "sftp"},
            ):
                with pytest.raises(asyncssh.ChannelOpenError):
                    await connection.create_process(**options)  # type: ignore[arg-type]

    run(action)

    assert hosts.reports == []


def test_accepted_key_gets_no_forwarding_of_any_kind(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving() as peer, _connection(hosts, peer) as connection:
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", peer.port)
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_unix_connection("/run/jilog.sock")
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 9)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_path("/run/x.sock", "/run/y.sock")

    run(action)


def test_connection_that_does_not_log_in_is_closed(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving(ServerLimits(login_seconds=0.2)) as peer:
            reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
            assert (await reader.readline()).startswith(b"SSH-2.0-")
            async with asyncio.timeout(30):
                await reader.read()
            writer.close()

    run(action)


def test_connections_beyond_the_limit_are_closed_at_once(hosts: Hosts) -> None:
    async def action() -> None:
        async with hosts.serving(ServerLimits(connections=1)) as peer:
            reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
            await reader.readline()
            with pytest.raises(PeerError):
                await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)
            writer.close()

    run(action)

    assert hosts.reports == []


class PulledCable:
    """A stream that breaks after ``left`` bytes."""

    def __init__(self, inner: asyncssh.SSHReader[bytes], left: int) -> None:
        self._inner = inner
        self._left = left

    async def read(self, n: int) -> bytes:
        if not self._left:
            raise ConnectionResetError
        data = await self._inner.read(min(n, self._left))
        self._left -= len(data)
        return data


def test_connection_cut_in_the_middle_of_a_transfer_is_resumed(hosts: Hosts) -> None:
    for _ in range(12):
        hosts.b.append(drafts(1, size=1_500_000))
        hosts.b.seal()
    taken_before = []

    async def action() -> None:
        async with hosts.serving() as peer:
            async with _connection(hosts, peer) as connection:
                process = await connection.create_process(DEFAULT_COMMAND, encoding=None)
                cut = PulledCable(process.stdout, 4000)
                with pytest.raises(ConnectionLost):
                    await Pump(hosts.session(hosts.a), cut, process.stdin).run()
            taken_before.extend(hosts.a.completed)
            await run_over_ssh(peer, hosts.session(hosts.a), hosts.settings)

    run(action)

    assert 0 < len(taken_before) < 12
    assert [number for _, number, _ in hosts.a.completed] == list(range(1, 13))
    assert held_bytes(hosts.a) == held_bytes(hosts.b)


def test_one_bad_peer_does_not_stop_the_others(hosts: Hosts) -> None:
    hosts.b.append(drafts(3))
    results = []

    async def action() -> None:
        async with hosts.serving() as peer:
            away = replace(peer, name="away", port=1)
            strange = replace(peer, name="strange", zones=("nowhere",))
            results.extend(
                await sync_peers(
                    [away, peer, strange],
                    {"main": hosts.a},
                    SshTransport(hosts.settings),
                    source="a",
                )
            )

    run(action)

    assert [result.ok for result in results] == [False, True, False]
    assert "refused the connection" in results[0].error.message
    assert "unknown zone 'nowhere'" in results[2].error.message
    assert root_of(hosts.a) == root_of(hosts.b)


def test_importing_asyncssh_starts_no_child_process() -> None:
    code = (
        "import sys, os\n"
        "started = []\n"
        "sys.addaudithook(lambda name, args: started.append(args) if name in "
        "('subprocess.Popen', 'os.system', 'os.posix_spawn', 'os.fork') else None)\n"
        "import jilog_spool.ssh_server\n"
        "import ctypes.util\n"
        "print(len(started), ctypes.util.find_library.__module__)\n"
    )

    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout

    assert output.split() == ["0", "ctypes.util"]


@pytest.mark.parametrize(
    ("exc", "text"),
    [
        (TimeoutError(), "did not answer in time"),
        (OSError(113, "No route to host"), "cannot reach peer b (10.0.0.9:2222): No route to host"),
        (asyncssh.ChannelOpenError(1, "no"), "refuses to run the spool command"),
        (asyncssh.ConnectionLost("gone"), "closed the connection"),
        (asyncssh.KeyExchangeFailed("no match"), "no host key or algorithm in common"),
        (asyncssh.ProtocolError("odd\nbytes"), "odd bytes"),
        (asyncssh.ProtocolError("Too many banner lines"), "does not speak SSH as it should: Too many banner"),
        (asyncssh.ProtocolNotSupported("SSH-1.5"), "does not speak SSH as it should"),
        (asyncssh.MACError("MAC verification failed"), "bytes were changed on the way"),
        (asyncssh.ServiceNotAvailable("no such service"), "ended the connection: no such service"),
        (asyncssh.ConfigParseError("line 3"), "cannot use the ssh configuration"),
        (ConnectionResetError(104, "reset"), "closed the connection"),
        (ValueError("something else"), "something else"),
    ],
)
def test_each_kind_of_failure_is_one_line_that_names_the_peer(exc: Exception, text: str) -> None:
    error = explain(exc, Attempt(Peer("b", host="10.0.0.9", port=2222)))

    assert text in error.message
    assert "b (10.0.0.9:2222)" in error.message
    assert "\n" not in error.message
    assert error.hint


def test_openssh_public_key_is_what_openssh_writes() -> None:
    key = SigningKey.generate()

    line = openssh_public_key(key.public_key, "host")

    parsed = asyncssh.import_public_key(line)
    assert parsed.public_data[-32:] == key.public_key
    assert parsed.get_comment() == "host"
