"""Agentlog's methods: entries written, found and exported. They block, so they run in threads."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from jilog_agent.daemon import entry_params as params
from jilog_agent.daemon.protocol import Refused
from jilog_agent.daemon.zones import Zones
from jilog_agent.decisions.context import LIMIT_DEFAULT, ContextQuery, context_text, relevant
from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.export import export_entries
from jilog_agent.decisions.lookup import FoundSession, look_up
from jilog_agent.decisions.place import Standpoint
from jilog_agent.decisions.record import Proposal, write_entry
from jilog_agent.decisions.select import EntryFilter, about_files, select_entries
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.redaction import zone_redactor
from jilog_ledger.decision import TYPES, Decision, FileRef, FileScope, check_identifier
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.identifiers import derived_event_id, format_uuid
from jilog_ledger.times import now_ns, parse_moment, parse_rfc3339
from jilog_review.redact import Redacted

RECENT_DEFAULT = 50
"""Entries that ``query`` gives when nothing is asked for in particular."""

SESSIONS_MAX = 1_000_000
"""Sessions that ``list_sessions`` gives of one zone; a busy fleet makes some hundred a day."""

SINGLE_KEYS = ("id", "timestamp", "session_id", "type", "title", "body", "tags", "file_refs")
"""What an entry has in agentlog's protocol."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: ``single`` is agentlog's protocol. ``key`` is the request's idempotency key."""

    single: bool
    key: str | None = None


def create_session(_zones: Zones, _params: params.Nothing, _caller: Caller) -> JsonValue:
    """Give a session id. Nothing has to be kept for it: a session is what entries say of theirs."""
    return {"session_id": str(uuid.uuid4())}


def write(zones: Zones, asked: params.Write, caller: Caller) -> JsonValue:
    """Write one entry durably and give it as it stands in the ledger."""
    entry = asked.entry
    timestamp_ns = _timestamp(entry.timestamp)
    _check_entry(entry)
    zone_id = zones.ledger(asked.zone).zone
    redactor = zone_redactor(zones.workspace.config.zone(zone_id))
    if asked.keep_secrets:
        redactor = _unchanged
    with zones.opened(zone_id) as (zone,):
        decision = _decision(zones, asked, caller)
        fresh = asked.fresh and bool(entry.id)
        proposal = Proposal(decision, timestamp_ns, asked.actor, asked.confidential, redactor, fresh)
        return _shown(write_entry(zone, proposal, now_ns).entry, caller)


def _unchanged(text: str) -> Redacted:
    return Redacted(text, 0)


