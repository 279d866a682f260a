"""Spool directories in the background: each one is ingested and emitted to at its interval, and on news."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Coroutine
from dataclasses import dataclass, field

from jilog_agent.config import DirectoryConfig
from jilog_agent.daemon import limits
from jilog_agent.daemon.growth import Growth
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.zones import Zones
from jilog_agent.directories import (
    IN_ORDER,
    PAUSED,
    Place,
    judge,
    open_directory,
    remember,
    remember_pause,
)
from jilog_agent.identity import Identity
from jilog_agent.pauses import EVERYBODY, Hold, held
from jilog_agent.replication import replicas_of
from jilog_ledger.errors import JilogError, StorageError
from jilog_ledger.event import JsonValue
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_files import directory_stamp
from jilog_spool.directory_report import DirectoryReport


@dataclass(slots=True)
class Kept:
    """One configured directory, and what was said of it last."""

    config: DirectoryConfig
    opened: SpoolDirectory | None = None
    stamp: object = None
    """What directory and ledger looked like before the last pass; None while the next one must happen."""
    skipped: int = 0
    reason: str = ""
    detail: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def place(self) -> Place:
        """Where it is, and what goes there."""
        config = self.config
        return Place(config.path, config.peer, config.zones, config.keep_seconds, config.trust)


class Directories:
    """Keeps this host and every ``[[directory]]`` of its configuration up to date with each other."""

    def __init__(
        self, zones: Zones, identity: Identity, growth: Growth, log: Logbook, metrics: Metrics
    ) -> None:
        self._zones = zones
        self._identity = identity
        self._growth = growth
        self._log = log
        self._metrics = metrics
        self._kept = [Kept(config) for config in zones.workspace.config.directories]

    def work(self) -> list[Coroutine[None, None, None]]:
        """Give what is to be run, one for each directory, until cancelled."""
        return [self._follow(kept) for kept in self._kept]

    def hurry(self) -> None:
        """Let every directory have its turn now."""
        for kept in self._kept:
            kept.wake.set()

    def status(self) -> list[JsonValue]:
        """Say how each directory stands."""
        return [
            {"path": str(kept.config.path), "reason": kept.reason or None, "detail": kept.detail or None}
            for kept in self._kept
        ]

    async def _follow(self, kept: Kept) -> None:
        while True:
            seen = self._growth.count
            await asyncio.to_thread(self.turn, kept)
            await self._wait(kept, seen)

    async def _wait(self, kept: Kept, seen: int) -> None:
        """Wait for the interval; news of this host shorten it, but many at once make one pass."""
        every = float(kept.config.every_seconds)
        news = asyncio.create_task(self._growth.wait(seen))
        asked = asyncio.create_task(kept.wake.wait())
        try:
            await asyncio.wait({news, asked}, timeout=every, return_when=asyncio.FIRST_COMPLETED)
            if news.done() and not asked.done():
                await asyncio.wait({asked}, timeout=min(every, limits.DIRECTORY_GATHER_SECONDS))
        finally:
            for task in (news, asked):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        kept.wake.clear()

    def turn(self, kept: Kept) -> None:
        """Go through a directory, unless replication rests, or nothing has changed since it was in order."""
        hold = held(self._zones.workspace, kept.config.peer or EVERYBODY)
        if hold is not None:
            self._rest(kept, hold)
            return
        seen = directory_stamp(kept.config.path)
        stamp = (seen, self._growth.count) if seen is not None else None
        unchanged = stamp is not None and stamp == kept.stamp and kept.reason == IN_ORDER
        if unchanged and kept.skipped < limits.DIRECTORY_SKIPS_MAX:
            kept.skipped += 1
            return
        kept.stamp, kept.skipped = stamp, 0
        self.pass_over(kept)

    def _rest(self, kept: Kept, hold: Hold) -> None:
        if kept.reason != PAUSED:
            self._log.info("directory rests", path=str(kept.config.path), why=str(hold))
        kept.stamp, kept.reason, kept.detail = None, PAUSED, str(hold)
        remember_pause(self._zones.workspace, kept.place, str(hold), "" if hold.quiet else hold.next_step)

    def pass_over(self, kept: Kept) -> None:
        """Ingest, then emit; what stands in the way is told and remembered, and tried again the next time."""
        outcome: DirectoryReport | JilogError
        try:
            directory = self._open(kept)
            self._check_room()
            outcome = directory.ingest()
            self._count(kept, outcome)
            if outcome.grown:
                self._growth.note()
            put = directory.emit()
            self._count(kept, put)
        except JilogError as exc:
            outcome = exc
        except Exception as exc:
            # The next turn tries again; a bug here must not end the other directories.
            self._log.error("directory failed", path=str(kept.config.path), error=repr(exc))
            outcome = StorageError(f"internal error: {exc!r}")
        self._tell(kept, outcome)

    def _open(self, kept: Kept) -> SpoolDirectory:
        """Open it anew for each pass: trust and grants may have changed, and its memory is small."""
        replicas = replicas_of(self._zones.ledgers.values())
        opened = open_directory(self._zones.workspace, self._identity, replicas, kept.place)
        if kept.opened is not None and kept.opened.member == opened.member:
            opened.take_over(kept.opened)
        kept.opened = opened
        return opened

    def _check_room(self) -> None:
        """Take nothing in while the disk of this host is nearly full."""
        reason = self._zones.gate.full()
        if reason is not None:
            raise StorageError(
                f"nothing is exchanged: {reason}", hint=f"df -h {self._zones.workspace.home.root}"
            ) from OSError(errno.ENOSPC, "nearly full")

    def _count(self, kept: Kept, done: DirectoryReport) -> None:
        path = str(kept.config.path)
        self._metrics.add("jilog_directory_received_events_total", done.events_received, path=path)
        self._metrics.add("jilog_directory_bytes_total", done.bytes_read, path=path, direction="in")
        self._metrics.add("jilog_directory_bytes_total", done.bytes_written, path=path, direction="out")

    def _tell(self, kept: Kept, outcome: DirectoryReport | JilogError) -> None:
        path = str(kept.config.path)
        reason, detail, step = judge(kept.config.path, outcome)
        self._metrics.add("jilog_directory_passes_total", path=path, reason=reason)
        self._metrics.put("jilog_directory_ok", float(reason == IN_ORDER), path=path)
        unreadable = len(outcome.unreadable) if isinstance(outcome, DirectoryReport) else 0
        self._metrics.put("jilog_directory_unreadable_files", unreadable, path=path)
        if isinstance(outcome, DirectoryReport) and outcome.events_received:
            self._log.info("directory ingested", path=path, events=outcome.events_received)
        if (reason, detail) != (kept.reason, kept.detail):
            say = self._log.info if reason == IN_ORDER else self._log.warning
            say("directory", path=path, reason=reason, detail=detail, next=step)
        kept.reason, kept.detail = reason, detail
        if kept.opened is not None:
            remember(self._zones.workspace, kept.place, outcome, kept.opened.member.folder)
