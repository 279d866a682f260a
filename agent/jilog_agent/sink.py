"""Where a command's events go: to the running agent, else to the ledger under its lock.

Through the agent a command is spared some forty milliseconds of opening keys and ledgers. The events are the
same, by whichever way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jilog_agent.client import AgentAway, AgentClient
from jilog_agent.home import Home
from jilog_ledger.errors import JilogError
from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_ledger.identifiers import Writer, format_uuid
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import format_time

SEGMENTS_SEARCHED = 2
"""Where an event of a moment ago can be: in the active segment, or in the one just sealed."""


class Sink:
    """Append to one zone. ``open_ledger`` is called when no agent answers, now or later."""

    def __init__(self, home: Home, zone: str, open_ledger: Callable[[], ZoneLedger]) -> None:
        self._zone = zone
        self._open_ledger = open_ledger
        self._agent = _connected(home)
        self._ledger: ZoneLedger | None = None

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Append durably, each event once.

        Raises:
            JilogError: the agent or the ledger refused; nothing of this call was acknowledged.
        """
        if self._agent is None:
            return self._opened().append(drafts)
        try:
            result = self._agent.call("append", self._params(drafts))
        except AgentAway:
            # Nobody knows whether the agent had written them before it went away.
            self._agent.close()
            self._agent = None
            return self._append_missing(drafts)
        return _events(self._zone, drafts, result)

    def close(self) -> None:
        """Let go of the agent, or of the ledger."""
        if self._agent is not None:
            self._agent.close()
        if self._ledger is not None:
            self._ledger.close()

    def _opened(self) -> ZoneLedger:
        if self._ledger is None:
            self._ledger = self._open_ledger()
        return self._ledger

    def _params(self, drafts: Sequence[EventDraft]) -> dict[str, JsonValue]:
        return {"zone": self._zone, "fresh": True, "events": [_document(draft) for draft in drafts]}

    def _append_missing(self, drafts: Sequence[EventDraft]) -> list[Event]:
        ledger = self._opened()
        stored = {event.stored.event_id: event for event in _latest(ledger)}
        missing = [draft for draft in drafts if draft.event_id not in stored]
        stored |= {event.stored.event_id: event for event in ledger.append(missing)}
        return [stored[draft.event_id] for draft in drafts]


def _connected(home: Home) -> AgentClient | None:
    try:
        return AgentClient.connect(home)
    except JilogError:
        return None  # a folder of somebody else in the socket's place; the ledger does not need it


def _document(draft: EventDraft) -> dict[str, JsonValue]:
    return {
        "event_class": draft.event_class,
        "payload": draft.payload,
        "payload_tier": draft.tier,
        "object_ref": draft.object_ref,
        "actor_ref": draft.actor_ref,
        "correlation_id": format_uuid(draft.correlation_id) if draft.correlation_id else None,
        "causation_id": format_uuid(draft.causation_id) if draft.causation_id else None,
        "timestamp": format_time(draft.timestamp_ns),
        "event_id": format_uuid(draft.event_id),
    }


def _events(zone: str, drafts: Sequence[EventDraft], result: JsonValue) -> list[Event]:
    placed = result.get("events") if isinstance(result, dict) else None
    if not isinstance(placed, list) or len(placed) != len(drafts):
        raise AgentAway("the agent gave an answer that cannot be read", hint="see: jilog agent status")
    events = []
    for draft, place in zip(drafts, placed, strict=True):
        assert isinstance(place, dict)
        writer = Writer(str(place["source"]), str(place["epoch"]))
        events.append(Event(zone, writer, draft.stored(int(str(place["source_seq"])))))
    return events


def _latest(ledger: ZoneLedger) -> list[Event]:
    """Give the newest own events."""
    events = []
    for store in (ledger.shared, ledger.local):
        for info in store.segments(store.own_writer)[-SEGMENTS_SEARCHED:]:
            for batch in store.segment_events(info):
                events += [Event(ledger.zone, batch.writer, stored) for stored in batch.events]
    return events
