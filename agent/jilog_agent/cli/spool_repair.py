"""``jilog spool repair``, which is ``jilog verify --repair`` too."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note, report
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import print_json, print_line
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import FindingsError, InputError, StorageError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.healing import Healed
    from jilog_ledger.catalog import Finding
    from jilog_spool.repair import Lost


@click.command(
    "repair",
    cls=JilogCommand,
    examples=("jilog spool repair", "jilog spool repair --from desktop --zone ops --json"),
)
@click.option("--from", "peers", multiple=True, metavar="PEER", help="Ask this peer only (default: all).")
@zone_option
@json_option
def repair(*, peers: tuple[str, ...], zone: str | None, as_json: bool) -> None:
    """Read every segment again, and fetch what is damaged or missing from peers, by hash.

    What was interrupted goes on where it stopped. Exit status 3 when something is still missing.
    """
    repair_zones(peers, zone, as_json=as_json)


def repair_zones(names: Sequence[str], zone: str | None, *, as_json: bool) -> None:
    """Repair one zone, or all, from the named peers, or from all; print what came of it.

    Raises:
        FindingsError: something is still missing.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from dataclasses import replace

    from jilog_agent.healing import heal
    from jilog_agent.replication import (
        SyncHistory,
        chosen_peers,
        held_by_zone,
        peer_table,
        with_granted_zones,
    )

    config = workspace.config
    zones = {item.id for item in config.chosen_zones(zone)}
    table = peer_table(config, workspace.home, workspace.disk)
    granted = with_granted_zones(config, chosen_peers(names, table, config.spool.ssh_hosts))
    peers = [
        replace(peer, zones=shared)
        for peer in granted
        if (shared := tuple(name for name in peer.zones if name in zones))
    ]
    if not peers:
        raise InputError(f"zone {zone} is not shared with these peers", hint="see: jilog config show")
    with workspace.zones(zone, identity, tell_later=False) as ledgers:
        healed = heal(workspace, ledgers, peers, identity.source)
        if healed.results and zone is None:
            history = SyncHistory(workspace.home, workspace.disk)
            with contextlib.suppress(StorageError):  # how it went is printed anyway
                history.add(healed.results, now_ns(), held_by_zone(ledgers))
    if as_json:
        print_json(_document(healed))
    else:
        _print(healed)
    _raise_for(healed)


def _document(healed: Healed) -> dict[str, JsonValue]:
    found = healed.report
    return {
        "findings": [_finding_document(item) for item in found.findings],
        "lost": [_lost_document(item) for item in found.lost],
        "restored": [_lost_document(item) for item in found.healed],
        "missing": [_lost_document(item) for item in found.missing],
        "local": [
            {"zone": zone, **_finding_document(item)}
            for zone, findings in healed.local.items()
            for item in findings
        ],
        "peers": [
            {
                "peer": result.peer.name,
                "ok": result.error is None,
                "error": result.error.message if result.error else None,
                "hint": result.error.hint if result.error else None,
            }
            for result in healed.results
        ],
    }


def _finding_document(finding: Finding) -> dict[str, JsonValue]:
    return {
        "source": finding.writer.source,
        "epoch": finding.writer.epoch,
        "segment": finding.number,
        "problem": finding.problem,
        "action": finding.action,
    }


def _lost_document(lost: Lost) -> JsonValue:
    writer = lost.writer
    return {"zone": lost.zone, "source": writer.source, "epoch": writer.epoch, "segment": lost.number}


def _print(healed: Healed) -> None:
    found = healed.report
    for finding in found.findings:
        print_line(f"found     {finding.writer} segment {finding.number}: {finding.problem}")
    for lost in found.healed:
        print_line(f"restored  {lost}")
    for lost in found.missing:
        print_line(f"missing   {lost}")
    for zone, findings in healed.local.items():
        for finding in findings:
            print_line(f"local     {zone}: {finding}")
    if not found.lost and healed.whole:
        print_line("everything is as it was written")


def _raise_for(healed: Healed) -> None:
    failed = [result.error for result in healed.results if result.error is not None]
    for error in failed:
        report(error)
    if any(healed.local.values()):
        note("confidential events are on this host only: restore them from your own backup")
    if healed.whole:
        return
    missing = len(healed.report.missing)
    asked = len(healed.results) - len(failed)
    raise FindingsError(
        f"{missing} segment(s) are still missing; {asked} of {len(healed.results)} peers were asked",
        hint="see why: jilog spool status" if failed else "no peer has them; see: jilog spool status",
    )
