"""Recording: sessions begin and end, turns are recorded. First the ledger, then the snapshot."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from jilog_agent.decisions.record import LOCK_NAME, held_events
from jilog_agent.supervise.redaction import redact_command
from jilog_agent.turns.documents import Dated
from jilog_agent.turns.evidence import Check
from jilog_agent.turns.site import Site
from jilog_agent.turns.snapshot import last_head, write_documents, write_snapshot
from jilog_agent.turns.store import FOLDER
from jilog_agent.vcs.command import VcsProblem
from jilog_ledger.errors import JilogError
from jilog_ledger.identifiers import derived_event_id
from jilog_ledger.turn import (
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
    new_session_id,
    new_turn_id,
    read_record,
    record_draft,
    record_event_id,
    ulid,
)
from jilog_review.redact import Redactor


@dataclass(frozen=True, slots=True)
class Recorded:
    """A record on stable storage. ``created`` is false when it was there before.

    ``notes`` say what went otherwise than one would expect; the record stands all the same.
    """

    dated: Dated
    created: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnRequest:
    """What somebody wants to record as a turn. ``checks`` are run, ``claims`` are taken as said.

    ``evidence`` is what whoever asks has run and measured itself.
    """

    session: str
    model: str = ""
    summary: str = ""
    agent: str = ""
    message_id: str = ""
    claims: tuple[str, ...] = ()
    evidence: tuple[Verification, ...] = ()
    checks: tuple[Check, ...] = ()
    attach_diff: bool = False
    if_dirty: bool = False
    confidential: bool = False


def start_session(
    site: Site, session: Session, *, confidential: bool = False, key: str | None = None
) -> Recorded:
    """Begin a session; its id, its place and the state of the repository are found out here.

    With a ``key`` its id is derived from that, and a second try gives the session that the first one began.

    Raises:
        InputError: a field is missing or past its limit.
        StorageError: the disk refused.
    """
    now = site.clock()
    # Before the store is made: its line in .gitignore is not the session's work.
    state = site.tree.state()
    site.store.make(site.zone.disk)
    clean = site.redactor
    record = checked_session(
        msgspec.structs.replace(
            session,
            id=f"sess_{ulid(derived_event_id('session-key', key))}" if key else new_session_id(now),
            goal=clean(session.goal).text,
            ticket=clean(session.ticket).text,
            vcs_start=state,
            place=site.place(),
        )
    )
    if key is None:
        return _append(site, Dated(record, now), confidential, notes=_problems(state))
    with site.zone.disk.lock(site.zone.ledger.root / LOCK_NAME):
        held = _held(site, record)
        return held or _append(site, Dated(record, now), confidential, notes=_problems(state))


def end_session(site: Site, end: SessionEnd, *, confidential: bool = False) -> Recorded:
    """End a session, once: ending it again gives the end that is there.

    Raises:
        InputError: a field is past its limit.
        StorageError: the disk refused.
    """
    now = site.clock()
    summary = site.redactor(end.summary).text
    record = checked_end(msgspec.structs.replace(end, summary=summary, place=site.place()))
    with site.zone.disk.lock(site.zone.ledger.root / LOCK_NAME):
        done = _held(site, record) or _append(site, Dated(record, now), confidential)
    _tell_end(site, done)
    return done


def _tell_end(site: Site, done: Recorded) -> None:
    """Put the end onto the session's page; only people read that, so a failure may wait for a repair."""
    from jilog_agent.turns.read import find_record

    assert isinstance(done.dated.record, SessionEnd)
    with contextlib.suppress(JilogError):
        session = find_record([site.zone], done.dated.record.session)
        with site.zone.disk.lock(site.store.lock):
            write_documents(site.store, site.zone.disk, session, done.dated)


