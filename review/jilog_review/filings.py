"""Filings: who filed what, as ``review`` events of the ledger, so that another node can take over.

An event is written before an issue is asked for (``intended``) and after each thing that was done. A death
between the two leaves an intent without an outcome: the tracker itself then tells, by the fingerprint in the
issue's body, whether the request got through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import msgspec

from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_review.detector import Kind
from jilog_review.signal import night_id
from jilog_review.tracker import IssueState

FILING_SCHEMA = 1
SUBSYSTEM = "review-filing"


class FilingAction(StrEnum):
    """What a filing says. ``OBSERVED`` is what a look at the tracker found, without doing anything."""

    INTENDED = "intended"
    REFUSED = "refused"
    CREATED = "created"
    ADOPTED = "adopted"
    BUMPED = "bumped"
    REOPENED = "reopened"
    OBSERVED = "observed"


_SETTLING = frozenset(FilingAction) - {FilingAction.INTENDED}


class Filing(msgspec.Struct, frozen=True, kw_only=True):
    """One record. ``review_date`` is the date of the run, ``covers`` the last review date it told of.

    ``backend`` and ``place`` say which tracker. ``occurrences`` counts the signals it told of.
    """

    fingerprint: str
    backend: str
    place: str
    action: FilingAction
    host: str
    review_date: str
    title: str
    kind: Kind
    ref: str | None = None
    url: str | None = None
    covers: str | None = None
    occurrences: int = 0
    state: IssueState = IssueState.OPEN
    closed_ns: int | None = None

    def to_draft(self, timestamp_ns: int) -> EventDraft:
        """Make the event of this record."""
        record: dict[str, JsonValue] = msgspec.to_builtins(self)
        where = f"{self.backend} {self.ref}" if self.ref else self.backend
        payload: dict[str, JsonValue] = {
            "subsystem": SUBSYSTEM,
            "summary": f"{self.action} {where}: {self.title}"[:200],
            "schema": FILING_SCHEMA,
            **record,
        }
        return EventDraft(
            event_class="review",
            payload=payload,
            object_ref=f"issue:{self.fingerprint}",
            correlation_id=night_id(self.review_date),
            timestamp_ns=timestamp_ns,
        )


def filing_from_payload(payload: JsonValue) -> Filing | None:
    """Read a ``review`` event's payload; None when it is no filing."""
    if not isinstance(payload, dict) or payload.get("subsystem") != SUBSYSTEM:
        return None
    if payload.get("schema") != FILING_SCHEMA:
        return None
    try:
        return msgspec.convert(payload, Filing)
    except msgspec.ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class History:
    """What the ledger knows of one fingerprint in one tracker. Dates are YYYY-MM-DD.

    ``latest`` is the last record that names an issue, None when no filing is known to have succeeded.
    ``created_by`` is the host that filed it. ``intended_ns`` is when an attempt began that has no outcome.
    ``reopened_on`` is when jilog last opened it again.
    """

    latest: Filing | None = None
    created_by: str | None = None
    filed_on: str | None = None
    covers: str | None = None
    bumped_on: str | None = None
    reopened_on: str | None = None
    intended_ns: int | None = None


def histories(events: Iterable[Event], backend: str, place: str) -> dict[str, History]:
    """Fold the filings of one tracker by fingerprint, whatever the order of ``events``."""
    by_fingerprint: dict[str, list[tuple[Event, Filing]]] = {}
    for event in sorted(events, key=lambda event: event.order):
        filing = filing_from_payload(event.payload())
        if filing is not None and (filing.backend, filing.place) == (backend, place):
            by_fingerprint.setdefault(filing.fingerprint, []).append((event, filing))
    return {fingerprint: _history(records) for fingerprint, records in by_fingerprint.items()}


def places(events: Iterable[Event]) -> tuple[tuple[str, str], ...]:
    """Give every tracker in which something was filed, as (backend, place), sorted."""
    filings = (filing_from_payload(event.payload()) for event in events)
    return tuple(sorted({(filing.backend, filing.place) for filing in filings if filing is not None}))


def filings_until(events: Iterable[Event], last: date) -> list[Event]:
    """Keep the filings of runs up to a review date: a digest of that date says nothing of later ones."""
    kept = []
    for event in events:
        filing = filing_from_payload(event.payload())
        if filing is not None and filing.review_date <= last.isoformat():
            kept.append(event)
    return kept


def issue_names(events: Iterable[Event]) -> dict[str, str]:
    """Name the issue that stands for each filed fingerprint, as a digest does: ``github#12``.

    A fingerprint that was filed in several trackers has the one that was recorded last.
    """
    names: dict[str, str] = {}
    for event in sorted(events, key=lambda event: event.order):
        filing = filing_from_payload(event.payload())
        if filing is not None and filing.ref is not None:
            names[filing.fingerprint] = f"{filing.backend}#{filing.ref.removeprefix('#')}"
    return names


def _history(records: Sequence[tuple[Event, Filing]]) -> History:
    named = [filing for _, filing in records if filing.ref is not None]
    first = next(
        (filing for filing in named if filing.action is FilingAction.CREATED), named[0] if named else None
    )
    told = [
        filing.review_date
        for filing in named
        if filing.action in (FilingAction.BUMPED, FilingAction.REOPENED)
    ]
    intents = [
        event.stored.timestamp_ns for event, filing in records if filing.action is FilingAction.INTENDED
    ]
    settled = [event.stored.timestamp_ns for event, filing in records if filing.action in _SETTLING]
    open_intent = bool(intents) and (not settled or intents[-1] > settled[-1])
    return History(
        latest=named[-1] if named else None,
        created_by=first.host if first else None,
        filed_on=first.review_date if first else None,
        covers=max((filing.covers for filing in named if filing.covers), default=None),
        bumped_on=max(told, default=None),
        reopened_on=max(
            (filing.review_date for filing in named if filing.action is FilingAction.REOPENED), default=None
        ),
        intended_ns=intents[-1] if open_intent else None,
    )
