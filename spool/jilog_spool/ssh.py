"""SSH as a client: connect to a peer, start its ``jilog spool serve --stdio``, run the session over it.

Host keys are always checked: against the key pinned in the peers table or, without one, against the
known_hosts files of the user, of the system and of jilog. Nothing is ever accepted at first sight.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jilog_ledger.errors import InputError, PeerError
from jilog_spool import limits
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.errors import ConnectionLost, one_line
from jilog_spool.peers import Peer
from jilog_spool.pump import OnPump, Pump
from jilog_spool.session import Event, Session
from jilog_spool.ssh_certificates import USER, Authorities, OwnKey, load_own_key
from jilog_spool.ssh_errors import Attempt, explain

ENCRYPTION = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes256-ctr",
)
"""AES-GCM first: with the processor's help it is twice as fast as ChaCha20, which asyncssh would choose."""

COMMAND_NOT_FOUND = 127
STDERR_BYTES_KEPT = 2048
EXIT_SECONDS = 5.0
"""How long the far command may take to end once the session is over."""


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How this host connects.

    ``key`` is the host's own private key file, tried before the agent's and the user's. ``known_hosts`` are
    files beside those that ssh's configuration names. ``config`` replaces ``~/.ssh/config``; an empty tuple
    means none at all. ``authorities`` is asked at every connection who may vouch for hosts without a pinned
    key.
    """

    key: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    config: tuple[Path, ...] | None = None
    use_user_keys: bool = True
    authorities: Callable[[], Authorities] = Authorities
    connect_seconds: float = limits.CONNECT_SECONDS


async def run_over_ssh(
    peer: Peer,
    session: Session,
    settings: SshSettings,
    on_event: Callable[[Event], None] | None = None,
    on_pump: OnPump | None = None,
) -> None:
    """Connect to ``peer`` and run ``session`` to its end.

    Raises:
        PeerError: the peer cannot be reached, is not trusted, or does not speak the protocol.
        StorageError: our disk refused.
    """
    attempt = Attempt(peer)
    lost = (OSError, asyncssh.Error)
    try:
        async with await connect(attempt, settings) as connection:
            await _run_command(connection, peer, session, on_event, on_pump=on_pump, lost=lost)
    except (*lost, ValueError) as exc:
        raise explain(exc, attempt) from exc
    finally:
        session.close()


async def connect(attempt: Attempt, settings: SshSettings) -> asyncssh.SSHClientConnection:
    """Open a connection whose host key was checked; ``attempt`` learns what errors must tell.

    Raises:
        OSError, asyncssh.Error, ValueError: see :func:`jilog_spool.ssh_errors.explain`.
    """
    peer = attempt.peer
    options = await asyncio.to_thread(base_options, peer, settings)
    own = await asyncio.to_thread(_own_key, settings)
    attempt.certificate_problem = own.problem if own else ""
    vouching = [] if peer.host_keys else (await asyncio.to_thread(settings.authorities)).keys_for(peer.name)
    hosts = _KnownHosts(attempt, options.known_hosts, settings.known_hosts, options.host, vouching)
    return await asyncssh.connect(
        peer.address,
        options=options,
        client_factory=lambda: _Client(attempt, options if settings.use_user_keys else None),
        known_hosts=hosts.lookup,
        # An authority vouches for the name by which the peer is known, wherever its host was found.
        host_key_alias=options.host_key_alias or (peer.name if vouching else None),
        # Empty would mean the default keys; None with a callback below means: none yet.
        client_keys=own.pairs if own else None,
        agent_path=None,
        encryption_algs=list(ENCRYPTION),
        connect_timeout=settings.connect_seconds,
        login_timeout=settings.connect_seconds,
        keepalive_interval=limits.KEEPALIVE_SECONDS,
        keepalive_count_max=3,
        agent_forwarding=False,
        password_auth=False,
        kbdint_auth=False,
        gss_auth=False,
        gss_kex=False,
        send_env=(),
        env=(),
    )


def _own_key(settings: SshSettings) -> OwnKey | None:
    if settings.key is None or not settings.key.exists():
        return None
    return load_own_key(settings.key, USER)


def base_options(peer: Peer, settings: SshSettings) -> asyncssh.SSHClientConnectionOptions:
    """Read what ssh's configuration says of the peer; the peers table comes before it."""
    given: dict[str, Any] = {}
    if peer.port:
        given["port"] = peer.port
    if peer.user:
        given["username"] = peer.user
    # Left out it would mean none; empty means the user's own, with the keys and files it names.
    given["config"] = ()
    if settings.config is not None:
        given["config"] = [str(path) for path in settings.config] or None
    if not settings.use_user_keys:
        given["client_keys"] = None
    return asyncssh.SSHClientConnectionOptions(host=peer.address, **given)


