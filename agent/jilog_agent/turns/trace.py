"""From a ticket to its sessions, turns, commits, decisions and friction, and from any of these back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.friction import moment_of
from jilog_agent.decisions.lookup import FoundSession, look_up
from jilog_agent.decisions.text import clock, one_line
from jilog_agent.decisions.touching import Touched
from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_agent.turns.documents import Dated, document
from jilog_agent.turns.read import (
    SessionStory,
    complete_id,
    dated_records,
    find_record,
    session_of,
    session_story,
)
from jilog_agent.turns.words import turn_lines
from jilog_ledger.decision import FileRef, FileScope
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, JsonValue
from jilog_ledger.projection import EventQuery
from jilog_ledger.times import SECOND_NS
from jilog_ledger.turn import SESSION_STARTED, TURN_RECORDED, Session, Turn
from jilog_review.signal import Signal, signal_from_payload

COMMIT_DIGITS_MIN = 4
"""As git does: fewer digits of a commit mean too many."""

MATCHES_SHOWN = 10
SIGNALS_MAX = 200
PATHS_MAX = 50
"""Changed files of a session whose names are sought in signals."""

TURN_HOURS_MAX = 24
"""A turn that a signal happened in was recorded within a day of it."""

TURNS_NEAR_MAX = 500
"""Turns around a signal whose sessions are looked at."""

AFTERWARDS_SECONDS = 3_600
"""Friction is found up to an hour after a session's last turn: its end is often not recorded."""


@dataclass(frozen=True, slots=True)
class TracedSession:
    """A session with what belongs to it. ``others`` counts turns that were not asked for."""

    story: SessionStory
    others: int
    decisions: tuple[Entry, ...]
    signals: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What ``text`` was understood as, and the sessions that it leads to, the oldest first."""

    kind: str
    name: str
    sessions: tuple[TracedSession, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Give the documented JSON."""
        return {
            "kind": self.kind,
            "id": self.name,
            "sessions": [_session_json(item) for item in self.sessions],
        }


@dataclass(frozen=True, slots=True)
class _Start:
    """What was typed: ``turns`` of None means all turns of the sessions."""

    kind: str
    name: str
    sessions: tuple[str, ...]
    turns: frozenset[str] | None = None


def trace(zones: Sequence[OpenZone], text: str) -> Trace:
    """Follow a ticket, a commit, a jj change, or the id of a session, turn, decision or signal.

    Raises:
        InputError: nothing has this name, or several things have.
    """
    start = _start(zones, text)
    stories = [session_story(zones, session) for session in start.sessions]
    stories.sort(key=lambda story: story.session.timestamp_ns)
    return Trace(start.kind, start.name, tuple(_traced(zones, story, start.turns) for story in stories))


def _start(zones: Sequence[OpenZone], text: str) -> _Start:
    sessions = _records(zones, ("ticket", text))
    if sessions:
        return _Start("ticket", text, tuple(dict.fromkeys(session_of(item.record) for item in sessions)))
    for kind, digits in (("commit", text.lower()), ("change", text)):
        names = _names(zones, kind, digits)
        if len(names) > 1:
            shown = ", ".join(names[:MATCHES_SHOWN])
            raise InputError(f'ambiguous {kind} "{text[:80]}", matches: {shown}', hint="type more of it")
        if names:
            turns = _records(zones, (kind, names[0]))
            found = tuple(dict.fromkeys(session_of(item.record) for item in turns))
            ids = frozenset(item.record.id for item in turns if isinstance(item.record, Turn))
            return _Start(kind, names[0], found, ids)
    try:
        return _from_record(zones, text)
    except InputError as exc:
        if exc.message.startswith("ambiguous"):
            raise
        return _from_anything(zones, text)


