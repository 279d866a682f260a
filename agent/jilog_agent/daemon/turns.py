"""The methods about turns: sessions begun and ended, turns recorded and read. They run in threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jilog_agent.daemon import turn_params as params
from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.protocol import Refused
from jilog_agent.daemon.zones import Zones
from jilog_agent.turns.begin import UNNAMED, begin, begin_if_none
from jilog_agent.turns.documents import document, event_name
from jilog_agent.turns.evidence import Check
from jilog_agent.turns.read import TurnFilter, complete_id, find_record, select_records, session_story
from jilog_agent.turns.record import TurnRequest, end_session, record_turn
from jilog_agent.turns.site import (
    Site,
    Wanted,
    chosen_session,
    current_session,
    repository_names,
    session_exists,
    set_current,
)
from jilog_agent.turns.status import site_status
from jilog_agent.turns.store import TurnStore, needed, store_around
from jilog_agent.turns.trace import trace
from jilog_agent.vcs.capture import choice, working_tree
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns
from jilog_ledger.turn import Session, SessionEnd, Verification, check_record_id
from jilog_review.redact import make_redactor, policy_from


def start(zones: Zones, asked: params.Start, caller: Caller) -> JsonValue:
    """Begin a session and make it the current one; .turnlog is made when it is missing."""
    if not asked.goal.strip():
        raise InputError("goal must not be empty", hint="say in one line what the session is for")
    with _site(zones, asked.cwd, asked.zone, make=True) as site:
        session = Session(
            id=UNNAMED,
            goal=asked.goal,
            ticket=asked.ticket,
            parent=complete_id([site.zone], asked.parent) if asked.parent else "",
            agent=asked.agent,
            transcript=asked.transcript,
        )
        done = begin(site, session, confidential=asked.confidential, key=caller.key)
    return {"created": done.created, "session": document(done.dated), "notes": [*done.notes]}


def record(zones: Zones, asked: params.RecordTurn, caller: Caller) -> JsonValue:
    """Record a turn; the idempotency key counts as its message's id when it has none."""
    with _site(zones, asked.cwd, asked.zone, make=asked.auto_start is not None) as site:
        if asked.auto_start is not None and not asked.session:
            begin_if_none(site, asked.agent, asked.auto_start, confidential=asked.confidential)
        request = TurnRequest(
            session=chosen_session(site, Wanted(asked.session, None, asked.agent)),
            model=asked.model,
            summary=asked.summary,
            agent=asked.agent,
            message_id=asked.message_id or caller.key or "",
            claims=asked.verification,
            evidence=tuple(item.verification() for item in asked.evidence),
            attach_diff=asked.attach_diff,
            if_dirty=asked.if_dirty,
            confidential=asked.confidential,
        )
        done = record_turn(site, request, _run_nothing)
    if done is None:
        return {"created": False, "turn": None, "notes": []}
    return {"created": done.created, "turn": document(done.dated), "notes": [*done.notes]}


def _run_nothing(_check: Check) -> Verification:
    raise AssertionError("the socket takes no commands to run")


def end(zones: Zones, asked: params.End, _caller: Caller) -> JsonValue:
    """End a session, once."""
    with _site(zones, asked.cwd, asked.zone) as site:
        chosen = check_record_id("sess", chosen_session(site, Wanted(asked.session, None, asked.agent)))
        done = end_session(site, SessionEnd(session=chosen, summary=asked.summary, agent=asked.agent))
        if current_session(site, asked.agent) == chosen:
            site.zone.disk.remove(site.store.current(asked.agent))
    return {"created": done.created, "session_end": document(done.dated)}


def use(zones: Zones, asked: params.Use, _caller: Caller) -> JsonValue:
    """Make a session the current one."""
    with _site(zones, asked.cwd, asked.zone) as site:
        found = find_record([site.zone], complete_id([site.zone], asked.session))
        if not isinstance(found.record, Session):
            raise InputError(f"{asked.session[:80]} is a turn and not a session", hint="ask with turn.log")
        set_current(site, asked.agent, found.record.id)
    return {"session": document(found)}


def current(zones: Zones, asked: params.Current, _caller: Caller) -> JsonValue:
    """Give the session that is recorded into; null when there is none."""
    with _site(zones, asked.cwd, asked.zone) as site:
        name = current_session(site, asked.agent)
        if not name or not session_exists(site, name):
            return {"session": None}
        return {"session": document(find_record([site.zone], name))}


def status(zones: Zones, asked: params.Current, _caller: Caller) -> JsonValue:
    """Give session, last turn, repository, and how .turnlog differs from the ledger."""
    with _site(zones, asked.cwd, asked.zone) as site:
        return site_status(site, asked.agent, None).to_json()


def log(zones: Zones, asked: params.Log, _caller: Caller) -> JsonValue:
    """Give sessions, turns and ends that pass all filters, the oldest first."""
    names = None
    if not (asked.everywhere or asked.session):
        names = repository_names(zones.source, _folder(asked.cwd))
    with zones.opened(asked.zone) as opened:
        session = complete_id(opened, asked.session) if asked.session else None
        wanted = TurnFilter(names, session, asked.ticket, asked.grep, asked.changed)
        found = select_records(opened, wanted)
    return [{"type": event_name(item.record), **document(item)} for item in found]


def show(zones: Zones, asked: params.Named, _caller: Caller) -> JsonValue:
    """Give a session with its turns and end, or a turn."""
    if not asked.id:
        raise InputError("id must not be empty", hint="ask with turn.log")
    with zones.opened(asked.zone) as opened:
        found = find_record(opened, complete_id(opened, asked.id))
        if not isinstance(found.record, Session):
            return {"turn": document(found)}
        story = session_story(opened, found.record.id)
    return {
        "session": document(story.session),
        "turns": [document(item) for item in story.turns],
        "ended": document(story.ended) if story.ended else None,
    }


def trace_name(zones: Zones, asked: params.Named, _caller: Caller) -> JsonValue:
    """Follow a ticket, a commit or an id to all that belongs to it."""
    if not asked.id:
        raise InputError("id must not be empty", hint="name a ticket, a commit or an id")
    with zones.opened(asked.zone) as opened:
        return trace(opened, asked.id).to_json()


def _folder(cwd: str | None) -> Path:
    if not cwd or not cwd.startswith("/"):
        raise InputError(f"cwd {(cwd or '')[:80]!r} is not an absolute path")
    folder = Path(os.path.realpath(cwd))
    if not folder.is_dir():
        raise Refused("not_found", f"there is no folder {str(folder)[:200]}")
    return folder


@contextmanager
def _site(zones: Zones, cwd: str, zone_id: str | None, *, make: bool = False) -> Iterator[Site]:
    """Open the zone beside the store of a folder; ``make`` takes a store that is yet to be made."""
    folder = _folder(cwd)
    tree = working_tree(folder, choice(os.environ))
    store = store_around(folder, tree.root) or (TurnStore(tree.root) if make else None)
    ledger = zones.ledger(zone_id)
    redactor = make_redactor(policy_from(zones.workspace.config.zone(ledger.zone).redaction))
    with zones.opened(ledger.zone) as (zone,):
        yield Site(zone, needed(store), tree, zones.source, now_ns, redactor)
