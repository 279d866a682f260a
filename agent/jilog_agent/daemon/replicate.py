"""Replication in the background: one task per peer. What peers ask of this host is in ``served``."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from jilog_agent.daemon import limits
from jilog_agent.daemon.chronicle import Chronicle
from jilog_agent.daemon.conversations import Conversations
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.schedule import sync_delay
from jilog_agent.daemon.zones import Zones
from jilog_agent.pauses import held
from jilog_agent.replication import chosen_peers, peer_table, rate_of, replicas_of, with_granted_zones
from jilog_agent.sightings import Announced, located
from jilog_agent.syncing import session_options, ssh_settings
from jilog_ledger.errors import InputError, JilogError, StorageError
from jilog_ledger.event import JsonValue
from jilog_spool.claims import Claims
from jilog_spool.peers import Peer
from jilog_spool.pump import Pump
from jilog_spool.report import SessionReport
from jilog_spool.session import Event, Session, Settled
from jilog_spool.ssh import SshTransport
from jilog_spool.sync import PeerResult, Transport


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a session's counters the metrics have."""

    received: int = 0
    sent: int = 0
    wire_in: int = 0
    wire_out: int = 0

    @classmethod
    def of(cls, report: SessionReport) -> Counted:
        """Take the counters as they are now."""
        return cls(report.events_received, report.events_sent, report.wire_bytes_in, report.wire_bytes_out)


@dataclass(slots=True)
class Followed:
    """One peer that is synced with. ``wake`` ends the wait for its next turn; ``resting``: it is paused.

    ``session`` is the one that runs; ``settled`` says that it left both hosts equal and stays open.
    ``failures`` counts turns in a row that ended with an error before both were equal, ``broken_off`` those
    after which a session that was to stay open ended, each but the first within an interval.
    """

    peer: Peer
    task: asyncio.Task[None]
    failures: int = 0
    broken_off: int = 0
    session: Session | None = None
    settled: bool = False
    settled_at: float = 0.0
    resting: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    counted: Counted = field(default_factory=Counted)
    level_at: float | None = None
    """When both were last level, on the monotonic clock; None: not since the agent started."""

    def say_synced(self) -> None:
        """Wake those who wait for this turn's outcome."""
        self.synced.set()
        self.synced = asyncio.Event()


