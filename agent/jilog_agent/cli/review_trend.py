"""``jilog review trend`` and ``jilog review report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.workspace import Workspace
    from jilog_review.trend import Trend

weeks_option = click.option(
    "--weeks",
    default=8,
    type=click.IntRange(1, 520),
    metavar="N",
    show_default=True,
    help="Weeks up to today.",
)
profile_option = click.option("--profile", metavar="NAME", help="Set of detectors whose signals to count.")
zone_option = click.option("--zone", metavar="ID", type=ZONE, help="Zone to read from (default: the first).")


def _read(workspace: Workspace, weeks: int, profile: str | None, zone: str | None) -> Trend:
    identity = workspace.identity()
    from jilog_agent.learned import open_log, read_trend, weeks_window
    from jilog_review.profiles import load_profile

    name = load_profile(profile or workspace.config.review.profile).name
    window = weeks_window(workspace.config.timezone, now_ns(), weeks)
    with open_log(workspace, zone, identity) as log:
        return read_trend(log, window, name, workspace.config.review.days)


@click.command(
    "trend", cls=JilogCommand, examples=("jilog review trend", "jilog review trend --weeks 4 --json")
)
@weeks_option
@profile_option
@zone_option
@json_option
def trend(*, weeks: int, profile: str | None, zone: str | None, as_json: bool) -> None:
    """Show whether it gets better: signals per week and kind, P0 alerts, and issues before and after closing.

    Counts are of signals that are fit to file, on all hosts, without muted ones.
    """
    found = _read(open_workspace(), weeks, profile, zone)
    if as_json:
        print_json(found.to_json())
        return
    from jilog_review.trend_text import alert_rows, issue_rows, week_rows

    first, last = found.window.first.isoformat(), found.window.last.isoformat()
    print_line(f"{first} to {last}, profile {found.summary.profile}")
    print_line()
    headers = ("WEEK FROM", "CORRECTIONS", "ERRORS", "WORKAROUNDS", "DEFERRALS", "PATTERNS", "SESSIONS")
    print_table(headers, week_rows(found))
    alerts, issues = alert_rows(found), issue_rows(found)
    if alerts:
        print_line()
        print_table(("P0", "BY", "DAYS", "LAST", "SESSIONS"), alerts)
    if issues:
        print_line()
        print_table(("ISSUE", "OUTCOME", "CLOSED", "BEFORE", "AFTER", "TITLE"), issues)


@click.command(
    "report",
    cls=JilogCommand,
    examples=("jilog review report --html", "jilog review report --html trend.html --weeks 12"),
)
@click.option("--html", "as_html", is_flag=True, help="Write HTML, the only form there is yet.")
@click.option("--fragment", is_flag=True, help="Only the middle part, for a page of your own.")
@click.argument("file", required=False, metavar="[FILE]")
@weeks_option
@profile_option
@zone_option
def report(
    *, as_html: bool, fragment: bool, file: str | None, weeks: int, profile: str | None, zone: str | None
) -> None:
    """Write one HTML file with plots: it needs no network, no script and no other file.

    Without FILE it goes into the digests' folder; a FILE of - is standard output.
    """
    if not as_html:
        raise InputError(
            "review report needs to know the form", hint="use: jilog review report --html [FILE]"
        )
    workspace = open_workspace()
    found = _read(workspace, weeks, profile, zone)
    from jilog_review.html.page import render_fragment, render_report

    page = render_fragment(found) if fragment else render_report(found)
    if file == "-":
        sys.stdout.write(page)
        return
    path = Path(file).expanduser().absolute() if file else _default_path(workspace, found)
    from jilog_agent.night import ReviewState

    # A report tells what its owner does all day: like a digest it is its owner's alone to read.
    ReviewState(workspace.home, workspace.disk, note).write_file(path, page.encode("utf-8", "replace"))
    print_line(str(path))


def _default_path(workspace: Workspace, found: Trend) -> Path:
    return workspace.config.digest_dir / f"learning-report-{found.window.last.isoformat()}.html"
