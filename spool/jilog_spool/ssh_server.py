"""The own SSH endpoint: Ed25519 keys in, spool sessions out, and nothing else.

No shell, terminal, file transfer, agent or forwarding of any kind is offered, so what an accepted key can do
is what the session lets it do. Before authentication a connection may cost a slot and a few seconds, no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jilog_ledger.errors import JilogError, PeerError
from jilog_spool import limits
from jilog_spool.asyncssh_loader import SSHServerStreamSession, asyncssh
from jilog_spool.errors import one_line
from jilog_spool.peers import DEFAULT_COMMAND
from jilog_spool.pump import OnPump, Pump
from jilog_spool.session import Event, Session
from jilog_spool.ssh import ENCRYPTION
from jilog_spool.ssh_certificates import HOST, load_own_key, plain_line

SUBSYSTEM = "jilog-spool"
_ED25519 = b"ssh-ed25519"

Authorise = Callable[[bytes], str | None]
"""Name the peer that has a raw Ed25519 public key (32 bytes); None refuses it. Asked at every login."""

AuthoriseCertificate = Callable[[str, Sequence[str]], str]
"""Name the peer that an authority (its key as a line) vouches for with these principals, at every login.

Raises:
    PeerError: the authority is not trusted for that name; the message is logged here, the peer gets none.
"""

NewSession = Callable[[str], Session]
"""Make a session for a peer, over the replicas that this peer may see."""

Refused = Callable[[str, str], None]
"""Told of each certificate that was refused: the address it came from, and why."""

Report = Callable[[str, Session, JilogError | None], None]
"""Told of each session that ended: peer, session, and its error if it failed."""


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one endpoint puts up with."""

    login_seconds: float = limits.SERVER_LOGIN_SECONDS
    connections: int = limits.SERVER_CONNECTIONS_MAX
    sessions_per_connection: int = limits.SERVER_SESSIONS_PER_CONNECTION_MAX


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told of sessions while they run, from the event loop's thread."""

    on_pump: OnPump = lambda _session, _pump: None
    on_event: Callable[[Session, Event], None] = lambda _session, _event: None
    on_refused: Refused = lambda _address, _reason: None


def _trust_no_authority(_authority: str, _principals: Sequence[str]) -> str:
    raise PeerError("this host trusts no authority")


@dataclass(frozen=True, slots=True)
class Logins:
    """Who may log in, by key and by certificate, and what a peer may do.

    A connection is cut when the name behind its key or certificate, or that peer's ``standing``, is no longer
    what it was at its login; see :meth:`SpoolServer.recheck`.
    """

    by_key: Authorise
    by_certificate: AuthoriseCertificate = _trust_no_authority
    standing: Callable[[str], object] = lambda _name: None


