"""Sessions with peers that are open now, whoever called whom: each hears at once what this host gains."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from jilog_agent.daemon.growth import Growth
from jilog_spool.pump import Pump
from jilog_spool.session import Event, Grown, Session


class Conversations:
    """Passes growth on to every open session, and what sessions bring in on to growth."""

    def __init__(self, growth: Growth, zones: Sequence[str]) -> None:
        self._growth = growth
        self._zones = zones
        self._open: dict[Session, tuple[Pump, asyncio.Task[None]]] = {}

    def begin(self, session: Session, pump: Pump) -> None:
        """Take a session in; it is pushed to once it is warm."""
        self._open[session] = (pump, asyncio.create_task(self._push(pump)))

    def heard(self, _session: Session, event: Event) -> None:
        """Act on what a session tells."""
        if isinstance(event, Grown):
            self._growth.note()

    def end(self, session: Session) -> None:
        """Let go of a session. Idempotent."""
        found = self._open.pop(session, None)
        if found is not None:
            found[1].cancel()

    async def compare(self) -> None:
        """Compare roots in every warm session now: what this host lost is offered to it again."""
        for pump, _ in list(self._open.values()):
            await pump.compare_soon()

    async def leave(self) -> None:
        """End every warm session in good order; what is not acknowledged goes with the next one."""
        for pump, _ in list(self._open.values()):
            with contextlib.suppress(Exception):  # it may be ending by itself
                await pump.leave()

    async def _push(self, pump: Pump) -> None:
        seen = self._growth.count
        while True:
            seen = await self._growth.wait(seen)
            await pump.notice(self._zones)
