"""The table of known peers: ``peers.toml`` in the home directory of jilog, mode 0600."""

from __future__ import annotations

import contextlib
import difflib
import glob
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path

import msgspec

from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import check_name
from jilog_spool.limits import PEERS_FILE_BYTES_MAX

DEFAULT_COMMAND = "jilog spool serve --stdio"
FILE_NAME = "peers.toml"

SSH_CONFIG_BYTES_MAX = 1024 * 1024
"""Of one file; thousands of hosts fit."""

SSH_CONFIG_FILES_MAX = 256
"""Files that one configuration includes, in all."""

_HOST = re.compile(r"[A-Za-z0-9_.:%\[\]-]{1,255}\Z")
_USER = re.compile(r"[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}\Z")
_HOST_KEY = re.compile(r"(ssh|ecdsa)-[A-Za-z0-9-]+ [A-Za-z0-9+/]+=*\Z")
_HEADING = "# Peers of this host. Written by: jilog peer add, trust, remove.\n"


@dataclass(frozen=True, slots=True)
class Peer:
    """A host to sync with.

    An empty ``host`` means that ``name`` is what ssh is asked to connect to, with all that
    ``~/.ssh/config`` says of it; ``port`` 0 and an empty ``user`` leave these to ssh, too. ``host_key`` is
    the one key the host may have, as ``ssh-ed25519 AAAA…``; empty leaves it to the known_hosts files.
    ``next_host_key`` is the one that it is about to change to: while it is there, either key will do.
    ``zones`` are the ones to sync with it; empty means all that it may see. ``inbound`` tells that it has no
    endpoint: it calls this host, and is called itself only when somebody names it.
    """

    name: str
    host: str = ""
    port: int = 0
    user: str = ""
    host_key: str = ""
    next_host_key: str = ""
    command: str = DEFAULT_COMMAND
    zones: tuple[str, ...] = field(default=())
    inbound: bool = False

    @property
    def address(self) -> str:
        """What is connected to."""
        return self.host or self.name

    @property
    def host_keys(self) -> tuple[str, ...]:
        """The pinned keys, none when that is left to the known_hosts files."""
        return tuple(key for key in (self.host_key, self.next_host_key) if key)

    def check(self) -> Peer:
        """Return the peer if each field is in its range, else raise InputError."""
        check_name("peer", self.name)
        for zone in self.zones:
            check_name("zone", zone)
        # A host or user that begins with a dash would be read as an option by programs it is passed to.
        if self.host and (not _HOST.match(self.host) or self.host.startswith("-")):
            raise InputError(f"peer {self.name}: invalid host {self.host!r}")
        if not 0 <= self.port <= 65535:
            raise InputError(f"peer {self.name}: port {self.port} is outside 0 to 65535")
        if self.user and not _USER.match(self.user):
            raise InputError(f"peer {self.name}: invalid user {self.user!r}")
        self._check_keys()
        if not self.command or not self.command.isprintable():
            raise InputError(f"peer {self.name}: the command is empty or has control characters")
        return self

    def _check_keys(self) -> None:
        for field_name in ("host_key", "next_host_key"):
            key = getattr(self, field_name)
            if key and not _HOST_KEY.match(key):
                raise InputError(
                    f"peer {self.name}: {field_name} is not a public key",
                    hint="it must look like: ssh-ed25519 AAAAC3Nza…",
                )
        if self.next_host_key and not self.host_key:
            # Alone it would pin a key that the host does not have yet.
            raise InputError(
                f"peer {self.name}: next_host_key needs host_key beside it",
                hint=f"jilog peer trust {self.name}",
            )


_KEYS = tuple(item.name for item in fields(Peer) if item.name != "name")


