"""``jilog blame``."""

from __future__ import annotations

import click

from jilog_agent.cli.entry_options import check_page, open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import plain, print_json, print_line


@click.command(
    "blame",
    cls=JilogCommand,
    examples=("jilog blame src/index.py", "jilog blame src --verbose", "jilog blame /etc/hosts --json"),
)
@click.argument("path")
@click.option("--verbose", is_flag=True, help="Show bodies, too.")
@click.option("--limit", default=0, metavar="N", help="At most this many; 0 for all.", show_default=True)
@zone_option
@json_option
def command(*, path: str, verbose: bool, limit: int, zone: str | None, as_json: bool) -> None:
    """Tell why a file, or anything below a folder, is as it is: every entry that names it, the newest first.

    The path may be relative, absolute or gone. Entries from other hosts' clones of the same repository
    count; a file of the same name in another repository does not.
    """
    shown = check_page(limit)
    with open_reading(zone) as reading:
        from jilog_agent.decisions.render import entry_list
        from jilog_agent.decisions.select import about_files

        absolute = reading.standpoint.absolute(path)
        entries = about_files(reading.zones, reading.standpoint.scope(path), limit=shown)
    if as_json:
        print_json({"path": str(absolute), "entries": [entry.to_json() for entry in entries]})
        return
    for line in entry_list(entries, verbose=verbose):
        print_line(line)
    if not entries:
        print_line(f"no decisions reference {plain(str(absolute))}")
