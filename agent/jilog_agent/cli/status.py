"""``jilog status``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import counted, format_bytes, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.cli.spool_directory_status import directories_document, print_directories
from jilog_agent.inspection import WriterStatus, ZoneStatus, inspect_zone
from jilog_agent.workspace import Workspace
from jilog_ledger.event import JsonValue
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import format_time

if TYPE_CHECKING:
    from jilog_agent.reasons import Verdict

WRITERS_SHOWN = 4
"""The writers heard of last: with a zone and three peers that is a screen of 24 lines; ``--json`` has all."""


@click.command("status", cls=JilogCommand, examples=("jilog status", "jilog status --json"))
@zone_option
@json_option
def command(*, zone: str | None, as_json: bool) -> None:
    """Show every zone: what it holds, how far each writer is, and what is not in order.

    Two hosts with the same root hold the same events.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    with workspace.zones(zone, identity) as ledgers:
        found = [inspect_zone(ledger, workspace.disk) for ledger in ledgers]
        peers = _peers(workspace, ledgers)
    if as_json:
        print_json(
            {
                "source": identity.source,
                "home": str(workspace.home.root),
                "config": str(workspace.config.path) if workspace.config.path else None,
                "zones": [_document(status) for status in found],
                "peers": [
                    {
                        "peer": name,
                        "reason": item.reason.value,
                        "detail": item.detail,
                        "next": item.next_step or None,
                    }
                    for name, item in peers.items()
                ],
                "directories": directories_document(workspace),
            }
        )
        return
    print_line(f"source {identity.source}, home {workspace.home.root}")
    for status in found:
        _print_zone(status)
    if peers:
        print_line()
        rows = [(f"  {name}", item.reason.value, item.detail, item.next_step) for name, item in peers.items()]
        print_table(("  PEER", "STATE", "WHY", "NEXT"), rows, whole=1)
    print_directories(workspace)


def _peers(workspace: Workspace, ledgers: Sequence[ZoneLedger]) -> dict[str, Verdict]:
    """Give the worst verdict on each peer; `jilog spool status` has all."""
    from jilog_agent.reasons import worst
    from jilog_agent.standing import verdicts_by_peer
    from jilog_ledger.times import now_ns

    found = verdicts_by_peer(workspace, ledgers, now_ns())
    return {name: verdict for name, items in sorted(found.items()) if (verdict := worst(items)) is not None}


def _document(status: ZoneStatus) -> JsonValue:
    return {
        "zone": status.zone,
        "path": str(status.path),
        "root": status.root.hex(),
        "events": status.events,
        "segments": status.segments,
        "bytes": status.bytes,
        "local_events": status.local_events,
        "own": _writer_document(status.own),
        "writers": [_writer_document(writer) for writer in status.writers],
        "projection_events": status.projection.events,
        "projection_lag": status.lag,
        "quarantined": status.quarantined,
        "forks": status.forks,
        "last_review": _time(status.projection.last_review_ns),
    }


def _writer_document(status: WriterStatus) -> JsonValue:
    return {
        "source": status.writer.source,
        "epoch": status.writer.epoch,
        "sequence": status.sequence,
        "events": status.events,
        "segments": status.segments,
        "bytes": status.bytes,
        "last_event": _time(status.last_time_ns),
    }


def _time(timestamp_ns: int | None) -> str | None:
    return format_time(timestamp_ns) if timestamp_ns else None


def _print_zone(status: ZoneStatus) -> None:
    print_line()
    print_line(f"zone {status.zone}  {status.path}")
    print_line(
        f"  {counted(status.events, 'event')} of {counted(len(status.writers), 'writer')}"
        f" in {counted(status.segments, 'segment')}, {format_bytes(status.bytes)};"
        f" own sequence {status.own.sequence}"
    )
    if status.local_events:
        print_line(f"  {status.local_events} confidential events, which stay on this host")
    print_line(f"  root        {status.root.hex()}")
    print_line(f"  projection  {_projection_text(status)}")
    print_line(f"  quarantine  {_quarantine_text(status)}")
    if status.forks:
        print_line(f"  forks       {status.forks} writer(s) with two histories, both kept: jilog spool forks")
    print_line(f"  last review {_time(status.projection.last_review_ns) or 'never'}")
    _print_writers(status)


def _projection_text(status: ZoneStatus) -> str:
    if status.projection.events is None:
        return "none yet; the next query makes it"
    return f"{status.lag} events behind" if status.lag else "up to date"


def _quarantine_text(status: ZoneStatus) -> str:
    if not status.quarantined:
        return "nothing waits"
    damaged = counted(status.quarantined, "damaged segment")
    return f"{damaged}; a peer that has the whole one sends it again: jilog spool repair"


def _print_writers(status: ZoneStatus) -> None:
    latest = sorted(status.writers, key=lambda item: item.last_time_ns, reverse=True)
    if not latest:
        return
    print_line()
    rows = [
        (
            f"  {item.writer.source}{' (this host)' if item.own else ''}",
            item.writer.epoch,
            str(item.sequence),
            format_bytes(item.bytes),
            format_time(item.last_time_ns)[:19] + "Z",
        )
        for item in latest[:WRITERS_SHOWN]
    ]
    print_table(("  SOURCE", "EPOCH", "SEQUENCE", "SIZE", "LAST EVENT"), rows)
    if len(latest) > WRITERS_SHOWN:
        print_line(f"  and {len(latest) - WRITERS_SHOWN} more; see: jilog status --json")
