"""What a hook does: tell a session what concerns it, and record what it changed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from msgspec import Struct

from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.zones import Zones
from jilog_agent.decisions.context import ContextQuery, context_text, relevant
from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.place import Standpoint
from jilog_agent.decisions.record import Proposal, write_entry
from jilog_agent.hooks import limits
from jilog_agent.hooks.entry import AGENTS
from jilog_agent.hooks.state import SessionState, StateFile, forget_old
from jilog_agent.hooks.tree import Tree, find_tree
from jilog_ledger.decision import TITLE_CHARS_MAX, Decision, check_identifier, valid_text
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.identifiers import derived_event_id, format_uuid
from jilog_ledger.times import now_ns
from jilog_review.redact import make_redactor, policy_from

FORGETFUL = ("clear", "compact")
"""After these a session no longer knows what it was told."""

NAMES_IN_TITLE = 3


class HookCall(Struct, frozen=True):
    """What ``hooks run`` asks. ``own_session`` is the session of jilog that entries should belong to.

    ``vcs_seconds`` is how long git or jj may take for one answer.
    """

    agent: str
    event: str
    cwd: str
    session_id: str = ""
    source: str = ""
    own_session: str = ""
    topic: str = ""
    tags: tuple[str, ...] = ()
    limit: int = limits.LIMIT_DEFAULT
    budget_tokens: int = limits.BUDGET_TOKENS_DEFAULT
    dry_run: bool = False
    vcs_seconds: float = limits.DEADLINE_SECONDS * limits.VCS_SHARE


@dataclass(frozen=True, slots=True)
class _Site:
    """One call with what it is about."""

    zones: Zones
    call: HookCall
    tree: Tree
    file: StateFile

    @property
    def session(self) -> str:
        return session_of(self.call, self.tree)

    def new_state(self, known: Mapping[str, str]) -> SessionState:
        return SessionState(
            agent=self.call.agent,
            session=self.session,
            started_ns=now_ns(),
            root=valid_text(str(self.tree.root)),
            head=self.tree.head,
            known=dict(known),
        )


def session_of(call: HookCall, tree: Tree) -> str:
    """Give the id of the session that entries belong to: an id that is none of ours is hashed into one."""
    if call.own_session:
        return check_identifier("session id", call.own_session)
    name = call.session_id or f"{tree.root}@{now_ns() // (86_400 * 10**9)}"
    try:
        return check_identifier("session id", name)
    except InputError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{call.agent}:{valid_text(name)}"))


def _site(zones: Zones, call: HookCall) -> _Site | None:
    if call.agent not in AGENTS:
        raise InputError(f"unknown agent {call.agent[:80]!r}", hint=f"use one of {', '.join(AGENTS)}")
    if not call.cwd.startswith("/"):
        raise InputError(f"cwd {call.cwd[:80]!r} is not an absolute path")
    tree = find_tree(call.cwd, call.vcs_seconds)
    if tree is None:
        return None
    workspace = zones.workspace
    name = call.session_id or session_of(call, tree)
    return _Site(zones, call, tree, StateFile.of(workspace.disk, workspace.home.hooks_dir, call.agent, name))


def _answer(output: str = "", *notes: str) -> dict[str, JsonValue]:
    return {"output": output, "notes": [*notes]}


def tell_context(zones: Zones, call: HookCall, _caller: Caller) -> JsonValue:
    """Give a session, once, the decisions, corrections and recurring errors of the files at hand."""
    site = _site(zones, call)
    if site is None:
        return _answer("", "no working tree here")
    with site.file.held():
        state = site.file.load()
        begun = state is not None
        if state is None:
            forget_old(site.file.path.parent)
            state = site.new_state(site.tree.digests(site.tree.changed))
        if state.told and call.source not in FORGETFUL:
            return _answer("", "this session was told already")
        entries, asked = _relevant(site)
        if entries and not call.dry_run:
            state.told, state.injected = True, state.injected + len(entries)
        # A crash before this line tells the session once more.
        if (entries or not begun) and not call.dry_run:
            site.file.save(state)
    if not entries:
        return _answer("", f"nothing is known of {asked}")
    if call.dry_run:
        return _answer("", f"dry run: {len(entries)} entries about {asked} would be told")
    told = f"told {len(entries)} entries about {asked}; {state.injected} in this session"
    return _answer(_spoken(call.agent, context_text(entries)), told)


def _relevant(site: _Site) -> tuple[list[Entry], str]:
    """Find what concerns the changed files and those of the last commit, else the repository's name."""
    files = list(dict.fromkeys((*site.tree.changed, *site.tree.committed())))[: limits.FILES_AT_HAND_MAX]
    topic = site.call.topic or ("" if files else site.tree.root.name)
    standpoint = Standpoint.of(site.zones.source, site.tree.root)
    scopes = tuple(standpoint.scope(path) for path in files)
    query = ContextQuery(scopes, topic, max(1, site.call.limit), max(1, site.call.budget_tokens))
    asked = f"{len(files)} files" + (f" and {topic!r}" if topic else "")
    if not scopes and not topic.strip():
        return [], asked
    with site.zones.opened(None) as opened:
        return relevant(opened, query), asked


