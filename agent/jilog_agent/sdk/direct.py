"""The same requests without an agent: answered from the ledger in this process, under its lock.

The agent's own methods are called, so the results are the same. A first call imports SQLAlchemy, which takes
a third of a second; while another process holds a lock it waits ten seconds at most.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from jilog_agent.sdk.errors import refusal
from jilog_agent.sdk.requests import Request
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue

_LOG = logging.getLogger("jilog")


def answer(home: Path, request: Request) -> JsonValue:
    """Do what a request asks for.

    Raises:
        Refused: it cannot be done.
    """
    from jilog_agent.daemon.protocol import error_code

    try:
        return _answer(home, request)
    except JilogError as error:
        raise refusal(error_code(error), error.message, error.hint) from error


def _answer(home: Path, request: Request) -> JsonValue:
    from jilog_agent.config import ConfigSources, load_config
    from jilog_agent.daemon.entries import Caller
    from jilog_agent.daemon.methods import find_method, parse_params
    from jilog_agent.daemon.zones import Zones
    from jilog_agent.home import Home
    from jilog_agent.workspace import Workspace
    from jilog_ledger.ledger import ZoneLedger

    config = load_config(ConfigSources.of_process(home_flag=str(home)))
    workspace = Workspace(config, Home(config.home), _LOG.warning)
    method = find_method(request.method)
    asked = parse_params(request.method, msgspec.Raw(msgspec.json.encode(request.params)), method.params)
    # Whoever writes on a new host sets it up, as `jilog write` does.
    identity = workspace.ensure_identity() if method.writes else workspace.identity()
    zones = Zones.open(workspace, identity, lambda _count: None)
    try:
        return method.call(zones, asked, Caller(single=False, key=request.key))
    finally:
        for ledger in zones.ledgers.values():
            # Past the ledger's own close, which is for requests that share one.
            ZoneLedger.close(ledger)
