"""``jilog show``."""

from __future__ import annotations

import click

from jilog_agent.cli.entry_options import open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import print_json, print_line


@click.command("show", cls=JilogCommand, examples=("jilog show 0dfe43a2", "jilog show 0193b2c4-5d6e --json"))
@click.argument("id_text", metavar="ID")
@zone_option
@json_option
def command(*, id_text: str, zone: str | None, as_json: bool) -> None:
    """Show a session, an entry or any event, by its id or a beginning that only it has.

    A session's entries stand in the order in which they came. An exact id is preferred to longer ones.
    """
    with open_reading(zone) as reading:
        from jilog_agent.decisions.lookup import FoundSession, look_up
        from jilog_agent.decisions.render import entry_page, session_page

        found = look_up(reading.zones, id_text)
    if not as_json:
        page = session_page(found) if isinstance(found, FoundSession) else entry_page(found)
        for line in page:
            print_line(line)
    elif isinstance(found, FoundSession):
        print_json({"session_id": found.session, "entries": [entry.to_json() for entry in found.entries]})
    else:
        print_json(
            {
                "entry": found.entry.to_json(),
                "event": found.entry.event.to_json(),
                "resolved_by": [entry.id for entry in found.resolved_by],
                "superseded_by": [entry.id for entry in found.superseded_by],
            }
        )
