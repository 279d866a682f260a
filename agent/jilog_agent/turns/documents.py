"""Records as ``.turnlog/`` holds them: the JSON of the seed's record model, and back."""

from __future__ import annotations

import json
from dataclasses import dataclass

import msgspec

from jilog_agent.turns.words import verification_text
from jilog_ledger.decision import Place
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import format_time, parse_rfc3339
from jilog_ledger.turn import (
    SCHEMA_VERSION,
    SESSION_ENDED,
    SESSION_STARTED,
    TURN_RECORDED,
    Attachment,
    Record,
    Session,
    SessionEnd,
    Turn,
    Vcs,
    Verification,
    checked_end,
    checked_session,
    checked_turn,
)

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
"""One record: twice what an event may hold, for JSON is longer than msgpack."""


class NewerVersion(InputError):
    """A record of a version that this program does not know; it is left as it is."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A record and when it was made, in Unix nanoseconds."""

    record: Record
    timestamp_ns: int


class _Document(msgspec.Struct):
    """What all documents have; keys of other programs are passed over."""

    created_at: str
    schema_version: int = SCHEMA_VERSION
    agent: str | None = None
    host: str | None = None
    repository: str | None = None
    repo_root: str | None = None


class _Session(_Document):
    id: str = ""
    goal: str = ""
    ticket: str | None = None
    vcs_start: Vcs = Vcs()
    parent: str | None = None
    transcript: str | None = None


class _Turn(_Document):
    id: str = ""
    session: str = ""
    model: str | None = None
    summary: str | None = None
    verification: tuple[str, ...] = ()
    checks: tuple[Verification, ...] | None = None
    attachments: tuple[Attachment, ...] = ()
    message_id: str | None = None
    commits: tuple[str, ...] = ()
    vcs: Vcs = Vcs()


class _End(_Document):
    session: str = ""
    summary: str | None = None


def document(dated: Dated) -> dict[str, JsonValue]:
    """Give a record's JSON. Keys that the seed has not stand behind its own."""
    record = dated.record
    head: dict[str, JsonValue] = {"schema_version": SCHEMA_VERSION}
    created = {"created_at": format_time(dated.timestamp_ns)}
    if isinstance(record, Session):
        fields: dict[str, JsonValue] = {
            "id": record.id,
            "ticket": record.ticket or None,
            "goal": record.goal,
            **created,
            "repo_root": record.place.folder if record.place else None,
            "vcs_start": vcs_document(record.vcs_start),
            **_more({"parent": record.parent, "transcript": record.transcript}),
        }
    elif isinstance(record, Turn):
        fields = {"id": record.id, "session": record.session, **created, **_turn_fields(record)}
    else:
        fields = {"session": record.session, **created, "summary": record.summary or None}
    place = record.place
    where: dict[str, JsonValue] = {}
    if place is not None:
        where = {"host": place.host, "repository": place.repository, "repo_root": place.folder}
    return {**head, **fields, **_more({"agent": record.agent, **where})}


def _turn_fields(turn: Turn) -> dict[str, JsonValue]:
    return {
        "model": turn.model or None,
        "summary": turn.summary or None,
        "verification": [verification_text(item) for item in turn.verification],
        "attachments": [msgspec.to_builtins(item) for item in turn.attachments],
        "vcs": vcs_document(turn.vcs),
        **_more(
            {
                "checks": [msgspec.to_builtins(item) for item in turn.verification],
                "commits": list(turn.commits),
                "message_id": turn.message_id,
            }
        ),
    }


