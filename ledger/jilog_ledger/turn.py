"""The turn vocabulary: which agent session did what, for which ticket, at which state of the repository.

Three records: ``session_started`` and ``session_ended`` are events of class ``state_change``, while
``turn_recorded`` is a ``claim`` that may carry evidence. Ids are a prefix and a ULID; the event's id is
derived from the record's, so that the same record is the same event on every host (``docs/turns.md``).
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from jilog_ledger.decision import (
    FILES_MAX,
    FileRef,
    Place,
    check_identifier,
    session_correlation_id,
    valid_text,
)
from jilog_ledger.errors import InputError
from jilog_ledger.event import EventDraft, JsonValue
from jilog_ledger.identifiers import derived_event_id, new_event_id
from jilog_ledger.times import parse_rfc3339

SCHEMA_VERSION = 1
SESSION_STARTED, TURN_RECORDED, SESSION_ENDED = "session_started", "turn_recorded", "session_ended"
SUBSYSTEM = "turn"

LINE_CHARS_MAX = 1_000
"""A goal, and every name: what a line of a list can hold."""

SUMMARY_CHARS_MAX = 20_000
"""What an agent says it did in one turn: some pages at most."""

VERIFICATIONS_MAX = 100
EXIT_STATUS_MAX = 255
DURATION_SECONDS_MAX = 30 * 86_400.0
"""A check of a month has not been measured, but made up."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
COMMITS_MAX = 200
"""Commits of one turn. A turn that pulls a year of somebody's work is not the one that made it."""

CHANGED_BYTES_MAX = 524_288
"""Paths of changed files in one event, a quarter of what an event may hold."""

_RECORD_ID = re.compile(r"(sess|turn)_[0-9A-Za-z]{4,40}\Z")
_ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Vcs(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The state of a repository: ``kind`` is ``jj``, ``git`` or ``none``.

    ``dirty`` of None means that nobody knows. Paths are relative to the repository's root.
    ``changed_files_left_out`` counts paths past the limits; ``problem`` says what could not be found out.
    """

    kind: str = "none"
    jj_change: str | None = None
    jj_commit: str | None = None
    jj_operation: str | None = None
    git_head: str | None = None
    git_branch: str | None = None
    dirty: bool | None = None
    changed_files: tuple[str, ...] = ()
    changed_files_left_out: int = 0
    problem: str = ""


class Verification(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How a turn was checked. A claim has ``text``; evidence has what a command that was run measured.

    ``command`` holds arguments; with ``shell`` it is one line that a shell ran. ``output_sha256`` is of
    standard output and standard error as they came, ``ran_at`` is RFC 3339.
    """

    kind: str
    text: str = ""
    command: tuple[str, ...] = ()
    shell: bool = False
    exit_status: int | None = None
    timed_out: bool = False
    duration_seconds: float | None = None
    output_sha256: str = ""
    output_bytes: int = 0
    ran_at: str = ""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A file beside the records, which stays on its host; its hash is in the ledger."""

    kind: str
    path: str
    sha256: str = ""
    bytes: int = 0


class Session(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One run of an agent at one goal. ``place.folder`` is the repository's root.

    ``transcript`` is the session's id in the agent's own files, by which friction found there belongs to it.
    """

    id: str
    goal: str
    ticket: str = ""
    parent: str = ""
    agent: str = ""
    transcript: str = ""
    vcs_start: Vcs = Vcs()
    place: Place | None = None


class Turn(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One step of a session. ``commits`` are those that came since the step before it."""

    id: str
    session: str
    model: str = ""
    summary: str = ""
    agent: str = ""
    message_id: str = ""
    verification: tuple[Verification, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    commits: tuple[str, ...] = ()
    vcs: Vcs = Vcs()
    place: Place | None = None

    @property
    def files(self) -> tuple[FileRef, ...]:
        """The changed files, as they are found by."""
        repository = self.place.repository if self.place else ""
        return tuple(FileRef(repository, path) for path in self.vcs.changed_files)


class SessionEnd(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The end of a session, and what came of it."""

    session: str
    summary: str = ""
    agent: str = ""
    place: Place | None = None


Record = Session | Turn | SessionEnd
_KEYS = {Session: "session", Turn: "turn", SessionEnd: "session_end"}
_CLASSES = {Session: "state_change", Turn: "claim", SessionEnd: "state_change"}
_NAMES = {Session: SESSION_STARTED, Turn: TURN_RECORDED, SessionEnd: SESSION_ENDED}
_Kind = TypeVar("_Kind", Session, Turn, SessionEnd)


def new_session_id(timestamp_ns: int) -> str:
    """Make a session's id: ``sess_`` and a ULID of this time."""
    return f"sess_{ulid(new_event_id(timestamp_ns))}"


def new_turn_id(timestamp_ns: int) -> str:
    """Make a turn's id: ``turn_`` and a ULID of this time."""
    return f"turn_{ulid(new_event_id(timestamp_ns))}"


def ulid(raw: bytes) -> str:
    """Write 16 bytes, of which the first six are Unix milliseconds, as a ULID (github.com/ulid/spec)."""
    number = int.from_bytes(raw, "big")
    return "".join(_ULID_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def check_record_id(prefix: str, text: str) -> str:
    """Return the id of a session (prefix ``sess``) or turn, which is safe as a file name.

    Raises:
        InputError: it has another form.
    """
    match = _RECORD_ID.match(text)
    if match and match[1] == prefix:
        return text
    raise InputError(
        f"invalid id {text[:80]!r}: it must be {prefix}_ and a ULID", hint="list ids with: jilog turn log"
    )


def checked_session(session: Session) -> Session:
    """Give a session in the form that is stored.

    Raises:
        InputError: a field is missing or past its limit.
    """
    goal = _line("goal", session.goal)
    if not goal:
        raise InputError("goal must not be empty", hint="say in one line what the session is for")
    return Session(
        id=check_record_id("sess", session.id),
        goal=goal,
        ticket=_line("ticket", session.ticket),
        parent=check_record_id("sess", session.parent) if session.parent else "",
        agent=_line("agent", session.agent),
        transcript=_line("transcript", session.transcript),
        vcs_start=_vcs(session.vcs_start),
        place=_place(session.place),
    )


def checked_turn(turn: Turn) -> Turn:
    """Give a turn in the form that is stored; paths past the limits are left out and counted.

    Raises:
        InputError: a field is past its limit, or an id has another form.
    """
    if len(turn.verification) > VERIFICATIONS_MAX:
        raise InputError(f"{len(turn.verification)} verifications are more than {VERIFICATIONS_MAX}")
    return Turn(
        id=check_record_id("turn", turn.id),
        session=check_record_id("sess", turn.session),
        model=_line("model", turn.model),
        summary=_text("summary", turn.summary, SUMMARY_CHARS_MAX),
        agent=_line("agent", turn.agent),
        message_id=check_identifier("message id", turn.message_id) if turn.message_id else "",
        verification=tuple(_verification(item) for item in turn.verification),
        attachments=turn.attachments,
        commits=tuple(dict.fromkeys(turn.commits))[:COMMITS_MAX],
        vcs=_vcs(turn.vcs),
        place=_place(turn.place),
    )


def checked_end(end: SessionEnd) -> SessionEnd:
    """Give a session's end in the form that is stored, else raise InputError."""
    return SessionEnd(
        session=check_record_id("sess", end.session),
        summary=_text("summary", end.summary, SUMMARY_CHARS_MAX),
        agent=_line("agent", end.agent),
        place=_place(end.place),
    )


def record_event_id(record: Record) -> bytes:
    """Give the event id of a record; a turn with a message id is the same turn whoever tries again."""
    if isinstance(record, Turn):
        if record.message_id:
            return derived_event_id(TURN_RECORDED, record.session, record.message_id)
        return derived_event_id(TURN_RECORDED, record.id)
    if isinstance(record, Session):
        return derived_event_id(SESSION_STARTED, record.id)
    return derived_event_id(SESSION_ENDED, record.session)


def record_draft(record: Record, *, timestamp_ns: int, confidential: bool = False) -> EventDraft:
    """Make the event of a checked record. Its correlation id is the session's."""
    fields: dict[str, JsonValue] = msgspec.to_builtins(record, builtin_types=())
    place = fields.pop("place", None)
    session = record.id if isinstance(record, Session) else record.session
    payload: dict[str, JsonValue] = {
        "record": _NAMES[type(record)],
        "subsystem": SUBSYSTEM,
        "summary": title_of(record),
        "schema_version": SCHEMA_VERSION,
        "session_id": session,
        # At the top, for full-text search passes a place over: it would find everything of a host.
        "place": place,
        _KEYS[type(record)]: fields,
    }
    return EventDraft(
        _CLASSES[type(record)],
        payload,
        tier="confidential" if confidential else "structured",
        object_ref=f"session:{session}",
        actor_ref=record.agent or None,
        correlation_id=session_correlation_id(session),
        timestamp_ns=timestamp_ns,
        event_id=record_event_id(record),
    )


def read_record(payload: JsonValue) -> Record | None:
    """Read a record from a payload; None when it is of another vocabulary, or of a newer version."""
    name = payload.get("record") if isinstance(payload, dict) else None
    if name == SESSION_STARTED:
        return _read(payload, Session)
    if name == TURN_RECORDED:
        return _read(payload, Turn)
    return _read(payload, SessionEnd) if name == SESSION_ENDED else None


def title_of(record: Record) -> str:
    """Say in one line what a record is."""
    if isinstance(record, Session):
        ticket = f" ({record.ticket})" if record.ticket else ""
        return f"session started: {record.goal}{ticket}"
    if isinstance(record, Turn):
        files = len(record.vcs.changed_files) + record.vcs.changed_files_left_out
        text = " ".join(record.summary.split())[:LINE_CHARS_MAX]
        return f"turn: {text or f'{files} changed file(s)'}"
    return f"session ended: {' '.join(record.summary.split())[:LINE_CHARS_MAX]}".removesuffix(": ")


def _read(payload: JsonValue, kind: type[_Kind]) -> _Kind | None:
    assert isinstance(payload, dict)
    fields = payload.get(_KEYS[kind])
    if payload.get("schema_version") != SCHEMA_VERSION or not isinstance(fields, dict):
        return None
    try:
        return msgspec.convert({**fields, "place": payload.get("place")}, kind)
    except msgspec.ValidationError:
        return None


def _line(name: str, text: str) -> str:
    return _text(name, " ".join(text.split()), LINE_CHARS_MAX)


def _text(name: str, text: str, chars_max: int) -> str:
    if len(text) > chars_max:
        raise InputError(f"{name} of {len(text)} characters is longer than the limit of {chars_max}")
    return valid_text(text).strip()


def _verification(item: Verification) -> Verification:
    if item.kind == "evidence":
        _check_measured(item)
    return msgspec.structs.replace(
        item,
        text=_text("verification", item.text, SUMMARY_CHARS_MAX),
        command=tuple(_text("verification", word, SUMMARY_CHARS_MAX) for word in item.command),
    )


def _check_measured(item: Verification) -> None:
    """Refuse evidence that does not say what was run and what came of it: that would be a claim."""
    duration = item.duration_seconds
    if not item.command or not item.command[0].strip():
        raise InputError("evidence names no command", hint="what nobody ran is a claim: give it as text")
    if item.exit_status is None or not 0 <= item.exit_status <= EXIT_STATUS_MAX:
        raise InputError(f"evidence has exit status {item.exit_status}, not one of 0 to {EXIT_STATUS_MAX}")
    if duration is None or not 0 <= duration <= DURATION_SECONDS_MAX:
        raise InputError(f"evidence has a duration of {duration} seconds")
    if not _SHA256.fullmatch(item.output_sha256) or item.output_bytes < 0:
        raise InputError("evidence has no SHA-256 and size of its command's output")
    try:
        parse_rfc3339(item.ran_at)
    except ValueError as exc:
        raise InputError(f"evidence does not say when its command ran: {exc}") from exc


def _vcs(vcs: Vcs) -> Vcs:
    """Keep the paths that fit; the number of the others is kept, too."""
    kept: list[str] = []
    size = 0
    for path in map(valid_text, dict.fromkeys(vcs.changed_files)):
        size += len(path.encode())
        if len(kept) == FILES_MAX or size > CHANGED_BYTES_MAX:
            break
        kept.append(path)
    left_out = vcs.changed_files_left_out + len(set(vcs.changed_files)) - len(kept)
    return msgspec.structs.replace(
        vcs,
        git_branch=None if vcs.git_branch is None else valid_text(vcs.git_branch),
        changed_files=tuple(kept),
        changed_files_left_out=left_out,
        problem=valid_text(vcs.problem)[:LINE_CHARS_MAX],
    )


def _place(place: Place | None) -> Place | None:
    if place is None:
        return None
    return Place(valid_text(place.host), valid_text(place.folder), valid_text(place.repository))
