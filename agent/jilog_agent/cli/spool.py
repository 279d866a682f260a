"""``jilog spool``."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, report
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import format_bytes, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.cli.spool_directory_status import directories_document, print_directories
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import InputError, JilogError, StorageError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.reasons import Verdict
    from jilog_agent.replication import SyncRecord
    from jilog_ledger.ledger import ZoneLedger
    from jilog_spool.session import Session
    from jilog_spool.ssh_server import Logins
    from jilog_spool.sync import PeerResult

_THIS = "jilog_agent.cli.spool"

group = LazyGroup(
    name="spool",
    help="Replicate with other hosts.",
    examples=("jilog spool sync", "jilog spool sync desktop --json", "jilog spool status"),
    table={
        "sync": Entry(
            "jilog_agent.cli.spool_sync:sync", "Exchange what each side lacks with peers, over SSH."
        ),
        "emit": Entry(
            "jilog_agent.cli.spool_directory:emit", "Put what this host holds into a directory, for others."
        ),
        "ingest": Entry(
            "jilog_agent.cli.spool_directory:ingest", "Take what other hosts put into a directory."
        ),
        "watch": Entry(
            "jilog_agent.cli.spool_directory:watch", "Ingest from and emit to a directory, again and again."
        ),
        "status": Entry(f"{_THIS}:status", "Show the last sync with each peer, and why it failed."),
        "pause": Entry(
            "jilog_agent.cli.spool_pause:pause", "Exchange nothing with a peer, or anybody, for a time."
        ),
        "resume": Entry("jilog_agent.cli.spool_pause:resume", "End a pause."),
        "verify": Entry("jilog_agent.cli.verify:command", "Read every segment again, as `jilog verify`."),
        "repair": Entry(
            "jilog_agent.cli.spool_repair:repair", "Fetch again from peers what was damaged or is missing."
        ),
        "forks": Entry(
            "jilog_agent.cli.spool_forks:forks", "List writers with two histories; write or check the proof."
        ),
        "serve": Entry(f"{_THIS}:serve", "Be the far end: for one session, or as an SSH endpoint."),
    },
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
        document = [_peer_document(workspace, name, history, verdicts) for name in names]
        print_json({"peers": document, "directories": directories_document(workspace)})
        return
    print_directories(workspace)
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
        del last_sync["level"], last_sync["peer_has"]
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
    print_table(("PEER", "ZONE", "STATE", "LAST TRIED", "LAG", "WHY", "NEXT"), rows, whole=2)


def _lag_text(verdict: Verdict) -> str:
    coming = f"{verdict.incoming_events} events to come" if verdict.incoming_events else ""
    if verdict.lag_events is None:
        return coming or "unknown"
    if not verdict.lag_events:
        return coming or "none"
    going = f"{verdict.lag_events} events, {format_bytes(verdict.lag_bytes or 0)}, {verdict.lag_seconds} s"
    return f"{going}; {coming}" if coming else going


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
    from jilog_agent.pauses import EVERYBODY, refuse_held
    from jilog_agent.replication import granted_zones, rate_of, replicas_of
    from jilog_agent.syncing import session_options
    from jilog_agent.vouching import known_peer
    from jilog_spool.session import Session
    from jilog_spool.stdio import serve_stdio
    from jilog_spool.sync import PeerResult

    identity = workspace.identity()
    refuse_held(workspace, peer_name or EVERYBODY)
    peer = known_peer(workspace, peer_name) if peer_name else None
    zones = granted_zones(workspace.config, peer)
    with workspace.zones(None, identity) as ledgers:
        replicas = {name: replica for name, replica in replicas_of(ledgers).items() if name in zones}
        session = Session(replicas, source=identity.source, options=session_options())
        failure, started = None, time.monotonic()
        try:
            serve_stdio(session, bytes_per_second=rate_of(workspace.config, peer_name or ""))
        except JilogError as error:
            failure = error
            raise
        finally:
            if peer is not None:
                seconds = time.monotonic() - started
                _note_served(workspace, ledgers, PeerResult(peer, session.report, failure, seconds))


def _note_served(workspace: Workspace, ledgers: Sequence[ZoneLedger], result: PeerResult) -> None:
    """Remember how a session went that a peer began; without ``--peer`` nobody knows which one it was."""
    from jilog_agent.replication import SyncHistory, held_by_zone

    with contextlib.suppress(StorageError):
        # A disk that refuses must not end a session with an error that went well.
        SyncHistory(workspace.home, workspace.disk).add([result], now_ns(), held_by_zone(ledgers))


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise InputError(f"invalid address {text[:80]!r}", hint="use HOST:PORT, such as 127.0.0.1:7722")
    return host.strip("[]"), int(port)


def _serve_listening(workspace: Workspace, address: tuple[str, int], *, as_json: bool) -> None:
    from jilog_agent.endpoint import logins, session_maker
    from jilog_agent.replication import replicas_of
    from jilog_spool.claims import Claims

    identity = workspace.identity()
    with workspace.zones(None, identity) as ledgers:
        replicas = replicas_of(ledgers)
        new_session = session_maker(workspace, replicas, identity.source, Claims(), live=False)

        def told(host: str, port: int) -> None:
            if as_json:
                print_json({"host": host, "port": port, "source": identity.source})
            else:
                print_line(f"listening on {host}:{port} as {identity.source}")
            sys.stdout.flush()

        asyncio.run(_listen(workspace, address, logins(workspace, identity.source), new_session, told))


async def _listen(
    workspace: Workspace,
    address: tuple[str, int],
    logins: Logins,
    new_session: Callable[[str], Session],
    told: Callable[[str, int], None],
) -> None:
    """Serve until SIGTERM, which ends with status 0, or Ctrl-C."""
    from jilog_spool.ssh_server import SpoolServer

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await SpoolServer.start(
        workspace.home.key_path,
        authorise=logins,
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