def _spoken(agent: str, text: str) -> str:
    """Write a text as the agent takes it: as it is, or in Copilot's JSON."""
    return json.dumps({"additionalContext": text}) + "\n" if agent == "copilot" else text


def record_changes(zones: Zones, call: HookCall, _caller: Caller) -> JsonValue:
    """Record what a session changed since its start, or since it was recorded last, as one entry."""
    site = _site(zones, call)
    if site is None:
        return _answer("", "no working tree here")
    if site.tree.problem:
        # Half a list of changes would be recorded as the whole.
        return _answer("", f"not recorded: {site.tree.problem}")
    with site.file.held():
        state = site.file.load() or site.new_state({})
        committed, subjects = site.tree.commits_since(state.head, state.started_ns)
        now = site.tree.digests((*site.tree.changed, *committed))
        changed = {path: digest for path, digest in now.items() if state.known.get(path) != digest}
        if not changed:
            return _answer("", "nothing has changed")
        decision = _decision(site, changed, subjects)
        if call.dry_run:
            return _answer("", f"dry run: would record: {decision.title}")
        _write(zones, decision)
        # A crash between these two writes the same entry once more, under the same id: it is there once.
        if state.last_entry != decision.id:
            state.recorded, state.last_entry = state.recorded + 1, decision.id or ""
        state.known = dict(list({**state.known, **now}.items())[-limits.FILES_MAX :])
        state.head = site.tree.head
        site.file.save(state)
    return _answer("", f"recorded: {decision.title}; {state.recorded} in this session")


def _decision(site: _Site, changed: Mapping[str, str], subjects: tuple[str, ...]) -> Decision:
    paths = sorted(changed)
    standpoint = Standpoint.of(site.zones.source, site.tree.root)
    what = json.dumps([site.call.agent, site.session, str(site.tree.root), sorted(changed.items())])
    digest = hashlib.sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
    return Decision(
        type="decision",
        title=title_of(paths),
        session_id=site.session,
        id=format_uuid(derived_event_id("hook-entry", digest)),
        tags=site.call.tags or (site.call.agent,),
        files=tuple(standpoint.ref(path) for path in paths),
        place=standpoint.place(),
        body="\n".join(f"commit {valid_text(subject)}" for subject in subjects),
    )


def title_of(paths: list[str]) -> str:
    """Name up to three changed files, or the first and how many others there are."""
    names = [valid_text(PurePosixPath(path).name) for path in paths]
    shown = (
        " ".join(names) if len(names) <= NAMES_IN_TITLE else f"{names[0]} and {len(names) - 1} other files"
    )
    return f"Modified {shown}"[:TITLE_CHARS_MAX]


def _write(zones: Zones, decision: Decision) -> None:
    ledger = zones.ledger(None)
    redactor = make_redactor(policy_from(zones.workspace.config.zone(ledger.zone).redaction))
    with zones.opened(ledger.zone) as (zone,):
        write_entry(zone, Proposal(decision, redactor=redactor), now_ns)
