"""``jilog spool sync``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, report, warn
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.names import PEER
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import format_bytes, print_json, print_line, print_table
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import FindingsError, InputError, StorageError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_ledger.identifiers import Writer
    from jilog_spool.peers import Peer
    from jilog_spool.report import Forecast, ForkFound
    from jilog_spool.session import Event, Session
    from jilog_spool.sync import OnEvent, PeerResult


@click.command(
    "sync",
    cls=JilogCommand,
    examples=("jilog spool sync", "jilog spool sync desktop nas --json", "jilog spool sync --dry-run"),
)
@click.argument("peers", nargs=-1, type=PEER, metavar="[PEER]...")
@click.option("--dry-run", is_flag=True, help="Only say what would move, by peer and zone; move nothing.")
@click.option("--bwlimit", metavar="RATE", help="Bytes a second in each direction, such as 500k or 2M.")
@zone_option
@json_option
def sync(
    *, peers: tuple[str, ...], dry_run: bool, bwlimit: str | None, zone: str | None, as_json: bool
) -> None:
    """Exchange events with the named peers, or with all known ones, in both directions.

    A peer is one that `jilog peer add` or the config knows, or a host of ~/.ssh/config. What was interrupted
    goes on where it stopped. A paused peer is left out unless it is named. Exit status 3 when some peers
    failed, the error's own when all did.
    """
    workspace = open_workspace()
    from jilog_agent.replication import (
        SyncHistory,
        chosen_peers,
        held_by_zone,
        peer_table,
        replicas_of,
        with_granted_zones,
    )
    from jilog_agent.syncing import run_sync
    from jilog_spool.bandwidth import parse_rate

    config = workspace.config
    rate = parse_rate(bwlimit) if bwlimit is not None else None
    table = peer_table(config, workspace.home, workspace.disk)
    chosen = with_granted_zones(config, chosen_peers(peers, table, config.spool.ssh_hosts))
    chosen = chosen if peers else _awake(workspace, chosen)
    if zone is not None:
        config.zone(zone)
        chosen = _only_zone(chosen, zone)
    identity = recording_identity(workspace)
    with workspace.zones(None, identity) as ledgers, ProgressLine() as progress:
        results = run_sync(
            workspace,
            chosen,
            replicas_of(ledgers),
            identity.source,
            on_event=shown(progress),
            forecast=dry_run,
            bytes_per_second=rate,
        )
        if not dry_run:
            history = SyncHistory(workspace.home, workspace.disk)
            _remember(lambda: history.add(results, now_ns(), held_by_zone(ledgers)))
    if as_json:
        document = _forecast_document if dry_run else _result_document
        print_json({"source": identity.source, "peers": [document(result) for result in results]})
    elif not results:
        print_line("nobody was synced: every peer rests")
    elif dry_run:
        _print_forecast(results)
    else:
        _print_results(results)
    _raise_failures(results)


def _remember(save: Callable[[], None]) -> None:
    """Keep how it went; a disk that refuses must not hide what was done."""
    try:
        save()
    except StorageError as error:
        warn(f"how this sync went is not remembered: {error.message}", error.hint)


def _awake(workspace: Workspace, peers: Sequence[Peer]) -> list[Peer]:
    """Leave out who rests, and say so."""
    from jilog_agent.pauses import held

    awake = []
    for peer in peers:
        hold = held(workspace, peer.name)
        if hold is None:
            awake.append(peer)
        else:
            note(f"left out {peer.name}: {hold}; to sync all the same: jilog spool sync {peer.name}")
    return awake


def _forecast_document(result: PeerResult) -> JsonValue:
    report_ = result.report
    return {
        "peer": result.peer.name,
        "ok": result.error is None,
        "error": result.error.message if result.error else None,
        "hint": result.error.hint if result.error else None,
        "dry_run": True,
        "zones_equal": [*sorted(report_.zones_equal)],
        "zones_not_shared": [*sorted(report_.zones_not_shared)],
        "receive": _forecasts(report_.forecast_in),
        "send": _forecasts(report_.forecast_out),
        "forks": [_fork_document(fork) for fork in report_.forks],
    }


def _forecasts(forecasts: Mapping[tuple[str, Writer], Forecast]) -> list[JsonValue]:
    return [
        {
            "zone": zone,
            "source": writer.source,
            "epoch": writer.epoch,
            "segments": item.segments,
            "events": item.events,
            "bytes": item.bytes,
        }
        for (zone, writer), item in sorted(forecasts.items(), key=lambda pair: pair[0])
    ]


def _print_forecast(results: Sequence[PeerResult]) -> None:
    """Show one line for each peer and zone: what would come and go."""
    rows = []
    for result in results:
        report_ = result.report
        zones = {*report_.zones_equal, *(zone for zone, _ in (*report_.forecast_in, *report_.forecast_out))}
        name, coming, going = result.peer.name, report_.forecast_in, report_.forecast_out
        rows += [(name, zone, _moved_text(coming, zone), _moved_text(going, zone)) for zone in sorted(zones)]
        if not zones:
            rows.append((result.peer.name, "-", "failed" if result.error else "nothing", "-"))
    print_table(("PEER", "ZONE", "WOULD RECEIVE", "WOULD SEND"), rows)


def _moved_text(forecasts: Mapping[tuple[str, Writer], Forecast], zone: str) -> str:
    of_zone = [item for (name, _), item in forecasts.items() if name == zone]
    if not of_zone:
        return "nothing"
    events, size = sum(item.events for item in of_zone), sum(item.bytes for item in of_zone)
    return f"{events} events, {format_bytes(size)}"


def _only_zone(peers: Sequence[Peer], zone: str) -> list[Peer]:
    from dataclasses import replace

    granted = [replace(peer, zones=(zone,)) for peer in peers if zone in peer.zones]
    if not granted:
        raise InputError(f"zone {zone} is not shared with these peers", hint="see: jilog config show")
    return granted


def shown(progress: ProgressLine) -> OnEvent:
    """Draw how many bytes have come from all peers together."""
    from jilog_spool.session import Progress

    moved: dict[str, Progress] = {}

    def on_event(peer: Peer, _session: Session, event: Event) -> None:
        if isinstance(event, Progress):
            moved[peer.name] = event
            received = sum(item.received for item in moved.values())
            progress.bytes("receiving", received, sum(item.expected for item in moved.values()))

    return on_event


def _result_document(result: PeerResult) -> JsonValue:
    report_ = result.report
    return {
        "peer": result.peer.name,
        "ok": result.ok,
        "error": result.error.message if result.error else None,
        "hint": result.error.hint if result.error else None,
        "zones_equal": [*sorted(report_.zones_equal)],
        "zones_differing": [*sorted(report_.zones_differing)],
        "zones_not_shared": [*sorted(report_.zones_not_shared)],
        "events_received": report_.events_received,
        "events_sent": report_.events_sent,
        "segments_received": report_.segments_received,
        "segments_sent": report_.segments_sent,
        "bytes_received": report_.bytes_received,
        "bytes_sent": report_.bytes_sent,
        "wire_bytes_in": report_.wire_bytes_in,
        "wire_bytes_out": report_.wire_bytes_out,
        "round_trips": report_.round_trips,
        "refused": [
            {
                "zone": item.zone,
                "source": item.writer.source,
                "epoch": item.writer.epoch,
                "segment": item.number,
                "reason": item.reason,
                "by_peer": item.by_peer,
            }
            for item in report_.refused
        ],
        "forks": [_fork_document(fork) for fork in report_.forks],
        "duration_seconds": round(result.seconds, 3),
    }


def _fork_document(fork: ForkFound) -> JsonValue:
    writer = fork.writer
    return {"zone": fork.zone, "source": writer.source, "epoch": writer.epoch, "segment": fork.number}


def _print_results(results: Sequence[PeerResult]) -> None:
    rows = [
        (
            result.peer.name,
            _state_text(result),
            f"{result.report.events_received} events",
            f"{result.report.events_sent} events",
            format_bytes(result.report.wire_bytes_in + result.report.wire_bytes_out),
            f"{result.seconds:.1f} s",
        )
        for result in results
    ]
    print_table(("PEER", "STATE", "RECEIVED", "SENT", "ON THE WIRE", "TIME"), rows)


def _state_text(result: PeerResult) -> str:
    if result.error is not None:
        return "failed"
    if result.report.forks:
        return "fork"
    return "partly" if result.report.refused_count else "in sync"


def _raise_failures(results: Sequence[PeerResult]) -> None:
    failed = [result.error for result in results if result.error is not None]
    if len(results) == 1 and failed:
        raise failed[0]
    for error in failed:
        report(error)
    for result in results:
        for item in result.report.refused:
            who = "the peer" if item.by_peer else "this host"
            note(f"{who} refused {item.writer} segment {item.number} of zone {item.zone}: {item.reason}")
        for fork in result.report.forks:
            note(f"writer {fork.writer} of zone {fork.zone} has two histories; both are kept")
    unclean = sum(not result.ok for result in results)
    if failed and len(failed) == len(results):
        raise type(failed[0])(f"none of {len(results)} peers could be synced", hint="see: jilog spool status")
    if unclean:
        raise FindingsError(
            f"{unclean} of {len(results)} peers are not in sync", hint="see: jilog spool status"
        )
