"""What can be wrong with trust, with addresses, and with what runs at the far end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from support.containers import ROOT
from support.faults import Fault, Seen
from support.fleet import (
    PORT,
    Member,
    far_end_of_version,
    put_jilog_of_version,
    run_agent_of_version,
    start_agent,
    start_sshd,
    stop_agent,
    stop_sshd,
)

NOBODYS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
WEB_PORT = 8022
CLOSED_PORT = 9


def no_sshd(host: Member, client: Member) -> Fault:
    """Stop OpenSSH's server on a host."""
    return Fault(
        "an sshd that is stopped",
        lambda: stop_sshd(host),
        lambda: start_sshd(host),
        [Seen(client.host_name, host.host_name, "connection_refused")],
    )


def other_host_key(host: Member, client: Member) -> Fault:
    """Give the sshd of a host other keys, and later the old ones back."""
    change = "mkdir /root/keys; mv /etc/ssh/ssh_host_* /root/keys"
    back = "rm /etc/ssh/ssh_host_*; mv /root/keys/* /etc/ssh; rmdir /root/keys"

    def anew(script: str) -> None:
        stop_sshd(host)
        host.sh(script, user=ROOT)
        start_sshd(host)

    return Fault(
        "another host key",
        lambda: anew(change),
        lambda: anew(back),
        [Seen(client.host_name, host.host_name, "key_changed")],
    )


def removed(host: Member, peer: Member) -> Fault:
    """Let a host forget a peer, which still knows it."""

    def heal() -> None:
        key = peer.public_key()
        host.add_peer(peer.host_name, peer.address, "--port", str(PORT), "--host-key", key)

    return Fault(
        "a peer that was removed",
        lambda: host.done("peer", "remove", peer.host_name),
        heal,
        [Seen(peer.host_name, host.host_name, "auth_failed")],
    )


def zone_kept_back(host: Member, peer: Member, zone: str) -> Fault:
    """Let a host share a zone with a peer that does not share it."""
    return Fault(
        "a zone that the peer does not share",
        lambda: host.add_peer(peer.host_name, "--zone", "main", "--zone", zone),
        lambda: host.add_peer(peer.host_name, "--zone", "main"),
        [Seen(host.host_name, peer.host_name, "zone_not_granted")],
    )


@dataclass(frozen=True, slots=True)
class Door:
    """An sshd of its own with options that make it show one fault."""

    kind: str
    reason: str
    port: int
    options: Sequence[str]


def forced(command: str) -> list[str]:
    """Give the option of sshd that runs one command, whatever is asked for."""
    return ["-o", f"ForceCommand={command}"]


DOORS = (
    Door("a key that is not in authorized_keys", "auth_failed", 2201, ["-o", "AuthorizedKeysFile=none"]),
    Door("no jilog at the far end", "command_missing", 2202, forced("no-such-jilog spool serve --stdio")),
    Door("a shell that talks into the session", "garbage", 2203, forced("echo welcome; sleep 1")),
    Door("a far end of an older protocol alone", "version_too_old", 2204, forced(far_end_of_version(0, 0))),
)


def opened(door: Door, host: Member, client: Member) -> Fault:
    """Open a door on a host, as a peer of the client's."""
    name = f"door-{door.port}"

    def inject() -> None:
        put_jilog_of_version(host, 0, 0)
        start_sshd(host, "-p", str(door.port), "-o", f"PidFile=/run/{name}.pid", *door.options)
        place = [host.address, "--port", str(door.port), "--user", "jilog"]
        client.add_peer(name, *place, "--host-key", host.sshd_key())

    def heal() -> None:
        client.done("peer", "remove", name)
        host.sh(f"kill $(cat /run/{name}.pid)", user=ROOT)

    return Fault(door.kind, inject, heal, [Seen(client.host_name, name, door.reason)])


def false_peer(client: Member, kind: str, reason: str, place: Callable[[], Sequence[str]]) -> Fault:
    """Tell a host of a peer that cannot be."""
    name = reason.replace("_", "-")
    return Fault(
        kind,
        lambda: client.add_peer(name, *place()),
        lambda: client.done("peer", "remove", name),
        [Seen(client.host_name, name, reason)],
    )


def false_peers(client: Member, where: Member) -> list[Fault]:
    """Give a host addresses at which there is no such peer."""
    key = ["--host-key", NOBODYS_KEY]
    kinds: list[tuple[str, str, Callable[[], Sequence[str]]]] = [
        ("a name that does not resolve", "name_unknown", lambda: ["no-such-host.invalid", *key]),
        ("a peer without an address", "no_address", lambda: key),
        (
            "a port where nothing listens",
            "connection_refused",
            lambda: [where.address, "--port", str(CLOSED_PORT), *key],
        ),
        ("a host key never seen", "host_key_unknown", lambda: [where.address, "--port", "22"]),
    ]
    return [false_peer(client, *kind) for kind in kinds]


def web_server(host: Member, client: Member) -> Fault:
    """Let something else answer at the port of a peer."""
    serve = f"python3 -m http.server {WEB_PORT} --bind 0.0.0.0 >/dev/null 2>&1 & echo $! >/run/web.pid"

    def inject() -> None:
        host.sh(serve, user=ROOT)
        client.add_peer("web", host.address, "--port", str(WEB_PORT), "--host-key", NOBODYS_KEY)

    def heal() -> None:
        client.done("peer", "remove", "web")
        host.sh("kill $(cat /run/web.pid)", user=ROOT)

    return Fault(
        "a web server at the port of a peer", inject, heal, [Seen(client.host_name, "web", "garbage")]
    )


def other_version(host: Member, peer: Member, *, oldest: int, newest: int) -> Fault:
    """Let the agent of a host be one that speaks other versions of the protocol than its peer does."""

    def inject() -> None:
        put_jilog_of_version(host, oldest, newest)
        stop_agent(host)
        run_agent_of_version(host, oldest, newest)

    def heal() -> None:
        stop_agent(host)
        start_agent(host)

    seen = [
        Seen(peer.host_name, host.host_name, "version_too_old"),
        Seen(host.host_name, peer.host_name, "version_too_old"),
    ]
    return Fault("an agent of a newer protocol alone", inject, heal, seen, [host.host_name])
