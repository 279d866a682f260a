"""Beginning sessions so that turns are recorded into them from then on."""

from __future__ import annotations

from jilog_agent.turns.record import Recorded, start_session
from jilog_agent.turns.site import Site, current_session, set_current
from jilog_ledger.turn import Session

UNNAMED = "sess_0000"
"""Stands for the id of a session that has none yet: the real one is made with the record."""


def begin(site: Site, session: Session, *, confidential: bool = False, key: str | None = None) -> Recorded:
    """Begin a session and make it its agent's current one; .turnlog is made when it is missing.

    A second try with the same ``key`` begins nothing.

    Raises:
        InputError: a field is missing or past its limit.
        StorageError: the disk refused.
    """
    # A name that no file can have is refused before anything is written.
    site.store.current(session.agent)
    done = start_session(site, session, confidential=confidential, key=key)
    record = done.dated.record
    assert isinstance(record, Session)
    set_current(site, session.agent, record.id)
    return done


def begin_if_none(site: Site, agent: str, goal: str, *, confidential: bool = False) -> Recorded | None:
    """Begin a session for a goal unless the agent has one; None when it has."""
    if current_session(site, agent):
        return None
    return begin(site, Session(id=UNNAMED, goal=goal, agent=agent), confidential=confidential)
