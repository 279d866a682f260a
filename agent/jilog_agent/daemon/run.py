"""The asyncio shell of the agent: bring everything up, wait for a signal, bring everything down in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from jilog_agent.agent_socket import socket_path
from jilog_agent.daemon import limits
from jilog_agent.daemon.chores import Chores, free_bytes_of
from jilog_agent.daemon.chronicle import Chronicle
from jilog_agent.daemon.connection import LiveMethod, Services
from jilog_agent.daemon.conversations import Conversations
from jilog_agent.daemon.directories import Directories
from jilog_agent.daemon.growth import Growth, watch_other_processes
from jilog_agent.daemon.instance import Instance
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.methods import parse_params
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.neighbours import Neighbours, reachable
from jilog_agent.daemon.notify import Notifier
from jilog_agent.daemon.page import PageKeeper
from jilog_agent.daemon.protocol import VERSION
from jilog_agent.daemon.replicate import Replicator
from jilog_agent.daemon.served import Endpoint
from jilog_agent.daemon.server import SocketServer
from jilog_agent.daemon.zones import Zones
from jilog_agent.identity import Identity
from jilog_agent.workspace import Workspace
from jilog_ledger.event import JsonValue
from jilog_ledger.times import SECOND_NS, format_time, now_ns

LATE_STATUS = 1
"""The exit status when the deadline cut work off; what was acknowledged is safe all the same."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What an agent is started with. ``ready`` is called once the socket accepts."""

    workspace: Workspace
    identity: Identity
    log: Logbook
    notifier: Notifier
    ready: Callable[[], None]
    drain_seconds: float = limits.DRAIN_SECONDS


def run_agent(setup: Setup) -> int:
    """Be the agent of this home until SIGTERM or SIGINT; give the exit status.

    Raises:
        AlreadyRunning: another process is.
        JilogError: a zone, the socket or the endpoint cannot be opened.
    """
    instance = Instance.claim(setup.workspace.home, setup.workspace.disk)
    try:
        return asyncio.run(_Agent(setup).run())
    finally:
        instance.retire()


class _Params(msgspec.Struct, frozen=True):
    peers: tuple[str, ...] = ()


