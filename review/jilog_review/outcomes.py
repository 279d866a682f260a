"""Outcomes: did the fix hold? Closed is not enough: the problem must have had the chance to come back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TypeAlias

from jilog_ledger.times import SECOND_NS
from jilog_review import filing_limits as limits
from jilog_review.detector import Kind
from jilog_review.filed import FiledIssue
from jilog_review.moments import transcript_time_ns
from jilog_review.runs import Run, tool_use_of
from jilog_review.signal import Signal
from jilog_review.tracker import IssueState

Exposure: TypeAlias = Callable[[date], int]
"""Counts the sessions, read on later dates than the given one, in which a problem could have come back."""


class Outcome(StrEnum):
    """What became of a problem. Only ``RESOLVED`` is a success that can be shown.

    ``RECURRED`` was closed as done and came back, whether it has been opened again already or not.
    """

    OPEN = "open"
    RECURRED = "recurred"
    QUIET = "quiet"
    UNPROVEN = "unproven"
    RESOLVED = "resolved"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome and what it rests on.

    ``quiet_days`` counts the days since the closing, or since the last occurrence if that is later.
    ``exposure`` counts the sessions since the closing in which the problem could have come back.
    ``recurrences`` counts the signals since the closing.
    """

    issue: FiledIssue
    outcome: Outcome
    quiet_days: int = 0
    exposure: int = 0
    recurrences: int = 0


def judge(
    issue: FiledIssue,
    signals: Iterable[Signal],
    exposure: Exposure,
    today: date,
    *,
    quiet_days_min: int = limits.QUIET_DAYS,
    exposure_min: int = limits.EXPOSURE_SESSIONS_MIN,
) -> Judgement:
    """Judge one issue by the fleet's signals and scans, from the ledger alone.

    ``QUIET`` is closed, but not for long enough; ``UNPROVEN`` is closed for long enough, but too few sessions
    were read since to say anything.
    """
    if issue.state is IssueState.OPEN:
        return Judgement(issue, Outcome.RECURRED if issue.reopened_on else Outcome.OPEN)
    closed_on = closed_date(issue)
    if closed_on is None or issue.closed_ns is None:
        return Judgement(issue, Outcome.DECLINED if issue.state is not IssueState.DONE else Outcome.UNPROVEN)
    mine = [signal for signal in signals if signal.fingerprint == issue.fingerprint]
    after = [signal for signal in mine if _is_after(signal, issue.closed_ns, closed_on)]
    last_bad = max([closed_on, *(date.fromisoformat(signal.review_date) for signal in after)])
    quiet_days = max(0, (today - last_bad).days)
    exposed = exposure(closed_on)
    outcome = Outcome.RESOLVED
    if after:
        outcome = Outcome.RECURRED
    elif quiet_days < quiet_days_min:
        outcome = Outcome.QUIET
    elif exposed < exposure_min:
        outcome = Outcome.UNPROVEN
    return Judgement(issue, outcome, quiet_days, exposed, len(after))


def closed_date(issue: FiledIssue) -> date | None:
    """Give the day, in UTC, on which an issue was closed as done; None while it is open or was declined."""
    if issue.state is not IssueState.DONE or issue.closed_ns is None:
        return None
    return datetime.fromtimestamp(issue.closed_ns / SECOND_NS, UTC).date()


def sessions_read(runs: Iterable[Run], readers: Collection[str] = ()) -> Exposure:
    """Count the sessions with something new that some readers read, or all of them when none is named."""
    counted = [
        (run.review_date, count.sessions)
        for run in runs
        for count in run.readers
        if not readers or count.reader in readers
    ]

    def exposure(closed_on: date) -> int:
        return sum(sessions for review_date, sessions in counted if review_date > closed_on.isoformat())

    return exposure


def sessions_exposed(runs: Iterable[Run], signals: Iterable[Signal]) -> Exposure:
    """Count the sessions in which a problem could have come back: those that used a tool it was met with.

    Where there is no such tool, or a scan did not record tools, the sessions of the readers that met the
    problem count.
    """
    mine, read = list(signals), list(runs)
    tools = {signal.tool for signal in mine if signal.kind is Kind.ERROR and signal.tool}
    by_reader = sessions_read(read, {signal.reader for signal in mine})

    def exposure(closed_on: date) -> int:
        use = tool_use_of(run for run in read if run.review_date > closed_on.isoformat())
        return use.using(tools) if tools and use is not None else by_reader(closed_on)

    return exposure


def _is_after(signal: Signal, closed_ns: int, closed_on: date) -> bool:
    moment_ns = transcript_time_ns(signal.timestamp)
    return moment_ns > closed_ns if moment_ns is not None else signal.review_date > closed_on.isoformat()
