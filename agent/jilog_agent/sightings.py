"""Hosts by whichever way they were found: one host with one key is one, however often it is seen. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from jilog_agent.replication import raw_key
from jilog_ledger.event import JsonValue
from jilog_spool.peers import Peer

MDNS, STATIC, SSH_CONFIG = "mdns", "static", "ssh_config"


@dataclass(frozen=True, slots=True)
class Announced:
    """What an endpoint on the network says of itself: to be believed when SSH has proved its key."""

    source: str
    public_key: bytes
    addresses: tuple[str, ...]
    port: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """One host. ``ways`` tell how it was found; ``peer`` is its name when it is a known peer."""

    name: str
    address: str
    port: int
    public_key: bytes
    ways: tuple[str, ...]
    peer: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """Give the documented JSON."""
        return {
            "name": self.name,
            "address": self.address,
            "port": self.port or None,
            "public_key": public_key_text(self.public_key) if self.public_key else None,
            "fingerprint": fingerprint(self.public_key) if self.public_key else None,
            "found_by": [*self.ways],
            "peer": self.peer,
        }


def merge(peers: Iterable[Peer], announced: Iterable[Announced], ssh_hosts: Iterable[str]) -> list[Sighting]:
    """Bring the known peers, what was announced, and the hosts of ssh's configuration together.

    An announcement is a known peer when it has its key; a host of ssh's configuration, when the peer is
    reached by that name.
    """
    found: list[Sighting] = [
        Sighting(peer.name, peer.address, peer.port, raw_key(peer.host_key), (STATIC,), peer.name)
        for peer in peers
    ]
    for item in announced:
        _add_announced(found, item)
    for host in dict.fromkeys(ssh_hosts):
        _add_ssh_host(found, host)
    return sorted(found, key=lambda item: (item.peer is None, item.name, item.public_key))


def _add_announced(found: list[Sighting], item: Announced) -> None:
    for index, known in enumerate(found):
        if known.public_key == item.public_key:
            if MDNS not in known.ways:
                found[index] = replace(known, ways=(*known.ways, MDNS))
            return
    found.append(Sighting(item.source, item.addresses[0], item.port, item.public_key, (MDNS,)))


def _add_ssh_host(found: list[Sighting], host: str) -> None:
    for index, known in enumerate(found):
        if host in (known.name, known.address) and STATIC in known.ways:
            found[index] = replace(known, ways=(*known.ways, SSH_CONFIG))
            return
    found.append(Sighting(host, host, 0, b"", (SSH_CONFIG,)))


def located(peer: Peer, announced: Sequence[Announced], failures: int) -> Peer:
    """Give a peer with the address to try next: where it was said to be, or where its key was announced.

    The told address comes first, if there is one, and then they take turns. Whoever answers has to prove
    the peer's pinned key all the same.
    """
    key = raw_key(peer.host_key)
    places = [
        (address, item.port) for item in announced if key == item.public_key for address in item.addresses
    ]
    if not key or not places or (peer.host and failures % 2 == 0):
        return peer
    turn = failures // 2 if peer.host else failures
    address, port = places[turn % len(places)]
    return replace(peer, host=address, port=port)


def public_key_text(raw: bytes) -> str:
    """Write a raw Ed25519 key as OpenSSH does, without a comment (RFC 8709, section 4)."""
    return f"ssh-ed25519 {base64.b64encode(_blob(raw)).decode()}"


def fingerprint(raw: bytes) -> str:
    """Give the fingerprint that people compare, as ``ssh-keygen -lf`` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(raw)).digest()).decode().rstrip("=")


def _blob(raw: bytes) -> bytes:
    kind = b"ssh-ed25519"
    return len(kind).to_bytes(4, "big") + kind + len(raw).to_bytes(4, "big") + raw
