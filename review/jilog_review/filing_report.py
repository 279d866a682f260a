"""What the ``issues`` commands print: lines for people and JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jilog_ledger.event import JsonValue
from jilog_ledger.times import format_time
from jilog_review.filed import FiledIssue
from jilog_review.filing import Done, FilingResult
from jilog_review.filing_plan import Action, Verb
from jilog_review.filings import Filing
from jilog_review.issue_text import title_of
from jilog_review.outcomes import Judgement
from jilog_review.problems import Problem

_PAST = {Verb.CREATE: "created", Verb.ADOPT: "found", Verb.BUMP: "told", Verb.REOPEN: "reopened"}


def filing_lines(result: FilingResult) -> list[str]:
    """Say what a run did, or would do; the last line sums up, with what is left and why."""
    titles = {action.problem.fingerprint: title_of(action.problem.first) for action in result.plan.actions}
    lines = sync_lines(result.observed) if result.observed else []
    lines += [_done_line(done, titles[done.fingerprint]) for done in result.done]
    lines += [
        f"failed to {failure.verb} {failure.title}: {failure.error.message}" for failure in result.failures
    ]
    if result.dry_run:
        lines += [_planned_line(action) for action in result.pending]
    return [*lines, _sum_line(result)]


def _done_line(done: Done, title: str) -> str:
    url = f"  {done.ref.url}" if done.ref.url else ""
    return f"{_PAST[done.verb]} {done.ref.backend}{_hash(done.ref.id)}: {title}{url}"


def _planned_line(action: Action) -> str:
    where = f" {action.issue.ref.id}" if action.issue is not None else ""
    return f"would {action.verb}{where}: {title_of(action.problem.first)} ({action.reason})"


def _sum_line(result: FilingResult) -> str:
    if result.dry_run:
        counts = Counter(action.verb for action in result.pending)
        creates = counts[Verb.CREATE]
        text = f"would create: {creates} issues in tracker={result.backend} (dry-run, skipped)"
    else:
        counts = Counter(done.verb for done in result.done)
        text = ", ".join(f"{counts[verb]} {past}" for verb, past in _PAST.items())
    left = [f"{result.more} more for later runs"] if result.more else []
    waiting = len(result.pending) - result.more
    if waiting and not result.dry_run:
        left.append(f"{waiting} pending")
    skipped = len(result.plan.of(Verb.SKIP))
    if skipped:
        left.append(f"{skipped} as they should be")
    return "; ".join([text, *left])


def filing_json(result: FilingResult) -> dict[str, JsonValue]:
    """Give a run as JSON; ``docs/trackers.md`` describes the keys."""
    return {
        "tracker": result.backend,
        "place": result.place,
        "date": result.run_date.isoformat(),
        "dry_run": result.dry_run,
        "done": [
            {
                "action": str(done.verb),
                "fingerprint": done.fingerprint,
                "id": done.ref.id,
                "url": done.ref.url,
                "title": done.ref.title,
                "occurrences": done.occurrences,
            }
            for done in result.done
        ],
        "failures": [
            {
                "action": str(failure.verb),
                "fingerprint": failure.fingerprint,
                "title": failure.title,
                "error": failure.error.message,
                "hint": failure.error.hint,
            }
            for failure in result.failures
        ],
        "pending": [
            {
                "action": str(action.verb),
                "fingerprint": action.problem.fingerprint,
                "title": title_of(action.problem.first),
                "reason": action.reason,
            }
            for action in result.pending
        ],
        "changed": [change_json(filing) for filing in result.observed],
        "more": result.more,
    }


def problem_json(problem: Problem) -> dict[str, JsonValue]:
    """Give a problem that is not filed yet as JSON."""
    hosts: list[JsonValue] = [*sorted({signal.host for signal in problem.signals})]
    return {
        "fingerprint": problem.fingerprint,
        "kind": str(problem.kind),
        "title": title_of(problem.first),
        "p0": problem.p0 is not None,
        "occurrences": len(problem.signals),
        "sessions": len(problem.sessions),
        "hosts": hosts,
        "first_date": problem.first.review_date,
        "last_date": problem.last_date,
    }


def problem_line(problem: Problem) -> str:
    """Give a problem that is not filed yet as a line."""
    mark = "P0 " if problem.p0 is not None else ""
    return (
        f"{problem.fingerprint}  {mark}{title_of(problem.first)}"
        f"  ({len(problem.signals)} in {len(problem.sessions)} sessions, last {problem.last_date})"
    )


def filed_json(issue: FiledIssue) -> dict[str, JsonValue]:
    """Give a filed issue as JSON."""
    return {
        "fingerprint": issue.fingerprint,
        "tracker": issue.ref.backend,
        "place": issue.place,
        "id": issue.ref.id,
        "url": issue.ref.url,
        "title": issue.ref.title,
        "kind": issue.kind,
        "state": str(issue.state),
        "filed_on": issue.filed_on,
        "filed_by": issue.filed_by,
        "last_seen": issue.last_told,
        "closed_at": None if issue.closed_ns is None else format_time(issue.closed_ns),
    }


def judged_json(judgement: Judgement) -> dict[str, JsonValue]:
    """Give a filed issue as JSON, with what became of it."""
    return {
        **filed_json(judgement.issue),
        "outcome": str(judgement.outcome),
        "reopened_on": judgement.issue.reopened_on,
        "quiet_days": judgement.quiet_days,
        "exposure_sessions": judgement.exposure,
        "recurrences": judgement.recurrences,
    }


def change_json(filing: Filing) -> dict[str, JsonValue]:
    """Give what a look at the tracker found about one issue."""
    return {
        "fingerprint": filing.fingerprint,
        "id": filing.ref,
        "url": filing.url,
        "title": filing.title,
        "state": str(filing.state),
        "closed_at": None if filing.closed_ns is None else format_time(filing.closed_ns),
    }


def sync_lines(changes: Sequence[Filing]) -> list[str]:
    """Say what a look at the tracker changed in the ledger."""
    lines = [
        f"{filing.backend}{_hash(filing.ref or '')} is {filing.state}: {filing.title}" for filing in changes
    ]
    return lines or ["nothing changed in the tracker"]


def _hash(issue_id: str) -> str:
    """Write an id behind a tracker's name, as a digest does: ``github#12``, ``beads#demo-a1b``."""
    return f"#{issue_id.removeprefix('#')}"
