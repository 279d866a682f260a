"""The agent and what starts it: the process, its socket, and the units of systemd."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from jilog_agent.client import AgentAway, AgentClient
from jilog_agent.daemon.instance import is_running
from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.doctor.program import said
from jilog_ledger.errors import JilogError

PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
STARTED_AT_BOOT = ("jilog-agent.service", "jilog-nightly.timer")
UNITS = (*STARTED_AT_BOOT, "jilog-nightly.service")
"""The units that deploy/ installs; the last one is started by its timer."""


def check_agent(patient: Patient) -> Iterator[Finding]:
    """The agent runs where it has something to do, answers, and is of the installed version."""
    try:
        client = AgentClient.connect(patient.home)
    except JilogError as error:
        yield Finding("agent", Level.ERROR, error.message, "no command reaches the agent", error.hint or "")
        return
    if client is None:
        yield from _away(patient)
        return
    try:
        with client:
            status = client.call("status")
    except AgentAway as error:
        yield Finding(
            "agent",
            Level.ERROR,
            f"the agent is there and does not answer: {error.message}",
            "nothing is replicated, and commands that ask it wait",
            "jilog agent stop; jilog agent start",
        )
        return
    if not isinstance(status, dict):
        return
    if status.get("version") != version("jilog"):
        yield Finding(
            "versions",
            Level.WARNING,
            f"the agent that runs is {status.get('version')}, installed is {version('jilog')}",
            "an upgrade counts only once the agent was started again",
            "jilog agent stop; jilog agent start",
        )
    if status.get("read_only"):
        yield Finding(
            "agent",
            Level.ERROR,
            f"the agent takes no events: {status['read_only']}",
            "nothing can be recorded through it",
            f"df -h {patient.home.root}",
        )


def _away(patient: Patient) -> Iterator[Finding]:
    if is_running(patient.home):
        yield Finding(
            "agent",
            Level.WARNING,
            "an agent holds this home and does not listen on its socket",
            "it is starting or ending, or hangs",
            "jilog agent status",
        )
    elif patient.config.agent.listen or patient.config.agent.review_at:
        yield Finding(
            "agent",
            Level.WARNING,
            "the config gives the agent work, and it does not run",
            "peers cannot reach this host, and no nightly review starts by itself",
            "jilog agent start",
        )


def check_units(patient: Patient) -> Iterator[Finding]:
    """Units of systemd that are installed are enabled and as their files say, and have not failed."""
    if not Path("/run/systemd/system").is_dir() or not shutil.which(
        "systemctl", path=patient.environment.get("PATH")
    ):
        return
    properties = f"--property={','.join(PROPERTIES)}"
    for scope in ("--user", "--system"):
        for unit in UNITS:
            answer = said(patient, "systemctl", scope, "show", unit, properties)
            state = dict(line.partition("=")[::2] for line in (answer or "").splitlines())
            if state.get("LoadState") not in (None, "not-found", "masked"):
                yield from judge_unit(scope, unit, state)


def judge_unit(scope: str, unit: str, state: Mapping[str, str]) -> Iterator[Finding]:
    """Say what is wrong with an installed unit, by its properties as ``systemctl show`` names them."""
    active, enabled = state.get("ActiveState"), state.get("UnitFileState")
    enable = f"systemctl {scope} enable --now {unit}"
    if state.get("LoadState") != "loaded":
        what, why = f"{unit} cannot be loaded ({state.get('LoadState')})", "systemd does not start it"
        yield Finding("units", Level.ERROR, what, why, f"systemd-analyze {scope} verify {unit}")
    elif active == "failed":
        journal = f"journalctl{' --user' if scope == '--user' else ''} -u {unit}"
        yield Finding("units", Level.ERROR, f"{unit} has failed", "what it does is not done", journal)
    elif enabled == "disabled" and unit.endswith(".timer"):
        what, why = f"{unit} is installed and not enabled", "no nightly review comes by itself on this host"
        yield Finding("units", Level.NOTE, what, why, enable)
    elif enabled == "disabled" and unit in STARTED_AT_BOOT:
        what, why = f"{unit} is installed and not enabled", "it does not start again after a reboot"
        yield Finding("units", Level.WARNING, what, why, enable)
    elif active == "inactive" and unit in STARTED_AT_BOOT:
        what, why = f"{unit} is enabled and does not run", "what it does is not done until the next boot"
        yield Finding("units", Level.WARNING, what, why, f"systemctl {scope} start {unit}")
    if state.get("NeedDaemonReload") == "yes":
        what, why = f"the file of {unit} has changed since systemd read it", "what it says now does not count"
        yield Finding("units", Level.WARNING, what, why, f"systemctl {scope} daemon-reload")