class Replicator:
    """Keeps a session open with every known peer, or syncs at its interval with one that cannot stay.

    Peers may come and go meanwhile.
    """

    def __init__(
        self,
        zones: Zones,
        conversations: Conversations,
        log: Logbook,
        metrics: Metrics,
        chronicle: Chronicle,
        *,
        announced: Callable[[], Sequence[Announced]] = tuple,
        transport: Transport | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._zones = zones
        self._conversations = conversations
        self._log = log
        self._metrics = metrics
        self._announced = announced
        self._chance = chance
        self._chronicle = chronicle
        self._resting: set[str] = set()
        self._followed: dict[str, Followed] = {}
        self._complained = ""
        self.claims = Claims()
        self._transport = transport or SshTransport(ssh_settings(zones.workspace), self._begin)

    async def run(self) -> None:
        """Follow the peers until cancelled."""
        counting = asyncio.create_task(self._count_open())
        try:
            while True:
                await self.reload()
                await asyncio.sleep(limits.SLICE_SECONDS)
        finally:
            tasks = [counting, *(followed.task for followed in self._followed.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _peers(self) -> dict[str, Peer]:
        workspace = self._zones.workspace
        try:
            table = peer_table(workspace.config, workspace.home, workspace.disk)
            peers = chosen_peers((), table, workspace.config.spool.ssh_hosts)
            return {peer.name: peer for peer in with_granted_zones(workspace.config, peers)}
        except StorageError as error:
            # A read that fails now, as without a file descriptor, takes no peer away.
            self._log.warning("peers not read", reason=error.message, hint=error.hint)
            return {name: followed.peer for name, followed in self._followed.items()}
        except JilogError as error:
            # No peers yet, or a table that cannot be read: the host works on alone, and says so once.
            if error.message != self._complained:
                self._log.info("no peers to sync with", reason=error.message)
                self._complained = error.message
            return {}

    def has_peers(self) -> bool:
        """Tell whether there is anybody to sync with."""
        return bool(self._peers())

    def _adopt(self, peers: dict[str, Peer]) -> None:
        """Start with new peers, stop with removed ones; a changed one is both."""
        for name, followed in list(self._followed.items()):
            if peers.get(name) != followed.peer:
                followed.task.cancel()
                del self._followed[name]
        for name, peer in peers.items():
            if name not in self._followed:
                task = asyncio.create_task(self._follow(name))
                self._followed[name] = Followed(peer, task)

    async def _follow(self, name: str) -> None:
        interval = self._zones.workspace.config.agent.sync_seconds
        followed = self._followed[name]
        while True:
            await self._turn(followed)
            # A session that was to stay open and ended is begun anew soon: then it shows why it ended.
            seconds = sync_delay(interval, followed.failures or followed.broken_off, self._chance())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(followed.wake.wait(), seconds)
            followed.wake.clear()

    async def _turn(self, followed: Followed) -> None:
        """Run one session to its end, which may be days away."""
        if followed.peer.name in self._resting:
            followed.say_synced()
            return
        try:
            await self._converse(followed)
        except Exception as error:
            # One peer's trouble, even a bug of ours, must not end the replication with the others.
            self._log.error("sync failed", peer=followed.peer.name, error=repr(error))
            followed.failures += 1
        finally:
            followed.broken_off = self._times_broken_off(followed)
            followed.settled, followed.session = False, None
            followed.say_synced()

    def _times_broken_off(self, followed: Followed) -> int:
        if not followed.settled:
            return 0
        brief = time.monotonic() - followed.settled_at < self._zones.workspace.config.agent.sync_seconds
        return followed.broken_off + 1 if brief else 1

    async def _converse(self, followed: Followed) -> None:
        peer, started = followed.peer, time.monotonic()
        replicas = replicas_of(self._zones.ledgers[zone] for zone in peer.zones)
        session = await asyncio.to_thread(
            Session,
            replicas,
            source=self._zones.source,
            claims=self.claims,
            options=session_options(
                live=True,
                full=self._zones.gate.full,
                every_seconds=float(self._zones.workspace.config.agent.sync_seconds),
            ),
        )
        followed.session, followed.counted = session, Counted()

        def on_event(event: Event) -> None:
            self._conversations.heard(session, event)
            if isinstance(event, Settled):
                first = not followed.settled
                if first:
                    followed.settled, followed.settled_at = True, time.monotonic()
                notes.append(asyncio.ensure_future(self._note(followed, result(None), counts=first)))

        def result(error: JilogError | None) -> PeerResult:
            return PeerResult(peer, session.report, error, time.monotonic() - started)

        notes: list[asyncio.Future[None]] = []
        failure: JilogError | None = None
        try:
            place = located(peer, self._announced(), followed.failures)
            await self._transport.run(place, session, on_event)
        except JilogError as error:
            failure = error
        finally:
            self._conversations.end(session)
            await asyncio.gather(*notes, return_exceptions=True)
        await self._note(followed, result(failure))

    async def _note(self, followed: Followed, result: PeerResult, *, counts: bool = True) -> None:
        """Remember how a turn stands; log and count it as one, unless it is only told anew."""
        name, report = result.peer.name, result.report
        if result.ok:
            followed.level_at = time.monotonic()
        if result.error is None:
            followed.failures = 0
        elif not followed.settled:
            followed.failures += 1
        if counts:
            self._metrics.add("jilog_syncs_total", peer=name, outcome="ok" if result.ok else "failed")
            self._tell(result)
        self._count(followed, report)
        self._metrics.put("jilog_peer_in_sync", float(result.ok), peer=name)
        if report.clock_ahead_seconds is not None:
            self._metrics.put("jilog_peer_clock_seconds", report.clock_ahead_seconds, peer=name)
        await self._chronicle.note_called(result)
        followed.say_synced()

    def _tell(self, result: PeerResult) -> None:
        report = result.report
        fields: dict[str, JsonValue] = {
            "peer": result.peer.name,
            "ok": result.ok,
            "received": report.events_received,
            "sent": report.events_sent,
            "seconds": round(result.seconds, 3),
        }
        if result.error is not None:
            self._log.warning("sync", **fields, reason=result.error.message, hint=result.error.hint)
        elif report.events_received or report.events_sent or not result.ok:
            self._log.info("sync", **fields, refused=report.refused_count, forks=len(report.forks))
        else:
            self._log.debug("sync", **fields)

    async def _count_open(self) -> None:
        """Take over the counters of sessions that stay open, until cancelled."""
        while True:
            await asyncio.sleep(limits.COUNT_SECONDS)
            self.count()

    def count(self) -> None:
        """Take over the counters of the sessions that are open now."""
        for followed in self._followed.values():
            if followed.session is not None:
                self._count(followed, followed.session.report)
            if followed.settled:
                followed.level_at = time.monotonic()
            if followed.level_at is not None:
                lag_seconds = round(time.monotonic() - followed.level_at)
                self._metrics.put("jilog_peer_lag_seconds", lag_seconds, peer=followed.peer.name)

    def _count(self, followed: Followed, report: SessionReport) -> None:
        name, before, now = followed.peer.name, followed.counted, Counted.of(report)
        followed.counted = now
        add = self._metrics.add
        add("jilog_sync_received_events_total", now.received - before.received, peer=name)
        add("jilog_sync_sent_events_total", now.sent - before.sent, peer=name)
        add("jilog_sync_wire_bytes_total", now.wire_in - before.wire_in, peer=name, direction="in")
        add("jilog_sync_wire_bytes_total", now.wire_out - before.wire_out, peer=name, direction="out")

    def _begin(self, session: Session, pump: Pump) -> None:
        """Let a session run within its peer's share of the line, and hear of what this host gains."""
        for followed in self._followed.values():
            if followed.session is session:
                pump.limit(rate_of(self._zones.workspace.config, followed.peer.name))
        self._conversations.begin(session, pump)

    async def reload(self) -> None:
        """Take in changes of the peers, and of when replication rests, now."""
        peers, resting = await asyncio.to_thread(self._read)
        newly_resting, self._resting = resting - self._resting, resting
        # Who begins to rest is cut off and followed anew; what was interrupted goes on where it stopped.
        self._adopt({name: peer for name, peer in peers.items() if name not in newly_resting})
        self._adopt(peers)
        for name, followed in self._followed.items():
            if followed.resting and name not in resting:
                followed.wake.set()
            followed.resting = name in resting
            self._metrics.put("jilog_peer_resting", float(followed.resting), peer=name)

    def _read(self) -> tuple[dict[str, Peer], set[str]]:
        peers = self._peers()
        workspace = self._zones.workspace
        return peers, {name for name in peers if held(workspace, name)}

    async def compare(self) -> None:
        """Look at once, with every peer, for what this host lacks, as after damage was found."""
        await self._conversations.compare()
        for followed in self._followed.values():
            if not followed.settled:
                followed.wake.set()

    async def sync_now(self, names: Sequence[str]) -> list[str]:
        """Sync with some peers, or all, without waiting for their turn; give their names when it is done.

        Raises:
            InputError: a peer is not known.
        """
        await self.reload()
        for name in names:
            if name not in self._followed:
                raise InputError(f"unknown peer {name[:80]!r}", hint="see: jilog peer list")
        # With whom a session is open nothing has to be done: what is new went out when it came.
        chosen = [self._followed[name] for name in names or self._followed]
        done = [followed.synced for followed in chosen if not followed.settled]
        for followed in chosen:
            followed.wake.set()
        await asyncio.gather(*(event.wait() for event in done))
        return [followed.peer.name for followed in chosen]

    def connected(self, served: Collection[str] = ()) -> tuple[int, int]:
        """Count the peers with whom a session is open, and all."""
        names = {name for name, followed in self._followed.items() if followed.settled}
        return len(names | set(served)), len(self._followed.keys() | set(served))

    def status(self, served: Collection[str] = ()) -> list[JsonValue]:
        """Say of each peer whether a session is open, and how many turns in a row have failed.

        ``served`` are the peers with whom one is open that they began; this host may have no address of them.
        """
        found: dict[str, JsonValue] = {
            name: {"peer": name, "connected": True, "failures": 0, "resting": False} for name in served
        }
        for name, followed in self._followed.items():
            found[name] = {
                "peer": name,
                "connected": followed.settled or name in served,
                "failures": followed.failures,
                "resting": followed.resting,
            }
        return [document for _, document in sorted(found.items())]
