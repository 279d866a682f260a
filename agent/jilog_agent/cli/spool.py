"""``jilog spool``."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, report
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import format_bytes, print_json, print_line, print_table
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import FindingsError, InputError, JilogError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.reasons import Verdict
    from jilog_agent.replication import SyncRecord
    from jilog_spool.peers import Peer
    from jilog_spool.replica import Replica
    from jilog_spool.report import ForkFound
    from jilog_spool.session import Event, Session
    from jilog_spool.sync import PeerResult

_THIS = "jilog_agent.cli.spool"

group = LazyGroup(
    name="spool",
    help="Replicate with other hosts.",
    examples=("jilog spool sync", "jilog spool sync desktop --json", "jilog spool status"),
    table={
        "sync": Entry(f"{_THIS}:sync", "Exchange what each side lacks with peers, over SSH."),
        "status": Entry(f"{_THIS}:status", "Show the last sync with each peer, and why it failed."),
        "serve": Entry(f"{_THIS}:serve", "Be the far end: for one session, or as an SSH endpoint."),
    },
)


@click.command("sync", cls=JilogCommand, examples=("jilog spool sync", "jilog spool sync desktop nas --json"))
@click.argument("peers", nargs=-1, metavar="[PEER]...")
@zone_option
@json_option
def sync(*, peers: tuple[str, ...], zone: str | None, as_json: bool) -> None:
    """Exchange events with the named peers, or with all known ones, in both directions.

    A peer is one that `jilog peer add` or the config knows, or a host of ~/.ssh/config. What was interrupted
    goes on where it stopped. Exit status 3 when some peers failed, the error's own when all did.
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

    config = workspace.config
    table = peer_table(config, workspace.home, workspace.disk)
    chosen = with_granted_zones(config, chosen_peers(peers, table, config.spool.ssh_hosts))
    if zone is not None:
        config.zone(zone)
        chosen = _only_zone(chosen, zone)
    identity = recording_identity(workspace)
    with workspace.zones(None, identity) as ledgers, ProgressLine() as progress:
        results = _run_sync(workspace, chosen, replicas_of(ledgers), identity.source, progress)
        SyncHistory(workspace.home, workspace.disk).add(results, now_ns(), held_by_zone(ledgers))
    if as_json:
        print_json({"source": identity.source, "peers": [_result_document(result) for result in results]})
    else:
        _print_results(results)
    _raise_failures(results)


def _only_zone(peers: Sequence[Peer], zone: str) -> list[Peer]:
    from dataclasses import replace

    granted = [replace(peer, zones=(zone,)) for peer in peers if zone in peer.zones]
    if not granted:
        raise InputError(f"zone {zone} is not shared with these peers", hint="see: jilog config show")
    return granted


def _run_sync(
    workspace: Workspace,
    peers: Sequence[Peer],
    replicas: Mapping[str, Replica],
    source: str,
    progress: ProgressLine,
) -> list[PeerResult]:
    from jilog_spool.session import Progress
    from jilog_spool.ssh import SshSettings, SshTransport
    from jilog_spool.sync import sync_peers

    moved: dict[str, Progress] = {}

    def on_event(peer: Peer, event: Event) -> None:
        if isinstance(event, Progress):
            moved[peer.name] = event
            received = sum(item.received for item in moved.values())
            progress.bytes("receiving", received, sum(item.expected for item in moved.values()))

    home = workspace.home
    settings = SshSettings(
        key=home.key_path,
        known_hosts=(home.known_hosts_path,),
        connect_seconds=float(workspace.config.spool.timeout_seconds),
    )
    transport = SshTransport(settings)
    return asyncio.run(sync_peers(peers, replicas, transport, source=source, on_event=on_event))


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