def _from_anything(zones: Sequence[OpenZone], text: str) -> _Start:
    """Begin at a decision, a signal, or a session of an agent's own transcripts."""
    unknown = InputError(
        f"no ticket, commit, session or turn is called {text[:80]!r}", hint="list them: jilog turn log --all"
    )
    recorded = _records(zones, ("transcript", text), ("record", SESSION_STARTED)) if text else []
    if recorded:
        return _Start("transcript", text, tuple(session_of(item.record) for item in recorded))
    try:
        found = look_up(zones, text)
    except InputError as exc:
        raise (exc if exc.message.startswith("ambiguous") else unknown) from exc
    if isinstance(found, FoundSession):
        raise unknown
    entry = found.entry
    signal = signal_from_payload(entry.event.payload())
    kind = entry.kind
    sessions = _sessions_of_signal(zones, signal, entry) if signal is not None else [entry.session]
    known = [name for name in sessions if _is_session(zones, name)]
    if not known:
        raise InputError(
            f"{kind} {entry.id} belongs to no session of turns", hint=f"see: jilog show {entry.id}"
        )
    return _Start(kind, entry.id, tuple(known))


def _is_session(zones: Sequence[OpenZone], name: str) -> bool:
    return bool(_records(zones, ("id", name), ("record", SESSION_STARTED)))


def _sessions_of_signal(zones: Sequence[OpenZone], signal: Signal, entry: Entry) -> list[str]:
    """Give the sessions that show this signal: of its transcript, or at work on its files at its time."""
    names = sorted({signal.session_id, signal.root_session})
    found = [
        session_of(item.record)
        for name in names
        for item in _records(zones, ("transcript", name), ("record", SESSION_STARTED))
    ]
    moment = moment_of(signal, entry.event)
    near = EventQuery(
        facets=(("record", TURN_RECORDED),),
        since_ns=moment - AFTERWARDS_SECONDS * SECOND_NS,
        until_ns=moment + TURN_HOURS_MAX * 3_600 * SECOND_NS,
        limit=TURNS_NEAR_MAX,
        oldest_first=True,
        distinct=True,
    )
    candidates = dict.fromkeys(session_of(item.record) for item in dated_records(find_events(zones, near)))
    for name in (*names, *candidates):
        if name in found or not _is_session(zones, name):
            continue
        if any(shown.id == entry.id for shown in _signals(zones, session_story(zones, name))):
            found.append(name)
    return list(dict.fromkeys(found))


def _from_record(zones: Sequence[OpenZone], text: str) -> _Start:
    record = find_record(zones, complete_id(zones, text)).record
    if isinstance(record, Turn):
        return _Start("turn", record.id, (record.session,), frozenset((record.id,)))
    assert isinstance(record, Session)
    return _Start("session", record.id, (record.id, *_children(zones, record.id)))


def _children(zones: Sequence[OpenZone], session: str) -> list[str]:
    """Give the sessions that a session began."""
    return [session_of(item.record) for item in _records(zones, ("parent", session))]


def _names(zones: Sequence[OpenZone], kind: str, prefix: str) -> list[str]:
    if len(prefix) < COMMIT_DIGITS_MIN or not prefix.isalnum():
        return []
    found = {
        name
        for zone in zones
        for name in zone.projection.facet_values(kind, prefix=prefix, limit=MATCHES_SHOWN + 1)
    }
    return [prefix] if prefix in found else sorted(found)


def _records(zones: Sequence[OpenZone], *facets: tuple[str, str]) -> list[Dated]:
    query = EventQuery(facets=facets, limit=None, oldest_first=True, distinct=True)
    return list(dated_records(find_events(zones, query)))


def _traced(zones: Sequence[OpenZone], story: SessionStory, wanted: frozenset[str] | None) -> TracedSession:
    chosen = tuple(
        item
        for item in story.turns
        if wanted is None or (isinstance(item.record, Turn) and item.record.id in wanted)
    )
    shown = replace(story, turns=chosen)
    assert isinstance(story.session.record, Session)
    return TracedSession(
        shown,
        len(story.turns) - len(chosen),
        tuple(_decisions(zones, story.session.record.id)),
        tuple(_signals(zones, shown)),
    )


