"""Wire the spool to this host: which peers there are, and which zones each of them may see."""

from __future__ import annotations

import contextlib
import fnmatch
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from jilog_agent.config import Config
from jilog_agent.home import Home
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, StorageError
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import format_time
from jilog_spool.causes import cause_of
from jilog_spool.peers import Peer, PeerTable, read_ssh_config_hosts
from jilog_spool.replica import Replica
from jilog_spool.report import SessionReport
from jilog_spool.sync import PeerResult

SSH_CONFIG = Path("~/.ssh/config")


def peer_table(config: Config, home: Home, disk: Disk) -> PeerTable:
    """Give all peers: those added by command, and those of the config file, whose keys win.

    The result is for looking up; saving it would copy the config's peers into ``peers.toml``.
    """
    table = PeerTable.load(home.root, disk=disk)
    for peer in config.peers:
        known = table.get(peer.name)
        base = known or Peer(peer.name)
        table.put(
            replace(
                base,
                # A config without a host, which then is the name, leaves the one that was added.
                host=base.host if known and peer.host == peer.name else peer.host,
                port=peer.port or base.port,
                user=peer.user or base.user,
                host_key=plain_key(peer.host_key or base.host_key),
                zones=peer.zones or base.zones,
                command=peer.command or base.command,
            )
        )
    return table


@contextlib.contextmanager
def edited_peers(home: Home, disk: Disk) -> Iterator[PeerTable]:
    """Give the peers that were added by command, to change them; they are saved at the end.

    Nobody else changes them meanwhile. An error or a crash before the end leaves them as they were.
    """
    disk.make_directory(home.root)
    with disk.lock(home.lock_path):
        table = PeerTable.load(home.root, disk=disk)
        yield table
        table.save()


def rate_of(config: Config, name: str) -> int:
    """Give the bytes a second that a session with a peer may move in each direction; 0: without a limit."""
    for peer in config.peers:
        if peer.name == name and peer.bytes_per_second is not None:
            return peer.bytes_per_second
    return config.spool.bytes_per_second


def plain_key(line: str) -> str:
    """Give a public key as type and data, without options or comment around it."""
    return " ".join(line.split()[:2])


def chosen_peers(names: Sequence[str], table: PeerTable, ssh_hosts: Sequence[str]) -> list[Peer]:
    """Give the named peers; without names all that are called, and the ssh hosts that match a pattern.

    Raises:
        InputError: a name is not known, or nobody is.
    """
    spelled_out = read_ssh_config_hosts(SSH_CONFIG.expanduser())
    if names:
        return [table.resolve(name, spelled_out) for name in dict.fromkeys(names)]
    peers = {peer.name: peer for peer in table.peers() if not peer.inbound}
    # A host that the table has by its name or address is that peer, with what the table says of it.
    known = {name for peer in table.peers() for name in (peer.name, peer.address)}
    for host in spelled_out:
        if host not in known and any(fnmatch.fnmatchcase(host, pattern) for pattern in ssh_hosts):
            peers.setdefault(host, Peer(host).check())
    if not peers and table.peers():
        raise InputError(
            "no peer is to be called: all of them call this host", hint="on a peer: jilog spool sync"
        )
    if not peers:
        raise InputError("no peers are known", hint="add one: jilog peer add NAME HOST")
    return list(peers.values())


def granted_zones(config: Config, peer: Peer | None) -> tuple[str, ...]:
    """Name the zones a peer may see: those granted to it by name, else the shared ones.

    Raises:
        InputError: there is none; an empty answer would read as all of them.
    """
    granted = peer.zones if peer is not None else ()
    zones = granted or tuple(zone.id for zone in config.zones if zone.shared)
    if not zones:
        raise InputError(
            "no zone is shared with peers", hint=f"set shared = true in a [[zones]] table of {config.path}"
        )
    for zone in zones:
        config.zone(zone)
    return zones


def with_granted_zones(config: Config, peers: Iterable[Peer]) -> list[Peer]:
    """Write into each peer the zones it may see, so that a zone without a grant is never offered."""
    return [replace(peer, zones=granted_zones(config, peer)) for peer in peers]


def replicas_of(ledgers: Iterable[ZoneLedger]) -> dict[str, Replica]:
    """Give what may travel of each zone: the shared store, never the local one."""
    return {ledger.zone: ledger.shared for ledger in ledgers}


class TroubleRecord(msgspec.Struct, frozen=True):
    """What a sync said of one writer: ``fork``, or ``refused`` with the reason."""

    kind: str
    zone: str
    source: str
    epoch: str
    detail: str


class HeldRecord(msgspec.Struct, frozen=True, array_like=True):
    """Events and bytes held of one writer."""

    events: int
    bytes: int


HeldByZone = Mapping[str, Mapping[str, HeldRecord]]
"""What this host holds: by zone, and then by ``source/epoch``."""


class SyncRecord(msgspec.Struct, frozen=True):
    """The last sync with one peer, for ``jilog spool status``.

    ``level`` is what this host held when both were last level, at ``level_at``; ``peer_has`` the last
    sequence of each writer of which the peer had more when both compared last. ``software`` is the version of
    jilog that the peer last said it is.
    """

    at: str
    ok: bool
    error: str | None
    hint: str | None
    events_received: int
    events_sent: int
    refused: int
    forks: int
    zones: list[str]
    zones_not_shared: list[str]
    cause: str | None = None
    missing_bytes: int = 0
    troubles: list[TroubleRecord] = []
    level_at: str | None = None
    level: dict[str, dict[str, HeldRecord]] = {}
    clock_ahead_seconds: int | None = None
    peer_has: dict[str, dict[str, int]] = {}
    software: str | None = None