@click.command("status", cls=JilogCommand, examples=("jilog spool status", "jilog spool status --json"))
@json_option
def status(*, as_json: bool) -> None:
    """Show each peer: whether it has what this host has, why not, by how much, and what to do next.

    Nobody is called: it tells what the last sync found, and what a running agent knows.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.replication import SyncHistory
    from jilog_agent.standing import verdicts_by_peer

    history = SyncHistory(workspace.home, workspace.disk).load()
    with workspace.zones(None, identity) as ledgers:
        verdicts = verdicts_by_peer(workspace, ledgers, now_ns())
    if as_json:
        names = sorted({*verdicts, *history})
        print_json({"peers": [_peer_document(workspace, name, history, verdicts) for name in names]})
        return
    if not verdicts:
        print_line("no peers yet; add one: jilog peer add NAME HOST")
        return
    _print_verdicts(history, verdicts)


def _peer_document(
    workspace: Workspace,
    name: str,
    history: Mapping[str, SyncRecord],
    verdicts: Mapping[str, Sequence[Verdict]],
) -> JsonValue:
    import msgspec

    from jilog_agent.replication import granted_zones, peer_table

    peer = peer_table(workspace.config, workspace.home, workspace.disk).get(name)
    record = history.get(name)
    last_sync = msgspec.to_builtins(record) if record else None
    if last_sync is not None:
        # How far the peer was is told by the lags.
        del last_sync["level"]
    return {
        "peer": name,
        "address": peer.address if peer else name,
        "zones": list(granted_zones(workspace.config, peer)),
        "last_sync": last_sync,
        "writers": [verdict.to_json() for verdict in verdicts.get(name, ())],
    }


def _print_verdicts(history: Mapping[str, SyncRecord], verdicts: Mapping[str, Sequence[Verdict]]) -> None:
    """Show one line for each peer and zone: the one writer that stands worst."""
    from jilog_agent.reasons import worst

    rows = []
    for name, of_peer in sorted(verdicts.items()):
        record = history.get(name)
        at = record.at[:19] + "Z" if record else "never"
        for zone in dict.fromkeys(verdict.zone for verdict in of_peer):
            shown = worst([verdict for verdict in of_peer if verdict.zone == zone])
            if shown is not None:
                rows.append(
                    (name, zone, shown.reason.value, at, _lag_text(shown), shown.detail, shown.next_step)
                )
        if not of_peer:
            rows.append((name, "-", "in_sync" if record and record.ok else "-", at, "-", "", ""))
    print_table(("PEER", "ZONE", "STATE", "LAST SYNC", "LAG", "WHY", "NEXT"), rows)


def _lag_text(verdict: Verdict) -> str:
    if verdict.lag_events is None:
        return "unknown"
    if not verdict.lag_events:
        return "none"
    return f"{verdict.lag_events} events, {format_bytes(verdict.lag_bytes or 0)}, {verdict.lag_seconds} s"


@click.command(
    "serve",
    cls=JilogCommand,
    examples=("jilog spool serve --stdio", "jilog spool serve --listen 127.0.0.1:7722"),
)
@click.option("--stdio", is_flag=True, help="Serve one session on standard input and output.")
@click.option("--listen", metavar="HOST:PORT", help="Serve peers with known keys on an SSH endpoint.")
@click.option("--peer", "peer_name", metavar="NAME", help="With --stdio: who is calling, for its zones.")
@json_option
def serve(*, stdio: bool, listen: str | None, peer_name: str | None, as_json: bool) -> None:
    """Be the far end of a sync.

    --stdio is what a peer's SSH login runs; in authorized_keys: command="jilog spool serve --stdio",restrict.
    --listen is an endpoint of its own, without a shell, for peers whose host_key is known here.
    """
    if stdio == (listen is not None):
        raise InputError("give one of --stdio and --listen", hint="see: jilog spool serve --help")
    workspace = open_workspace()
    if stdio:
        _serve_stdio(workspace, peer_name)
    else:
        _serve_listening(workspace, _address(listen or ""), as_json=as_json)


def _serve_stdio(workspace: Workspace, peer_name: str | None) -> None:
    from jilog_agent.replication import granted_zones, peer_table, replicas_of
    from jilog_spool.session import Session
    from jilog_spool.stdio import serve_stdio

    identity = workspace.identity()
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    zones = granted_zones(workspace.config, table.resolve(peer_name) if peer_name else None)
    with workspace.zones(None, identity) as ledgers:
        replicas = {name: replica for name, replica in replicas_of(ledgers).items() if name in zones}
        serve_stdio(Session(replicas, source=identity.source))


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"invalid address {text[:80]!r}", hint="use HOST:PORT, such as 127.0.0.1:7722")
    return host.strip("[]"), int(port)


def _serve_listening(workspace: Workspace, address: tuple[str, int], *, as_json: bool) -> None:
    from jilog_agent.replication import granted_zones, peer_of_key, peer_table, raw_key, replicas_of
    from jilog_spool.claims import Claims
    from jilog_spool.session import Session

    identity = workspace.identity()
    claims = Claims()
    with workspace.zones(None, identity) as ledgers:
        replicas = replicas_of(ledgers)

        def authorise(key: bytes) -> str | None:
            # Read at every login: a peer that was added or removed counts at once.
            table = peer_table(workspace.config, workspace.home, workspace.disk)
            return peer_of_key({peer.name: raw_key(peer.host_key) for peer in table.peers()}, key)

        def new_session(name: str) -> Session:
            table = peer_table(workspace.config, workspace.home, workspace.disk)
            zones = granted_zones(workspace.config, table.resolve(name))
            granted = {zone: replica for zone, replica in replicas.items() if zone in zones}
            return Session(granted, source=identity.source, claims=claims)

        def told(host: str, port: int) -> None:
            if as_json:
                print_json({"host": host, "port": port, "source": identity.source})
            else:
                print_line(f"listening on {host}:{port} as {identity.source}")
            sys.stdout.flush()

        asyncio.run(_listen(workspace, address, authorise, new_session, told))


async def _listen(
    workspace: Workspace,
    address: tuple[str, int],
    authorise: Callable[[bytes], str | None],
    new_session: Callable[[str], Session],
    told: Callable[[str, int], None],
) -> None:
    """Serve until SIGTERM, which ends with status 0, or Ctrl-C."""
    from jilog_spool.ssh_server import SpoolServer

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await SpoolServer.start(
        workspace.home.key_path,
        authorise=authorise,
        new_session=new_session,
        host=address[0],
        port=address[1],
        report=_tell_session,
    ) as server:
        told(address[0], server.port)
        await stop.wait()


def _tell_session(peer: str, session: Session, failure: JilogError | None) -> None:
    done = session.report
    if failure is not None:
        report(failure)
    elif done.events_received or done.events_sent:
        note(f"peer {peer}: received {done.events_received}, sent {done.events_sent} events")
