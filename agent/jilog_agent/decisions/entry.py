"""Entries as they are told: one shape for decisions and for events of every other vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from jilog_agent.decisions.place import shown_path
from jilog_agent.turns.words import turn_lines
from jilog_ledger.decision import Decision, entry_id, read_decision
from jilog_ledger.event import Event, JsonValue
from jilog_ledger.identifiers import format_uuid
from jilog_ledger.times import format_time
from jilog_ledger.turn import (
    SESSION_ENDED,
    SESSION_STARTED,
    TURN_RECORDED,
    Session,
    SessionEnd,
    Turn,
    read_record,
    title_of,
)
from jilog_review.signal import signal_from_payload


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. ``kind`` is a decision's type, a signal's kind, or another event's class.

    ``decision`` is None for events of other vocabularies.
    """

    event: Event
    id: str
    kind: str
    session: str
    title: str
    body: str = ""
    decision: Decision | None = None

    @property
    def timestamp_ns(self) -> int:
        """When it happened, in Unix nanoseconds."""
        return self.event.stored.timestamp_ns

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags, in the order in which they were given."""
        return self.decision.tags if self.decision else ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, as people write them."""
        return tuple(shown_path(ref) for ref in self.decision.files) if self.decision else ()

    def to_json(self) -> dict[str, JsonValue]:
        """Give the entry's documented JSON; what is empty is left out (``docs/decisions.md``)."""
        fields: dict[str, JsonValue] = {
            "id": self.id,
            "timestamp": format_time(self.timestamp_ns),
            "session_id": self.session,
            "type": self.kind,
            "title": self.title,
            "body": self.body,
            "tags": list(self.tags),
            "file_refs": list(self.paths),
        }
        if self.decision is not None:
            fields |= _decision_fields(self.decision)
        required = ("id", "timestamp", "session_id", "type", "title")
        shown = {key: value for key, value in fields.items() if value or key in required}
        return {**shown, "zone": self.event.zone, "source": self.event.writer.source}


def _decision_fields(decision: Decision) -> dict[str, JsonValue]:
    return {
        "files": [{"repository": ref.repository, "path": ref.path} for ref in decision.files],
        "alternatives": list(decision.alternatives),
        "outcome": decision.outcome,
        "resolves": list(decision.resolves),
        "supersedes": list(decision.supersedes),
        "place": msgspec.to_builtins(decision.place),
    }


def tell(event: Event) -> Entry:
    """Tell any event in the words of its vocabulary; one that nobody knows by its class and summary."""
    payload = event.payload()
    fields = payload if isinstance(payload, dict) else {}
    if event.stored.event_class == "learning":
        return _tell_signal(event, fields) or _tell_plainly(event, fields)
    record = fields.get("record")
    teller = TELLERS.get(record) if isinstance(record, str) else None
    entry = teller(event, fields) if teller else None
    return entry or _tell_plainly(event, fields)


def _tell_decision(event: Event, payload: Mapping[str, JsonValue]) -> Entry | None:
    decision = read_decision(dict(payload))
    if decision is None:
        return None
    return Entry(
        event=event,
        id=entry_id(event.stored.event_id, decision),
        kind=decision.type,
        session=decision.session_id,
        title=decision.title,
        body=decision.body,
        decision=decision,
    )


def _tell_plainly(event: Event, payload: Mapping[str, JsonValue]) -> Entry:
    summary, session = payload.get("summary"), payload.get("session_id")
    return Entry(
        event=event,
        id=format_uuid(event.stored.event_id),
        kind=event.stored.event_class,
        session=session if isinstance(session, str) else event.writer.source,
        title=summary if isinstance(summary, str) else event.stored.object_ref or "",
    )


def _tell_signal(event: Event, payload: Mapping[str, JsonValue]) -> Entry | None:
    signal = signal_from_payload(dict(payload))
    if signal is None:
        return None
    lines = [
        signal.excerpt,
        *([f"command: {signal.command}"] if signal.command else []),
        *([f"worked later: {signal.later_command}"] if signal.later_command else []),
        *([f"files: {', '.join(signal.paths)}"] if signal.paths else []),
    ]
    return Entry(
        event=event,
        id=signal.id,
        kind=str(signal.kind),
        session=signal.root_session,
        title=signal.summary,
        body="\n".join(lines),
    )


def _tell_turn(event: Event, payload: Mapping[str, JsonValue]) -> Entry | None:
    record = read_record(dict(payload))
    if record is None:
        return None
    kinds = {Session: "session", Turn: "turn", SessionEnd: "session_end"}
    return Entry(
        event=event,
        id=format_uuid(event.stored.event_id) if isinstance(record, SessionEnd) else record.id,
        kind=kinds[type(record)],
        session=record.id if isinstance(record, Session) else record.session,
        title=title_of(record).removeprefix("turn: "),
        body="\n".join(turn_lines(record)) if isinstance(record, Turn) else "",
    )


Teller = Callable[[Event, Mapping[str, JsonValue]], Entry | None]
"""Tells an event of its own vocabulary; None when the payload is not what it says it is."""

TELLERS: dict[str, Teller] = {
    "decision": _tell_decision,
    SESSION_STARTED: _tell_turn,
    TURN_RECORDED: _tell_turn,
    SESSION_ENDED: _tell_turn,
}
"""By the payload's ``record``. A vocabulary with a line here is told by log, show and blame."""
