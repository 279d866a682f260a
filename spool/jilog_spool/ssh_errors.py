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
    certificate_problem: str = ""
    """Why this host's own certificate was not shown, if it has one."""
    spoke_otherwise: bool = False
    """Whether what answered said something, and not that it speaks SSH."""

    @property
    def place(self) -> str:
        """Name the peer and where it is."""
        peer = self.peer
        where = f"{peer.address}:{peer.port}" if peer.port else peer.address
        return peer.name if where == peer.name else f"{peer.name} ({where})"


def explain(exc: BaseException, attempt: Attempt) -> PeerError | InputError:
    """Say in one line what went wrong with which peer, and what to type next."""
    if attempt.spoke_otherwise and isinstance(exc, asyncssh.ConnectionLost | ConnectionError):
        return PeerError(
            f"what answers for peer {attempt.place} does not speak SSH",
            hint=f"is that its SSH port? {_by_hand(attempt)}",
        )
    if isinstance(exc, asyncssh.DisconnectError | asyncssh.ChannelOpenError):
        return _ssh_error(exc, attempt)
    if isinstance(exc, OSError):
        return _network_error(exc, attempt)
    place, said = attempt.place, one_line(str(exc))
    if isinstance(exc, asyncssh.ConfigParseError | asyncssh.KeyImportError):
        return InputError(
            f"cannot use the ssh configuration for {place}: {said}",
            hint=f"see what ssh makes of it: ssh -G {attempt.peer.address}",
        )
    return PeerError(f"peer {place}: {said or type(exc).__name__}", hint=_by_hand(attempt))


def _by_hand(attempt: Attempt) -> str:
    peer = attempt.peer
    port = f" -p {peer.port}" if peer.port else ""
    return f"try it by hand: ssh{port} {peer.address}"


def _ssh_error(exc: asyncssh.DisconnectError | asyncssh.ChannelOpenError, attempt: Attempt) -> PeerError:
    place, said = attempt.place, one_line(str(exc.reason))
    match exc:
        case asyncssh.HostKeyNotVerifiable():
            return _host_key(exc, attempt)
        case asyncssh.PermissionDenied():
            return _not_accepted(attempt)
        case asyncssh.KeyExchangeFailed():
            return _no_agreement(said, attempt)
        case asyncssh.ChannelOpenError():
            return PeerError(
                f"peer {place} refuses to run the spool command: {said}",
                hint="its sshd must allow this key one session with a command",
            )
        case asyncssh.ConnectionLost():
            return ConnectionLost(f"peer {place} closed the connection", hint="is it under load? sync again")
        case asyncssh.MACError() | asyncssh.CompressionError():
            return ConnectionLost(
                f"peer {place}: bytes were changed on the way: {said}",
                hint="nothing of them was taken; sync again, and mistrust the network if it happens again",
            )
        case asyncssh.ProtocolError() | asyncssh.ProtocolNotSupported():
            return PeerError(
                f"what answers for peer {place} does not speak SSH as it should: {said}",
                hint=f"is that its SSH port? {_by_hand(attempt)}",
            )
        case _:
            return PeerError(f"peer {place} ended the connection: {said}", hint=_by_hand(attempt))


def _network_error(exc: OSError, attempt: Attempt) -> PeerError:
    place, address = attempt.place, attempt.peer.address
    match exc:
        case TimeoutError():
            return PeerError(f"peer {place} did not answer in time", hint=f"is it up? ping {address}")
        case ConnectionRefusedError():
            return PeerError(
                f"peer {place} refused the connection", hint="is its sshd or agent running there?"
            )
        case ConnectionResetError() | BrokenPipeError():
            return ConnectionLost(f"peer {place} closed the connection", hint="is it under load? sync again")
        case socket.gaierror() if not attempt.peer.host:
            return PeerError(
                f"peer {place} has no address: none was given, its key is not announced on the local network,"
                " and its name cannot be resolved",
                hint=f"say where it is: jilog peer add {attempt.peer.name} ADDRESS",
            )
        case socket.gaierror():
            return PeerError(
                f"peer {place}: host name {address!r} cannot be resolved",
                hint="check the name in ~/.ssh/config or peers.toml",
            )
        case _:
            return PeerError(
                f"cannot reach peer {place}: {exc.strerror or one_line(str(exc))}",
                hint=f"is it up, and is there a network? ping {address}",
            )


def _not_accepted(attempt: Attempt) -> PeerError:
    if attempt.certificate_problem:
        return PeerError(
            f"peer {attempt.place} does not accept this host's key, and its certificate is no use:"
            f" {attempt.certificate_problem}",
            hint="have it signed anew: ssh-keygen -s CA -I HOST -n HOST ~/.jilog/identity/id_ed25519.pub",
        )
    return PeerError(
        f"peer {attempt.place} does not accept this host's key",
        hint=f"print the line for its authorized_keys: jilog peer add --print {attempt.peer.name}",
    )


def _no_agreement(said: str, attempt: Attempt) -> PeerError:
    place, name = attempt.place, attempt.peer.name
    if attempt.expects_certificate and not attempt.expected:
        return PeerError(
            f"peer {place} shows no host certificate that is in force, and its key is not known",
            hint=f"on {name}, have it signed: ssh-keygen -s CA -h -I {name} -n {name} KEY.pub",
        )
    return PeerError(
        f"peer {place} has no host key or algorithm in common with us: {said}",
        hint=f"if its host key was changed on purpose: jilog peer trust {name}",
    )


def _host_key(exc: asyncssh.HostKeyNotVerifiable, attempt: Attempt) -> PeerError:
    place, name = attempt.place, attempt.peer.name
    found = attempt.found.get_fingerprint() if attempt.found else "no plain key"
    if not attempt.expected and not attempt.expects_certificate:
        return PeerError(
            f"host key of peer {place} is not known; it showed {found}",
            hint=f"compare it with the one on that host, then: jilog peer trust {name}",
        )
    if attempt.found is None:
        return _host_certificate(exc, attempt)
    known = dict.fromkeys(key.get_fingerprint() for key in attempt.expected)
    expected = " or ".join(known) or "a certificate"
    return PeerError(
        f"host key of peer {place} changed: expected {expected}, got {found}",
        hint=f"somebody may be in between; if that host was set up anew: jilog peer trust {name}",
    )


_CERTIFICATE_HINTS = (
    (
        "principal mismatch",
        "sign it for the name it is known by here: ssh-keygen -s CA -h -I {0} -n {0} KEY.pub",
    ),
    ("expired", "on {0}, have it signed anew: ssh-keygen -s CA -h -I {0} -n {0} KEY.pub"),
    ("not yet valid", "compare the clocks of both hosts: date -u"),
    ("not trusted", "see which authorities are trusted for it: jilog peer list"),
    ("revoked", "it must not be used any more; look at @revoked in known_hosts"),
)


def _host_certificate(exc: asyncssh.HostKeyNotVerifiable, attempt: Attempt) -> PeerError:
    reason = one_line(str(exc.reason))
    hint = next((text for words, text in _CERTIFICATE_HINTS if words in reason.lower()), None)
    return PeerError(
        f"host certificate of peer {attempt.place} is not valid: {reason}",
        hint=(hint or "look at it on that host: ssh-keygen -Lf KEY-cert.pub").format(attempt.peer.name),
    )
