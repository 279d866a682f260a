"""Options that several commands share, with one wording."""

from __future__ import annotations

import click

from jilog_agent.cli.names import ZONE

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli-json.md).")
zone_option = click.option("--zone", metavar="ID", type=ZONE, help="Only this zone.")
