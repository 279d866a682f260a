"""``jilog log``."""

from __future__ import annotations

from typing import Any

import click

from jilog_agent.cli.entry_options import Filters, check_page, filter_options, open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import print_json, print_line


@click.command(
    "log",
    cls=JilogCommand,
    examples=(
        "jilog log",
        "jilog log --type question --open",
        "jilog log --since 7d --tag storage --file src --verbose",
        "jilog log --all --since 24h",
    ),
)
@filter_options
@click.option(
    "--all", "all_records", is_flag=True, help="Show events of every vocabulary, not only decisions."
)
@click.option("--verbose", is_flag=True, help="Show bodies, too.")
@click.option("--limit", default=50, metavar="N", help="At most this many; 0 for all.", show_default=True)
@click.option("--offset", default=0, metavar="N", help="Pass over the newest N.", show_default=True)
@zone_option
@json_option
def command(
    *,
    all_records: bool,
    verbose: bool,
    limit: int,
    offset: int,
    zone: str | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """List entries, the newest first. All filters must hold."""
    typed = Filters(**filters).check()
    shown = check_page(limit, offset)
    with open_reading(zone) as reading:
        from jilog_agent.decisions.render import entry_list
        from jilog_agent.decisions.select import select_entries

        wanted = typed.resolve(reading.standpoint, all_records=all_records)
        entries = select_entries(reading.zones, wanted, limit=shown, offset=offset)
    if as_json:
        print_json({"entries": [entry.to_json() for entry in entries]})
        return
    for line in entry_list(entries, verbose=verbose):
        print_line(line)
    if not entries:
        print_line("no entries found")