def _timestamp(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError as exc:
        raise InputError(f"invalid timestamp: {exc}", hint="use the form 2026-05-09T08:02:11Z") from exc


def _check_entry(entry: params.NewEntry) -> None:
    if entry.type not in TYPES:
        raise InputError(
            f'write failed: invalid entry type "{entry.type[:80]}": must be one of {", ".join(TYPES)}'
        )
    if not entry.session_id:
        raise InputError(
            "write failed: entry session_id must not be empty", hint="ask for one with create_session"
        )
    if not entry.title.strip():
        raise InputError("write failed: entry title must not be empty")


def _decision(zones: Zones, asked: params.Write, caller: Caller) -> Decision:
    entry = asked.entry
    standpoint = _standpoint(zones, asked.cwd)
    client_id = entry.id or None
    if client_id is None and caller.key is not None:
        client_id = format_uuid(derived_event_id("idempotency", caller.key))
    return Decision(
        type=entry.type,
        title=entry.title,
        session_id=entry.session_id,
        id=client_id,
        tags=entry.tags or (),
        files=tuple(_ref(standpoint, text, asked.cwd) for text in entry.file_refs or () if text),
        resolves=entry.resolves,
        supersedes=entry.supersedes,
        alternatives=entry.alternatives,
        outcome=entry.outcome,
        place=standpoint.place() if asked.cwd else None,
        body=entry.body or "",
    )


def _standpoint(zones: Zones, cwd: str | None) -> Standpoint:
    if cwd is not None and not cwd.startswith("/"):
        raise InputError(f"cwd {cwd[:80]!r} is not an absolute path")
    # Without a folder only absolute paths are understood from here; "/" is in no repository.
    return Standpoint.of(zones.source, cwd or "/")


def _ref(standpoint: Standpoint, text: str, cwd: str | None) -> FileRef:
    """Understand a path; a relative one of which nobody knows the folder is kept as it was written."""
    return standpoint.ref(text) if cwd or text.startswith("/") else FileRef("", text)


def _scope(standpoint: Standpoint, text: str, cwd: str | None) -> FileScope:
    if cwd or text.startswith("/"):
        return standpoint.scope(text)
    return FileScope((FileRef("", text),))


def query(zones: Zones, asked: params.Query, caller: Caller) -> JsonValue:
    """Give entries that pass all filters, the newest first; the newest 50 without a filter or limit."""
    standpoint = _standpoint(zones, asked.cwd)
    wanted = EntryFilter(
        type=asked.type or None,
        session=asked.session_id or None,
        tags=asked.tags or (),
        since_ns=_moment("start time", asked.start),
        until_ns=_until(_moment("end time", asked.end), _moment("time", asked.before)),
        files=(_scope(standpoint, asked.file_path, asked.cwd),) if asked.file_path else (),
        text=asked.text or None,
        unanswered=asked.open,
        all_records=asked.all_records,
    )
    if (asked.limit or 0) < 0 or (asked.offset or 0) < 0:
        raise InputError("query failed: limit and offset cannot be negative")
    limit = asked.limit or (RECENT_DEFAULT if wanted == EntryFilter() else None)
    with zones.opened(asked.zone) as opened:
        found = select_entries(opened, wanted, limit=limit, offset=asked.offset or 0)
    return _listed(found, caller)


def _moment(name: str, text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_moment(text, now=now_ns())
    except InputError as error:
        raise InputError(f"invalid {name}: {error.message}", hint=error.hint) from error


def _until(last_ns: int | None, before_ns: int | None) -> int | None:
    """Give the exclusive end that the ledger's queries take, from an inclusive and an exclusive one."""
    ends = [last_ns + 1] if last_ns is not None else []
    return min([*ends, *([before_ns] if before_ns is not None else [])], default=None)


def search(zones: Zones, asked: params.Search, caller: Caller) -> JsonValue:
    """Give entries by what they say, the best matches first; any text may be searched."""
    if not asked.query.strip():
        raise InputError("search query must not be empty")
    with zones.opened(asked.zone) as opened:
        found = select_entries(opened, EntryFilter(text=asked.query), limit=asked.limit or None)
    return _listed(found, caller)


def get_session(zones: Zones, asked: params.Session, caller: Caller) -> JsonValue:
    """Give the entries of a session, the oldest first."""
    if not asked.session_id:
        raise InputError("session_id must not be empty")
    try:
        session = check_identifier("session id", asked.session_id)
    except InputError as error:
        raise InputError(f"get session failed: {error.message}", hint=error.hint) from error
    with zones.opened(asked.zone) as opened:
        found = select_entries(opened, EntryFilter(session=session), limit=None, oldest_first=True)
    if not found:
        raise Refused(
            "not_found", f"get session failed: no session {session!r}", hint="ask with list_sessions"
        )
    return _listed(found, caller)


def show(zones: Zones, asked: params.Show, caller: Caller) -> JsonValue:
    """Give a session with its entries, or an entry with its event and what came of it."""
    if not asked.id:
        raise InputError("id must not be empty")
    with zones.opened(asked.zone) as opened:
        found = look_up(opened, asked.id)
    if isinstance(found, FoundSession):
        return {"session_id": found.session, "entries": _listed(found.entries, caller)}
    return {
        "entry": _shown(found.entry, caller),
        "event": found.entry.event.to_json(),
        "resolved_by": [entry.id for entry in found.resolved_by],
        "superseded_by": [entry.id for entry in found.superseded_by],
    }


def list_sessions(zones: Zones, _params: params.Nothing, _caller: Caller) -> JsonValue:
    """Name all sessions, sorted."""
    with zones.opened(None) as opened:
        names = {name for zone in opened for name in _sessions(zone)}
    return [*sorted(names)]


def _sessions(zone: OpenZone) -> list[str]:
    return zone.projection.facet_values("session", limit=SESSIONS_MAX)


def blame(zones: Zones, asked: params.Blame, caller: Caller) -> JsonValue:
    """Give the entries that name a file, or anything below a folder, the oldest first."""
    if not asked.file_path:
        raise InputError("file_path must not be empty")
    scope = _scope(_standpoint(zones, asked.cwd), asked.file_path, asked.cwd)
    with zones.opened(asked.zone) as opened:
        if caller.single:
            # Agentlog's clients know decisions only; others get every vocabulary that speaks of the file.
            found = select_entries(opened, EntryFilter(files=(scope,)), limit=None, oldest_first=True)
        else:
            found = about_files(opened, scope)[::-1]
    return _listed(found, caller)


def context(zones: Zones, asked: params.Context, caller: Caller) -> JsonValue:
    """Give what concerns files and topic, best first; the newest first for agentlog's clients."""
    files, topic = asked.files or (), asked.topic or ""
    if not files and not topic.strip():
        raise InputError("context requires at least one of files or topic")
    standpoint = _standpoint(zones, asked.cwd)
    limit = asked.limit if asked.limit is not None and asked.limit > 0 else LIMIT_DEFAULT
    scopes = tuple(_scope(standpoint, text, asked.cwd) for text in files if text)
    with zones.opened(asked.zone) as opened:
        wanted = ContextQuery(scopes, topic, limit, asked.budget_tokens, friction=not caller.single)
        found = relevant(opened, wanted)
    if asked.text:
        return context_text(found)
    if caller.single:
        found.sort(key=lambda entry: entry.event.order, reverse=True)
    return _listed(found, caller)


def export(zones: Zones, asked: params.Export, _caller: Caller) -> JsonValue:
    """Give entries that pass all filters as one document, the oldest first."""
    standpoint = _standpoint(zones, asked.cwd)
    try:
        wanted = EntryFilter(
            type=asked.type or None,
            session=asked.session_id or None,
            tags=(*((asked.tag,) if asked.tag else ()), *(asked.tags or ())),
            since_ns=_moment("since", asked.since),
            until_ns=_until(_moment("until", asked.until), _moment("time", asked.before)),
            files=(_scope(standpoint, asked.file_path, asked.cwd),) if asked.file_path else (),
            unanswered=asked.open,
            shared_only=not asked.confidential,
        )
    except InputError as error:
        raise InputError(f"export query failed: {error.message}", hint=error.hint) from error
    # Before the entries are fetched: a format that nobody knows is told at once.
    export_entries([], format_name=asked.format or None, template=asked.template or None)
    with zones.opened(asked.zone) as opened:
        found = select_entries(opened, wanted, limit=None, oldest_first=True)
    return export_entries(found, format_name=asked.format or None, template=asked.template or None)


def _listed(entries: Sequence[Entry], caller: Caller) -> JsonValue:
    """Give entries as JSON; agentlog's protocol has null for none."""
    if caller.single and not entries:
        return None
    return [_shown(entry, caller) for entry in entries]


def _shown(entry: Entry, caller: Caller) -> JsonValue:
    document = entry.to_json()
    if not caller.single:
        return document
    whole, _, fraction = str(document["timestamp"]).removesuffix("Z").partition(".")
    # As Go writes times (RFC3339Nano): some of agentlog's clients compare them as text.
    fraction = fraction.rstrip("0")
    document["timestamp"] = f"{whole}.{fraction}Z" if fraction else f"{whole}Z"
    return {key: value for key, value in document.items() if key in SINGLE_KEYS}
