"""What ``jilog init`` found around it: asking whether to use it, and telling of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.output import plain, print_line
from jilog_agent.setup import Wanted
from jilog_agent.surroundings import Surroundings
from jilog_ledger.event import JsonValue

if TYPE_CHECKING:
    from jilog_spool.discovery import Found

SCAN_SECONDS = 1.5
"""Hosts that are there answer within a second."""

HOSTS_SHOWN = 6


def working_folder() -> Path | None:
    """Give the folder that the command runs in; None when it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


def asked(found: Surroundings, *, yes: bool, may_ask: bool) -> Wanted:
    """Say what of the findings is to be used: all with ``--yes``, else what a person at a terminal agrees to.

    Nobody there to answer is a no: a ledger goes nowhere, and nothing is filed, because of a default.
    """
    if yes:
        return Wanted(bool(found.ssh_hosts), found.tracker is not None)
    if not (may_ask and sys.stdin.isatty() and sys.stderr.isatty()):
        return Wanted()
    hosts = bool(found.ssh_hosts) and _agreed(f"Replicate with {_names(found.ssh_hosts)} of ~/.ssh/config?")
    tracker = found.tracker
    filing = tracker is not None and _agreed(f"File what is learned into {tracker.type} ({tracker.value})?")
    return Wanted(hosts, filing)


def _agreed(question: str) -> bool:
    return click.confirm(plain(question), default=False, err=True)


def _names(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - HOSTS_SHOWN} more" if len(hosts) > HOSTS_SHOWN else ""
    return plain(", ".join(hosts[:HOSTS_SHOWN])) + more


def neighbours(own_key: bytes) -> list[Found]:
    """Give the hosts that announce themselves on the local network, but for this one."""
    # Here because a tenth of a second passes while they are imported.
    import asyncio

    from jilog_spool.discovery import scan

    return [item for item in asyncio.run(scan(SCAN_SECONDS)) if item.public_key != own_key]


def print_found(found: Surroundings, wanted: Wanted, nearby: Sequence[Found]) -> None:
    """Tell what was found beside transcripts, and how it comes into use."""
    from jilog_agent.sightings import fingerprint

    if found.ssh_hosts:
        use = (
            "next: jilog spool sync"
            if wanted.ssh_hosts
            else f"use: jilog peer add {plain(found.ssh_hosts[0])}"
        )
        print_line(f"      peers    {_names(found.ssh_hosts)} ({use})")
    if found.tracker is not None:
        use = "used" if wanted.tracker else "a comment in the config"
        print_line(f"      tracker  {found.tracker.type} {plain(found.tracker.value)} ({use})")
    for item in nearby:
        print_line(
            f"      nearby   {plain(item.source)} {fingerprint(item.public_key)} (use: jilog peer pair)"
        )


def found_document(found: Surroundings, wanted: Wanted, nearby: Sequence[Found]) -> dict[str, JsonValue]:
    """Give the documented JSON."""
    from jilog_agent.sightings import fingerprint

    tracker = found.tracker
    return {
        "found": {
            "ssh_hosts": list(found.ssh_hosts),
            "tracker": None if tracker is None else {"type": tracker.type, tracker.key: tracker.value},
            "nearby": [
                {"source": item.source, "fingerprint": fingerprint(item.public_key)} for item in nearby
            ],
        },
        "used": {"ssh_hosts": wanted.ssh_hosts, "tracker": wanted.tracker},
    }
