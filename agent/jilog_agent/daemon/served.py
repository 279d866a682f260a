"""What peers ask of this host: its own SSH endpoint, and the sessions that they begin there."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from jilog_agent.daemon import limits
from jilog_agent.daemon.chronicle import Chronicle
from jilog_agent.daemon.conversations import Conversations
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.zones import Zones
from jilog_agent.endpoint import logins, session_maker
from jilog_agent.home import Home
from jilog_agent.replication import peer_table, rate_of, replicas_of
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue
from jilog_spool.claims import Claims
from jilog_spool.peers import FILE_NAME, Peer
from jilog_spool.pump import Pump
from jilog_spool.session import Event, Session, Settled
from jilog_spool.ssh_server import SpoolServer, Watch
from jilog_spool.sync import PeerResult


@dataclass(slots=True)
class Serving:
    """One session that a peer began. ``settled``: both hosts held the same, and it stays open.

    ``listed`` tells whether the peer was in the table then; an authority alone may vouch for one that is not.
    """

    name: str
    started: float
    listed: bool
    settled: bool = False


class Endpoint:
    """The own SSH endpoint; a peer that is removed, or is to rest, is cut off at once."""

    def __init__(
        self,
        zones: Zones,
        conversations: Conversations,
        claims: Claims,
        log: Logbook,
        chronicle: Chronicle,
    ) -> None:
        self._zones = zones
        self._conversations = conversations
        self._claims = claims
        self._log = log
        self._chronicle = chronicle
        self._server: SpoolServer | None = None
        self._open: dict[Session, Serving] = {}
        self._notes: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int | None:
        """The port listened on, None without an endpoint."""
        return self._server.port if self._server is not None else None

    @property
    def settled(self) -> set[str]:
        """The peers with whom a session is open that they began, and in which both held the same."""
        return {serving.name for serving in self._open.values() if serving.settled}

    async def start(self, address: tuple[str, int]) -> None:
        """Listen.

        Raises:
            PeerError: the address cannot be listened on.
        """
        workspace = self._zones.workspace
        replicas = replicas_of(self._zones.ledgers.values())
        self._server = await SpoolServer.start(
            workspace.home.key_path,
            authorise=logins(workspace, self._zones.source),
            new_session=session_maker(
                workspace,
                replicas,
                self._zones.source,
                self._claims,
                begun=self._made,
                full=self._zones.gate.full,
            ),
            host=address[0],
            port=address[1],
            report=self._told,
            watch=Watch(self._begun, self._heard, self._refused),
        )
        self._log.info("endpoint listens", host=address[0], port=self._server.port)

    def _made(self, name: str, session: Session) -> None:
        self._open[session] = Serving(name, time.monotonic(), self._listed(name) is not None)

    def _refused(self, address: str, reason: str) -> None:
        self._log.warning("login refused", address=address, reason=reason)

    def _begun(self, session: Session, pump: Pump) -> None:
        pump.limit(rate_of(self._zones.workspace.config, self._open[session].name))
        self._conversations.begin(session, pump)

    def _heard(self, session: Session, event: Event) -> None:
        self._conversations.heard(session, event)
        serving = self._open.get(session)
        if isinstance(event, Settled) and serving is not None:
            serving.settled = True
            self._note(serving, session, None)

    def _note(self, serving: Serving, session: Session, failure: JilogError | None) -> None:
        try:
            peer = self._listed(serving.name)
        except JilogError:
            return
        if peer is None and serving.listed:
            return  # removed meanwhile
        peer = peer or Peer(serving.name)
        seconds = time.monotonic() - serving.started
        note = asyncio.ensure_future(
            self._chronicle.note_served(PeerResult(peer, session.report, failure, seconds))
        )
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)

    def _listed(self, name: str) -> Peer | None:
        workspace = self._zones.workspace
        return peer_table(workspace.config, workspace.home, workspace.disk).get(name)

    async def watch(self) -> None:
        """Cut off peers that are removed or begin to rest, until cancelled."""
        stamp = self._stamp()
        quiet_checked = time.monotonic()
        while True:
            await asyncio.sleep(limits.PEERS_POLL_SECONDS)
            due = time.monotonic() - quiet_checked >= limits.SLICE_SECONDS
            if stamp != (stamp := self._stamp()) or due:
                quiet_checked = time.monotonic()
                await self.check()

    async def check(self) -> None:
        """Cut off whoever is not a peer any more, has other zones than before, or begins to rest."""
        if self._server is not None:
            # The peers are read here and not in a thread: a connection must not come or go meanwhile.
            for name in self._server.recheck():
                self._log.info("peer cut off", peer=name)

    def _stamp(self) -> list[tuple[int, int] | None]:
        """Tell one state of peers, authorities and pauses from another, without reading them."""
        home: Home = self._zones.workspace.home
        stamps: list[tuple[int, int] | None] = []
        for path in (home.root / FILE_NAME, home.authorities_path, home.pauses_path):
            try:
                found = path.stat()
                stamps.append((found.st_mtime_ns, found.st_ino))
            except OSError:
                stamps.append(None)
        return stamps

    async def stop(self) -> None:
        """Close every connection; what was interrupted resumes at the next sync."""
        if self._server is not None:
            await self._server.stop()
        await asyncio.gather(*self._notes, return_exceptions=True)

    def _told(self, peer: str, session: Session, failure: JilogError | None) -> None:
        self._conversations.end(session)
        serving = self._open.pop(session, None)
        if serving is not None and failure is not None:
            self._chronicle.lost(serving.name)
        # A session that was level and then lost its line leaves nothing to tell.
        if serving is not None and session.report.peer and not (serving.settled and failure):
            self._note(serving, session, failure)
        report = session.report
        fields: dict[str, JsonValue] = {
            "peer": peer,
            "received": report.events_received,
            "sent": report.events_sent,
        }
        if failure is not None:
            self._log.warning("served", **fields, reason=failure.message)
        elif report.events_received or report.events_sent:
            self._log.info("served", **fields)
        else:
            self._log.debug("served", **fields)