def _more(fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {key: value for key, value in fields.items() if value}


def vcs_document(vcs: Vcs) -> dict[str, JsonValue]:
    """Give the JSON of a state: the keys that its kind has, whether known or not."""
    jj: dict[str, JsonValue] = {
        "jj_change": vcs.jj_change,
        "jj_commit": vcs.jj_commit,
        "jj_operation": vcs.jj_operation,
    }
    git: dict[str, JsonValue] = {
        "git_head": vcs.git_head,
        "git_branch": vcs.git_branch,
        "dirty": vcs.dirty,
        "changed_files": list(vcs.changed_files),
    }
    known = {"jj": {**jj, **git}, "git": git}.get(vcs.kind, {})
    more: dict[str, JsonValue] = {
        "changed_files_left_out": vcs.changed_files_left_out,
        "problem": vcs.problem,
    }
    return {"kind": vcs.kind, **known, **_more(more)}


def event_name(record: Record) -> str:
    """Name a record's event, as the index does."""
    return _NAMES[type(record)][0]


def index_line(dated: Dated) -> bytes:
    """Give a record's line of the index: event type, id, time and version, then the record."""
    record, body = dated.record, document(dated)
    name, key = _NAMES[type(record)]
    line = {
        "type": name,
        "id": body.get("id", body.get("session")),
        "created_at": body["created_at"],
        "schema_version": SCHEMA_VERSION,
        key: body,
    }
    return json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def json_document(dated: Dated) -> bytes:
    """Give a record's file."""
    text = json.dumps(document(dated), ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def parse_index_line(data: bytes) -> Dated:
    """Read a line of the index.

    Raises:
        ValueError: it is no line of an index; the text says why.
        NewerVersion: its record is of a newer version.
    """
    try:
        line = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        name = msgspec.json.decode(line.get("type", b"null"), type=str)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ValueError(str(exc)) from exc
    for kind, (event, key) in _NAMES.items():
        if name == event and key in line:
            return parse_document(bytes(line[key]), kind)
    raise ValueError(f"no event of turns: {name[:80]!r}")


def parse_document(data: bytes, kind: type[Session | Turn | SessionEnd]) -> Dated:
    """Read a record's file, of this or of another program.

    Raises:
        ValueError: it is no such record; the text says why.
        NewerVersion: it is of a newer version.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"larger than {DOCUMENT_BYTES_MAX} bytes")
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise NewerVersion(f"its schema version is {version}, this program knows {SCHEMA_VERSION}")
        parsed = msgspec.json.decode(data, type=_DOCUMENTS[kind])
        record = _record(parsed)
        return Dated(record, parse_rfc3339(parsed.created_at))
    except NewerVersion:
        raise
    except (msgspec.DecodeError, RecursionError, UnicodeError, InputError) as exc:
        raise ValueError(str(exc)) from exc


class _Version(msgspec.Struct):
    schema_version: int = SCHEMA_VERSION


def _record(parsed: _Document) -> Record:
    place = Place(parsed.host or "", parsed.repo_root or "", parsed.repository or "")
    agent = parsed.agent or ""
    if isinstance(parsed, _Session):
        return checked_session(
            Session(
                id=parsed.id,
                goal=parsed.goal,
                ticket=parsed.ticket or "",
                parent=parsed.parent or "",
                agent=agent,
                transcript=parsed.transcript or "",
                vcs_start=parsed.vcs_start,
                place=place,
            )
        )
    if isinstance(parsed, _Turn):
        return checked_turn(_turn(parsed, agent, place))
    assert isinstance(parsed, _End)
    return checked_end(
        SessionEnd(session=parsed.session, summary=parsed.summary or "", agent=agent, place=place)
    )


def _turn(parsed: _Turn, agent: str, place: Place) -> Turn:
    claims = tuple(Verification(kind="claim", text=text) for text in parsed.verification)
    return Turn(
        id=parsed.id,
        session=parsed.session,
        model=parsed.model or "",
        summary=parsed.summary or "",
        agent=agent,
        message_id=parsed.message_id or "",
        verification=claims if parsed.checks is None else parsed.checks,
        attachments=parsed.attachments,
        commits=parsed.commits,
        vcs=parsed.vcs,
        place=place,
    )


_NAMES: dict[type[Session | Turn | SessionEnd], tuple[str, str]] = {
    Session: (SESSION_STARTED, "session"),
    Turn: (TURN_RECORDED, "turn"),
    SessionEnd: (SESSION_ENDED, "session_end"),
}
_DOCUMENTS: dict[type[Session | Turn | SessionEnd], type[_Document]] = {
    Session: _Session,
    Turn: _Turn,
    SessionEnd: _End,
}