class SpoolServer:
    """A listening endpoint. Open one with :meth:`start`; it is an async context manager."""

    def __init__(
        self,
        logins: Logins,
        new_session: NewSession,
        report: Report,
        bounds: ServerLimits,
        watch: Watch | None = None,
    ) -> None:
        self.logins = logins
        self.new_session = new_session
        self.report = report
        self.watch = watch or Watch()
        self.bounds = bounds
        self.connections: set[asyncssh.SSHServerConnection] = set()
        self._listener: asyncssh.SSHAcceptor | None = None

    @classmethod
    async def start(
        cls,
        host_key: Path,
        *,
        authorise: Authorise | Logins,
        new_session: NewSession,
        host: str = "127.0.0.1",
        port: int = 0,
        report: Report = lambda *_: None,
        bounds: ServerLimits | None = None,
        watch: Watch | None = None,
    ) -> SpoolServer:
        """Listen on ``host`` and ``port`` (0: any free one, see :attr:`port`).

        A host certificate beside the key is shown to those who trust its authority.

        Raises:
            PeerError: the address cannot be listened on, or the host key cannot be used.
        """
        logins = authorise if isinstance(authorise, Logins) else Logins(authorise)
        server = cls(logins, new_session, report, bounds or ServerLimits(), watch)
        try:
            own = await asyncio.to_thread(load_own_key, host_key, HOST)
            server._listener = await asyncssh.create_server(
                lambda: _Connection(server),
                host,
                port,
                server_host_keys=own.pairs,
                encryption_algs=list(ENCRYPTION),
                login_timeout=server.bounds.login_seconds,
                keepalive_interval=limits.KEEPALIVE_SECONDS,
                public_key_auth=True,
                password_auth=False,
                kbdint_auth=False,
                host_based_auth=False,
                gss_auth=False,
                gss_kex=False,
                allow_pty=False,
                line_editor=False,
                agent_forwarding=False,
                x11_forwarding=False,
                encoding=None,
                backlog=server.bounds.connections,
            )
        except (OSError, ValueError, asyncssh.Error) as exc:
            raise PeerError(
                f"cannot serve on {host} port {port}: {one_line(str(exc))}",
                hint="is another agent running? see: jilog agent status",
            ) from exc
        return server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """The port listened on."""
        assert self._listener is not None
        return self._listener.get_port()

    async def stop(self) -> None:
        """Close the endpoint and every connection; transfers in progress resume at the next sync."""
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()
        for connection in list(self.connections):
            connection.abort()

    def recheck(self) -> list[str]:
        """End the connections of who may not log in any more, or may do other things; give their names.

        May block on what the logins are read from.
        """
        gone = []
        for connection in list(self.connections):
            login: Login | None = connection.get_extra_info("jilog_login")
            if login is not None and not login.stands(self.logins):
                gone.append(login.peer)
                connection.abort()
        return gone


@dataclass(frozen=True, slots=True)
class Login:
    """Who logged in, by what, and what that peer was allowed at that moment."""

    peer: str
    standing: object
    key: bytes = b""
    authority: str = ""
    principals: tuple[str, ...] = ()

    def stands(self, logins: Logins) -> bool:
        """Tell whether the same login would give the same peer the same things now."""
        try:
            peer = (
                logins.by_key(self.key)
                if self.key
                else logins.by_certificate(self.authority, self.principals)
            )
            return peer == self.peer and logins.standing(self.peer) == self.standing
        except JilogError:
            return False  # nobody can log in while the peers cannot be read, so nobody stays, either


class _Certificates(asyncssh.SSHAuthorizedKeys):
    """Asked by asyncssh whether an authority may vouch for somebody with these principals.

    The answer has an option ``principals``, which makes asyncssh leave the user name alone: anybody may type
    any. That is right here and only here, for the principals were checked before the answer was given.
    """

    def __init__(self, vouched: Callable[[str, Sequence[str]], bool]) -> None:
        super().__init__()
        self._vouched = vouched

    def validate(
        self,
        key: asyncssh.SSHKey,
        client_host: str,  # noqa: ARG002 - the signature is asyncssh's
        client_addr: str,  # noqa: ARG002
        cert_principals: Sequence[str] | None = None,
        ca: bool = False,
    ) -> dict[str, object] | None:
        if not ca or not self._vouched(plain_line(key), cert_principals or ()):
            return None
        return {"principals": [*(cert_principals or ())]}


