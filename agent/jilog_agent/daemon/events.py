"""Events of any vocabulary over the socket: appended each once, and followed as they come."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.limits import TAIL_BATCH_EVENTS
from jilog_agent.daemon.zones import Zones
from jilog_agent.decisions.record import LOCK_NAME, IdTaken, held_events
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_ledger.frontier import FrontierEntry
from jilog_ledger.identifiers import Writer, derived_event_id, format_uuid, new_event_id, parse_uuid
from jilog_ledger.limits import BLOCK_EVENTS_MAX
from jilog_ledger.store import ZoneStore
from jilog_ledger.times import now_ns, parse_rfc3339


class NewEvent(Struct, frozen=True):
    """An event to append; the keys are those of ``jilog query --json``."""

    event_class: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    payload_tier: str = "structured"
    object_ref: str | None = None
    actor_ref: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    timestamp: str | None = None
    event_id: str | None = None


class Append(Struct, frozen=True):
    """Events to append to one zone, all of them or none.

    ``fresh`` promises that the ids are new, which spares looking for them.
    """

    events: tuple[NewEvent, ...]
    zone: str | None = None
    fresh: bool = False


class Tail(Struct, frozen=True):
    """What to follow. ``after`` holds the last sequence that is known of each ``source/epoch``.

    ``start`` of ``now`` gives only what comes from now on, ``beginning`` all that is held of the writers that
    ``after`` does not name.
    """

    zone: str | None = None
    classes: tuple[str, ...] = ()
    subsystems: tuple[str, ...] = ()
    after: dict[str, int] = {}
    start: str = "now"
    confidential: bool = False


def append(zones: Zones, asked: Append, caller: Caller) -> JsonValue:
    """Append events durably, in one batch, and say where they stand; each once for one idempotency key."""
    if not 1 <= len(asked.events) <= BLOCK_EVENTS_MAX:
        raise InputError(f"append takes 1 to {BLOCK_EVENTS_MAX} events, not {len(asked.events)}")
    drafts = [_draft(event, caller.key, index) for index, event in enumerate(asked.events)]
    ledger = zones.ledger(asked.zone)
    named = caller.key is not None or any(event.event_id for event in asked.events)
    if asked.fresh or not named:
        return _placed(ledger.append(drafts), created=len(drafts))
    return _append_once(zones, ledger.zone, drafts)


def _draft(event: NewEvent, key: str | None, index: int) -> EventDraft:
    try:
        timestamp_ns = parse_rfc3339(event.timestamp) if event.timestamp else now_ns()
    except ValueError as exc:
        raise InputError(f"invalid timestamp: {exc}", hint="use the form 2026-05-09T08:02:11Z") from exc
    if event.event_id:
        event_id = parse_uuid(event.event_id)
    elif key is not None:
        event_id = derived_event_id("idempotency", f"{key} {index}")
    else:
        event_id = new_event_id(timestamp_ns)
    return EventDraft(
        event.event_class,
        _payload(event.payload),
        tier=event.payload_tier,
        object_ref=event.object_ref,
        actor_ref=event.actor_ref,
        correlation_id=parse_uuid(event.correlation_id) if event.correlation_id else None,
        causation_id=parse_uuid(event.causation_id) if event.causation_id else None,
        timestamp_ns=timestamp_ns,
        event_id=event_id,
    )


def _payload(raw: msgspec.Raw) -> JsonValue:
    try:
        value: JsonValue = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"payload cannot be read: {exc}") from exc
    return value


def _append_once(zones: Zones, zone_id: str, drafts: Sequence[EventDraft]) -> JsonValue:
    """Append what is not there yet, under the lock of those who look before they write."""
    with zones.opened(zone_id) as (zone,):
        with zone.disk.lock(zone.ledger.root / LOCK_NAME):
            held = _held(zone, drafts)
            missing = [draft for draft in drafts if draft.event_id not in held]
            # A crash before this line leaves nothing, after it all; the next try finds which.
            for event in zone.ledger.append(missing):
                held[event.stored.event_id] = event
        return _placed([held[draft.event_id] for draft in drafts], created=len(missing))


def _held(zone: OpenZone, drafts: Sequence[EventDraft]) -> dict[bytes, Event]:
    held = held_events(zone, [draft.event_id for draft in drafts])
    for draft in drafts:
        event = held.get(draft.event_id)
        if event is not None and event.payload() != draft.payload:
            raise IdTaken(
                f"event id {format_uuid(draft.event_id)} is taken by an event with other content",
                hint="give another event_id or idempotency_key",
            )
    return held


def _placed(events: Sequence[Event], *, created: int) -> JsonValue:
    return {
        "created": created,
        "events": [
            {
                "event_id": format_uuid(event.stored.event_id),
                "zone": event.zone,
                "source": event.writer.source,
                "epoch": event.writer.epoch,
                "source_seq": event.stored.sequence,
            }
            for event in events
        ],
    }


@dataclass(slots=True)
class Feed:
    """Follow the streams of some stores from a position on. One thread at a time."""

    stores: Sequence[ZoneStore]
    classes: tuple[str, ...] = ()
    subsystems: tuple[str, ...] = ()
    _given: dict[tuple[int, Writer], int] = field(default_factory=dict)
    _seen: dict[int, dict[Writer, FrontierEntry]] = field(default_factory=dict)
    _events: Iterator[Event] = field(default_factory=lambda: iter(()))

    @classmethod
    def of(cls, zones: Zones, asked: Tail) -> Feed:
        """Start a feed.

        Raises:
            InputError: a parameter cannot be meant.
        """
        if asked.start not in ("now", "beginning"):
            raise InputError(f"invalid start {asked.start[:80]!r}", hint="use now or beginning")
        ledgers = zones.chosen(asked.zone)
        stores = [ledger.shared for ledger in ledgers]
        if asked.confidential:
            stores += [ledger.local for ledger in ledgers]
        feed = cls(stores, asked.classes, asked.subsystems)
        if asked.start == "now":
            feed._skip_held()
        for name, sequence in asked.after.items():
            source, _, epoch = name.partition("/")
            for index in range(len(stores)):
                feed._given[index, Writer(source, epoch)] = sequence
        return feed

    def _skip_held(self) -> None:
        for index, store in enumerate(self.stores):
            for writer in store.writers():
                segments = store.segments(writer)
                if segments:
                    self._given[index, writer] = segments[-1].last_sequence

    def take(self) -> list[Event]:
        """Give the next events, TAIL_BATCH_EVENTS at most; none when there is nothing new."""
        batch = self._more()
        if not batch:
            # Either the last look is used up or it had nothing that passes the filters: look again.
            self._events = self._new_events()
            batch = self._more()
        return batch

    def _more(self) -> list[Event]:
        batch = []
        for event in self._events:
            if self._wanted(event):
                batch.append(event)
                if len(batch) >= TAIL_BATCH_EVENTS:
                    break
        return batch

    def _new_events(self) -> Iterator[Event]:
        for index, store in enumerate(self.stores):
            entries = {entry.writer: entry for entry in store.frontier().entries}
            known, self._seen[index] = self._seen.get(index, {}), entries
            for writer, entry in entries.items():
                if known.get(writer) != entry:
                    yield from self._after(index, store, writer)

    def _after(self, index: int, store: ZoneStore, writer: Writer) -> Iterator[Event]:
        given = self._given.get((index, writer), 0)
        for info in store.segments(writer):
            if info.last_sequence <= given:
                continue
            for batch in store.segment_events(info):
                for stored in batch.events:
                    if stored.sequence > given:
                        # Before the event is given: when the reader goes away, nobody asks again.
                        self._given[index, writer] = stored.sequence
                        yield Event(store.zone, writer, stored)

    def _wanted(self, event: Event) -> bool:
        if self.classes and event.stored.event_class not in self.classes:
            return False
        if not self.subsystems:
            return True
        payload = event.payload()
        subsystem = payload.get("subsystem") if isinstance(payload, dict) else None
        return isinstance(subsystem, str) and any(
            fnmatch.fnmatchcase(subsystem, pattern) for pattern in self.subsystems
        )
