"""``jilog search``."""

from __future__ import annotations

from typing import Any

import click

from jilog_agent.cli.entry_options import Filters, check_page, filter_options, open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import color_wanted, print_json, print_line
from jilog_ledger.errors import InputError


@click.command(
    "search",
    cls=JilogCommand,
    examples=(
        "jilog search connection pool",
        'jilog search "don\'t retry" --type attempt_failed --since 2w',
        "jilog search C++ --json",
    ),
)
@click.argument("text", nargs=-1, required=True)
@filter_options
@click.option("--all", "all_records", is_flag=True, help="Search events of every vocabulary.")
@click.option("--limit", default=20, metavar="N", help="At most this many, from 1.", show_default=True)
@click.option("--offset", default=0, metavar="N", help="Pass over the best N.", show_default=True)
@zone_option
@json_option
def command(
    *,
    text: tuple[str, ...],
    all_records: bool,
    limit: int,
    offset: int,
    zone: str | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Find entries by what they say, the best first. Any text will do; all its words must be there.

    Titles, bodies, tags, files, alternatives and outcomes are searched.
    """
    typed = Filters(**filters).check()
    if limit < 1:
        raise InputError(f"--limit is {limit}", hint="use 1 or more")
    check_page(limit, offset)
    words = " ".join(text)
    with open_reading(zone) as reading:
        from jilog_agent.decisions.render import search_results
        from jilog_agent.decisions.select import select_entries

        wanted = typed.resolve(reading.standpoint, text=words, all_records=all_records)
        entries = select_entries(reading.zones, wanted, limit=limit, offset=offset)
    if as_json:
        print_json({"entries": [entry.to_json() for entry in entries]})
        return
    for line in search_results(entries, words, color=color_wanted()):
        print_line(line)
