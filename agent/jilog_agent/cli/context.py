"""``jilog context``."""

from __future__ import annotations

import sys

import click

from jilog_agent.cli.entry_options import open_reading
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import zone_option
from jilog_ledger.errors import InputError


@click.command(
    "context",
    cls=JilogCommand,
    examples=(
        "jilog context --files src/index.py --files README.md",
        "jilog context --topic 'connection pool' --budget 800",
    ),
)
@click.option("--files", "files", multiple=True, metavar="PATH", help="A file or folder at hand; repeatable.")
@click.option("--file", "more_files", multiple=True, metavar="PATH", help="The same.")
@click.option("--topic", default="", metavar="TEXT", help="What it is about; any of its words counts.")
@click.option("--limit", default=10, metavar="N", help="At most this many, from 1.", show_default=True)
@click.option(
    "--budget", "budget_tokens", type=int, metavar="TOKENS", help="At most about this many tokens of text."
)
@zone_option
@click.option("--json", "as_json", is_flag=True, help="Print an array of entries (docs/decisions.md).")
def command(
    *,
    files: tuple[str, ...],
    more_files: tuple[str, ...],
    topic: str,
    limit: int,
    budget_tokens: int | None,
    zone: str | None,
    as_json: bool,
) -> None:
    """Give an agent what was decided about the files at hand and the topic, the most relevant first.

    Entries about the files come before those about the topic, recent ones before old ones, and what was
    superseded comes last.
    """
    if not (files or more_files or topic.strip()):
        raise InputError(
            "at least one of files or topic is required", hint="such as: jilog context --files README.md"
        )
    with open_reading(zone) as reading:
        from jilog_agent.decisions.context import ContextQuery, context_text, relevant
        from jilog_agent.decisions.text import json_text

        scopes = tuple(reading.standpoint.scope(path) for path in (*files, *more_files))
        entries = relevant(reading.zones, ContextQuery(scopes, topic, limit, budget_tokens))
    if as_json:
        sys.stdout.write(json_text([entry.to_json() for entry in entries]) + "\n")
    else:
        sys.stdout.write(context_text(entries))