def _decisions(zones: Sequence[OpenZone], session: str) -> Iterator[Entry]:
    facets = (("record", "decision"), ("session", session))
    for event in find_events(zones, EventQuery(facets=facets, limit=None, oldest_first=True, distinct=True)):
        yield tell(event)


def _signals(zones: Sequence[OpenZone], story: SessionStory) -> list[Entry]:
    """Give the friction of a session: found in its transcript, or while it ran in a file that it changed."""
    session = story.session.record
    assert isinstance(session, Session)
    names = {name for name in (session.id, session.transcript) if name}
    found: dict[bytes, Event] = {}
    for name in sorted(names):
        for event in _learned(zones, EventQuery(facets=(("transcript", name),))):
            found[event.stored.event_id] = event
    since, until = _window(story)
    repository = session.place.repository if session.place else ""
    for path in _changed(story)[:PATHS_MAX]:
        touched = Touched.of(FileScope((FileRef(repository, path),)))
        # A night records what happened before it: the moment in the transcript is what counts.
        for event in _learned(zones, EventQuery(text=path.replace(" ", "/"), since_ns=since)):
            signal = signal_from_payload(event.payload())
            if (
                signal is not None
                and since <= moment_of(signal, event) < until
                and touched.touched_by(signal)
            ):
                found[event.stored.event_id] = event
    return [tell(event) for event in sorted(found.values(), key=lambda event: event.order)]


def _learned(zones: Sequence[OpenZone], query: EventQuery) -> list[Event]:
    wanted = replace(query, classes=("learning",), limit=SIGNALS_MAX, oldest_first=True, distinct=True)
    return find_events(zones, wanted)


def _window(story: SessionStory) -> tuple[int, int]:
    last = story.ended or (story.turns[-1] if story.turns else story.session)
    return story.session.timestamp_ns, last.timestamp_ns + AFTERWARDS_SECONDS * SECOND_NS


def _changed(story: SessionStory) -> list[str]:
    turns = [item.record for item in story.turns if isinstance(item.record, Turn)]
    return list(dict.fromkeys(path for turn in turns for path in turn.vcs.changed_files))


def trace_lines(found: Trace) -> Iterator[str]:
    """Write a trace as a tree of lines."""
    yield f"{found.kind} {one_line(found.name)}"
    ticket = found.name if found.kind == "ticket" else None
    for item in found.sessions:
        session = item.story.session.record
        assert isinstance(session, Session)
        if (session.ticket or "none") != ticket:
            ticket = session.ticket or "none"
            yield f"ticket {one_line(ticket)}"
        yield from _session_lines(item, session)


def _session_lines(item: TracedSession, session: Session) -> Iterator[str]:
    agent = f" agent={session.agent}" if session.agent else ""
    host = f" host={session.place.host}" if session.place else ""
    began = clock(item.story.session.timestamp_ns)
    yield f"  session {session.id} {began}{one_line(agent + host)} goal={one_line(session.goal)}"
    if session.parent:
        yield f"    parent {session.parent}"
    for dated in item.story.turns:
        turn = dated.record
        assert isinstance(turn, Turn)
        yield f"    turn {turn.id} {clock(dated.timestamp_ns)} {one_line(turn.summary) or '-'}"
        for line in turn_lines(turn):
            yield f"      {one_line(line)}"
    if item.others:
        yield f"    and {item.others} other turn(s); see: jilog turn show {session.id}"
    for label, entries in (("decision", item.decisions), ("signal", item.signals)):
        for entry in entries:
            yield f"    {label} {entry.id} [{entry.kind}] {one_line(entry.title)}"
    if item.story.ended is not None:
        yield f"    ended {clock(item.story.ended.timestamp_ns)}"


def _session_json(item: TracedSession) -> JsonValue:
    return {
        "session": document(item.story.session),
        "turns": [document(dated) for dated in item.story.turns],
        "other_turns": item.others,
        "ended": document(item.story.ended) if item.story.ended else None,
        "decisions": [entry.to_json() for entry in item.decisions],
        "signals": [entry.to_json() for entry in item.signals],
    }
