"""Writing entries: each once, whoever tries again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.decision import Decision, checked, decision_draft, entry_event_id, entry_id, read_decision
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.identifiers import new_event_id
from jilog_review.redact import Redactor, redact

LOCK_NAME = "entries.lock"
"""Held from looking for an id to appending it, so that two processes cannot both find nothing."""


class IdTaken(InputError):
    """An id that is there already, with other content."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that somebody wants to write.

    ``timestamp_ns`` of None means now. ``redactor`` sees every text that a person or agent wrote. ``fresh``
    says that the id was made at random for this first try: nobody needs to look for it.
    """

    decision: Decision
    timestamp_ns: int | None = None
    actor: str | None = None
    confidential: bool = False
    redactor: Redactor = field(default=redact)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that is on stable storage. ``created`` is false when it was there before, the same.

    ``redacted`` counts the places that were masked.
    """

    entry: Entry
    created: bool
    redacted: int


def write_entry(zone: OpenZone, proposal: Proposal, clock: Callable[[], int]) -> Written:
    """Write one entry durably. An id of the client's choice makes a second try a no-op.

    Raises:
        InputError: the entry is not valid.
        IdTaken: the id is there with other content.
        StorageError: the disk refused.
    """
    decision, masked = _redacted(checked(proposal.decision), proposal.redactor)
    now = clock() if proposal.timestamp_ns is None else proposal.timestamp_ns
    event_id = entry_event_id(decision.id) if decision.id else new_event_id(now)
    draft = decision_draft(
        decision,
        timestamp_ns=now,
        event_id=event_id,
        actor=proposal.actor,
        confidential=proposal.confidential,
    )
    if not decision.id or proposal.fresh:
        # A fresh random id is in nobody's way: no lock and no look-up. Should a second try overtake the
        # first one, there are two events of one id and one content, which readers give once.
        return Written(tell(zone.ledger.append([draft])[0]), created=True, redacted=masked)
    with zone.disk.lock(zone.ledger.root / LOCK_NAME):
        held = held_events(zone, [event_id]).get(event_id)
        if held is not None:
            _check_same(held, decision, proposal.timestamp_ns)
            return Written(tell(held), created=False, redacted=masked)
        # A crash before this line leaves nothing, after it the entry; the next try finds which.
        return Written(tell(zone.ledger.append([draft])[0]), created=True, redacted=masked)


def held_events(zone: OpenZone, event_ids: Sequence[bytes]) -> dict[bytes, Event]:
    """Give those of these events that the zone holds, by id."""
    from jilog_ledger.projection import EventQuery

    zone.apply()
    query = EventQuery(event_ids=tuple(event_ids), limit=None, distinct=True)
    return {event.stored.event_id: event for event in zone.projection.query(query)} if event_ids else {}


def same_entry(held: Event, decision: Decision, timestamp_ns: int | None) -> bool:
    """Tell whether a held event is this entry. Where it was written may differ, and when, unless said."""
    known = read_decision(held.payload())
    if known is None or (timestamp_ns is not None and held.stored.timestamp_ns != timestamp_ns):
        return False
    proposed = msgspec.structs.replace(decision, id=None, place=None)
    return msgspec.structs.replace(known, id=None, place=None) == proposed


def _check_same(held: Event, decision: Decision, timestamp_ns: int | None) -> None:
    if same_entry(held, decision, timestamp_ns):
        return
    name = entry_id(held.stored.event_id, decision)
    raise IdTaken(
        f"id {name} is taken by an entry with other content",
        hint=f"look at it: jilog show {name}; to change one's mind: jilog write --supersedes {name}",
    )


def _redacted(decision: Decision, redactor: Redactor) -> tuple[Decision, int]:
    """Mask what must not be replicated in everything that was typed."""
    title, outcome, body = redactor(decision.title), redactor(decision.outcome), redactor(decision.body)
    alternatives = [redactor(text) for text in decision.alternatives]
    masked = sum(item.places for item in (title, outcome, body, *alternatives))
    if not masked:
        return decision, 0
    changed = msgspec.structs.replace(
        decision,
        title=title.text,
        outcome=outcome.text,
        body=body.text,
        alternatives=tuple(item.text for item in alternatives),
    )
    return changed, masked


def prepared(proposal: Proposal) -> EventDraft:
    """Make the event of an import's entry, which has an id and a time.

    Raises:
        InputError: the entry is not valid.
    """
    decision, _ = _redacted(checked(proposal.decision), proposal.redactor)
    assert decision.id is not None
    assert proposal.timestamp_ns is not None
    return decision_draft(
        decision,
        timestamp_ns=proposal.timestamp_ns,
        event_id=entry_event_id(decision.id),
        actor=proposal.actor,
        confidential=proposal.confidential,
    )
