"""Appending what is not there yet, in batches, under the lock that keeps two importers apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jilog_agent.decisions.record import LOCK_NAME, held_events
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.imports.report import ImportReport
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft, StoredEvent
from jilog_ledger.limits import BLOCK_BYTES_MAX

BATCH_EVENTS = 500
BATCH_BYTES = BLOCK_BYTES_MAX // 4
"""A batch is one durable write; it stays well below what a block may hold."""

Same = Callable[[Event, EventDraft], bool]
"""Tells whether a held event is what a draft says."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An event to import, and where it was found."""

    where: str
    draft: EventDraft
    stored: StoredEvent


def candidate(where: str, draft: EventDraft, report: ImportReport) -> Candidate | None:
    """Check a draft; one that the ledger would refuse is reported."""
    try:
        return Candidate(where, draft, draft.stored(1))
    except InputError as refused:
        report.skip(where, refused.message)
        return None


def append_missing(zone: OpenZone, candidates: Iterable[Candidate], same: Same, report: ImportReport) -> None:
    """Append the candidates whose ids the zone does not hold.

    A batch is appended whole or not at all; after a crash the same import goes on where it stopped.

    Raises:
        StorageError: the disk refused; what was appended before stays.
    """
    for batch in _batches(candidates):
        with zone.disk.lock(zone.ledger.root / LOCK_NAME):
            missing = list(_missing(zone, batch, same, report))
            if not report.dry_run:
                zone.ledger.append([item.draft for item in missing])
        report.added += len(missing)


def _missing(zone: OpenZone, batch: list[Candidate], same: Same, report: ImportReport) -> Iterator[Candidate]:
    held = held_events(zone, [item.draft.event_id for item in batch])
    chosen: dict[bytes, Event] = {}
    for item in batch:
        event_id = item.draft.event_id
        known = held.get(event_id) or chosen.get(event_id)
        if known is None:
            chosen[event_id] = Event(zone.ledger.zone, zone.ledger.shared.own_writer, item.stored)
            yield item
        elif same(known, item.draft):
            report.present += 1
        else:
            report.skip(item.where, "its id is taken by an event with other content")


def _batches(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    batch: list[Candidate] = []
    size = 0
    for item in candidates:
        length = len(bytes(item.stored.payload))
        if batch and (len(batch) >= BATCH_EVENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch
