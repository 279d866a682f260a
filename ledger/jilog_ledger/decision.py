"""The decision vocabulary: what was decided, tried, put off, assumed or asked, as events of the ledger.

An entry is an event of class ``decision`` whose payload says ``"record": "decision"`` (``docs/decisions.md``
has the table of keys). The event's id is the entry's id; an id that a client chose and that is no UUID is
kept in the payload, and the event's id is derived from it, so that the same entry is the same event on every
host.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import msgspec

from jilog_ledger.errors import InputError
from jilog_ledger.event import EventDraft, JsonValue
from jilog_ledger.identifiers import derived_event_id, format_uuid, parse_uuid

EVENT_CLASS = "decision"
RECORD = "decision"

TYPES = ("decision", "attempt_failed", "deferred", "assumption", "question")
"""What an entry can be."""

TITLE_CHARS_MAX = 1_000
"""A title is one line of a list; what is longer belongs into the body."""

BODY_BYTES_MAX = 1_048_576
"""Reasons, a log, a diff: half of what one event may hold, so that files and tags always fit beside it."""

TAGS_MAX = 256
"""Tags of one entry. Each is a row of the projection on every host; thousands are content, not tags."""

TAG_CHARS_MAX = 200
FILES_MAX = 2_000
"""File references of one entry: a sweeping change touches some hundreds."""

PATH_CHARS_MAX = 4_096
"""The longest path that POSIX systems take (PATH_MAX)."""

LINKS_MAX = 100
"""Entries that one entry resolves or supersedes, and alternatives it names."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}\Z")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LINE_BREAKS = re.compile(r"\s*[\r\n\v\f\x85\u2028\u2029]\s*")


class FileRef(msgspec.Struct, frozen=True):
    """A file as people and hosts agree on it: a repository, and the path below its root.

    ``repository`` is ``host.name/owner/repo`` for one that has a remote, ``HOST:/root`` for one that has
    none, and ``HOST:/`` stands for a file in no repository. An empty one means that nobody knows, and
    ``path`` is as somebody wrote it.
    """

    repository: str
    path: str


class FileScope(msgspec.Struct, frozen=True):
    """A file, or a folder with all below it, to ask for, under each of the names that it goes by.

    A path of ``''`` is a repository's root.
    """

    names: tuple[FileRef, ...]


class Place(msgspec.Struct, frozen=True):
    """Where an entry was written: host, working folder (absolute), and the repository around it."""

    host: str
    folder: str
    repository: str