def record_turn(site: Site, request: TurnRequest, run: Callable[[Check], Verification]) -> Recorded | None:
    """Record a turn; None when only a changed working tree was to be recorded and it is clean.

    ``run`` runs a check. The repository is looked at after that, for a check may change files.

    Raises:
        InputError: a field is past its limit.
        StorageError: the disk refused, and nothing was recorded.
    """
    draft = _draft_of(request, site.clock(), site.redactor)
    if draft.message_id and (held := _held(site, draft)):
        return held
    if request.if_dirty and site.tree.state().dirty is False:
        return None
    evidence = tuple(_clean(run(check), site.redactor) for check in request.checks)
    now = site.clock()
    state = site.tree.state()
    patch, notes = _patch(site) if request.attach_diff else (None, ())
    turn = checked_turn(
        msgspec.structs.replace(
            draft,
            id=new_turn_id(now),
            verification=(*draft.verification, *evidence),
            commits=site.tree.commits_since(
                last_head(site.store, site.zone.disk, request.session), state.git_head
            ),
            vcs=state,
            place=site.place(),
        )
    )
    if patch is not None:
        turn = msgspec.structs.replace(turn, attachments=(_attachment(turn.id, patch),))
    notes = (*notes, *_problems(state))
    if not turn.message_id:
        return _append(site, Dated(turn, now), request.confidential, patch, notes)
    with site.zone.disk.lock(site.zone.ledger.root / LOCK_NAME):
        # Two of the same message: the second finds the first's.
        return _held(site, turn) or _append(site, Dated(turn, now), request.confidential, patch, notes)


def _draft_of(request: TurnRequest, now: int, redactor: Redactor) -> Turn:
    """Check what was typed before anything is run."""
    return checked_turn(
        Turn(
            id=new_turn_id(now),
            session=request.session,
            model=request.model,
            summary=redactor(request.summary).text,
            agent=request.agent,
            message_id=request.message_id,
            verification=(
                *(Verification(kind="claim", text=redactor(text).text) for text in request.claims),
                *(_clean(item, redactor) for item in request.evidence),
            ),
        )
    )


def _clean(evidence: Verification, redactor: Redactor) -> Verification:
    words = tuple(redact_command(evidence.command, lambda word: redactor(word).text))
    return msgspec.structs.replace(evidence, command=words)


def _patch(site: Site) -> tuple[bytes | None, tuple[str, ...]]:
    """Make the patch to attach, or say why there is none."""
    if site.tree.kind == "none":
        return None, ("no VCS diff available; skipping diff attachment",)
    try:
        patch = site.tree.diff()
    except VcsProblem as problem:
        return None, (f"no diff attached: {problem}",)
    return (patch, ()) if patch else (None, ("no diff to attach",))


def _attachment(turn_id: str, patch: bytes) -> Attachment:
    path = f"{FOLDER}/attachments/{turn_id}.diff"
    return Attachment(kind="diff", path=path, sha256=hashlib.sha256(patch).hexdigest(), bytes=len(patch))


def _problems(state: Vcs) -> tuple[str, ...]:
    return (state.problem,) if state.problem else ()


def _held(site: Site, record: Record) -> Recorded | None:
    """Give the record that is there under this one's event id."""
    event_id = record_event_id(record)
    event = held_events(site.zone, [event_id]).get(event_id)
    known = read_record(event.payload()) if event else None
    if event is None or known is None:
        return None
    return Recorded(Dated(known, event.stored.timestamp_ns), created=False)


def _append(
    site: Site, dated: Dated, confidential: bool, patch: bytes | None = None, notes: tuple[str, ...] = ()
) -> Recorded:
    """Append to the ledger, then write the snapshot; a snapshot that fails takes nothing back."""
    draft = record_draft(dated.record, timestamp_ns=dated.timestamp_ns, confidential=confidential)
    # A crash before this line leaves nothing; after it the record stands, and repair writes its snapshot.
    site.zone.ledger.append([draft])
    try:
        write_snapshot(site.store, site.zone.disk, dated, patch)
    except JilogError as exc:
        notes = (*notes, f"{exc.message}; the ledger has the record, .turnlog has not: run jilog turn repair")
    return Recorded(dated, created=True, notes=notes)
