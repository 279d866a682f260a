"""The work of a hook where no agent runs: done in the hook's own process, under the ledger's locks."""

from __future__ import annotations

import msgspec

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.methods import find_method, parse_params
from jilog_agent.daemon.zones import Zones
from jilog_agent.home import Home
from jilog_agent.workspace import Workspace
from jilog_ledger.ledger import ZoneLedger


def answer_alone(
    home: str, config_file: str, method_name: str, params: dict[str, object]
) -> dict[str, object]:
    """Do what the agent would have done.

    Raises:
        JilogError: it cannot be done.
    """
    config = load_config(ConfigSources.of_process(config_file or None, home))
    workspace = Workspace(config, Home(config.home), lambda _finding: None)
    method = find_method(method_name)
    asked = parse_params(method_name, msgspec.Raw(msgspec.json.encode(params)), method.params)
    zones = Zones.open(workspace, workspace.identity(), lambda _count: None)
    try:
        result = method.call(zones, asked, Caller(single=False))
    finally:
        for ledger in zones.ledgers.values():
            # Past the ledger's own close, which is for requests that share one.
            ZoneLedger.close(ledger)
    assert isinstance(result, dict)
    return dict(result)