class _Connection(asyncssh.SSHServer):
    """One connection: who it is, and how many sessions it has."""

    def __init__(self, server: SpoolServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None
        self._login: Login | None = None
        self._vouched_for = ""
        self._authenticated = False
        self._sessions = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if len(self._server.connections) >= self._server.bounds.connections:
            conn.abort()
            return
        self._connection = conn
        self._server.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncssh's
        if self._connection is not None:
            self._server.connections.discard(self._connection)
        if self._vouched_for and not self._authenticated:
            # The authority was right, so it was asyncssh that found fault with the certificate itself.
            self._refuse(
                f"the certificate of {self._vouched_for} is expired, not yet valid, or not for a login"
            )

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - who it is follows from the key alone
        assert self._connection is not None
        self._connection.set_authorized_keys(_Certificates(self._vouched))
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        # Called for the offer and again for the signature; asyncssh checks the signature itself.
        if key.algorithm != _ED25519:
            return False
        raw = raw_public_key(key)
        peer = self._server.logins.by_key(raw)
        # What was offered before does not count: asyncssh lets in whom it asks about last.
        self._login = None if peer is None else Login(peer, self._server.logins.standing(peer), key=raw)
        return peer is not None

    def _vouched(self, authority: str, principals: Sequence[str]) -> bool:
        """Tell whether an authority may vouch for who has these principals; expiry is asyncssh's to check."""
        logins = self._server.logins
        self._login = None
        try:
            peer = logins.by_certificate(authority, principals)
        except PeerError as exc:
            self._refuse(exc.message)
            return False
        given, self._vouched_for = tuple(principals), peer
        self._login = Login(peer, logins.standing(peer), authority=authority, principals=given)
        return True

    def _refuse(self, reason: str) -> None:
        address = self._connection.get_extra_info("peername") if self._connection else None
        self._server.watch.on_refused(str(address[0]) if address else "unknown", reason)

    def auth_completed(self) -> None:
        assert self._connection is not None
        self._authenticated = True
        self._connection.set_extra_info(jilog_login=self._login)

    def session_requested(self) -> SSHServerStreamSession[bytes] | bool:
        # Asked again for each session: who was removed a moment ago begins nothing new.
        if (
            self._login is None
            or not self._login.stands(self._server.logins)
            or self._sessions >= self._server.bounds.sessions_per_connection
        ):
            return False
        return _SpoolChannel(self._serve)

    async def _serve(
        self,
        reader: asyncssh.SSHReader[bytes],
        writer: asyncssh.SSHWriter[bytes],
        errors: asyncssh.SSHWriter[bytes],
    ) -> None:
        assert self._login is not None
        assert self._connection is not None
        peer = self._login.peer
        self._sessions += 1
        # From here on the session finds out by itself whether the peer is still there, in fewer bytes.
        self._connection.set_keepalive(0)
        failure: JilogError | None = None
        session: Session | None = None
        try:
            session = await asyncio.to_thread(self._server.new_session, peer)
            pump = Pump(
                session,
                reader,
                writer,
                on_event=functools.partial(self._server.watch.on_event, session),
                lost=(OSError, asyncssh.Error),
            )
            self._server.watch.on_pump(session, pump)
            await pump.run()
        except JilogError as exc:
            failure = exc
            with contextlib.suppress(OSError, asyncssh.Error):
                errors.write(f"jilog: error: {exc.message}\n".encode())
        finally:
            self._sessions -= 1
            with contextlib.suppress(OSError, asyncssh.Error):
                writer.channel.exit(failure.exit_code if failure else 0)  # type: ignore[attr-defined]
            if session is not None:
                self._server.report(peer, session, failure)


class _SpoolChannel(SSHServerStreamSession[bytes]):
    """A channel that starts the spool session, by exec or as a subsystem, and refuses all else."""

    def shell_requested(self) -> bool:
        return False

    def exec_requested(self, command: str) -> bool:
        return command == DEFAULT_COMMAND

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == SUBSYSTEM


def raw_public_key(key: asyncssh.SSHKey) -> bytes:
    """Give the 32 bytes of an Ed25519 public key."""
    # RFC 8709, section 4: string "ssh-ed25519", string key; each with a 32-bit length.
    return key.public_data[-32:]


def openssh_public_key(raw: bytes, comment: str = "") -> str:
    """Write 32 raw bytes as a line of OpenSSH's public key format."""
    import base64

    blob = len(_ED25519).to_bytes(4, "big") + _ED25519 + len(raw).to_bytes(4, "big") + raw
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}".rstrip()
