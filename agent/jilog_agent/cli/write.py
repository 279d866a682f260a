"""``jilog write``."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.entry_options import comma_separated, working_folder
from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_ledger.decision import BODY_BYTES_MAX, TYPES, Decision, check_type
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns, parse_rfc3339

if TYPE_CHECKING:
    from jilog_agent.decisions.record import Written
    from jilog_agent.decisions.zones import OpenZone

SESSION_VARIABLE = "JILOG_SESSION"
ACTOR_VARIABLE = "JILOG_ACTOR"


@click.command(
    "write",
    cls=JilogCommand,
    examples=(
        "jilog write --type decision --title 'Use SQLite for the index' --tags storage --files src/index.py",
        "jilog write --type attempt_failed --title 'Threads do not help' --body 'The lock is the limit.'",
        "jilog write --type decision --title 'Yes, by hash' --resolves 0193b2c4",
    ),
)
@click.option("--type", "entry_type", metavar="TYPE", help=f"One of {', '.join(TYPES)}.")
@click.option("--title", metavar="TEXT", help="What it is, in one line.")
@click.option("--body", default="", metavar="TEXT", help="Why; '-' reads it from standard input.")
@click.option("--tags", "tag_list", default="", metavar="A,B", help="Tags, separated by commas.")
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG", help="One tag, kept with its commas; repeatable."
)
@click.option("--files", "file_list", default="", metavar="A,B", help="Files, separated by commas.")
@click.option(
    "--file", "files", multiple=True, metavar="PATH", help="One file, kept with its commas; repeatable."
)
@click.option(
    "--session", envvar=SESSION_VARIABLE, show_envvar=True, metavar="ID", help="Session (default: a new one)."
)
@click.option(
    "--alternative", "alternatives", multiple=True, metavar="TEXT", help="What else there was; repeatable."
)
@click.option("--outcome", default="", metavar="TEXT", help="What came of it.")
@click.option("--resolves", multiple=True, metavar="ID", help="Entry that this one answers; repeatable.")
@click.option("--supersedes", multiple=True, metavar="ID", help="Entry that this one replaces; repeatable.")
@click.option(
    "--id", "client_id", metavar="ID", help="Id of your own: writing the same again changes nothing."
)
@click.option("--timestamp", metavar="TIME", help="When it was, as RFC 3339 (default: now).")
@click.option("--actor", envvar=ACTOR_VARIABLE, show_envvar=True, metavar="NAME", help="Who decided.")
@click.option("--confidential", is_flag=True, help="Never let it leave this host.")
@click.option(
    "--keep-secrets", is_flag=True, help="Do not mask keys, tokens, e-mail addresses and home folders."
)
@click.option("--zone", metavar="ID", help="Write into this zone (default: the first).")
@json_option
def command(
    *,
    entry_type: str | None,
    title: str | None,
    body: str,
    tag_list: str,
    tags: tuple[str, ...],
    file_list: str,
    files: tuple[str, ...],
    session: str | None,
    alternatives: tuple[str, ...],
    outcome: str,
    resolves: tuple[str, ...],
    supersedes: tuple[str, ...],
    client_id: str | None,
    timestamp: str | None,
    actor: str | None,
    confidential: bool,
    keep_secrets: bool,
    zone: str | None,
    as_json: bool,
) -> None:
    """Write down a decision, a failed attempt, something put off, an assumption or a question.

    Prints the entry's id; without --session also a new session's id, on stderr, for the next entry.
    """
    _check(entry_type, title)
    timestamp_ns = _timestamp(timestamp)
    folder = working_folder()
    workspace = open_workspace()
    target = workspace.config.zone(zone)
    identity = recording_identity(workspace)
    from jilog_agent.decisions.place import Standpoint
    from jilog_agent.decisions.record import Proposal, write_entry
    from jilog_agent.decisions.zones import open_zones
    from jilog_agent.redaction import zone_redactor
    from jilog_review.redact import Redacted

    standpoint = Standpoint.of(identity.source, folder)
    new_session = None if session else str(uuid.uuid4())
    with open_zones(workspace, [target], identity) as zones:
        decision = Decision(
            type=entry_type or "",
            title=title or "",
            session_id=session or new_session or "",
            id=client_id,
            tags=(*comma_separated(tag_list), *tags),
            files=tuple(standpoint.ref(path) for path in (*comma_separated(file_list), *files)),
            resolves=_full_ids(zones, resolves),
            supersedes=_full_ids(zones, supersedes),
            alternatives=alternatives,
            outcome=outcome,
            place=standpoint.place(),
            body=_body(body),
        )
        proposal = Proposal(
            decision,
            timestamp_ns,
            actor,
            confidential,
            (lambda text: Redacted(text, 0)) if keep_secrets else zone_redactor(target),
        )
        written = write_entry(zones[0], proposal, now_ns)
    _tell(written, new_session, as_json=as_json)


def _tell(written: Written, new_session: str | None, *, as_json: bool) -> None:
    """Print the id on stdout, and on stderr what the user did not ask for and has to know."""
    if written.redacted:
        note(f"{written.redacted} place(s) that look like secrets or names were masked; see --keep-secrets")
    if new_session:
        click.echo(new_session, err=True)
    if as_json:
        print_json({"created": written.created, "entry": written.entry.to_json()})
    else:
        print_line(written.entry.id)


def _full_ids(zones: Sequence[OpenZone], typed: Sequence[str]) -> tuple[str, ...]:
    """Complete the ids of other entries; only this needs the projection, and SQLAlchemy with it."""
    if not typed:
        return ()
    from jilog_agent.decisions.lookup import full_id

    return tuple(full_id(zones, text) for text in typed)


def _check(entry_type: str | None, title: str | None) -> None:
    if not entry_type:
        raise InputError("--type is required", hint=f"use one of {', '.join(TYPES)}")
    check_type(entry_type)
    if not title:
        raise InputError("--title is required", hint="say in one line what was decided or tried")


def _timestamp(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as exc:
        raise InputError(
            f"invalid timestamp {text[:80]!r}", hint="use the form 2026-05-09T08:02:11Z"
        ) from exc


def _body(text: str) -> str:
    """Give the body; one that is read stops a byte past the limit, which the check then names."""
    if text != "-":
        return text
    data = sys.stdin.buffer.read(BODY_BYTES_MAX + 1)
    # A character cut by the limit is followed by nothing that could be valid: the entry is refused anyway.
    return data.decode("utf-8", "surrogateescape").removesuffix(os.linesep)
