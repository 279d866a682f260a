"""The merged ledger as the review reads and writes it: a zone and its projection."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

from jilog_ledger.event import Event, EventDraft
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import EventQuery, Projection
from jilog_review.filings import SUBSYSTEM as FILING_SUBSYSTEM
from jilog_review.labels import SUBSYSTEM as LABEL_SUBSYSTEM
from jilog_review.signal import night_id, signal_ref

CLASSES = ("learning", "review")
_DAYS_BY_NIGHT_MAX = 60
"""Longer windows are read as one scan of the two classes instead of one look-up per night."""


class LedgerLog:
    """Implements ``jilog_review.log.LearningLog``.

    Only shared events count, for every node must see the same, and each id counts once, whoever imported it.
    """

    def __init__(self, ledger: ZoneLedger, projection: Projection) -> None:
        self._ledger = ledger
        self._projection = projection
        projection.apply()

    def append(self, drafts: Sequence[EventDraft]) -> None:
        """Append durably, and take the events into the projection."""
        self._ledger.append(drafts)
        self._projection.apply()

    def events(self, first: date, last: date) -> Iterator[Event]:
        """Give the learning and review events of the review dates from ``first`` to ``last``."""
        days = (last - first).days + 1
        if days > _DAYS_BY_NIGHT_MAX:
            yield from self._query(None)
            return
        for offset in range(days):
            yield from self._query(night_id((first + timedelta(days=offset)).isoformat()))

    def labels(self) -> Iterator[Event]:
        """Give the labels of all dates and hosts."""
        query = EventQuery(
            classes=("review",),
            subsystems=(LABEL_SUBSYSTEM,),
            limit=None,
            oldest_first=True,
            shared_only=True,
            distinct=True,
        )
        yield from self._projection.query(query)

    def filings(self) -> Iterator[Event]:
        """Give the filings of all dates and hosts."""
        query = EventQuery(
            classes=("review",),
            subsystems=(FILING_SUBSYSTEM,),
            limit=None,
            oldest_first=True,
            shared_only=True,
            distinct=True,
        )
        yield from self._projection.query(query)

    def hosts(self) -> frozenset[str]:
        """Name the writers of which this ledger's frontier tells at least one event."""
        entries = self._ledger.frontier().entries
        return frozenset(entry.writer.source for entry in entries if entry.last_sequence > 0)

    def known_signals(self, ids: Collection[str]) -> set[str]:
        """Look the ids up by the object that an event speaks of."""
        references = {signal_ref(signal_id): signal_id for signal_id in ids}
        return {references[found] for found in self._projection.known_objects(references, CLASSES)}

    def _query(self, correlation_id: bytes | None) -> list[Event]:
        return self._projection.query(
            EventQuery(
                classes=CLASSES,
                correlation_id=correlation_id,
                limit=None,
                oldest_first=True,
                shared_only=True,
                distinct=True,
            )
        )