class PeerTable:
    """The peers file, as a value per load; :meth:`save` replaces it whole.

    The file is configuration, not data: losing it loses trust decisions, never events.
    """

    def __init__(self, path: Path, peers: Iterable[Peer] = (), *, disk: Disk | None = None) -> None:
        self.path = path
        self._peers = {peer.name: peer for peer in peers}
        self._disk = disk or RealDisk()

    @classmethod
    def load(cls, home: Path, *, disk: Disk | None = None) -> PeerTable:
        """Read the table below ``home``; an absent file is an empty table.

        Raises:
            InputError: it is not TOML, or has an unknown key or a value out of range.
        """
        disk = disk or RealDisk()
        path = home / FILE_NAME
        size = disk.size(path)
        if size is None:
            return cls(path, disk=disk)
        if size > PEERS_FILE_BYTES_MAX:
            raise InputError(f"{path} has {size} bytes; {PEERS_FILE_BYTES_MAX} are allowed")
        try:
            document = tomllib.loads(disk.read(path).decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise InputError(f"{path} is not valid TOML: {exc}") from exc
        return cls(path, parse_peers(document, str(path)), disk=disk)

    def save(self) -> None:
        """Write the table; a crash leaves the old file or the new one."""
        self._disk.replace(self.path, render_peers(self.peers()).encode())

    def peers(self) -> list[Peer]:
        """Give all peers by name."""
        return [self._peers[name] for name in sorted(self._peers)]

    def get(self, name: str) -> Peer | None:
        """Find a peer by its name."""
        return self._peers.get(name)

    def put(self, peer: Peer) -> None:
        """Add a peer, or replace the one of that name."""
        self._peers[peer.check().name] = peer

    def remove(self, name: str) -> Peer:
        """Take a peer out of the table, else raise InputError."""
        if name not in self._peers:
            raise self._unknown(name)
        return self._peers.pop(name)

    def resolve(self, name: str, ssh_config_hosts: Iterable[str] = ()) -> Peer:
        """Find a peer by name: the table first, then the hosts of ``~/.ssh/config``.

        Raises:
            InputError: neither knows the name; the nearest known one is in the hint.
        """
        known = self._peers.get(name)
        if known is not None:
            return known
        hosts = list(ssh_config_hosts)
        if name in hosts:
            return Peer(name).check()
        raise self._unknown(name, hosts)

    def _unknown(self, name: str, more: Iterable[str] = ()) -> InputError:
        near = difflib.get_close_matches(name, [*self._peers, *more], n=1)
        hint = f"did you mean {near[0]}?" if near else f"make it known: jilog peer add {name}"
        return InputError(
            f"unknown peer {name[:80]!r}: not in {self.path} and not in ~/.ssh/config", hint=hint
        )


def parse_peers(document: dict[str, object], where: str) -> list[Peer]:
    """Read peers from a TOML document of ``[peer.NAME]`` tables; ``where`` names it in errors."""
    _known_keys(document, ("peer",), where)
    tables = document.get("peer", {})
    if not isinstance(tables, dict):
        raise InputError(f"{where}: peer must be a table of peers, as in [peer.laptop]")
    peers = []
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{where}: peer.{name} must be a table")
        _known_keys(table, _KEYS, f"{where}: peer.{name}")
        try:
            peer = msgspec.convert({"name": name, **table}, Peer)
        except msgspec.ValidationError as exc:
            raise InputError(f"{where}: peer.{name}: {exc}") from exc
        peers.append(peer.check())
    return peers


def _known_keys(table: dict[str, object], known: Iterable[str], where: str) -> None:
    known = list(known)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise InputError(f"{where}: unknown key {key!r}", hint=f"did you mean {near[0]!r}?")


def render_peers(peers: Iterable[Peer]) -> str:
    """Write peers as TOML; fields that have their default are left out."""
    default = Peer("default")
    parts = [_HEADING]
    for peer in peers:
        # A quoted key: a peer's name may hold dots, which would otherwise nest tables.
        lines = [f"\n[peer.{json.dumps(peer.name)}]"]
        for key in _KEYS:
            value = getattr(peer, key)
            if value != getattr(default, key):
                # Strings here are printable, and JSON's form of those is TOML's as well.
                lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def ssh_config_hosts(text: str) -> list[str]:
    """Name the hosts that an ssh client configuration spells out; patterns are left out."""
    hosts: list[str] = []
    for line in text.splitlines():
        words = line.replace("=", " ", 1).replace('"', "").split()
        if len(words) > 1 and words[0].lower() == "host":
            hosts += [word for word in words[1:] if not any(char in word for char in "*?!")]
    return hosts


def read_ssh_config_hosts(path: Path, *, seen: set[Path] | None = None) -> list[str]:
    """Name the hosts of a configuration file and of those that it includes, in their order, each once.

    What cannot be read has none. Relative names of ``Include`` start at the user's ``~/.ssh``, as
    ssh_config(5) has it. ``seen`` are the files that were read before; nobody is read twice.
    """
    seen = set() if seen is None else seen
    if path in seen or len(seen) >= SSH_CONFIG_FILES_MAX:
        return []
    seen.add(path)
    try:
        with path.open("rb") as file:
            text = file.read(SSH_CONFIG_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return []
    hosts: list[str] = []
    for line in text.splitlines():
        hosts += ssh_config_hosts(line)
        for included in _included(line):
            hosts += read_ssh_config_hosts(included, seen=seen)
    return list(dict.fromkeys(hosts))


def _included(line: str) -> list[Path]:
    """Give the files that one line includes, if it does."""
    words = line.replace("=", " ", 1).replace('"', "").split()
    if len(words) < 2 or words[0].lower() != "include":
        return []
    found: list[str] = []
    for word in words[1:]:
        with contextlib.suppress(RuntimeError):  # ~somebody who has no account here
            pattern = Path("~/.ssh").expanduser() / Path(word).expanduser()
            found += sorted(glob.glob(str(pattern)))
    return [Path(name) for name in found]
