"""Fakes for those who test against the review."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from jilog_ledger.event import Event, EventDraft
from jilog_ledger.identifiers import Writer
from jilog_review.filings import filing_from_payload
from jilog_review.signal import signal_ref


class MemoryLog:
    """A learning log in memory: one host's own events, and those merged in from others."""

    def __init__(self, host: str = "alpha", zone: str = "ops") -> None:
        self.zone = zone
        self.writer = Writer(host, "0123456789abcdef")
        self.kept: list[Event] = []

    def append(self, drafts: Sequence[EventDraft]) -> None:
        """Append to this host's stream."""
        first = 1 + sum(1 for event in self.kept if event.writer == self.writer)
        for sequence, draft in enumerate(drafts, start=first):
            self.kept.append(Event(self.zone, self.writer, draft.stored(sequence)))

    def events(self, first: date, last: date) -> Iterable[Event]:  # noqa: ARG002 (see the docstring)
        """Give all events: the aggregation must filter by itself."""
        return [event for event in self.kept if event.stored.event_class in {"learning", "review"}]

    def filings(self) -> Iterable[Event]:
        """Give the filings among all events."""
        return [event for event in self.events(date.min, date.max) if _is_filing(event)]

    def labels(self) -> Iterable[Event]:
        """Give all events: whoever reads labels must filter by itself."""
        return self.events(date.min, date.max)

    def hosts(self) -> Collection[str]:
        """Name the writers of all events."""
        return {event.writer.source for event in self.kept}

    def known_signals(self, ids: Collection[str]) -> set[str]:
        """Look the ids up in all events."""
        refs = {event.stored.object_ref for event in self.kept}
        return {signal_id for signal_id in ids if signal_ref(signal_id) in refs}

    def merge(self, other: MemoryLog) -> None:
        """Take every event of another log that is not here yet, as a sync does."""
        held = {(event.writer, event.sequence) for event in self.kept}
        self.kept.extend(event for event in other.kept if (event.writer, event.sequence) not in held)


def _is_filing(event: Event) -> bool:
    return filing_from_payload(event.payload()) is not None
