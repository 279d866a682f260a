"""Something is new in the ledger: said by whoever appends or receives, heard by tails and open sessions."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from jilog_agent.daemon import limits
from jilog_agent.daemon.zones import Zones
from jilog_ledger.frontier import Frontier
from jilog_ledger.store import ZoneStore


class Growth:
    """Wakes those who wait for new events. Made in the event loop's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.count = 0
        """How often something was new; whoever remembers it misses nothing."""

    def note(self) -> None:
        """Say that there is something new; may be called from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int) -> int:
        """Wait until there was something new after ``seen``; give the new count."""
        while self.count == seen:
            await self._event.wait()
        return self.count


async def watch_other_processes(zones: Zones, growth: Growth) -> None:
    """Notice what commands append under the lock, and what they receive; until cancelled.

    Most looks are a few calls of stat: an idle agent should cost nothing.
    """
    stamps = _stamps(zones)
    frontiers = await asyncio.to_thread(_frontiers, zones)
    for look in itertools.count(1):
        await asyncio.sleep(limits.GROWTH_POLL_SECONDS)
        new_stamps = _stamps(zones)
        new_frontiers = frontiers
        if look % limits.GROWTH_STATS_PER_LOOK == 0:
            new_frontiers = await asyncio.to_thread(_frontiers, zones)
        if (new_stamps, new_frontiers) != (stamps, frontiers):
            stamps, frontiers = new_stamps, new_frontiers
            growth.note()


def _stores(zones: Zones) -> Iterator[ZoneStore]:
    for ledger in zones.ledgers.values():
        yield ledger.shared
        yield ledger.local


def _stamps(zones: Zones) -> list[tuple[int, int] | None]:
    """Tell one state of the own streams from another: each append writes the head, each seal the manifest."""
    return [
        _stamp(path)
        for store in _stores(zones)
        for path in (store.layout.manifest, store.layout.head(store.own_writer))
    ]


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _frontiers(zones: Zones) -> list[Frontier]:
    return [store.frontier() for store in _stores(zones)]
