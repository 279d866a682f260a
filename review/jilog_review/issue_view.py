"""What a digest says of issues: which one stands for a signal, and whether the fixes held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from jilog_ledger.event import Event, JsonValue
from jilog_review.aggregate import Summary
from jilog_review.filed import FiledIssue, all_filed_issues
from jilog_review.filings import filings_until, issue_names
from jilog_review.outcomes import Judgement, Outcome, closed_date, judge, sessions_exposed
from jilog_review.runs import Run
from jilog_review.signal import Signal


def with_issues(summary: Summary, filings: Iterable[Event]) -> Summary:
    """Add what the ledger's filings say, up to the summary's last date, so that an old digest stays as it is.

    Issues are judged only where the weeks before the window are known.
    """
    known = filings_until(filings, summary.window.last)
    judgements = () if summary.background is None else _judgements(summary, all_filed_issues(known))
    return replace(summary, issue_names=issue_names(known), judgements=judgements)


def _judgements(summary: Summary, issues: Iterable[FiledIssue]) -> tuple[Judgement, ...]:
    signals = (*summary.earlier, *summary.signals)
    runs = [report.run for report in (*summary.earlier_reports, *summary.reports)]
    found = judge_all(issues, signals, runs, summary.window.last)
    return tuple(judgement for judgement in found if _is_news(judgement, summary))


def judge_all(
    issues: Iterable[FiledIssue], signals: Iterable[Signal], runs: Iterable[Run], today: date
) -> tuple[Judgement, ...]:
    """Judge each issue by the sessions in which its problem could show, in the order of ``issues``."""
    by_fingerprint: dict[str, list[Signal]] = {}
    for signal in signals:
        by_fingerprint.setdefault(signal.fingerprint, []).append(signal)
    read = list(runs)
    judged = []
    for issue in issues:
        mine = by_fingerprint.get(issue.fingerprint, [])
        judged.append(judge(issue, mine, sessions_exposed(read, mine), today))
    return tuple(judged)


def _is_news(judgement: Judgement, summary: Summary) -> bool:
    """Tell whether a digest mentions it: opened again in the window, or closed within the weeks compared."""
    issue = judgement.issue
    if judgement.outcome is Outcome.RECURRED:
        return issue.reopened_on is None or summary.window.covers(issue.reopened_on)
    closed_on = closed_date(issue)
    return closed_on is not None and closed_on >= summary.window.before.first


def issue_name(issue: FiledIssue) -> str:
    """Name an issue as a digest does: ``github#12``."""
    return f"{issue.ref.backend}#{issue.ref.id.removeprefix('#')}"


def judgement_json(judgement: Judgement) -> dict[str, JsonValue]:
    """Give a judgement as JSON; its issue is told by name and fingerprint."""
    closed_on = closed_date(judgement.issue)
    return {
        "fingerprint": judgement.issue.fingerprint,
        "issue": issue_name(judgement.issue),
        "url": judgement.issue.ref.url,
        "title": judgement.issue.ref.title,
        "outcome": str(judgement.outcome),
        "closed_on": None if closed_on is None else closed_on.isoformat(),
        "reopened_on": judgement.issue.reopened_on,
        "quiet_days": judgement.quiet_days,
        "exposure_sessions": judgement.exposure,
        "recurrences": judgement.recurrences,
    }
