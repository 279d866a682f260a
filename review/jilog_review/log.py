"""The ledger as the review sees it: a log of what was learned, read by date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Protocol

from jilog_ledger.event import Event, EventDraft


class LearningLog(Protocol):
    """Where signals are kept. What it gives includes what peers sent: the merged ledger."""

    def append(self, drafts: Sequence[EventDraft]) -> None:
        """Append events; returns only when they are durable, and appends all of them or none.

        Raises:
            JilogError: the ledger could not be written; nothing was appended.
        """
        ...

    def events(self, first: date, last: date) -> Iterable[Event]:
        """Give the ``learning`` and ``review`` events whose ``review_date`` lies in ``first`` to ``last``.

        Both ends are included. Events beyond may be given too (the aggregation filters), in any order: it
        must not matter. The payload's ``review_date`` decides, never the event's timestamp; all events of
        one date share the correlation id of :func:`jilog_review.signal.night_id`.
        """
        ...

    def known_signals(self, ids: Collection[str]) -> set[str]:
        """Give those of ``ids`` that some event of the merged ledger already holds, of any date and host.

        A signal's event has the object_ref ``signal:<id>``.
        """
        ...

    def labels(self) -> Iterable[Event]:
        """Give the ``review`` events of subsystem ``review-label``, of every date and host, in any order.

        Other events may be given too.
        """
        ...

    def filings(self) -> Iterable[Event]:
        """Give the ``review`` events of subsystem ``review-filing``, of every date and host, in any order."""
        ...

    def hosts(self) -> Collection[str]:
        """Name the hosts whose events the merged ledger holds: equal frontiers give equal names."""
        ...
