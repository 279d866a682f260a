"""Who becomes a peer after pairing, under which name, and who is turned away. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from jilog_agent.replication import raw_key
from jilog_agent.sightings import fingerprint, public_key_text
from jilog_spool.pairing import Introduced
from jilog_spool.pairing_net import NotWanted
from jilog_spool.peers import Peer


@dataclass(frozen=True, slots=True)
class Known:
    """What this host knows already: its own name, and its peers by name.

    ``configured`` names those of the config file, which no command changes.
    """

    source: str
    peers: Mapping[str, Peer]
    configured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line: another local name, and zones to grant."""

    name: str | None = None
    zones: tuple[str, ...] = ()


def newcomer(found: Introduced, address: str, known: Known, wish: Wish) -> Peer:
    """Give the peer to store for somebody whose key was proved, met at ``address``.

    The same key again is the same peer, with what changed. Without an endpoint of its own it is one that
    calls this host.

    Raises:
        NotWanted: the name belongs to somebody else, or to this host.
    """
    if found.source == known.source:
        raise NotWanted(
            "same_source",
            f"the other host writes under the name of this one, {found.source}",
            hint='write source = "NAME" into the config file of one of them, then pair again',
        )
    line = public_key_text(found.public_key)
    place = {"host": address, "port": found.port, "inbound": not found.port}
    for peer in known.peers.values():
        if found.public_key in map(raw_key, peer.host_keys):
            if peer.name in known.configured:
                return peer
            return replace(peer, zones=wish.zones or peer.zones, **place)  # type: ignore[arg-type] # as Peer has them
    name = wish.name or found.source
    if name in known.peers:
        raise _clash(known.peers[name], found)
    return Peer(name=name, host_key=line, zones=wish.zones, **place).check()  # type: ignore[arg-type]


def _clash(peer: Peer, found: Introduced) -> NotWanted:
    other = f"if it is another host: jilog peer pair --name NAME; if {peer.name} was set up anew:"
    other += f" jilog peer remove {peer.name}, then pair again"
    if not peer.host_key:
        return NotWanted(
            "name_taken", f"there is a peer {peer.name} at {peer.address} already, without a key", hint=other
        )
    raw = raw_key(peer.host_key)
    expected = fingerprint(raw) if raw else peer.host_key.partition(" ")[0]
    got = fingerprint(found.public_key)
    return NotWanted(
        "key_changed",
        f"peer {peer.name} is known with another key: expected {expected}, got {got}",
        hint=other,
    )
