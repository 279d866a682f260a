"""``jilog review``."""

from __future__ import annotations

import os
import sys
from datetime import date
from functools import partial
from pathlib import Path

import click

from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line, print_table
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.decisions.text import json_text
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import FindingsError, InputError
from jilog_ledger.times import now_ns, parse_date

_THIS = "jilog_agent.cli.review"

group = LazyGroup(
    name="review",
    help="Learn from agent transcripts, every night.",
    examples=(
        "jilog review nightly --dry-run --since 24h",
        "jilog review signals --since 30d --tier A",
        "jilog review report --html",
    ),
    table={
        "nightly": Entry(f"{_THIS}:nightly", "Scan what is new, record signals, write the digest."),
        "signals": Entry(f"{_THIS}_signals:signals", "List what was learned, or explain one signal."),
        "trend": Entry(f"{_THIS}_trend:trend", "Show whether it gets better, week by week."),
        "report": Entry(f"{_THIS}_trend:report", "Write plots as one HTML file."),
        "sessions": Entry(f"{_THIS}:sessions", "List the sessions of a window, by reader."),
    },
)

days_option = click.option("--days", type=click.IntRange(1, 3650), metavar="N", help="Window in days.")
since_option = click.option("--since", metavar="TIME", help="Window as 24h, 7d or a date, instead of --days.")
profile_option = click.option("--profile", metavar="NAME", help="Set of detectors.")


def _window(workspace: Workspace, since: str | None, days: int | None, now: int) -> int:
    from jilog_agent.night import window_seconds

    if since is not None and days is not None:
        raise InputError("--since and --days are both given", hint="keep one of them")
    return window_seconds(since, days or workspace.config.review.days, now)


@click.command(
    "nightly",
    cls=JilogCommand,
    examples=(
        "jilog review nightly",
        "jilog review nightly --dry-run --since 24h",
        "jilog review nightly --json | your-agent synthesize-suggestions",
    ),
)
@since_option
@days_option
@click.option("--date", "date_text", metavar="YYYY-MM-DD", help="Date of the digest (default: today).")
@click.option("--digest-dir", metavar="DIR", help="Write the digest here.")
@profile_option
@click.option("--zone", metavar="ID", type=ZONE, help="Zone to record in and read from (default: the first).")
@click.option("--dry-run", is_flag=True, help="Show what would be recorded; write nothing.")
@click.option("--no-file", is_flag=True, help="File no issues, whatever the config says.")
@json_option
def nightly(
    *,
    since: str | None,
    days: int | None,
    date_text: str | None,
    digest_dir: str | None,
    profile: str | None,
    zone: str | None,
    dry_run: bool,
    no_file: bool,
    as_json: bool,
) -> None:
    """Scan this host's transcripts, record what is new, and write the digest of the whole fleet's window.

    The digest is made from the merged ledger: a host without transcripts writes the same one as the others.
    Exit status 3: something could not be read or judged; all else is done and the digest is written.
    With a [tracker] what was learned is filed, unless [review] coordinator names another host. Exit status 8:
    the tracker failed; the digest is written, and what was to be filed stays pending.
    """
    workspace = open_workspace()
    chosen = workspace.config.zone(zone)
    now = now_ns()
    seconds = _window(workspace, since, days, now)
    from jilog_agent.far_hosts import FarHosts
    from jilog_agent.filing import Office
    from jilog_agent.learning_log import LedgerLog
    from jilog_agent.night import ReviewState, configured_readers
    from jilog_ledger.projection import Projection
    from jilog_review.nightly import Night, run_night, write_digest
    from jilog_review.profiles import load_profile
    from jilog_review.redact import make_redactor, policy_from
    from jilog_review.report import dry_run_lines, night_json, summary_lines
    from jilog_review.signal import Stamp

    review = workspace.config.review
    detectors = load_profile(profile or review.profile, review.rule_folders)
    policy = policy_from(chosen.redaction)
    day = _date_of(date_text, workspace.config.timezone, now)
    folder = Path(digest_dir).expanduser().absolute() if digest_dir else workspace.config.digest_dir
    far_hosts = FarHosts(workspace)
    configured = configured_readers(workspace.config, os.environ, far_hosts.files)
    if not configured.readers:
        note("no [[reader]] is configured: the digest comes from what other hosts recorded")
    identity = recording_identity(workspace)
    state = ReviewState(workspace.home, workspace.disk, warn)
    stamp = Stamp(identity.source, detectors.name, day, make_redactor(policy))
    with (
        state.alone(),
        far_hosts,
        workspace.open_zone(chosen, identity) as ledger,
        Projection.open(ledger) as projection,
    ):
        night = Night(
            stamp=stamp,
            profile=detectors,
            readers=configured.readers,
            workshop=configured.workshop(stamp, policy, review.rule_folders),
            since_seconds=seconds,
            now_ns=now,
            digest_folder=folder,
            frontier_root=ledger.root_hash().hex(),
            dry_run=dry_run,
        )
        log = LedgerLog(ledger, projection)
        with ProgressLine() as progress:
            result = run_night(
                night,
                log,
                cursors=state.load_cursors(ledger),
                save_cursors=partial(state.save_cursors, ledger),
                write_file=state.write_file,
                progress=progress.count,
                billed=state.load_billed(ledger),
                save_billed=partial(state.save_billed, ledger),
            )
        office = Office(workspace.config, identity.source, os.environ)
        filing = office.close_night(result, log, file=not no_file)
        missing = office.missing_coordinator(log)
        if filing.changed_ledger:
            result = write_digest(result, log, state.write_file)
    for problem in result.scan.problems:
        warn(f"{problem.where}: {problem.message}")
    if missing is not None:
        warn(missing.message, missing.hint)
    if as_json:
        # The review's result has a schema version of its own, which continues the original's numbering.
        sys.stdout.write(json_text(night_json(result, filing)) + "\n")
    else:
        shown = _home_relative(night.digest_path)
        lines = dry_run_lines(result, filing, shown) if dry_run else summary_lines(result, shown)
        for line in lines if dry_run else [*lines, *filing.lines()]:
            print_line(line)
    filing.raise_for_failures()
    if result.scan.problems:
        raise FindingsError(
            f"{len(result.scan.problems)} problem(s) kept the review from reading everything",
            hint="they are listed above and in the digest; the next review tries again",
        )


