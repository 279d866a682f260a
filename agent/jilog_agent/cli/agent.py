"""``jilog agent``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import counted, print_json, print_line
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import JilogError

if TYPE_CHECKING:
    from jilog_agent.daemon.logbook import Logbook
    from jilog_ledger.event import JsonValue

_THIS = "jilog_agent.cli.agent"

group = LazyGroup(
    name="agent",
    help="The process that records, replicates and reviews in the background.",
    examples=("jilog agent start", "jilog agent status --json", "jilog agent stop"),
    table={
        "run": Entry(f"{_THIS}:run", "Be the agent, in the foreground."),
        "start": Entry(f"{_THIS}:start", "Start it in the background."),
        "stop": Entry(f"{_THIS}:stop", "End it, after it has answered what was asked."),
        "status": Entry(f"{_THIS}:status", "Show whether it runs, and what it does."),
        "page": Entry("jilog_agent.cli.agent_page:command", "Give the address of its status page."),
    },
)


@click.command("run", cls=JilogCommand, examples=("jilog agent run", "jilog agent run --log agent.log"))
@click.option("--log", "log_path", metavar="FILE", help="Log here, with rotation (default: stderr).")
@click.option("--report-to", type=int, hidden=True)
def run(*, log_path: str | None, report_to: int | None) -> None:
    """Answer on the socket, replicate, scrub and review until SIGTERM or Ctrl-C.

    The log is one JSON object a line. Under systemd, Type=notify is spoken.
    """
    if report_to is None:
        click.get_current_context().exit(_run(open_workspace(), log_path, lambda: None))
    # Only `jilog agent start` asks for reports; it may not inherit anything of ours.
    from jilog_agent.daemon.lifecycle import StartReport, send_report

    os.set_inheritable(report_to, False)
    try:
        workspace = open_workspace()
        log_path = str(workspace.home.agent_log_path)
        status = _run(workspace, log_path, lambda: send_report(report_to, StartReport(os.getpid())))
    except JilogError as error:
        send_report(report_to, StartReport(os.getpid(), error.message, error.hint, error.exit_code))
        raise
    click.get_current_context().exit(status)


def _run(workspace: Workspace, log_path: str | None, ready: object) -> int:
    from dataclasses import replace

    from jilog_agent.daemon.notify import Notifier
    from jilog_agent.daemon.run import Setup, run_agent

    assert callable(ready)
    log = _logbook(workspace, log_path)
    identity = recording_identity(workspace)
    telling = replace(workspace, complain=lambda message: log.warning("ledger", finding=message))
    return run_agent(Setup(telling, identity, log, Notifier.of(os.environ, os.getpid()), ready))


def _logbook(workspace: Workspace, log_path: str | None) -> Logbook:
    from pathlib import Path

    from jilog_agent.daemon.logbook import Logbook, RotatingFile, to_stderr

    sink = RotatingFile(Path(log_path).absolute()) if log_path else to_stderr
    return Logbook(sink, workspace.config.agent.log_level)


@click.command("start", cls=JilogCommand, examples=("jilog agent start",))
@json_option
def start(*, as_json: bool) -> None:
    """Start the agent in the background; it answers when this returns."""
    workspace = open_workspace()
    recording_identity(workspace)
    from jilog_agent.daemon.lifecycle import start_detached

    options = ["--home", str(workspace.home.root.absolute())]
    if workspace.config.path is not None:
        options += ["--config", str(workspace.config.path.absolute())]
    pid = start_detached(workspace.home, workspace.disk, options)
    if as_json:
        print_json({"pid": pid, "log": str(workspace.home.agent_log_path)})
    else:
        print_line(f"agent started (pid {pid})")


@click.command("stop", cls=JilogCommand, examples=("jilog agent stop",))
@click.option("--timeout", default=10.0, metavar="SECONDS", help="Wait so long.", show_default=True)
@json_option
def stop(*, timeout: float, as_json: bool) -> None:
    """End the agent: it answers what it has read, closes, and is gone within five seconds."""
    workspace = open_workspace()
    from jilog_agent.daemon.lifecycle import stop as stop_agent

    pid = stop_agent(workspace.home, timeout)
    if as_json:
        print_json({"pid": pid})
    else:
        print_line("agent stopped")


@click.command("status", cls=JilogCommand, examples=("jilog agent status", "jilog agent status --json"))
@json_option
def status(*, as_json: bool) -> None:
    """Show whether the agent runs, and what it does. Exit status 1 when it does not run."""
    workspace = open_workspace()
    document = _asked(workspace)
    if as_json:
        print_json({"running": document is not None, "agent": document})
    elif document is None:
        print_line("the agent is not running; start it: jilog agent start")
    else:
        _print_status(document)
    if document is None:
        sys.stdout.flush()
        click.get_current_context().exit(1)


def _asked(workspace: Workspace) -> dict[str, JsonValue] | None:
    from jilog_agent.client import AgentClient
    from jilog_agent.daemon.instance import is_running

    client = AgentClient.connect(workspace.home)
    if client is None:
        if is_running(workspace.home):
            note("an agent is starting or ending; try again in a moment")
        return None
    with client:
        result = client.call("status")
    assert isinstance(result, dict)
    return result


def _print_status(document: dict[str, JsonValue]) -> None:
    print_line(f"agent {document['version']}, pid {document['pid']}, since {document['started']}")
    print_line(f"  socket       {document['socket']}, {counted(int(str(document['clients'])), 'client')}")
    print_line(f"  endpoint     {document['endpoint'] or 'none; set listen in [agent]'}")
    zones = document["zones"]
    assert isinstance(zones, list)
    print_line(f"  zones        {', '.join(str(zone) for zone in zones)}")
    # `jilog status` tells of every review; this is about the agent's own at review_at.
    print_line(f"  own review   {document['last_review'] or 'none yet'}")
    if document["read_only"]:
        print_line(f"  read-only    {document['read_only']}")
    peers = document["peers"]
    assert isinstance(peers, list)
    for peer in peers:
        assert isinstance(peer, dict)
        state = f"{peer['failures']} failures in a row" if peer["failures"] else "ok"
        print_line(f"  peer         {peer['peer']}: {state}; see: jilog spool status")
