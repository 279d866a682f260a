"""The history of issues as the ledger's filings tell it: what was filed when, and when it was closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from jilog_ledger.event import Event, JsonValue
from jilog_ledger.times import SECOND_NS
from jilog_review.filings import Filing, filing_from_payload
from jilog_review.tracker import IssueState


@dataclass(frozen=True, slots=True)
class IssueHistory:
    """One issue in one tracker. Dates are YYYY-MM-DD; ``closed_on`` is its last known closing, in UTC.

    ``state`` is as some host last saw it.
    """

    fingerprint: str
    backend: str
    place: str
    ref: str
    title: str
    url: str | None
    filed_on: str
    closed_on: str | None
    state: IssueState

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells issues apart."""
        return (self.backend, self.place, self.ref)

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object."""
        return {
            "fingerprint": self.fingerprint,
            "tracker": self.backend,
            "place": self.place,
            "ref": self.ref,
            "title": self.title,
            "url": self.url,
            "filed_on": self.filed_on,
            "closed_on": self.closed_on,
            "state": self.state.value,
        }


def issue_histories(events: Iterable[Event]) -> tuple[IssueHistory, ...]:
    """Fold the filings of all trackers by issue, whatever the order or repetition of ``events``."""
    by_issue: dict[tuple[str, str, str], list[Filing]] = {}
    for event in sorted(events, key=lambda event: event.order):
        filing = filing_from_payload(event.payload()) if event.stored.event_class == "review" else None
        if filing is not None and filing.ref is not None:
            by_issue.setdefault((filing.backend, filing.place, filing.ref), []).append(filing)
    return tuple(_history(key[2], by_issue[key]) for key in sorted(by_issue))


def _history(ref: str, filings: list[Filing]) -> IssueHistory:
    last = filings[-1]
    closings = [filing.closed_ns for filing in filings if filing.closed_ns is not None]
    return IssueHistory(
        fingerprint=last.fingerprint,
        backend=last.backend,
        place=last.place,
        ref=ref,
        title=last.title,
        url=last.url,
        filed_on=min(filing.review_date for filing in filings),
        closed_on=_utc_date(max(closings)) if closings else None,
        state=last.state,
    )


def _utc_date(timestamp_ns: int) -> str:
    return datetime.fromtimestamp(timestamp_ns / SECOND_NS, UTC).date().isoformat()
