"""``jilog verify``."""

from __future__ import annotations

import click

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option, zone_option
from jilog_agent.cli.output import counted, format_bytes, print_json, print_line
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace
from jilog_agent.client import tell_agent
from jilog_ledger.catalog import Finding
from jilog_ledger.errors import FindingsError, InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.ledger import ZoneLedger


@click.command(
    "verify",
    cls=JilogCommand,
    examples=(
        "jilog verify",
        "jilog spool verify",
        "jilog verify --repair",
        "jilog verify --zone ops --dry-run --json",
    ),
)
@click.option("--repair", is_flag=True, help="Then fetch what is damaged or missing from peers.")
@click.option("--dry-run", is_flag=True, help="Only look: leave damaged segments where they are.")
@zone_option
@json_option
def command(*, repair: bool, dry_run: bool, zone: str | None, as_json: bool) -> None:
    """Read every segment and compare it with its checksums, hashes, chain and signature.

    A damaged segment goes to quarantine with its reason; the rest of the zone goes on, and a peer that holds
    the segment sends it again at the next sync. With --repair they are asked at once, as `jilog spool repair`
    does. Exit status 3 when anything was found, with --repair only when something is still missing.
    """
    if repair:
        if dry_run:
            raise InputError("--repair and --dry-run exclude each other", hint="see: jilog verify --help")
        from jilog_agent.cli.spool_repair import repair_zones

        repair_zones((), zone, as_json=as_json)
        return
    workspace = open_workspace()
    identity = workspace.identity()
    with workspace.zones(zone, identity, tell_later=False) as ledgers:
        reports = [_verify(ledger, repair=not dry_run) for ledger in ledgers]
    if as_json:
        print_json({"zones": list(reports)})
    else:
        for report in reports:
            _print_report(report)
    found = sum(len(report["findings"]) for report in reports if isinstance(report["findings"], list))
    if found and not dry_run:
        # A running agent has it fetched again at once.
        tell_agent(workspace.home, "compare")
    if found:
        raise FindingsError(
            f"{found} finding(s)",
            hint="run: jilog verify --repair",
        )


def _verify(ledger: ZoneLedger, *, repair: bool) -> dict[str, JsonValue]:
    """Verify the shared and the local stream of a zone; what opening it found counts, too."""
    findings = ledger.findings
    segments = events = bytes_read = 0
    with ProgressLine() as progress:
        told = progress.sealed_events_of(f"zone {ledger.zone}", ledger)
        for store in (ledger.shared, ledger.local):
            report = store.verify(repair=repair, progress=told)
            segments += report.segments
            events += report.events
            bytes_read += report.bytes_read
            findings += report.findings
    return {
        "zone": ledger.zone,
        "segments": segments,
        "events": events,
        "bytes": bytes_read,
        "findings": [_finding(finding) for finding in findings],
    }


def _finding(finding: Finding) -> JsonValue:
    return {
        "source": finding.writer.source,
        "epoch": finding.writer.epoch,
        "segment": finding.number,
        "problem": finding.problem,
        "action": finding.action,
    }


def _print_report(report: dict[str, JsonValue]) -> None:
    size, segments, events = report["bytes"], report["segments"], report["events"]
    assert isinstance(size, int)
    assert isinstance(segments, int)
    assert isinstance(events, int)
    print_line(
        f"zone {report['zone']}: {counted(segments, 'segment')}, {counted(events, 'event')},"
        f" {format_bytes(size)} read"
    )
    findings = report["findings"]
    assert isinstance(findings, list)
    for finding in findings:
        assert isinstance(finding, dict)
        # What concerns the manifest concerns no one segment.
        named = f"{finding['source']}/{finding['epoch']} segment {finding['segment']}: "
        place = named if finding["segment"] else ""
        print_line(f"  {place}{finding['problem']}; {finding['action']}")
    if not findings:
        print_line("  everything is as it was written")