class _Agent:
    """One life of the agent."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._log = setup.log
        self._metrics = Metrics()
        self._started_ns = now_ns()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        setup = self._setup
        growth = Growth()

        def grown(count: int) -> None:
            self._metrics.add("jilog_events_appended_total", count)
            growth.note()

        free = free_bytes_of(setup.workspace.home.root)
        zones = await asyncio.to_thread(Zones.open, setup.workspace, setup.identity, grown, free)
        self._zones = zones
        self._conversations = Conversations(growth, [*zones.ledgers])
        self._neighbours = Neighbours(zones.source, setup.identity.key.public_key, self._log)
        chronicle = Chronicle(zones, self._log)
        self._replicator = Replicator(
            zones,
            self._conversations,
            self._log,
            self._metrics,
            chronicle,
            announced=self._neighbours.announced,
        )
        claims = self._replicator.claims
        self._endpoint = Endpoint(zones, self._conversations, claims, self._log, chronicle)
        self._page = PageKeeper(setup.workspace, zones.source, self._log)
        self._growth = growth
        self._directories = Directories(zones, setup.identity, growth, self._log, self._metrics)
        self._chores = Chores(zones, self._log, self._metrics, lost=self._heal_soon())
        await asyncio.to_thread(self._chores.watch_disk)
        services = Services(zones, self._live_methods(), growth, self._log, self._metrics)
        self._server = SocketServer(socket_path(setup.workspace.home), services)
        await self._server.start()
        listen = setup.workspace.config.agent.listen
        try:
            if listen is not None:
                await self._endpoint.start(listen)
            await self._page.start()
            return await self._live()
        finally:
            await self._page.stop()
            await self._server.drain(0)
            services.writers.shutdown(wait=False, cancel_futures=True)
            services.readers.shutdown(wait=False, cancel_futures=True)

    def _heal_soon(self) -> Callable[[], None]:
        """Give the function by which the scrub's thread says that something has to be fetched again."""
        loop = asyncio.get_running_loop()

        def heal() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                asyncio.run_coroutine_threadsafe(self._replicator.compare(), loop)

        return heal

    async def _live(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        self._say_ready()
        watching = watch_other_processes(self._zones, self._growth)
        work = [self._replicator.run(), self._chores.run(), self._watchdog(), self._tell_state(), watching]
        work += self._directories.work()
        if self._endpoint.port is not None:
            work.append(self._endpoint.watch())
        agent = self._setup.workspace.config.agent
        announces = agent.listen is not None and reachable(agent.listen[0])
        if agent.mdns and (announces or await asyncio.to_thread(self._replicator.has_peers)):
            work.append(self._neighbours.run(self._endpoint.port if announces else None))
        tasks = [asyncio.create_task(self._guarded(item)) for item in work]
        await self._stopping.wait()
        return await self._end(tasks)

    def _say_ready(self) -> None:
        setup = self._setup
        self._metrics.put("jilog_up", 1, version=version("jilog"), source=setup.identity.source)
        self._metrics.put("jilog_start_time_seconds", self._started_ns // SECOND_NS)
        self._log.info("started", pid=os.getpid(), socket=str(self._server.path), version=version("jilog"))
        setup.notifier.ready(f"answering on {self._server.path}")
        setup.ready()

    async def _guarded(self, work: object) -> None:
        """Run background work; should it end by a bug, that is told and the rest goes on."""
        assert asyncio.iscoroutine(work)
        try:
            await work
        except Exception as error:
            self._log.error("background work ended", error=repr(error))

    async def _end(self, tasks: list[asyncio.Task[None]]) -> int:
        """Answer what was asked, cut off the rest, and be gone by the deadline."""
        seconds = self._setup.drain_seconds
        last_resort = threading.Timer(seconds + 0.5, self._give_up)
        last_resort.daemon = True
        last_resort.start()
        self._setup.notifier.stopping()
        self._log.info("stopping", clients=self._server.clients)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._conversations.leave(), seconds / 4)
        for task in tasks:
            task.cancel()
        in_time = await self._server.drain(seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._endpoint.stop()
        self._log.info("stopped", in_time=in_time)
        # Python's own end waits for threads; the timer stays, for one of them may hang at a dead disk.
        return 0 if in_time else LATE_STATUS

    def _give_up(self) -> None:
        """End the process although a thread still works: only unacknowledged work is cut off."""
        self._log.warning("the deadline has come; work in progress is cut off")
        os._exit(LATE_STATUS)

    async def _watchdog(self) -> None:
        notifier = self._setup.notifier
        if not notifier.watchdog_seconds:
            return
        while True:
            notifier.alive()
            await asyncio.sleep(notifier.watchdog_seconds / 2)

    async def _tell_state(self) -> None:
        """Keep the one line true that systemd shows of this service."""
        told = ""
        while self._setup.notifier.address:
            if (text := self._state_line()) != told:
                self._setup.notifier.status(text)
                told = text
            await asyncio.sleep(limits.SLICE_SECONDS)

    def _state_line(self) -> str:
        gate = self._zones.gate
        if gate.reason is not None:
            return f"read-only: {gate.reason}"
        if gate.low is not None:
            return f"taking nothing from peers: {gate.low}"
        connected, peers = self._replicator.connected(self._endpoint.settled)
        return f"answering on {self._server.path}; {connected} of {peers} peers connected"

    def _live_methods(self) -> dict[str, LiveMethod]:
        return {
            "ping": self._ping,
            "status": self._status,
            "metrics": self._metrics_text,
            "sync": self._sync,
            "reload": self._reload,
            "compare": self._compare,
        }

    async def _ping(self, _params: msgspec.Raw) -> JsonValue:
        return {"pid": os.getpid(), "version": version("jilog"), "protocol": VERSION}

    async def _metrics_text(self, _params: msgspec.Raw) -> JsonValue:
        await asyncio.to_thread(self._chores.measure)
        self._replicator.count()
        self._metrics.put("jilog_clients", self._server.clients)
        return self._metrics.text()

    async def _sync(self, params: msgspec.Raw) -> JsonValue:
        asked = parse_params("sync", params, _Params)
        if not asked.peers:
            self._directories.hurry()
        return {"peers": [*await self._replicator.sync_now(asked.peers)]}

    async def _compare(self, _params: msgspec.Raw) -> JsonValue:
        await self._replicator.compare()
        return {"comparing": True}

    async def _reload(self, _params: msgspec.Raw) -> JsonValue:
        await self._endpoint.check()
        await self._replicator.reload()
        return {"reloaded": True}

    async def _status(self, _params: msgspec.Raw) -> JsonValue:
        config = self._setup.workspace.config
        state = self._chores.state
        await asyncio.to_thread(self._zones.gate.look)
        listen = config.agent.listen
        return {
            "pid": os.getpid(),
            "version": version("jilog"),
            "source": self._zones.source,
            "home": str(config.home),
            "socket": str(self._server.path),
            "started": format_time(self._started_ns),
            "uptime_seconds": (now_ns() - self._started_ns) // SECOND_NS,
            "clients": self._server.clients,
            "read_only": self._zones.gate.reason,
            "disk_low": self._zones.gate.low,
            "endpoint": f"{listen[0]}:{self._endpoint.port}" if listen and self._endpoint.port else None,
            "page": self._page.status(),
            "zones": [*self._zones.ledgers],
            "peers": self._replicator.status(self._endpoint.settled),
            "directories": self._directories.status(),
            "neighbours": [
                {"source": item.source, "addresses": [*item.addresses], "port": item.port}
                for item in self._neighbours.announced()
            ],
            "reviewing": self._chores.reviewing is not None,
            "last_review": format_time(state.reviewed_at_ns) if state.reviewed_at_ns else None,
            "scrub": [
                {
                    "zone": zone,
                    "rounds": position.rounds,
                    "completed": format_time(position.completed_at_ns) if position.completed_at_ns else None,
                }
                for zone, position in state.scrub.items()
            ],
        }
