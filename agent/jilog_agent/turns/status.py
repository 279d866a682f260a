"""What is going on in a working tree: the current session, the last turn, the state of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jilog_agent.turns.documents import Dated, document, vcs_document
from jilog_agent.turns.read import TurnFilter, select_records
from jilog_agent.turns.repair import Drift, drift
from jilog_agent.turns.site import Site, current_session, repository_names
from jilog_ledger.decision import valid_text
from jilog_ledger.event import JsonValue
from jilog_ledger.turn import Session, Turn, Vcs


@dataclass(frozen=True, slots=True)
class Status:
    """``current`` is an id, which may be of no session that is known; ``sessions`` are by id."""

    current: str
    sessions: dict[str, Dated]
    latest: Dated | None
    last_turn: Dated | None
    vcs: Vcs
    drift: Drift

    def to_json(self) -> dict[str, JsonValue]:
        """Give the documented JSON."""
        known = self.sessions.get(self.current)
        return {
            "initialized": True,
            "current": document(known) if known else None,
            "latest": document(self.latest) if self.latest else None,
            "last_turn": document(self.last_turn) if self.last_turn else None,
            "vcs": vcs_document(self.vcs),
            "drift": {
                "missing": self.drift.missing,
                "unknown": self.drift.unknown,
                "different": self.drift.different,
                "damaged": self.drift.damaged,
            },
        }


def site_status(site: Site, agent: str, environment: str | None) -> Status:
    """Find out what is going on; ``environment`` is the session that the environment names."""
    names = repository_names(site.host, site.store.root)
    records = select_records([site.zone], TurnFilter(repositories=names))
    sessions = {item.record.id: item for item in records if isinstance(item.record, Session)}
    turns = [item for item in records if isinstance(item.record, Turn)]
    return Status(
        current=environment or current_session(site, agent),
        sessions=sessions,
        latest=list(sessions.values())[-1] if sessions else None,
        last_turn=turns[-1] if turns else None,
        vcs=site.tree.state(),
        drift=drift(site),
    )


def status_lines(status: Status) -> Iterator[str]:
    """Write the status for people."""
    yield "turnlog: initialized"
    known = status.sessions.get(status.current)
    if known is not None:
        yield f"current session: {session_words(known)}"
    else:
        yield f"current session: {f'{status.current} (not found)' if status.current else 'none'}"
    if status.latest is not None and status.latest is not known:
        yield f"latest session: {session_words(status.latest)}"
    yield f"last turn: {_turn_words(status.last_turn)}"
    yield from _vcs_lines(status.vcs)


def drift_line(found: Drift) -> str | None:
    """Say how .turnlog differs from the ledger; None when it does not."""
    parts = [
        text
        for count, text in (
            (found.missing, f"{found.missing} record(s) are missing"),
            (found.unknown, f"{found.unknown} record(s) are not in the ledger"),
            (found.different, f"{found.different} record(s) say something else than the ledger"),
            (found.damaged, f"{found.damaged} file(s) or line(s) cannot be read"),
        )
        if count
    ]
    return f".turnlog: {', '.join(parts)}" if parts else None


def session_words(dated: Dated) -> str:
    """Write a session in one line."""
    record = dated.record
    assert isinstance(record, Session)
    return f"{record.id} ticket={record.ticket or 'none'} goal={record.goal}"


def _turn_words(dated: Dated | None) -> str:
    if dated is None:
        return "none"
    record = dated.record
    assert isinstance(record, Turn)
    return f"{record.id} session={record.session} summary={' '.join(record.summary.split())}"


def _vcs_lines(vcs: Vcs) -> Iterator[str]:
    yield f"vcs: {vcs.kind}"
    if vcs.kind == "none":
        return
    if vcs.kind == "jj":
        yield f"jj change: {vcs.jj_change or 'unknown'}"
        yield f"jj commit: {vcs.jj_commit or 'unknown'}"
        yield f"jj operation: {vcs.jj_operation or 'unknown'}"
    yield f"git branch: {vcs.git_branch or 'none'}"
    yield f"git head: {vcs.git_head or 'none'}"
    yield f"dirty: {'unknown' if vcs.dirty is None else str(vcs.dirty).lower()}"
    yield f"changed files:{'' if vcs.changed_files else ' none'}"
    for path in vcs.changed_files:
        yield f"  - {valid_text(path)}"
