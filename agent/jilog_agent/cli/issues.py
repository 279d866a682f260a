"""``jilog issues``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.workspace import Workspace
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from datetime import date

    from jilog_agent.filing import Office
    from jilog_review.outcomes import Judgement

_THIS = "jilog_agent.cli.issues"
_OPEN = ("open", "recurred")

group = LazyGroup(
    name="issues",
    help="Bring what was learned into an issue tracker, each problem once (docs/trackers.md).",
    examples=("jilog issues pending", "jilog issues file --dry-run", "jilog issues list --all"),
    table={
        "list": Entry(f"{_THIS}:list_issues", "List what was filed, and whether the fixes held."),
        "pending": Entry(f"{_THIS}:pending", "List what is fit to file and is not filed yet."),
        "file": Entry(f"{_THIS}:file", "File what is pending, and tell open issues what came back."),
        "sync": Entry(f"{_THIS}:sync", "Ask the tracker which issues were closed or reopened."),
    },
)

zone_option = click.option(
    "--zone", metavar="ID", type=ZONE, help="Zone of the learnings (default: the first)."
)
profile_option = click.option("--profile", metavar="NAME", help="Set of detectors whose signals count.")


@click.command("list", cls=JilogCommand, examples=("jilog issues list", "jilog issues list --all --json"))
@click.option("--all", "show_all", is_flag=True, help="List closed issues, too.")
@profile_option
@zone_option
@json_option
def list_issues(*, show_all: bool, profile: str | None, zone: str | None, as_json: bool) -> None:
    """List the issues that the fleet filed, in every tracker, by what the ledger knows.

    Closed counts as resolved when the problem stayed away for 7 days and 5 sessions in which it could have
    come back; before that it is quiet or unproven. No tracker is asked: jilog issues sync does that.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.filing import judged
    from jilog_agent.learned import open_log
    from jilog_review.filed import all_filed_issues

    with open_log(workspace, zone, identity) as log:
        issues = all_filed_issues(log.filings())
        judgements = judged(log, issues, _profile(workspace, profile), _today(workspace))
    shown = [item for item in judgements if show_all or item.outcome.value in _OPEN]
    if as_json:
        from jilog_review.filing_report import judged_json

        print_json({"issues": [judged_json(item) for item in shown]})
        return
    _print_issues(shown, len(judgements))


def _print_issues(shown: Sequence[Judgement], total: int) -> None:
    from jilog_review.issue_view import issue_name

    if shown:
        rows = [
            (
                issue_name(item.issue),
                item.outcome.value,
                item.issue.filed_on,
                item.issue.last_told or "-",
                plain(item.issue.ref.title),
            )
            for item in shown
        ]
        print_table(("ISSUE", "STATE", "FILED", "LAST SEEN", "TITLE"), rows)
        return
    print_line("no issue was filed yet" if total == 0 else f"no open issue; {total} closed, see --all")


@click.command("pending", cls=JilogCommand, examples=("jilog issues pending", "jilog issues pending --json"))
@profile_option
@zone_option
@json_option
def pending(*, profile: str | None, zone: str | None, as_json: bool) -> None:
    """List the problems of the last 14 days that no record says were filed, the most pressing first."""
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import open_log
    from jilog_review.filing import pending_problems
    from jilog_review.filing_report import problem_json, problem_line

    office = _office(workspace, identity.source)
    tracker = office.tracker()
    with open_log(workspace, zone, identity) as log:
        run = office.run(log, _today(workspace), _profile(workspace, profile), workspace.config.review.days)
        problems = pending_problems(run, log, tracker.name, tracker.place)
    if as_json:
        print_json({"tracker": tracker.name, "pending": [problem_json(problem) for problem in problems]})
        return
    print_line(f"{len(problems)} pending for tracker={tracker.name}")
    for problem in problems:
        print_line(plain(problem_line(problem)))


@click.command(
    "file",
    cls=JilogCommand,
    examples=("jilog issues file --dry-run", "jilog issues file", "jilog issues file --max-new 3 --json"),
)
@click.option("--dry-run", is_flag=True, help="Ask the tracker, and show what would be done there.")
@click.option("--max-new", type=click.IntRange(1, 1000), metavar="N", help="Create at most N issues.")
@click.option("--take-over", is_flag=True, help="File although another host is the coordinator.")
@profile_option
@zone_option
@json_option
def file(
    *,
    dry_run: bool,
    max_new: int | None,
    take_over: bool,
    profile: str | None,
    zone: str | None,
    as_json: bool,
) -> None:
    """File each problem of the last 14 days once, and tell open issues what was seen again.

    Exit status 8: the tracker failed; what was to be done stays pending for the next run.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import open_log
    from jilog_agent.night import ReviewState
    from jilog_review.filing import file_issues
    from jilog_review.filing_report import filing_json, filing_lines

    office = _office(workspace, identity.source)
    tracker = office.filing_tracker()
    if not (dry_run or take_over):
        office.check_turn()
    state = ReviewState(workspace.home, workspace.disk, workspace.complain)
    with state.alone(), open_log(workspace, zone, identity) as log:
        run = office.run(
            log, _today(workspace), _profile(workspace, profile), workspace.config.review.days, max_new
        )
        result = file_issues(run, log, tracker, dry_run=dry_run)
    if as_json:
        print_json(filing_json(result))
    else:
        for line in filing_lines(result):
            print_line(plain(line))
    result.raise_for_failures()


@click.command("sync", cls=JilogCommand, examples=("jilog issues sync", "jilog issues sync --json"))
@zone_option
@json_option
def sync(*, zone: str | None, as_json: bool) -> None:
    """Ask the tracker how its issues stand, and record what changed, so that every host knows.

    jilog review nightly does it, too, on the host that files. Exit status 8: the tracker cannot be asked.
    """
    workspace = open_workspace()
    identity = workspace.identity()
    from jilog_agent.learned import open_log
    from jilog_agent.night import ReviewState
    from jilog_review.filing import sync_issues
    from jilog_review.filing_report import change_json, sync_lines

    office = _office(workspace, identity.source)
    tracker = office.filing_tracker()
    state = ReviewState(workspace.home, workspace.disk, workspace.complain)
    with state.alone(), open_log(workspace, zone, identity) as log:
        run = office.run(log, _today(workspace), workspace.config.review.profile, 1)
        changes = sync_issues(run, log, tracker)
    if as_json:
        changed = [change_json(filing) for filing in changes]
        print_json({"tracker": tracker.name, "place": tracker.place, "changed": [*changed]})
        return
    for line in sync_lines(changes):
        print_line(plain(line))


def _office(workspace: Workspace, source: str) -> Office:
    from jilog_agent.filing import Office

    return Office(workspace.config, source, os.environ)


def _profile(workspace: Workspace, name: str | None) -> str:
    from jilog_review.profiles import load_profile

    return load_profile(name or workspace.config.review.profile).name


def _today(workspace: Workspace) -> date:
    from jilog_agent.night import review_date

    return review_date(workspace.config.timezone, now_ns())
