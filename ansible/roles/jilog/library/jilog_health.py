#!/usr/bin/python
"""Wait until this host is as well as it has to be."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jilog_health
short_description: Wait until this host is as well as it has to be
description:
  - Well is an agent that answers as the expected version, takes events and is connected with whom it has to
    be, over a ledger that has not more in quarantine than it had.
  - The host waits by itself, in one step. It gives up early when systemd has.
options:
  run:
    description: The words that begin every command of this host's jilog.
    type: list
    elements: str
    required: true
  version:
    description: What the agent has to be.
    type: str
    required: true
  peers:
    description: Whom it has to be connected with.
    type: list
    elements: str
    default: []
  quarantined:
    description: How many damaged segments the host had before.
    type: int
    default: 0
  seconds:
    description: How long it may take.
    type: int
    required: true
  scope:
    description: Whose units they are.
    type: str
    choices: [system, user]
    required: true
author:
  - The jilog authors
"""

RETURN = r"""
msg:
  description: What is amiss, when something is.
  type: str
  returned: failure
"""

import json
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, Any] = {
    "run": {"type": "list", "elements": "str", "required": True},
    "version": {"type": "str", "required": True},
    "peers": {"type": "list", "elements": "str", "default": []},
    "quarantined": {"type": "int", "default": 0},
    "seconds": {"type": "int", "required": True},
    "scope": {"type": "str", "choices": ["system", "user"], "required": True},
}
POLL_SECONDS = 0.5


def main() -> None:
    """Answer Ansible."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    deadline = time.monotonic() + module.params["seconds"]
    while (amiss := amiss_with_agent(module)) and time.monotonic() < deadline:
        if given_up(module):
            amiss = "the agent ends as soon as it is started; systemd has given up"
            break
        time.sleep(POLL_SECONDS)
    amiss = amiss or amiss_with_ledger(module)
    if amiss:
        module.fail_json(msg=amiss)
    module.exit_json(changed=False)


def ask(module: AnsibleModule, *words: str) -> Any:
    """Give what a command of jilog answers, or what it complains about as a text."""
    _, output, complaint = module.run_command([*module.params["run"], *words, "--json"])
    return json.loads(output) if output.startswith("{") else complaint.strip()


def amiss_with_agent(module: AnsibleModule) -> str:
    """Say what is not right with the agent yet, "" when all is."""
    answer = ask(module, "agent", "status")
    if not isinstance(answer, dict):
        return f"jilog agent status failed: {answer}"
    agent = answer["agent"]
    if not agent:
        return "the agent does not answer"
    if agent["version"] != module.params["version"]:
        return f"the agent that runs is {agent['version']}"
    if agent.get("read_only"):
        return f"the agent takes no events: {agent['read_only']}"
    connected = {peer["peer"] for peer in agent["peers"] if peer["connected"]}
    away = sorted(set(module.params["peers"]) - connected)
    return f"not connected with {', '.join(away)}" if away else ""


def amiss_with_ledger(module: AnsibleModule) -> str:
    """Say what is not right with the ledger, "" when all is."""
    answer = ask(module, "status")
    if not isinstance(answer, dict):
        return f"jilog status failed: {answer}"
    new = sum(zone["quarantined"] for zone in answer["zones"]) - module.params["quarantined"]
    return f"{new} more damaged segments than before" if new > 0 else ""


def given_up(module: AnsibleModule) -> bool:
    """Tell whether systemd has stopped starting the agent: then waiting changes nothing."""
    system = module.params["scope"] == "system"
    runtime = {} if system else {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"}
    command = ["systemctl", *([] if system else ["--user"]), "is-failed", "--quiet", "jilog-agent.service"]
    status, _, _ = module.run_command(command, environ_update=runtime)
    return bool(status == 0)


if __name__ == "__main__":
    main()
