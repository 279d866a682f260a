"""``jilog import``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_ledger.errors import FindingsError

if TYPE_CHECKING:
    from jilog_agent.decisions.zones import OpenZone
    from jilog_agent.imports.report import ImportReport

SKIPPED_SHOWN = 20

_HERE = "jilog_agent.cli.importing"

group = LazyGroup(
    name="import",
    table={
        "jilog": Entry(f"{_HERE}:jilog", "Import JSON segments of jilog 0.8."),
        "agentlog": Entry(f"{_HERE}:agentlog", "Import agentlog's sessions."),
        "turnlog": Entry(f"{_HERE}:turnlog", "Import turnlog's sessions and turns."),
    },
    help="Bring other programs' records into the ledger, each once.",
    examples=("jilog import jilog ~/ledgers/ops", "jilog import agentlog ~/.agentlog --dry-run"),
)

_path = click.argument("path", type=click.Path(path_type=Path))
_zone = click.option("--zone", metavar="ID", help="Import into this zone (default: the first).")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be imported.")


@click.command("jilog", cls=JilogCommand, examples=("jilog import jilog ~/ledgers/ops",))
@_path
@_zone
@_dry_run
@json_option
def jilog(*, path: Path, zone: str | None, dry_run: bool, as_json: bool) -> None:
    """Import JSON segments: a ledger's folder, its segments, or one file SOURCE-000001.json.

    Every checksum is checked. Events that are here already, by their id, are left alone, so an import can
    be repeated. What is damaged is passed over and reported, with exit status 3.
    """

    def run(target: OpenZone, report: ImportReport, _host: str) -> None:
        from jilog_agent.imports.json_segments import import_json_segments

        import_json_segments(target, path, report)

    _import(run, zone, dry_run=dry_run, as_json=as_json)


@click.command(
    "agentlog",
    cls=JilogCommand,
    examples=(
        "jilog import agentlog ~/.agentlog",
        "jilog import agentlog ~/.agentlog/log/SESSION.jsonl --repository ~/src/app",
    ),
)
@_path
@click.option(
    "--repository",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="What relative file names are relative to (default: unknown).",
)
@_zone
@_dry_run
@json_option
def agentlog(*, path: Path, repository: Path | None, zone: str | None, dry_run: bool, as_json: bool) -> None:
    """Import agentlog's entries: its folder, or one session file.

    Ids, times and sessions stay as they are; an import can be repeated. Lines that cannot be read are
    reported, with exit status 3, and the rest is imported.
    """

    def run(target: OpenZone, report: ImportReport, host: str) -> None:
        from jilog_agent.imports.agentlog import import_agentlog
        from jilog_agent.redaction import zone_redactor

        redactor = zone_redactor(open_workspace().config.zone(zone))
        import_agentlog(target, path, report, host=host, root=repository, redactor=redactor)

    _import(run, zone, dry_run=dry_run, as_json=as_json)


@click.command(
    "turnlog",
    cls=JilogCommand,
    examples=("jilog import turnlog ~/src/app", "jilog import turnlog ~/old/.turnlog --dry-run"),
)
@_path
@_zone
@_dry_run
@json_option
def turnlog(*, path: Path, zone: str | None, dry_run: bool, as_json: bool) -> None:
    """Import a .turnlog folder, or that of a repository.

    Ids and times stay as they are; an import can be repeated. Files and lines that cannot be read are
    reported, with exit status 3, and the rest is imported.
    """

    def run(target: OpenZone, report: ImportReport, host: str) -> None:
        from jilog_agent.imports.turnlog import import_turnlog
        from jilog_agent.redaction import zone_redactor

        redactor = zone_redactor(open_workspace().config.zone(zone))
        import_turnlog(target, path, report, host=host, redactor=redactor)

    _import(run, zone, dry_run=dry_run, as_json=as_json)


def _import(
    run: Callable[[OpenZone, ImportReport, str], None], zone: str | None, *, dry_run: bool, as_json: bool
) -> None:
    workspace = open_workspace()
    target = workspace.config.zone(zone)
    identity = recording_identity(workspace)
    from jilog_agent.decisions.zones import open_zones
    from jilog_agent.imports.report import ImportReport

    report = ImportReport(dry_run=dry_run)
    with open_zones(workspace, [target], identity) as zones:
        run(zones[0], report, identity.source)
    if as_json:
        print_json(report.to_json())
    else:
        _print_report(report)
    if report.skipped:
        raise FindingsError(
            f"{len(report.skipped)} thing(s) were not imported", hint="the report says which, and why"
        )


def _print_report(report: ImportReport) -> None:
    done = "would be imported" if report.dry_run else "imported"
    print_line(
        f"{report.added} {done}, {report.present} were here already, {len(report.skipped)} skipped,"
        f" from {report.files} file(s)"
    )
    for item in report.skipped[:SKIPPED_SHOWN]:
        print_line(f"  {plain(item.where)}: {plain(item.reason)}")
    if len(report.skipped) > SKIPPED_SHOWN:
        print_line(f"  and {len(report.skipped) - SKIPPED_SHOWN} more; see --json")
