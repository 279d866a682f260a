"""Finding one thing by what a person has of its id: a session, an entry, or any event."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.select import EntryFilter, select_entries
from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_ledger.errors import InputError
from jilog_ledger.projection import EventQuery

MATCHES_SHOWN = 10
NEAR_SESSIONS_MAX = 2_000
"""Sessions among which the nearest to a misspelt one is sought."""

_HEX_PREFIX = re.compile(r"[0-9a-fA-F]{1,8}(-?[0-9a-fA-F]{0,4}){0,3}-?[0-9a-fA-F]{0,12}\Z")


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session and its entries, the oldest first."""

    session: str
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """One entry or event, and the entries that resolve or supersede it, the oldest first."""

    entry: Entry
    resolved_by: list[Entry]
    superseded_by: list[Entry]


def look_up(zones: Sequence[OpenZone], text: str) -> FoundSession | FoundEntry:
    """Find what an id or its unique beginning means; an exact id is preferred to longer ones.

    Raises:
        InputError: nothing has such an id, or several things have.
    """
    exact = _candidates(zones, text, exact=True)
    if exact:
        return _open(zones, exact[0])
    found = _candidates(zones, text, exact=False)
    if not found:
        raise InputError(f'nothing found matching "{text[:80]}"', hint=_nearest(zones, text))
    if len(found) > 1:
        shown = ", ".join(name for _, name in found[:MATCHES_SHOWN])
        more = ", …" if len(found) > MATCHES_SHOWN else ""
        raise InputError(f'ambiguous id "{text[:80]}", matches: {shown}{more}', hint="type more of it")
    return _open(zones, found[0])


def list_sessions(zones: Sequence[OpenZone]) -> list[str]:
    """Name all sessions, sorted, each once."""
    return sorted({name for zone in zones for name in zone.projection.facet_values("session")})


def full_id(zones: Sequence[OpenZone], text: str) -> str:
    """Complete the id of an entry or event; a whole UUID may be one that has not arrived here yet.

    Raises:
        InputError: nothing has such an id, or several things have, or it is a session's.
    """
    try:
        found = look_up(zones, text)
    except InputError:
        if len(text) == 36 and _HEX_PREFIX.match(text):
            return text.lower()
        raise
    if isinstance(found, FoundSession):
        raise InputError(
            f"{found.session} is a session and not an entry", hint=f"see: jilog show {found.session}"
        )
    return found.entry.id


def _candidates(zones: Sequence[OpenZone], text: str, *, exact: bool) -> list[tuple[str, str]]:
    """Give (kind, id) of sessions, entries with ids of their own, and events, without repeats."""
    found: dict[tuple[str, str], None] = {}
    if not text:
        return []
    for zone in zones:
        for kind in ("session", "id"):
            for name in zone.projection.facet_values(kind, prefix=text, limit=MATCHES_SHOWN + 1):
                if not exact or name == text:
                    found[kind, name] = None
        for name in _by_event_id(zone, text, exact=exact):
            found["id", name] = None
    # The event that began a session has the session's id; the session is what is meant.
    return [item for item in found if item[0] == "session" or ("session", item[1]) not in found]


def _by_event_id(zone: OpenZone, text: str, *, exact: bool) -> list[str]:
    """Give the ids of events whose UUID begins so; an entry with an id of its own is called by that."""
    digits = text.replace("-", "").lower()
    if not _HEX_PREFIX.match(text) or (exact and len(digits) != 32):
        return []
    first, last = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    query = EventQuery(event_id_range=(first, last), limit=MATCHES_SHOWN + 1, distinct=True)
    return [tell(event).id for event in zone.projection.query(query)]


def _open(zones: Sequence[OpenZone], candidate: tuple[str, str]) -> FoundSession | FoundEntry:
    kind, name = candidate
    if kind == "session":
        wanted = EntryFilter(session=name, all_records=True)
        return FoundSession(name, select_entries(zones, wanted, limit=None, oldest_first=True))
    query = EventQuery(facets=(("id", name),), limit=1, distinct=True)
    events = find_events(zones, query)
    if not events:
        raw = bytes.fromhex(name.replace("-", ""))
        events = find_events(zones, EventQuery(event_ids=(raw,), limit=1, distinct=True))
    entry = tell(events[0])
    return FoundEntry(entry, _linked(zones, "resolves", entry.id), _linked(zones, "supersedes", entry.id))


def _linked(zones: Sequence[OpenZone], relation: str, target: str) -> list[Entry]:
    query = EventQuery(facets=((relation, target),), limit=None, distinct=True, oldest_first=True)
    return [tell(event) for event in find_events(zones, query)]


def _nearest(zones: Sequence[OpenZone], text: str) -> str:
    known = [
        name
        for zone in zones
        for kind in ("session", "id")
        for name in zone.projection.facet_values(kind, limit=NEAR_SESSIONS_MAX)
    ]
    nearest = difflib.get_close_matches(text, known, n=1, cutoff=0.6)
    return f"did you mean {nearest[0]!r}?" if nearest else "list what there is: jilog log --all"
