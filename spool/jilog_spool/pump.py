"""Carry a session's bytes over a pair of asyncio streams."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from jilog_ledger.errors import JilogError
from jilog_spool.bandwidth import Bandwidth
from jilog_spool.errors import ConnectionLost
from jilog_spool.limits import CHUNK_BYTES_MAX, SILENCE_SECONDS_MAX
from jilog_spool.session import Event, Session

T = TypeVar("T")

OnPump = Callable[[Session, "Pump"], None]
"""Told of each session that begins, with the pump that carries it; from the event loop's thread."""

TICK_SECONDS = 2.0
DEFERRED_TICK_SECONDS = 0.05
"""While a session waits for another one of this host, it looks that often whether its turn has come."""


class ByteReader(Protocol):
    """What is read from: asyncio's or asyncssh's stream reader."""

    async def read(self, n: int) -> bytes:
        """Give up to ``n`` bytes, empty at the end."""


class ByteWriter(Protocol):
    """What is written to."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""

    async def drain(self) -> None:
        """Wait until the queue is short."""


class Pump:
    """Run one session over streams.

    The session's store calls block for the disk, so they run in a thread, one at a time. ``lost`` are the
    exceptions by which the streams say that the connection is gone. ``bandwidth`` limits what is written,
    ``intake`` what is read; what is not read holds the peer up through the transport's own window.
    """

    def __init__(
        self,
        session: Session,
        reader: ByteReader,
        writer: ByteWriter,
        *,
        on_event: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        bandwidth: Bandwidth | None = None,
        intake: Bandwidth | None = None,
        lost: tuple[type[BaseException], ...] = (OSError,),
    ) -> None:
        self._session = session
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._clock = clock
        self._sleep = sleep
        self._bandwidth = bandwidth or Bandwidth(0)
        self._intake = intake or Bandwidth(0)
        self._lost = lost
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()
        self._failure: JilogError | None = None
        self._deaf = False
        self._pending: deque[bytes] = deque()
        self._delivering = False
        self._ticked_at = clock()
        self._session.tick(self._ticked_at)

    def limit(self, bytes_per_second: int) -> None:
        """Limit each direction from now on; 0 sets no limit."""
        self._bandwidth, self._intake = Bandwidth(bytes_per_second), Bandwidth(bytes_per_second)

    async def notice(self, zones: Iterable[str]) -> None:
        """Let the session know that zones of this host have grown, and send what is new at once."""
        async with self._turn:
            for zone in zones:
                self._session.notice(zone)
        self._wake.set()

    async def compare_soon(self) -> None:
        """Compare roots with the next tick, as after something of this host went to quarantine."""
        async with self._turn:
            self._session.compare_soon()
        self._wake.set()

    async def leave(self) -> None:
        """End a session that stayed open; :meth:`run` then returns."""
        async with self._turn:
            self._session.leave()
        self._wake.set()

    async def run(self) -> None:
        """Carry bytes until the session has ended.

        Raises:
            PeerError: the connection was lost, or the peer broke the protocol or stopped.
            StorageError: our disk refused.
        """
        reading = asyncio.create_task(self._read())
        try:
            await self._write(reading)
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            self._session.close()
        if self._failure is not None:
            raise self._failure

    async def _read(self) -> None:
        try:
            while self._failure is None and not self._session.finished:
                if await self._listen() or self._session.deferred:
                    self._wake.set()
        finally:
            self._wake.set()

    async def _listen(self) -> bool:
        """Hear what the peer says next; tell whether there is something to write."""
        if wait := self._intake.wait_seconds(self._clock()):
            await self._sleep(wait)
        data, broken = b"", False
        try:
            data = await self._reader.read(self._intake.piece_bytes(CHUNK_BYTES_MAX))
        except self._lost:
            broken = True
        self._intake.spend(len(data), self._clock())
        return await self._call(lambda: self._hear(data, broken=broken)) is not False

    def _hear(self, data: bytes, *, broken: bool) -> bool:
        """Act on bytes, and take the answer at once when the last one is written: one change of threads."""
        self._session.set_time(self._clock())
        if data:
            self._session.receive_data(data)
        else:
            self._session.receive_eof(broken=broken)
        return self._delivering or bool(self._pending) or self._fetch()

    def _fetch(self) -> bool:
        """Take the next bytes to write; they go out in the order in which they were taken."""
        data = self._session.data_to_send()
        if data:
            self._pending.append(data)
        return bool(data)

    async def _write(self, reading: asyncio.Task[None]) -> None:
        while True:
            async with self._turn:
                # Whether it is over is asked in the same turn: what is heard after it may have an answer.
                if not self._pending:
                    await self._step(self._fetch)
                data = self._pending.popleft() if self._pending else b""
                over = self._failure is not None or self._session.finished or reading.done()
                self._delivering = bool(data)
            if data:
                await self._deliver(data)
            elif over:
                return
            else:
                await self._wait()

    async def _deliver(self, data: bytes) -> None:
        """Write bytes; when the peer is gone, what it sent before still tells how the session ended."""
        if self._deaf:
            return
        try:
            for piece in self._bandwidth.pieces(data):
                if wait := self._bandwidth.wait_seconds(self._clock()):
                    await self._sleep(wait)
                self._bandwidth.spend(len(piece), self._clock())
                self._writer.write(piece)
                await asyncio.wait_for(self._writer.drain(), SILENCE_SECONDS_MAX)
        except TimeoutError:
            self._failure = self._failure or ConnectionLost(
                f"peer has not read anything for {SILENCE_SECONDS_MAX:.0f} seconds"
            )
            self._deaf = True
        except self._lost:
            self._deaf = True

    async def _wait(self) -> None:
        seconds = DEFERRED_TICK_SECONDS if self._session.deferred else TICK_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()
        now = self._clock()
        # A session that is woken all the time has to know the time as well.
        if now - self._ticked_at >= seconds:
            self._ticked_at = now
            await self._call(lambda: self._session.tick(now))

    async def _call(self, action: Callable[[], T]) -> T | None:
        """Run one step of the session when its turn has come."""
        async with self._turn:
            return await self._step(action)

    async def _step(self, action: Callable[[], T]) -> T | None:
        """Run one step of the session in a thread, keep its error, and pass its events on."""
        try:
            return await asyncio.to_thread(action)
        except JilogError as exc:
            self._failure = self._failure or exc
            return None
        finally:
            self._tell()

    def _tell(self) -> None:
        while (event := self._session.next_event()) is not None:
            if self._on_event is not None:
                self._on_event(event)
