"""Where turns are recorded: a zone of the ledger, a working tree, and the store beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.decisions.place import Standpoint
from jilog_agent.decisions.repository import find_repository, local_name
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.turns.store import TurnStore, read_line
from jilog_agent.vcs.capture import WorkingTree
from jilog_ledger.decision import Place
from jilog_ledger.errors import InputError
from jilog_ledger.turn import check_record_id
from jilog_review.redact import Redactor, redact


@dataclass(frozen=True, slots=True)
class Site:
    """All that recording needs. ``zone`` takes the events, ``store`` the snapshot of them.

    ``redactor`` sees every text that somebody typed, before anything is stored.
    """

    zone: OpenZone
    store: TurnStore
    tree: WorkingTree
    host: str
    clock: Callable[[], int]
    redactor: Redactor = redact

    def place(self) -> Place:
        """Say where this is, as records keep it."""
        return place_of(self.host, self.store.root)


def place_of(host: str, root: Path) -> Place:
    """Name a working tree: its repository, or the folder when it is in none."""
    place = Standpoint.of(host, root).place()
    return place if place.repository else Place(place.host, place.folder, local_name(host, place.folder))


def repository_names(host: str, root: Path) -> tuple[str, ...]:
    """Give all names under which records of a working tree may stand."""
    repository = find_repository(root, host)
    return repository.names if repository else (local_name(host, root),)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which session somebody means: as a flag said, as the environment says, and for which agent."""

    flag: str | None = None
    environment: str | None = None
    agent: str = ""


def chosen_session(site: Site, wanted: Wanted) -> str:
    """Find the session to record into: the flag's, the environment's, else the agent's current one.

    An agent with a name has a current session of its own and never falls back to that of others.

    Raises:
        InputError: there is none, or none of that id.
    """
    named = wanted.flag or wanted.environment
    if named:
        if session_exists(site, named):
            return check_record_id("sess", named)
        raise InputError(f"session not found: {named[:80]}", hint="list them: jilog turn log")
    current = current_session(site, wanted.agent)
    whose = f" of agent {wanted.agent}" if wanted.agent else ""
    if not current:
        raise InputError(
            f"no active session{whose}", hint=f"run: jilog turn start{_flag(wanted)} --goal TEXT"
        )
    if not session_exists(site, current):
        raise InputError(
            f"active session {current[:80]} was not found",
            hint=f"run: jilog turn use{_flag(wanted)} ID, or start a new one: jilog turn start --goal TEXT",
        )
    return current


def _flag(wanted: Wanted) -> str:
    return f" --agent {wanted.agent}" if wanted.agent else ""


def current_session(site: Site, agent: str) -> str:
    """Give the session that an agent records into; empty when it has none."""
    return read_line(site.zone.disk, site.store.current(agent))


def set_current(site: Site, agent: str, session: str) -> None:
    """Make a session the one that an agent records into; a crash leaves the old one or the new."""
    site.zone.disk.replace(site.store.current(agent), f"{session}\n".encode())


def session_exists(site: Site, session: str) -> bool:
    """Tell whether a session is known.

    Its file answers for almost all; the ledger knows those that were begun elsewhere.
    """
    try:
        check_record_id("sess", session)
    except InputError:
        return False
    if site.store.document(session, "json").is_file():
        return True
    return session in site.zone.projection.facet_values("session", prefix=session, limit=1)
