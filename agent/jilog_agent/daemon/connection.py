"""One client of the socket: its requests run side by side, and every one is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from jilog_agent.daemon import limits, protocol
from jilog_agent.daemon.entries import Caller
from jilog_agent.daemon.events import Feed, Tail
from jilog_agent.daemon.growth import Growth
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.methods import find_method, read_params
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.protocol import Refused, Request, RequestId
from jilog_agent.daemon.zones import Zones
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue

T = TypeVar("T")

LiveMethod = Callable[[msgspec.Raw], Awaitable[JsonValue]]
"""A method about the process; it gets its parameters undecoded and runs in the event loop."""


@dataclass(slots=True)
class Services:
    """What connections share."""

    zones: Zones
    live: dict[str, LiveMethod]
    growth: Growth
    log: Logbook
    metrics: Metrics
    writers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(limits.WRITE_THREADS, "write")
    )
    readers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(limits.READ_THREADS, "read")
    )
    tails: int = 0

    async def in_thread(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        """Run what blocks."""
        return await asyncio.get_running_loop().run_in_executor(pool, work)


class Connection:
    """One client: its requests run side by side, a limited number at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, services: Services
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._services = services
        self._sending = asyncio.Lock()
        self._slots = asyncio.Semaphore(limits.REQUESTS_IN_FLIGHT_MAX)
        self._running: dict[asyncio.Task[None], RequestId | None] = {}
        self._tails: dict[RequestId, asyncio.Task[None]] = {}
        self._reading: asyncio.Future[bytes] | None = None
        self._stopping = asyncio.Event()
        self._refused = False
        self._task = asyncio.current_task()

    def stop(self) -> asyncio.Task[None]:
        """Read no more; give the task that ends when everything read has been answered."""
        self._stopping.set()
        if self._reading is not None:
            self._reading.cancel()
        for tail in self._tails.values():
            tail.cancel()
        assert self._task is not None
        return self._task

    async def serve(self) -> bool:
        """Answer requests until the client or the agent has had enough.

        Tell whether the client was refused in the middle of what it sends.
        """
        try:
            while not self._stopping.is_set():
                await self._slots.acquire()
                line = await self._next_line()
                if line is None or not await self._begin(line):
                    break
        finally:
            for tail in self._tails.values():
                tail.cancel()
            await asyncio.gather(*self._running, *self._tails.values(), return_exceptions=True)
        return self._refused

    async def _next_line(self) -> bytes | None:
        """Read one request; None at the end, when idle for too long, or when the agent stops."""
        if self._stopping.is_set():
            return None
        self._reading = asyncio.ensure_future(self._reader.readuntil(b"\n"))
        try:
            done, _ = await asyncio.wait([self._reading], timeout=limits.IDLE_SECONDS)
            while not done and (self._tails or self._running):
                done, _ = await asyncio.wait([self._reading], timeout=limits.IDLE_SECONDS)
            return await self._reading if done else None
        except asyncio.LimitOverrunError:
            error = Refused(
                "too_large",
                f"a request may have {limits.REQUEST_BYTES_MAX} bytes",
                hint="keep large content in a file and name the file",
            )
            await self._send(None, protocol.error_line(None, error))
            self._refused = True
            return None
        except asyncio.IncompleteReadError as exc:
            # Agentlog's clients may end their only line with the end of the stream.
            return exc.partial or None
        except asyncio.CancelledError:
            if self._stopping.is_set():
                return None
            raise
        finally:
            self._reading.cancel()
            self._reading = None

    async def _begin(self, line: bytes) -> bool:
        """Start on a request; tell whether another may follow on this connection."""
        try:
            request = protocol.parse_request(line)
        except Refused as error:
            self._services.metrics.add("jilog_requests_total", method="invalid", outcome=error.code)
            await self._send(None, protocol.error_line(None, error))
            self._refused = True
            return False
        task = asyncio.create_task(self._answer(request))
        self._running[task] = request.id
        task.add_done_callback(self._ended)
        if request.single:
            await asyncio.wait([task])
        return not request.single

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._slots.release()

    async def _answer(self, request: Request) -> None:
        started = asyncio.get_running_loop().time()
        outcome = "ok"
        try:
            result = await self._call(request)
            text = protocol.ok_line(request.id, result)
        except JilogError as error:
            outcome = protocol.error_code(error)
            text = protocol.error_line(request.id, error)
        except Exception as error:
            # A bug of ours costs this request; its message may hold content and is not logged.
            outcome = "internal"
            self._services.log.error(  # noqa: TRY400 - ours, not logging's
                "request failed", method=request.method, error=type(error).__name__
            )
            text = protocol.error_line(
                request.id, Refused("internal", f"internal error: {type(error).__name__}: {error}")
            )
        self._count(request.method, outcome, asyncio.get_running_loop().time() - started)
        with contextlib.suppress(OSError):
            await self._send(request.id, text)

    def _count(self, method: str, outcome: str, seconds: float) -> None:
        # A name that a client made up must not become a metric of its own.
        name = "unknown" if outcome == "unknown_method" else method
        self._services.metrics.add("jilog_requests_total", method=name, outcome=outcome)
        self._services.metrics.add("jilog_request_seconds_total", seconds, method=name)
        self._services.log.info("request", method=name, outcome=outcome, seconds=round(seconds, 6))

    async def _call(self, request: Request) -> JsonValue:
        services = self._services
        if request.method == "tail":
            return await self._start_tail(request)
        if request.method == "cancel":
            return self._cancel(request)
        live = services.live.get(request.method)
        if live is not None:
            return await live(request.params)
        method = find_method(request.method)
        asked = read_params(request, method.params)
        caller = Caller(request.single, request.idempotency_key)
        pool = services.writers if method.writes else services.readers
        return await services.in_thread(pool, lambda: method.call(services.zones, asked, caller))

    async def _send(self, request_id: RequestId | None, text: str) -> None:
        for line in protocol.lines_of(request_id, text):
            # Lines of several replies may take turns; each names its request.
            async with self._sending:
                self._writer.write(line)
                await self._writer.drain()

    async def _start_tail(self, request: Request) -> JsonValue:
        asked = read_params(request, Tail)
        services = self._services
        if request.id is None:
            raise Refused("invalid_request", "tail needs an id", hint='such as {"id":1,"method":"tail",…}')
        if services.tails >= limits.TAILS_MAX:
            raise Refused("busy", f"{limits.TAILS_MAX} tails run already", hint="cancel one")
        feed = await services.in_thread(services.readers, lambda: Feed.of(services.zones, asked))
        task = asyncio.create_task(self._tail(request.id, feed))
        self._tails[request.id] = task
        services.tails += 1
        task.add_done_callback(lambda _: self._tail_ended(request.id))
        return {"following": True}

    def _tail_ended(self, request_id: RequestId | None) -> None:
        self._services.tails -= 1
        if request_id is not None:
            self._tails.pop(request_id, None)

    async def _tail(self, request_id: RequestId, feed: Feed) -> None:
        """Send events as fast as the client reads them; nothing piles up here."""
        services = self._services
        try:
            while True:
                seen = services.growth.count
                events = await services.in_thread(services.readers, feed.take)
                for event in events:
                    await self._send(request_id, protocol.event_line(request_id, event.to_json()))
                if not events:
                    await services.growth.wait(seen)
        except JilogError as error:
            await self._send(request_id, protocol.error_line(request_id, error))
        except OSError:
            return

    def _cancel(self, request: Request) -> JsonValue:
        asked = read_params(request, _Cancel)
        tail = self._tails.get(asked.id)
        if tail is None:
            raise Refused("not_found", f"no tail with id {asked.id!r} runs on this connection")
        tail.cancel()
        return {"cancelled": asked.id}


class _Cancel(msgspec.Struct, frozen=True):
    id: RequestId
