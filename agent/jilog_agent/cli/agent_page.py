"""``jilog agent page``."""

from __future__ import annotations

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_agent.client import AgentClient
from jilog_agent.page.access import load_token
from jilog_ledger.errors import InputError, JilogError


@click.command("page", cls=JilogCommand, examples=("jilog agent page", "jilog agent page --open"))
@click.option("--open", "opened", is_flag=True, help="Open it in the browser, too.")
@json_option
def command(*, opened: bool, as_json: bool) -> None:
    """Give the address of the agent's status page.

    It holds a token that lets a browser in: keep it to yourself. From another machine, forward the port:
    ssh -L 7780:127.0.0.1:7780 HOST
    """
    workspace = open_workspace()
    if workspace.config.page.listen is None:
        where = workspace.config.path or "~/.jilog.toml"
        raise InputError(
            "no status page is configured", hint=f'write [page] with listen = "127.0.0.1:7780" into {where}'
        )
    client = AgentClient.connect(workspace.home)
    if client is None:
        raise JilogError("the agent is not running", hint="start it: jilog agent start")
    with client:
        status = client.call("status")
    page = status.get("page") if isinstance(status, dict) else None
    if not isinstance(page, dict):
        raise JilogError(
            "the running agent does not know of the page", hint="jilog agent stop; jilog agent start"
        )
    if page["trouble"]:
        raise JilogError(f"the agent serves no page: {page['trouble']}", hint="see: jilog agent status")
    host = f"[{page['host']}]" if ":" in str(page["host"]) else page["host"]
    token = load_token(workspace.home, workspace.disk)
    url = f"http://{host}:{page['port']}/enter?token={token}"
    if as_json:
        print_json({"url": url})
    else:
        print_line(url)
    if opened:
        click.launch(url)
