"""Which authorities this host trusts: those of the config file, and those of ``jilog peer trust --ca``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from jilog_agent.config import Config
from jilog_agent.home import Home
from jilog_agent.replication import peer_table
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, PeerError
from jilog_spool.peers import Peer
from jilog_spool.ssh_certificates import (
    AUTHORITIES_BYTES_MAX,
    Authorities,
    Authority,
    first_principal,
    parse_authorities,
)

_HEADING = "# Authorities that this host trusts. Written by: jilog peer trust --ca, jilog peer remove.\n"
_KEY_BEGINNINGS = ("ssh-", "ecdsa-", "sk-")


def trusted_authorities(config: Config, home: Home, disk: Disk) -> Authorities:
    """Give all authorities, as they are now.

    Raises:
        InputError: a file of them cannot be read, or says something else.
    """
    configured = [
        Authority(authority_key(entry), config.trust.principals).check() for entry in config.trust.ca
    ]
    return Authorities((*configured, *recorded_authorities(home, disk)))


def known_peer(workspace: Workspace, name: str) -> Peer:
    """Find a peer in the table, or make one for which an authority may vouch: it calls this host.

    Raises:
        InputError: neither knows the name.
    """
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    known = table.get(name)
    authorities = trusted_authorities(workspace.config, workspace.home, workspace.disk)
    if known is None and authorities.cover(name):
        return Peer(name, inbound=True)
    return known or table.resolve(name)


def recorded_authorities(home: Home, disk: Disk) -> list[Authority]:
    """Give the authorities of the file in the home; an absent file has none.

    Raises:
        InputError: it is not what it should be.
    """
    path = home.authorities_path
    size = disk.size(path)
    if size is None:
        return []
    if size > AUTHORITIES_BYTES_MAX:
        raise InputError(f"{path} has {size} bytes; {AUTHORITIES_BYTES_MAX} are allowed")
    return parse_authorities(disk.read(path).decode("utf-8", "replace"), str(path))


def save_authorities(home: Home, disk: Disk, authorities: Iterable[Authority]) -> None:
    """Write the file; a crash leaves the old one or the new one."""
    text = _HEADING + "".join(item.check().line() + "\n" for item in authorities)
    disk.replace(home.authorities_path, text.encode())


def authority_key(entry: str) -> str:
    """Give the key of an authority, told as the key itself or as the path of its ``.pub`` file.

    Raises:
        InputError: it is neither.
    """
    if not entry.startswith(_KEY_BEGINNINGS):
        try:
            with Path(entry).expanduser().open("rb") as file:
                entry = file.read(AUTHORITIES_BYTES_MAX).decode("utf-8", "replace")
        except OSError as exc:
            raise InputError(
                f"cannot read the authority's key {entry}: {exc.strerror}",
                hint="give its .pub file, or the key itself: 'ssh-ed25519 AAAA...'",
            ) from exc
    return " ".join(entry.split()[:2])


def with_authority(known: Iterable[Authority], added: Authority) -> list[Authority]:
    """Add an authority, or give a known one other names."""
    return [*(item for item in known if item.key != added.key), added]


def without_name(known: Sequence[Authority], name: str) -> list[Authority]:
    """Let no authority vouch for a name any more."""
    return [
        replace(item, patterns=(*item.patterns, f"!{name}")) if item.covers(name) else item for item in known
    ]


def certificate_authoriser(workspace: Workspace, source: str) -> Callable[[str, Sequence[str]], str]:
    """Give the function that names the peer of a certificate; ``source`` is this host's own name.

    Authorities and peers are read at every login: what was added or removed counts at once.
    """

    def name_of(authority: str, principals: Sequence[str]) -> str:
        name = first_principal(principals)
        try:
            trusted = trusted_authorities(workspace.config, workspace.home, workspace.disk)
            peer = peer_table(workspace.config, workspace.home, workspace.disk).get(name)
        except InputError as exc:
            raise PeerError(exc.message, hint=exc.hint) from exc
        if not trusted.knows(authority):
            raise PeerError("a certificate of an authority that is not trusted here was refused")
        if not name:
            raise PeerError("a certificate that names no host was refused: its principals are empty")
        if not trusted.trusts(authority, name):
            raise PeerError(
                f"a certificate for {name[:80]!r} was refused: the authority may not vouch for it"
            )
        if name == source:
            raise PeerError(f"a certificate for {name} was refused: that is this host's own name")
        if peer is not None and peer.host_keys:
            raise PeerError(f"a certificate for {name} was refused: the key of that peer is pinned")
        return name

    return name_of
