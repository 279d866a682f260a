"""``jilog rebuild``."""

from __future__ import annotations

import time

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import format_bytes, print_json, print_line
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace
from jilog_ledger.event import JsonValue


@click.command("rebuild", cls=JilogCommand, examples=("jilog rebuild", "jilog rebuild --zone ops --json"))
@zone_option
@json_option
def command(*, zone: str | None, as_json: bool) -> None:
    """Make the projections anew from the segments. The old one serves until the new one is whole."""
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_ledger.projection import Projection

    done: list[JsonValue] = []
    with workspace.zones(zone, identity) as ledgers:
        for ledger in ledgers:
            begun = time.monotonic()
            with Projection.open(ledger) as projection, ProgressLine() as progress:
                report = projection.rebuild(progress.events_of(f"zone {ledger.zone}", ledger))
            seconds = time.monotonic() - begun
            done.append(
                {
                    "zone": ledger.zone,
                    "events": report.events,
                    "bytes": report.bytes_written,
                    "duration_seconds": round(seconds, 3),
                }
            )
            if not as_json:
                size = format_bytes(report.bytes_written)
                print_line(f"zone {ledger.zone}: {report.events} events, {size}, {seconds:.1f} s")
    if as_json:
        print_json({"zones": done})
