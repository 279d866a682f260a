"""Who is on the local network, as the running agent sees it."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

from jilog_agent.daemon import limits
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.sightings import Announced
from jilog_ledger.errors import PeerError

if TYPE_CHECKING:
    from jilog_spool.discovery import Discovery


class Neighbours:
    """Announces the own endpoint, if others can reach it, and keeps the announcements of others."""

    def __init__(self, source: str, public_key: bytes, log: Logbook) -> None:
        self._source = source
        self._public_key = public_key
        self._log = log
        self._discovery: Discovery | None = None

    def announced(self) -> list[Announced]:
        """Give who is there now."""
        found = self._discovery.found() if self._discovery is not None else []
        return [Announced(item.source, item.public_key, item.addresses, item.port) for item in found]

    async def run(self, port: int | None) -> None:
        """Announce the endpoint at ``port``, if any, and look around, until cancelled."""
        # A tenth of a second that hosts without neighbours are spared.
        from jilog_spool.discovery import Announcement, Discovery

        announcement = Announcement(self._source, self._public_key, port) if port else None
        while True:
            self._discovery = Discovery(announcement)
            try:
                await self._discovery.run()
            except PeerError as error:
                self._log.warning("no discovery", reason=error.message, hint=error.hint)
            self._discovery = None
            await asyncio.sleep(limits.DISCOVERY_RETRY_SECONDS)


def reachable(host: str) -> bool:
    """Tell whether an endpoint at this address can be reached by anybody else."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