@dataclass(slots=True)
class _KnownHosts:
    """Answer asyncssh's question which keys a host may have, and remember the answer for error messages."""

    attempt: Attempt
    configured: object
    own: tuple[Path, ...]
    host: str
    vouching: list[asyncssh.SSHKey]

    def lookup(self, host: str, address: str, port: int | None) -> Any:
        """Give trusted keys, CA keys and revoked keys of a host."""
        pinned = self.attempt.peer.host_keys
        if pinned:
            self.attempt.expected = [asyncssh.import_public_key(key) for key in pinned]
            return (self.attempt.expected, [], [])
        trusted: list[asyncssh.SSHKey] = []
        authorities = [*self.vouching]
        # Files know the host by its own name, unless ssh's configuration gave it another.
        host = self.host if self.vouching and host == self.attempt.peer.name else host
        revoked: list[asyncssh.SSHKey] = []
        for path in self._files():
            found = _read_known_hosts(path).match(host, address, port)
            trusted += found[0]
            authorities += found[1]
            revoked += found[2]
        self.attempt.expected = trusted
        self.attempt.expects_certificate = bool(authorities)
        return (trusted, authorities, revoked)

    def _files(self) -> Sequence[Path]:
        # A list of names, or something else when ssh's configuration is silent about them.
        names = self.configured if isinstance(self.configured, list) else []
        named = [Path(str(name)).expanduser() for name in names]
        usual = [Path("~/.ssh/known_hosts").expanduser(), Path("/etc/ssh/ssh_known_hosts")]
        return [path for path in [*(named or usual), *self.own] if path.is_file()]


def _read_known_hosts(path: Path) -> asyncssh.SSHKnownHosts:
    try:
        return asyncssh.import_known_hosts(path.read_text(errors="replace"))
    except ValueError as exc:
        raise InputError(f"{path} is not a known_hosts file: {one_line(str(exc))}") from exc
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from exc


class _Client(asyncssh.SSHClient):
    """Remember an unknown host key, and bring the user's keys after the host's own."""

    def __init__(self, attempt: Attempt, options: asyncssh.SSHClientConnectionOptions | None) -> None:
        self._attempt = attempt
        self._options = options
        self._agent: asyncssh.SSHAgentClient | None = None
        self._connection: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._attempt.found = key
        return False

    def auth_banner_received(self, msg: str, lang: str) -> None:
        """Show nothing: banners are for people who log in."""

    async def public_key_auth_requested(self) -> Any:
        """Give the agent's keys and then the user's default ones, once."""
        options, self._options = self._options, None
        if options is None:
            return None
        keys: list[Any] = []
        if options.agent_path:
            with contextlib.suppress(OSError, asyncssh.Error, ValueError):
                self._agent = await asyncssh.connect_agent(options.agent_path)
                keys += await self._agent.get_keys()
        return [*keys, *(options.client_keys or [])] or None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncssh's
        connection = self._connection
        if connection is not None and not connection.get_extra_info("server_version"):
            # Lines before the version are allowed, so asyncssh reads on, and says nowhere what they were.
            said = (getattr(connection, name, None) for name in ("_banner_lines", "_inpbuf"))
            self._attempt.spoke_otherwise = any(said)
        if self._agent is not None:
            self._agent.close()


async def _run_command(
    connection: asyncssh.SSHClientConnection,
    peer: Peer,
    session: Session,
    on_event: Callable[[Event], None] | None,
    *,
    on_pump: OnPump | None,
    lost: tuple[type[BaseException], ...],
) -> None:
    process = await connection.create_process(peer.command, encoding=None, term_type=None)
    # From here on the session finds out by itself whether the peer is still there, in fewer bytes.
    connection.set_keepalive(0)
    stderr = asyncio.create_task(_collect(process.stderr.read, lost))
    try:
        pump = Pump(session, process.stdout, process.stdin, on_event=on_event, lost=lost)
        if on_pump is not None:
            on_pump(session, pump)
        await pump.run()
        with contextlib.suppress(*lost):
            process.stdin.write_eof()
    except ConnectionLost as exc:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait_closed(), EXIT_SECONDS)
        raise _command_failed(peer, process.exit_status, await _settled(stderr), exc) from exc
    finally:
        process.close()
        stderr.cancel()


async def _collect(read: Callable[[int], Awaitable[bytes]], lost: tuple[type[BaseException], ...]) -> bytes:
    """Read standard error to its end and keep the last of it; an unread one would block the far side."""
    kept = b""
    with contextlib.suppress(*lost):
        while data := await read(STDERR_BYTES_KEPT):
            kept = (kept + data)[-STDERR_BYTES_KEPT:]
    return kept


async def _settled(task: asyncio.Task[bytes]) -> str:
    with contextlib.suppress(TimeoutError):
        return one_line((await asyncio.wait_for(task, 1.0)).decode("utf-8", "replace"))
    return ""


def _command_failed(peer: Peer, status: int | None, said: str, lost: ConnectionLost) -> PeerError:
    """Say why the far command ended too early, as far as its exit status and standard error tell."""
    if status == COMMAND_NOT_FOUND:
        return PeerError(
            f"peer {peer.name} has no such command: {peer.command} ({said or 'exit status 127'})",
            hint=f"install jilog on {peer.address}, or give the peer another command in peers.toml",
        )
    if said or status:
        return PeerError(
            f"peer {peer.name}: {said or f'{peer.command} ended with exit status {status}'}",
            hint=f"try it by hand: ssh {peer.address} {peer.command}",
        )
    return ConnectionLost(f"peer {peer.name}: {lost.message}", hint=lost.hint)


@dataclass(frozen=True, slots=True)
class SshTransport:
    """The transport for :func:`jilog_spool.sync.sync_peers` over SSH."""

    settings: SshSettings
    on_pump: OnPump | None = None

    async def run(self, peer: Peer, session: Session, on_event: Callable[[Event], None]) -> None:
        """Run a session with a peer; see :func:`run_over_ssh`."""
        await run_over_ssh(peer, session, self.settings, on_event, self.on_pump)
