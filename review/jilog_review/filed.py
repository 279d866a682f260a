"""Issues as the ledger knows them: what was filed, and how it stood when a host last asked the tracker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jilog_ledger.event import Event
from jilog_review.filings import histories, places
from jilog_review.tracker import IssueRef, IssueState


@dataclass(frozen=True, slots=True)
class FiledIssue:
    """An issue as the ledger knows it; ``state`` is what was seen when the tracker was last asked.

    ``reopened_on`` is the date (YYYY-MM-DD) of the last run that opened it again.
    """

    fingerprint: str
    ref: IssueRef
    place: str
    kind: str
    state: IssueState
    filed_on: str
    filed_by: str
    last_told: str | None
    closed_ns: int | None
    reopened_on: str | None = None


def filed_issues(filings: Iterable[Event], backend: str, place: str) -> tuple[FiledIssue, ...]:
    """List what was filed in one tracker, oldest first."""
    filed = []
    for fingerprint, history in histories(filings, backend, place).items():
        latest = history.latest
        if latest is None:
            continue
        filed.append(
            FiledIssue(
                fingerprint=fingerprint,
                ref=IssueRef(latest.ref or "", backend, latest.title, latest.url),
                place=place,
                kind=str(latest.kind),
                state=latest.state,
                filed_on=history.filed_on or latest.review_date,
                filed_by=history.created_by or latest.host,
                last_told=history.covers,
                closed_ns=latest.closed_ns,
                reopened_on=history.reopened_on,
            )
        )
    return tuple(sorted(filed, key=lambda issue: (issue.filed_on, issue.ref.id)))


def all_filed_issues(filings: Iterable[Event]) -> tuple[FiledIssue, ...]:
    """List what was filed in every tracker that the filings name, by tracker."""
    events = list(filings)
    return tuple(issue for backend, place in places(events) for issue in filed_issues(events, backend, place))
