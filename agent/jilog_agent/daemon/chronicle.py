"""How sessions with peers went, kept for ``jilog spool status``: written by one task at a time."""

from __future__ import annotations

import asyncio
import time

from jilog_agent.daemon import limits
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.zones import Zones
from jilog_agent.replication import SyncHistory, held_by_zone
from jilog_ledger.errors import JilogError
from jilog_ledger.times import now_ns
from jilog_spool.sync import PeerResult


class Chronicle:
    """Remembers the newest session with each peer, whoever called whom."""

    def __init__(self, zones: Zones, log: Logbook) -> None:
        self._zones = zones
        self._log = log
        self._history = SyncHistory(zones.workspace.home, zones.workspace.disk)
        self._writing = asyncio.Lock()
        self._failed = False
        self._served_at: dict[str, float] = {}

    async def note_served(self, result: PeerResult) -> None:
        """Remember how a session stands that the peer began.

        After one that was lost, or was to stay open and ended, it counts again whether the peer answers: it
        may be cut off, or have no more to do with this host.
        """
        if result.error is None and result.report.pending is None:
            self._served_at[result.peer.name] = time.monotonic()
        else:
            self.lost(result.peer.name)
        await self.note(result)

    def lost(self, name: str) -> None:
        """Let it count again whether a peer answers, as a session with it broke off."""
        self._served_at.pop(name, None)

    async def note_called(self, result: PeerResult) -> None:
        """Remember how a session stands that this host began.

        Many a peer can call and cannot be called: while it does, that it does not answer tells nothing.
        """
        served_at = self._served_at.get(result.peer.name)
        answered = result.error is None or result.report.peer
        if answered and result.error is not None:
            self.lost(result.peer.name)
        recent = served_at is not None and time.monotonic() - served_at < limits.SERVED_COUNTS_SECONDS
        if answered or not recent:
            await self.note(result)

    async def note(self, result: PeerResult) -> None:
        """Remember how a session stands; that it could not be written is logged, and harms nothing."""
        async with self._writing:
            await asyncio.to_thread(self._write, result)

    def _write(self, result: PeerResult) -> None:
        try:
            self._history.add([result], now_ns(), held_by_zone(self._zones.ledgers.values()))
        except JilogError as error:
            if not self._failed:
                self._log.warning("sync history not saved", reason=error.message, hint=error.hint)
            self._failed = True
        else:
            self._failed = False
