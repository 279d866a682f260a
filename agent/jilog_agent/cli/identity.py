"""``jilog identity``."""

from __future__ import annotations

import click

from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_agent.identity import public_key_line

_THIS = "jilog_agent.cli.identity"

group = LazyGroup(
    name="identity",
    help="Show this host's key, or change it.",
    examples=("jilog identity show", "jilog identity prepare", "jilog identity renew"),
    table={
        "show": Entry(f"{_THIS}:show", "Show name, key and fingerprint."),
        "prepare": Entry(f"{_THIS}:prepare", "Make the next key; the current one stays in force."),
        "renew": Entry(f"{_THIS}:renew", "Put the next key in the current one's place."),
    },
)


@click.command("show", cls=JilogCommand, examples=("jilog identity show", "jilog identity show --json"))
@json_option
def show(*, as_json: bool) -> None:
    """Show the name this host writes under, its public key, and the fingerprint that people compare."""
    workspace = open_workspace()
    from jilog_agent.renewal import next_key
    from jilog_agent.sightings import fingerprint

    identity = workspace.identity()
    prepared = next_key(workspace.home, workspace.disk)
    line = public_key_line(identity.key, identity.source)
    next_line = public_key_line(prepared, identity.source) if prepared else None
    if as_json:
        print_json(
            {
                "source": identity.source,
                "public_key": line,
                "fingerprint": fingerprint(identity.key.public_key),
                "next_public_key": next_line,
            }
        )
        return
    print_line(f"source       {identity.source}")
    print_line(f"key          {line}")
    print_line(f"fingerprint  {fingerprint(identity.key.public_key)}")
    if next_line is not None:
        print_line(f"next key     {next_line}")


@click.command(
    "prepare", cls=JilogCommand, examples=("jilog identity prepare", "jilog identity prepare --json")
)
@json_option
def prepare(*, as_json: bool) -> None:
    """Make the key that is to follow the current one, and print its public half. It may be run again.

    Give it to every peer, as next_host_key of this host in its peers.toml: from then on the peer takes either
    key. Nothing changes here until: jilog identity renew
    """
    workspace = open_workspace()
    from jilog_agent.renewal import prepare as make_next

    identity = workspace.identity()
    line = public_key_line(make_next(workspace), identity.source)
    if as_json:
        print_json({"source": identity.source, "next_public_key": line})
    else:
        print_line(line)


@click.command("renew", cls=JilogCommand, examples=("jilog identity renew",))
@json_option
def renew(*, as_json: bool) -> None:
    """Put the prepared key in the current one's place; the agent has to be stopped.

    What the old key wrote is sealed with it, and this host goes on under a new epoch. A peer that does not
    know the new key yet refuses it.
    """
    workspace = open_workspace()
    from jilog_agent.renewal import renew as put_in_place

    done = put_in_place(workspace)
    line = public_key_line(done.identity.key, done.identity.source)
    if as_json:
        print_json(
            {
                "source": done.identity.source,
                "public_key": line,
                "segments_sealed": done.segments_sealed,
            }
        )
        return
    print_line(
        f"{done.identity.source} has a new key; {done.segments_sealed} segments were sealed with the old one"
    )
    print_line(line)