class SyncHistory:
    """Remembers the last sync with each peer. The file may be lost at any time."""

    def __init__(self, home: Home, disk: Disk) -> None:
        self._path = home.sync_history_path
        self._disk = disk

    def load(self) -> dict[str, SyncRecord]:
        """Give what is remembered; nothing when the file is missing or not ours."""
        try:
            if self._disk.size(self._path) is None:
                return {}
            return msgspec.json.decode(self._disk.read(self._path), type=dict[str, SyncRecord])
        except (msgspec.DecodeError, UnicodeDecodeError, StorageError):
            return {}

    def add(self, results: Iterable[PeerResult], now_ns: int, held: HeldByZone | None = None) -> None:
        """Remember how these syncs went; ``held`` is what this host holds after them."""
        records = self.load()
        for item in results:
            before = records.get(item.peer.name)
            records[item.peer.name] = sync_record(item, now_ns, held or {}, before)
        self._disk.make_directory(self._path.parent)
        self._disk.replace(self._path, msgspec.json.encode(records))


WRITERS_KEPT_MAX = 1000
"""Writers of which a peer had more that are remembered one by one."""

TROUBLES_KEPT_MAX = 100
"""Forks and refusals of one sync that are remembered one by one."""


def held_by_zone(ledgers: Iterable[ZoneLedger]) -> HeldByZone:
    """Take down what may travel of each zone, as it is held now."""
    return {
        ledger.zone: {
            f"{writer.source}/{writer.epoch}": HeldRecord(
                sum(info.events for info in segments), sum(info.length for info in segments)
            )
            for writer in ledger.shared.writers()
            if (segments := ledger.shared.segments(writer))
        }
        for ledger in ledgers
    }


def sync_record(
    result: PeerResult, now_ns: int, held: HeldByZone, before: SyncRecord | None = None
) -> SyncRecord:
    """Sum one peer's sync up; what is not level now was so when ``before`` says."""
    report = result.report
    zones = sorted({*report.zones_equal, *report.zones_differing})
    level = _level(result, held, before) if result.ok or report.pending is not None else {}
    return SyncRecord(
        at=format_time(now_ns),
        ok=result.ok,
        error=result.error.message if result.error else None,
        hint=result.error.hint if result.error else None,
        events_received=report.events_received,
        events_sent=report.events_sent,
        refused=report.refused_count,
        forks=len(report.forks),
        zones=zones,
        zones_not_shared=sorted(report.zones_not_shared),
        cause=cause_of(result.error).value if result.error else None,
        missing_bytes=max(0, report.bytes_expected - report.bytes_received) if result.error else 0,
        troubles=_troubles(report)[:TROUBLES_KEPT_MAX],
        level_at=format_time(now_ns) if level else before.level_at if before else None,
        level=level or (before.level if before else {}),
        clock_ahead_seconds=report.clock_ahead_seconds,
        peer_has=_peer_has(report) or (before.peer_has if before and result.error else {}),
        software=report.software or (before.software if before else None),
    )


def _level(
    result: PeerResult, held: HeldByZone, before: SyncRecord | None
) -> dict[str, dict[str, HeldRecord]]:
    """Give what both hold: what this host holds, save where the peer had not said yet that it has it all."""
    report = result.report
    level = {
        zone: dict(held[zone]) for zone in (*report.zones_equal, *report.zones_differing) if zone in held
    }
    for zone, writer in report.pending or ():
        name = f"{writer.source}/{writer.epoch}"
        known = before.level.get(zone, {}).get(name) if before else None
        if known is not None:
            level.setdefault(zone, {})[name] = known
        else:
            level.get(zone, {}).pop(name, None)
    return level


def _peer_has(report: SessionReport) -> dict[str, dict[str, int]]:
    """Give, by zone and writer, the last sequence at the peer of what it had more than this host."""
    found: dict[str, dict[str, int]] = {}
    for (zone, writer), sequence in itertools.islice(report.peer_sequences.items(), WRITERS_KEPT_MAX):
        found.setdefault(zone, {})[f"{writer.source}/{writer.epoch}"] = sequence
    return found


def _troubles(report: SessionReport) -> list[TroubleRecord]:
    forks = [
        TroubleRecord(
            "fork", fork.zone, *fork.writer, f"two histories from segment {fork.number} on; both are kept"
        )
        for fork in report.forks
    ]
    refused = [
        TroubleRecord(
            "refused",
            item.zone,
            *item.writer,
            f"{'the peer' if item.by_peer else 'this host'} refused segment {item.number}: {item.reason}",
        )
        for item in report.refused
    ]
    return forks + refused


def raw_key(line: str) -> bytes:
    """Give the 32 bytes of an OpenSSH Ed25519 public key, nothing for any other key (RFC 8709, section 4)."""
    import base64
    import binascii

    try:
        kind, data = line.split()[:2]
        blob = base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return blob[-32:] if kind == "ssh-ed25519" and len(blob) == 51 else b""
