"""Facets: what the vocabularies of the ledger let events be found by, as rows of two narrow tables.

A vocabulary is known by its payload's ``record`` key. For each event it names values (type, session, tag, …)
and files; the projection stores them and knows nothing more of any vocabulary. Events without that key, which
are most, cost one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jilog_ledger.decision import Decision, FileRef, read_decision
from jilog_ledger.event import JsonValue, StoredEvent
from jilog_ledger.identifiers import format_uuid
from jilog_ledger.turn import SESSION_ENDED, SESSION_STARTED, TURN_RECORDED, Session, Turn, read_record


@dataclass(frozen=True, slots=True)
class Facets:
    """Names with values, each pair once, and files."""

    values: tuple[tuple[str, str], ...]
    files: tuple[FileRef, ...] = ()


NOTHING = Facets(())

SIGNAL_CLASS = "learning"
"""Signals say what they are by their event's class; they were recorded before payloads named a record."""


def facets_of(event: StoredEvent, payload: JsonValue) -> Facets:
    """Give what an event is found by. A payload that is not what its vocabulary says gives nothing."""
    if not isinstance(payload, dict):
        return NOTHING
    if event.event_class == SIGNAL_CLASS:
        return _signal(payload)
    record = payload.get("record")
    vocabulary = _VOCABULARIES.get(record) if isinstance(record, str) else None
    return vocabulary(event, payload) if vocabulary else NOTHING


def _signal(payload: Mapping[str, JsonValue]) -> Facets:
    """Name a signal, and the sessions of the transcripts that it and its root were found in."""
    names = (("id", "id"), ("transcript", "session_id"), ("transcript", "root_session"))
    values = [(name, value) for name, key in names if isinstance(value := payload.get(key), str) and value]
    return Facets((("record", "signal"), *dict.fromkeys(values))) if values else NOTHING


def _decision(event: StoredEvent, payload: JsonValue) -> Facets:
    decision = read_decision(payload)
    if decision is None:
        return NOTHING
    return Facets(
        tuple(dict.fromkeys(_decision_values(event, decision))), tuple(dict.fromkeys(decision.files))
    )


def _decision_values(event: StoredEvent, decision: Decision) -> list[tuple[str, str]]:
    return [
        ("record", "decision"),
        ("id", decision.id or format_uuid(event.event_id)),
        ("type", decision.type),
        ("session", decision.session_id),
        *(("tag", tag) for tag in decision.tags),
        *(("resolves", target) for target in decision.resolves),
        *(("supersedes", target) for target in decision.supersedes),
    ]


def _turn(_event: StoredEvent, payload: JsonValue) -> Facets:
    record = read_record(payload)
    if record is None:
        return NOTHING
    if isinstance(record, Turn):
        return Facets(_chosen(_turn_values(record)), tuple(dict.fromkeys(record.files)))
    if isinstance(record, Session):
        return Facets(_chosen(_session_values(record)))
    return Facets((("record", SESSION_ENDED), ("session", record.session)))


def _turn_values(turn: Turn) -> list[tuple[str, str | None]]:
    return [
        ("record", TURN_RECORDED),
        ("id", turn.id),
        ("session", turn.session),
        ("agent", turn.agent),
        ("repository", turn.place.repository if turn.place else None),
        ("change", turn.vcs.jj_change),
        *(("commit", commit) for commit in (turn.vcs.git_head, turn.vcs.jj_commit, *turn.commits)),
    ]


def _session_values(session: Session) -> list[tuple[str, str | None]]:
    return [
        ("record", SESSION_STARTED),
        ("id", session.id),
        ("session", session.id),
        ("ticket", session.ticket),
        ("parent", session.parent),
        ("transcript", session.transcript),
        ("agent", session.agent),
        ("repository", session.place.repository if session.place else None),
    ]


def _chosen(values: list[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((name, value) for name, value in values if value))


_VOCABULARIES: dict[str, Callable[[StoredEvent, JsonValue], Facets]] = {
    "decision": _decision,
    SESSION_STARTED: _turn,
    TURN_RECORDED: _turn,
    SESSION_ENDED: _turn,
}
"""A further vocabulary adds its line here; a projection made before has another schema version."""
