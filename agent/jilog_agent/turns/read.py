"""Reading records from the ledger: filters, lookup by id, the turns of a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_agent.turns.documents import Dated, document
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, JsonValue
from jilog_ledger.turn import (
    SESSION_ENDED,
    SESSION_STARTED,
    TURN_RECORDED,
    Record,
    Session,
    SessionEnd,
    Turn,
    read_record,
)

MATCHES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TurnFilter:
    """Which records to give; everything that is set must hold.

    ``repositories`` of None asks for all. ``grep`` looks, whatever the case, into values and not into names
    of keys; ``changed`` is a part of a changed file's path, and leaves only turns.
    """

    repositories: tuple[str, ...] | None = None
    session: str | None = None
    ticket: str | None = None
    grep: str | None = None
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class SessionStory:
    """A session, its turns, the oldest first, and its end."""

    session: Dated
    turns: tuple[Dated, ...]
    ended: Dated | None


def select_records(zones: Sequence[OpenZone], wanted: TurnFilter) -> list[Dated]:
    """Give the records that pass a filter, the oldest first."""
    found = list(_all(zones, wanted))
    sessions = {item.record.id: item.record for item in found if isinstance(item.record, Session)}
    if wanted.ticket is not None:
        sessions = {key: record for key, record in sessions.items() if record.ticket == wanted.ticket}
        found = [item for item in found if session_of(item.record) in sessions]
    elif wanted.repositories is not None:
        # Ends say nothing of repositories: they belong to sessions, here those of this repository.
        found = [
            item
            for item in found
            if not isinstance(item.record, SessionEnd) or item.record.session in sessions
        ]
    return [item for item in found if _passes(item, wanted)]


def _all(zones: Sequence[OpenZone], wanted: TurnFilter) -> Iterator[Dated]:
    narrowed = () if wanted.session is None else (("session", wanted.session),)
    # The projection brings SQLAlchemy, which recording does without.
    from jilog_ledger.projection import EventQuery

    queries = [(("record", SESSION_ENDED), *narrowed)]
    for record in (SESSION_STARTED, TURN_RECORDED):
        places = (None,) if wanted.repositories is None else wanted.repositories
        for place in places:
            where = () if place is None else (("repository", place),)
            queries.append((("record", record), *narrowed, *where))
    events: dict[bytes, Event] = {}
    for facets in queries:
        query = EventQuery(facets=facets, limit=None, oldest_first=True, distinct=True)
        events.update((event.stored.event_id, event) for event in find_events(zones, query))
    yield from dated_records(sorted(events.values(), key=lambda event: event.order))


def dated_records(events: Iterable[Event]) -> Iterator[Dated]:
    """Read the records of events; what is of another vocabulary is passed over."""
    for event in events:
        record = read_record(event.payload())
        if record is not None:
            yield Dated(record, event.stored.timestamp_ns)


def session_of(record: Record) -> str:
    """Give the id of the session that a record belongs to."""
    return record.id if isinstance(record, Session) else record.session


def _passes(item: Dated, wanted: TurnFilter) -> bool:
    if wanted.changed is not None and not (
        isinstance(item.record, Turn)
        and any(wanted.changed in path for path in item.record.vcs.changed_files)
    ):
        return False
    return wanted.grep is None or holds(document(item), wanted.grep.casefold())


def holds(value: JsonValue, folded: str) -> bool:
    """Tell whether a value, or one in it, contains a text; names of keys do not count."""
    if isinstance(value, dict):
        return any(holds(item, folded) for item in value.values())
    if isinstance(value, list):
        return any(holds(item, folded) for item in value)
    return value is not None and folded in str(value).casefold()


def complete_id(zones: Sequence[OpenZone], text: str) -> str:
    """Complete the id of a session or turn from its beginning; an exact id wins.

    Raises:
        InputError: nothing has such an id, or several things have.
    """
    found: set[str] = set()
    for zone in zones:
        for prefix in (text,) if "_" in text else (f"sess_{text}", f"turn_{text}"):
            found.update(zone.projection.facet_values("id", prefix=prefix, limit=MATCHES_SHOWN + 1))
    found = {name for name in found if name.startswith(("sess_", "turn_"))}
    if text in found:
        return text
    if not found or not text:
        raise InputError(f"not found: {text[:80]}", hint="list ids with: jilog turn log")
    if len(found) > 1:
        shown = ", ".join(sorted(found)[:MATCHES_SHOWN])
        raise InputError(f'ambiguous id "{text[:80]}", matches: {shown}', hint="type more of it")
    return found.pop()


def find_record(zones: Sequence[OpenZone], record_id: str) -> Dated:
    """Give a session or turn by its whole id.

    Raises:
        InputError: there is none, or it is of a newer version.
    """
    from jilog_ledger.projection import EventQuery

    query = EventQuery(facets=(("id", record_id),), limit=1, distinct=True)
    for dated in dated_records(find_events(zones, query)):
        return dated
    raise InputError(f"not found: {record_id[:80]}", hint="list ids with: jilog turn log")


def session_story(zones: Sequence[OpenZone], session_id: str) -> SessionStory:
    """Give all of a session.

    Raises:
        InputError: there is no such session.
    """
    records = select_records(zones, TurnFilter(session=session_id))
    turns = tuple(item for item in records if isinstance(item.record, Turn))
    session = next((item for item in records if isinstance(item.record, Session)), None)
    if session is None:
        if not turns:
            raise InputError(f"session not found: {session_id[:80]}", hint="list them: jilog turn log --all")
        # Its turns came here before it did: an import, or a peer that sends the rest later.
        session = Dated(Session(id=session_id, goal="unknown"), turns[0].timestamp_ns)
    ended = next((item for item in records if isinstance(item.record, SessionEnd)), None)
    return SessionStory(session, turns, ended)
