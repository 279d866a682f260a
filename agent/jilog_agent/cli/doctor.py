"""``jilog doctor``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from jilog_agent.cli.lazy import JilogCommand, UnknownName, global_options
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line
from jilog_agent.config import ConfigSources, load_config
from jilog_agent.doctor.examination import CHECKS, examine, worst_level
from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.home import Home
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import FindingsError, InputError
from jilog_ledger.times import now_ns


@click.command(
    "doctor", cls=JilogCommand, examples=("jilog doctor", "jilog doctor --only tracker --only ssh --json")
)
@click.option("--only", multiple=True, metavar="CHECK", help=f"Make this check alone: {', '.join(CHECKS)}.")
@json_option
def command(*, only: tuple[str, ...], as_json: bool) -> None:
    """Look at everything around the ledger that can be wrong, and name each cure.

    Permissions, disk, clock, ledgers, keys, sshd, mDNS, readers, nights, tracker, agent, versions, units, and
    every peer.
    Nothing is changed. Exit status 0 when nothing is worse than a note, 3 otherwise.
    """
    for name in only:
        if name not in CHECKS:
            raise UnknownName("check", name, tuple(CHECKS), click.get_current_context())
    findings = _examined(only)
    if as_json:
        print_json({"checks": list(only or CHECKS), "findings": [item.to_json() for item in findings]})
    else:
        _print(findings, len(only or CHECKS))
    if (worst_level(findings) or Level.NOTE) > Level.NOTE:
        click.get_current_context().exit(FindingsError.exit_code)


def _examined(only: tuple[str, ...]) -> list[Finding]:
    options = global_options()
    sources = ConfigSources.of_process(options.config, options.home)
    try:
        config = load_config(sources)
    except InputError as error:
        # Without a config there is no home to look at; that is the finding.
        return [
            Finding(
                "config",
                Level.ERROR,
                error.message,
                "no command works before this is mended, and no other check was made",
                error.hint or "jilog config show",
            )
        ]
    patient = Patient(config, Home(config.home), RealDisk(), os.environ, Path.home(), now_ns())
    return examine(patient, {name: CHECKS[name] for name in only or CHECKS})


def _print(findings: list[Finding], checks: int) -> None:
    for item in findings:
        print_line(f"{item.level.name.lower():<8} {item.check}: {plain(item.what)}")
        print_line(f"         {plain(item.why)}")
        print_line(f"         next: {plain(item.next_step)}")
    if findings:
        print_line()
    counts = ", ".join(
        f"{count} {level.name.lower()}{'s' if count > 1 else ''}"
        for level in reversed(Level)
        if (count := sum(item.level is level for item in findings))
    )
    print_line(f"{checks} checks: {counts or 'all is well'}")
