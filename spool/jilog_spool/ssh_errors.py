"""What asyncssh and the network raise, turned once into a PeerError that says what to do."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from jilog_ledger.errors import InputError, PeerError
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.errors import ConnectionLost, one_line
from jilog_spool.peers import Peer


@dataclass(slots=True)
class Attempt:
    """One attempt to connect, and what was learnt on the way."""

    peer: Peer
    expected: list[asyncssh.SSHKey] = field(default_factory=list)
    expects_certificate: bool = False
    found: asyncssh.SSHKey | None = None

    @property
    def place(self) -> str:
        """Name the peer and where it is."""
        peer = self.peer
        where = f"{peer.address}:{peer.port}" if peer.port else peer.address
        return peer.name if where == peer.name else f"{peer.name} ({where})"


def explain(exc: BaseException, attempt: Attempt) -> PeerError | InputError:
    """Say in one line what went wrong with which peer, and what to type next."""
    place, name = attempt.place, attempt.peer.name
    match exc:
        case asyncssh.HostKeyNotVerifiable():
            return _host_key(exc, attempt)
        case asyncssh.PermissionDenied():
            return PeerError(
                f"peer {place} does not accept this host's key",
                hint=f"print the line for its authorized_keys: jilog peer add --print {name}",
            )
        case asyncssh.KeyExchangeFailed():
            return PeerError(
                f"peer {place} has no host key or algorithm in common with us: {one_line(str(exc.reason))}",
                hint=f"if its host key was changed on purpose: jilog peer trust {name}",
            )
        case asyncssh.ChannelOpenError():
            return PeerError(
                f"peer {place} refuses to run the spool command: {one_line(str(exc.reason))}",
                hint="its sshd must allow this key one session with a command",
            )
        case asyncssh.ConnectionLost():
            return ConnectionLost(f"peer {place} closed the connection", hint="is it under load? sync again")
        case asyncssh.ConfigParseError() | asyncssh.KeyImportError():
            return InputError(f"cannot use the ssh configuration for {place}: {one_line(str(exc))}")
        case TimeoutError():
            return PeerError(
                f"peer {place} did not answer in time", hint=f"is it up? ping {attempt.peer.address}"
            )
        case ConnectionRefusedError():
            return PeerError(
                f"peer {place} refused the connection", hint="is its sshd or agent running there?"
            )
        case socket.gaierror():
            return PeerError(
                f"peer {place}: host name {attempt.peer.address!r} cannot be resolved",
                hint="check the name in ~/.ssh/config or peers.toml",
            )
        case OSError():
            return PeerError(f"cannot reach peer {place}: {exc.strerror or one_line(str(exc))}")
        case _:
            return PeerError(f"peer {place}: {one_line(str(exc)) or type(exc).__name__}")


def _host_key(exc: asyncssh.HostKeyNotVerifiable, attempt: Attempt) -> PeerError:
    place, name = attempt.place, attempt.peer.name
    found = attempt.found.get_fingerprint() if attempt.found else "no plain key"
    if not attempt.expected and not attempt.expects_certificate:
        return PeerError(
            f"host key of peer {place} is not known; it showed {found}",
            hint=f"compare it with the one on that host, then: jilog peer trust {name}",
        )
    if attempt.found is None:
        return PeerError(f"host certificate of peer {place} is not valid: {one_line(str(exc.reason))}")
    known = dict.fromkeys(key.get_fingerprint() for key in attempt.expected)
    expected = " or ".join(known) or "a certificate"
    return PeerError(
        f"host key of peer {place} changed: expected {expected}, got {found}",
        hint=f"somebody may be in between; if that host was set up anew: jilog peer trust {name}",
    )
