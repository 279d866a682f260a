"""``jilog trace``."""

from __future__ import annotations

import click

from jilog_agent.cli.entry_options import open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import print_json, print_line


@click.command(
    "trace",
    cls=JilogCommand,
    examples=("jilog trace AUTH-123", "jilog trace 1f3c9ab", "jilog trace sess_01K --json"),
)
@click.argument("name", metavar="TICKET|COMMIT|ID")
@zone_option
@json_option
def command(*, name: str, zone: str | None, as_json: bool) -> None:
    """Follow a ticket to its sessions, turns, commits, decisions and friction, or any of these back.

    Knows tickets, commits of git and jj, jj changes, and ids of sessions, turns, decisions and signals, or
    their beginnings.
    """
    with open_reading(zone) as reading:
        from jilog_agent.turns.trace import trace, trace_lines

        found = trace(reading.zones, name)
    if as_json:
        print_json(found.to_json())
        return
    for line in trace_lines(found):
        print_line(line)
