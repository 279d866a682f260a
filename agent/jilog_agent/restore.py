"""A host that was lost is made again from what any peer holds of it.

The order of writes: the marker (a crash from here on leaves an interrupted restore, which the same command
takes up), identity, peer, then segment by segment what comes. The marker is removed last. A home with zones
in it and without a marker is somebody's, and is never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from jilog_agent.identity import Identity
from jilog_agent.replication import chosen_peers, edited_peers, peer_table, replicas_of, with_granted_zones
from jilog_agent.syncing import run_sync
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import FindingsError, InputError, JilogError
from jilog_ledger.identifiers import Writer
from jilog_ledger.ledger import ZoneLedger
from jilog_spool.peers import Peer, read_ssh_config_hosts
from jilog_spool.sync import OnEvent, PeerResult

MARKER_NAME = "restoring.json"


class Marker(msgspec.Struct, frozen=True):
    """From whom an unfinished restore fetches."""

    peer: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of one zone. ``own`` are the epochs in which this host wrote before."""

    zone: str
    writers: int
    events: int
    own: tuple[str, ...]


def begin(workspace: Workspace, peer: str) -> bool:
    """Mark a home as being restored; tell whether an earlier restore goes on.

    Raises:
        InputError: the home holds a ledger already, or is being restored from another peer.
        StorageError: the disk refused.
    """
    home, disk = workspace.home, workspace.disk
    path = home.root / MARKER_NAME
    marker = _marker(workspace)
    if marker is not None:
        if marker.peer != peer:
            raise InputError(
                f"{home.root} is being restored from {marker.peer}",
                hint=f"run: jilog init --from {marker.peer}",
            )
        return True
    for zone in workspace.config.zones:
        if disk.size(zone.ledger_path / "manifest") is not None or disk.list_directory(zone.ledger_path):
            raise InputError(
                f"{zone.ledger_path} holds a ledger already; it is not overwritten",
                hint=f"for what it lacks: jilog spool repair; to start over: mv {home.root} {home.root}.old",
            )
    disk.make_directory(home.root)
    disk.replace(path, msgspec.json.encode(Marker(peer)))
    return False


def _marker(workspace: Workspace) -> Marker | None:
    path = workspace.home.root / MARKER_NAME
    if not workspace.disk.size(path):
        return None
    try:
        return msgspec.json.decode(workspace.disk.read(path), type=Marker)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} is damaged: {exc}", hint=f"remove it: rm {path}") from exc


def source_peer(workspace: Workspace, peer: Peer) -> Peer:
    """Make the peer known, unless the config or ``~/.ssh/config`` knows it and nothing else was said.

    Raises:
        InputError: a value is out of range.
    """
    from jilog_agent.replication import SSH_CONFIG

    table = peer_table(workspace.config, workspace.home, workspace.disk)
    said = peer != Peer(peer.name)
    if not said and (table.get(peer.name) or peer.name in read_ssh_config_hosts(SSH_CONFIG.expanduser())):
        (known,) = chosen_peers((peer.name,), table, ())
        return known
    with edited_peers(workspace.home, workspace.disk) as own:
        own.put(peer)
    return peer


def fetch(
    workspace: Workspace,
    identity: Identity,
    ledgers: Sequence[ZoneLedger],
    peer: Peer,
    on_event: OnEvent | None = None,
) -> list[Restored]:
    """Bring everything that the peer shares of the zones here, and end the restore.

    Raises:
        PeerError: the peer could not be reached, does not let this host in, or broke off.
        FindingsError: something that it holds was refused.
        StorageError: the disk refused.
    """
    shared = [ledger for ledger in ledgers if ledger.zone in _granted(workspace, peer)]
    zones = tuple(ledger.zone for ledger in shared)
    (result,) = run_sync(
        workspace, [replace(peer, zones=zones)], replicas_of(shared), identity.source, on_event=on_event
    )
    _check(result)
    # Whatever was fetched is on stable storage; from here on this is a host like any other.
    workspace.disk.remove(workspace.home.root / MARKER_NAME)
    return [_restored(ledger, identity.source) for ledger in shared]


def _granted(workspace: Workspace, peer: Peer) -> tuple[str, ...]:
    (granted,) = with_granted_zones(workspace.config, [peer])
    return granted.zones


def _check(result: PeerResult) -> None:
    if result.error is not None:
        raise result.error
    report = result.report
    if not (report.zones_equal or report.zones_differing):
        raise JilogError(
            f"{result.peer.name} shares none of the zones {', '.join(report.zones_not_shared)}",
            hint="name one that it shares: jilog init --from … --zone ID",
        )
    if report.refused_count:
        first = report.refused[0]
        raise FindingsError(
            f"{report.refused_count} segment(s) were refused, the first of {first.writer}: {first.reason}",
            hint="run: jilog verify --repair",
        )


def _restored(ledger: ZoneLedger, source: str) -> Restored:
    store = ledger.shared
    events: dict[Writer, int] = {
        writer: sum(info.events for info in store.segments(writer)) for writer in store.writers()
    }
    held = {writer: count for writer, count in events.items() if count}
    own = tuple(sorted(writer.epoch for writer in held if writer.source == source))
    return Restored(ledger.zone, len(held), sum(held.values()), own)