def _date_of(text: str | None, timezone: str | None, now: int) -> date:
    """Give the date of the review, today's by default; one that has not come is told."""
    from jilog_agent.night import future_note, review_date

    if text is None:
        return review_date(timezone, now)
    day = parse_date(text)
    ahead = future_note(day, timezone, now)
    if ahead is not None:
        warn(ahead, "for today's digest leave out --date")
    return day


def _home_relative(path: Path) -> str:
    """Write a path as a person does, with ``~`` for the own home."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


@click.command("sessions", cls=JilogCommand, examples=("jilog review sessions --since 7d",))
@since_option
@days_option
@profile_option
@json_option
def sessions(*, since: str | None, days: int | None, profile: str | None, as_json: bool) -> None:
    """List the sessions whose transcripts changed in the window, with what the detectors find in each.

    Nothing is recorded, and what an earlier review has read is read again.
    """
    workspace = open_workspace()
    now = now_ns()
    seconds = _window(workspace, since, days, now)
    from jilog_agent.far_hosts import FarHosts
    from jilog_agent.night import configured_readers, review_date
    from jilog_review.profiles import load_profile
    from jilog_review.redact import make_redactor, policy_from
    from jilog_review.scan import scan_transcripts
    from jilog_review.signal import Stamp

    review = workspace.config.review
    detectors = load_profile(profile or review.profile, review.rule_folders)
    policy = policy_from(workspace.config.zone(None).redaction)
    far_hosts = FarHosts(workspace)
    configured = configured_readers(workspace.config, os.environ, far_hosts.files)
    stamp = Stamp(
        workspace.config.source or "this-host",
        detectors.name,
        review_date(workspace.config.timezone, now),
        make_redactor(policy),
    )
    with far_hosts, ProgressLine() as progress:
        scan = scan_transcripts(
            configured.readers,
            detectors,
            stamp,
            since_ns=max(0, now - seconds * 1_000_000_000),
            cursors={},
            progress=progress.count,
            workshop=configured.workshop(stamp, policy, review.rule_folders),
        )
    for problem in scan.problems:
        warn(f"{problem.where}: {problem.message}")
    found = sorted(scan.sessions.values(), key=lambda session: (session.reader, session.session_id))
    if as_json:
        print_json(
            {
                "sessions": [
                    {
                        "reader": session.reader,
                        "session_id": session.session_id,
                        "source_file": session.source_file,
                        "lines": session.lines,
                        "human_messages": session.human_messages,
                        "tool_calls": session.tool_calls,
                        "signals": session.signals,
                    }
                    for session in found
                ]
            }
        )
        return
    rows = [
        (
            session.reader,
            session.session_id,
            str(session.lines),
            str(session.human_messages),
            str(session.tool_calls),
            str(session.signals),
        )
        for session in found
    ]
    print_line(f"{len(found)} session(s) across {len(configured.readers)} reader(s)")
    if rows:
        print_table(("READER", "SESSION", "LINES", "MESSAGES", "TOOL CALLS", "SIGNALS"), rows)
