"""``jilog spool pause`` and ``jilog spool resume``."""

from __future__ import annotations

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.names import PEER
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_agent.workspace import Workspace
from jilog_ledger.times import format_time, parse_duration_seconds


@click.command(
    "pause",
    cls=JilogCommand,
    examples=("jilog spool pause", "jilog spool pause desktop --for 2h --json"),
)
@click.argument("peer", required=False, type=PEER)
@click.option("--for", "duration", metavar="TIME", help="For so long, such as 2h (default: until resumed).")
@json_option
def pause(*, peer: str | None, duration: str | None, as_json: bool) -> None:
    """Exchange nothing with a peer, or with anybody, until it is resumed or the time is over.

    A running agent ends its sessions at once; transfers go on later from where they stopped. The pause
    outlives restarts. `jilog spool sync PEER`, with the name, still syncs.
    """
    workspace = open_workspace()
    from jilog_agent.client import tell_agent
    from jilog_agent.pauses import Pauses

    seconds = parse_duration_seconds(duration) if duration is not None else None
    until = Pauses(workspace.home, workspace.disk).pause(_name(workspace, peer), seconds)
    tell_agent(workspace.home, "reload")
    shown = format_time(until) if until else None
    if as_json:
        print_json({"peer": peer, "until": shown})
        return
    print_line(f"paused {peer or 'all peers'} {f'until {shown[:19]}Z' if shown else 'until resumed'}")
    print_line(f"next: jilog spool resume{f' {peer}' if peer else ''}")


@click.command("resume", cls=JilogCommand, examples=("jilog spool resume", "jilog spool resume desktop"))
@click.argument("peer", required=False, type=PEER)
@json_option
def resume(*, peer: str | None, as_json: bool) -> None:
    """End the pause of a peer; without a name, every pause. A running agent syncs at once."""
    workspace = open_workspace()
    from jilog_agent.client import tell_agent
    from jilog_agent.pauses import EVERYBODY, Pauses

    pauses = Pauses(workspace.home, workspace.disk)
    ended = pauses.resume(_name(workspace, peer))
    still = sorted(pauses.load())
    tell_agent(workspace.home, "reload")
    if as_json:
        print_json({"resumed": [name for name in ended if name != EVERYBODY], "all": EVERYBODY in ended})
        return
    names = ", ".join("all peers" if name == EVERYBODY else name for name in ended)
    print_line(f"resumed {names}" if ended else f"{peer or 'nobody'} was not paused")
    if EVERYBODY in still:
        print_line("all peers are still paused; to end that: jilog spool resume")


def _name(workspace: Workspace, peer: str | None) -> str:
    """Check the name of a peer; without one, everybody is meant.

    Raises:
        InputError: the peer is not known.
    """
    from jilog_agent.pauses import EVERYBODY
    from jilog_agent.replication import chosen_peers, peer_table

    if peer is None:
        return EVERYBODY
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    (known,) = chosen_peers((peer,), table, workspace.config.spool.ssh_hosts)
    return known.name