class Decision(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One entry. :func:`checked` gives the form that is stored.

    ``id`` is only set when a client chose one that is no UUID. ``resolves`` and ``supersedes`` hold ids.
    """

    type: str
    title: str
    session_id: str
    id: str | None = None
    tags: tuple[str, ...] = ()
    files: tuple[FileRef, ...] = ()
    resolves: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    outcome: str = ""
    place: Place | None = None
    body: str = ""


def checked(decision: Decision) -> Decision:
    """Give the entry in the form that is stored: valid text, one-line title, nothing said twice.

    Raises:
        InputError: a field is missing or past its limit; the message names the field and the limit.
    """
    check_type(decision.type)
    title = _LINE_BREAKS.sub(" ", valid_text(decision.title)).strip()
    if not title:
        raise InputError("title must not be empty", hint="say in one line what was decided or tried")
    _check_length("title", title, TITLE_CHARS_MAX, "put the rest into the body")
    body = valid_text(decision.body)
    size = len(body.encode())
    if size > BODY_BYTES_MAX:
        raise InputError(
            f"body of {size} bytes is larger than the limit of {BODY_BYTES_MAX} bytes",
            hint="store the content in a file and name the file",
        )
    return Decision(
        type=decision.type,
        title=title,
        session_id=check_identifier("session id", decision.session_id),
        id=None if decision.id is None else check_identifier("id", decision.id),
        tags=_words("tags", decision.tags, TAGS_MAX, TAG_CHARS_MAX),
        files=_files(decision.files),
        resolves=_identifiers("resolves", decision.resolves),
        supersedes=_identifiers("supersedes", decision.supersedes),
        alternatives=_words("alternatives", decision.alternatives, LINKS_MAX, TITLE_CHARS_MAX),
        outcome=valid_text(decision.outcome),
        place=_place(decision.place),
        body=body,
    )


def check_type(entry_type: str) -> str:
    """Return an entry type if it is one, else raise InputError with the nearest."""
    if entry_type in TYPES:
        return entry_type
    nearest = difflib.get_close_matches(entry_type.lower().replace("-", "_"), TYPES, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else None
    raise InputError(f'invalid type "{entry_type[:80]}": must be one of {", ".join(TYPES)}', hint=hint)


def check_identifier(name: str, text: str) -> str:
    """Return an id if it may be one. It is safe as a file name's part: no slash, no leading dot.

    Raises:
        InputError: it is empty, too long, or has a character that ids have not.
    """
    if _IDENTIFIER.match(text) and ".." not in text:
        return text
    raise InputError(
        f"invalid {name} {text[:80]!r}: it must match [A-Za-z0-9][A-Za-z0-9._:@+-]{{0,127}}, without '..'",
        hint="use a UUID or a short name",
    )


def valid_text(text: str) -> str:
    r"""Replace what is no UTF-8 by a visible escape: byte ff by ``\xff``, a lone surrogate by ``\ud800``.

    Python carries bytes of file names and arguments that are not UTF-8 as lone surrogates (PEP 383).
    """
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def entry_event_id(client_id: str) -> bytes:
    """Give the event id of an entry whose id a client chose: the UUID it is, else one derived from it."""
    try:
        return parse_uuid(client_id)
    except InputError:
        return derived_event_id(RECORD, client_id)


def entry_id(event_id: bytes, decision: Decision | None) -> str:
    """Give an entry's id as text."""
    return decision.id if decision is not None and decision.id else format_uuid(event_id)


def decision_draft(
    decision: Decision,
    *,
    timestamp_ns: int,
    event_id: bytes,
    actor: str | None = None,
    confidential: bool = False,
) -> EventDraft:
    """Make the event of an entry that :func:`checked` gave. Its correlation id is the session's."""
    fields: dict[str, JsonValue] = msgspec.to_builtins(decision, builtin_types=())
    if decision.id is not None and decision.id == format_uuid(event_id):
        del fields["id"]
    # The order matters for long bodies: full-text search sees the beginning of a payload.
    payload: dict[str, JsonValue] = {
        "record": RECORD,
        "subsystem": RECORD,
        "summary": f"[{decision.type}] {decision.title}",
        **fields,
    }
    return EventDraft(
        EVENT_CLASS,
        payload,
        tier="confidential" if confidential else "structured",
        object_ref=f"session:{decision.session_id}",
        actor_ref=actor,
        correlation_id=session_correlation_id(decision.session_id),
        timestamp_ns=timestamp_ns,
        event_id=event_id,
    )


def session_correlation_id(session_id: str) -> bytes:
    """Give the id that ties all events of a session together: its UUID, or one derived from its name."""
    try:
        return parse_uuid(session_id)
    except InputError:
        return derived_event_id("session", session_id)


def read_decision(payload: JsonValue) -> Decision | None:
    """Read an entry from a payload; None when it is of another vocabulary or not what it says it is.

    Keys of newer versions are passed over.
    """
    if not isinstance(payload, dict) or payload.get("record") != RECORD:
        return None
    try:
        return msgspec.convert(payload, Decision)
    except msgspec.ValidationError:
        return None


def _check_length(name: str, text: str, limit: int, hint: str) -> None:
    if len(text) > limit:
        raise InputError(f"{name} of {len(text)} characters is longer than the limit of {limit}", hint=hint)


def _check_count(name: str, count: int, limit: int) -> None:
    if count > limit:
        raise InputError(
            f"{count} {name} are more than the limit of {limit}",
            hint="write several entries, or say it in the body",
        )


def _words(name: str, values: Iterable[str], count_max: int, chars_max: int) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text for value in values if (text := valid_text(value).strip())))
    _check_count(name, len(words), count_max)
    for word in words:
        _check_length(f"an entry of {name}", word, chars_max, "use a short word")
    return words


def _files(files: Iterable[FileRef]) -> tuple[FileRef, ...]:
    refs = tuple(dict.fromkeys(FileRef(valid_text(ref.repository), valid_text(ref.path)) for ref in files))
    _check_count("files", len(refs), FILES_MAX)
    for ref in refs:
        _check_length("a file's path", ref.repository + ref.path, PATH_CHARS_MAX, "name its folder")
    return refs


def _identifiers(name: str, values: Iterable[str]) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(check_identifier(name, value) for value in values))
    _check_count(name, len(ids), LINKS_MAX)
    return ids


def _place(place: Place | None) -> Place | None:
    if place is None:
        return None
    return Place(valid_text(place.host), valid_text(place.folder), valid_text(place.repository))
