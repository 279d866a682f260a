"""The own SSH endpoint of this host: who may log in, and what each peer then sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jilog_agent.pauses import held, refuse_held
from jilog_agent.replication import granted_zones, peer_table, raw_key
from jilog_agent.syncing import session_options
from jilog_agent.vouching import certificate_authoriser
from jilog_agent.workspace import Workspace
from jilog_spool.claims import Claims
from jilog_spool.replica import Replica
from jilog_spool.session import Session
from jilog_spool.ssh_server import Logins


def known_keys(workspace: Workspace) -> dict[bytes, str]:
    """Name the peer of each raw public key that may log in; a peer that is to change its key has two."""
    known: dict[bytes, str] = {}
    for peer in peer_table(workspace.config, workspace.home, workspace.disk).peers():
        for line in peer.host_keys:
            if key := raw_key(line):
                known.setdefault(key, peer.name)
    return known


def authoriser(workspace: Workspace) -> Callable[[bytes], str | None]:
    """Give the function that names the peer of a key; None refuses it.

    The peers are read at every login: one that was added or removed counts at once.
    """
    return lambda key: known_keys(workspace).get(key)


def logins(workspace: Workspace, source: str) -> Logins:
    """Say who may log in, by pinned key or certificate of an authority, and what a peer may do then."""

    def standing(name: str) -> object:
        table = peer_table(workspace.config, workspace.home, workspace.disk)
        return granted_zones(workspace.config, table.get(name)), held(workspace, name)

    return Logins(authoriser(workspace), certificate_authoriser(workspace, source), standing)


def session_maker(
    workspace: Workspace,
    replicas: Mapping[str, Replica],
    source: str,
    claims: Claims,
    *,
    begun: Callable[[str, Session], None] = lambda _name, _session: None,
    full: Callable[[], str | None] = lambda: None,
    live: bool = True,
) -> Callable[[str], Session]:
    """Give the function that starts a session over the zones that a peer was granted.

    ``begun`` is told of each, ``full`` says why nothing is taken in now. A ``live`` session
    stays open.
    """

    def new_session(name: str) -> Session:
        refuse_held(workspace, name)
        table = peer_table(workspace.config, workspace.home, workspace.disk)
        zones = granted_zones(workspace.config, table.get(name))
        granted = {zone: replica for zone, replica in replicas.items() if zone in zones}
        every = float(workspace.config.agent.sync_seconds)
        options = session_options(live=live, full=full, every_seconds=every)
        session = Session(granted, source=source, claims=claims, options=options)
        begun(name, session)
        return session

    return new_session
