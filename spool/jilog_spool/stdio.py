"""The far end of an SSH command: one session over standard input and output.

Two threads do nothing but read and write; the session runs in the caller's. Standard output carries the
protocol and nothing else.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto

from jilog_ledger.errors import JilogError
from jilog_spool.bandwidth import Bandwidth
from jilog_spool.limits import CHUNK_BYTES_MAX, SILENCE_SECONDS_MAX
from jilog_spool.session import Session

STDIN = 0
STDOUT = 1
TICK_SECONDS = 1.0
READS_AHEAD_MAX = 8
"""Pieces read and not yet acted on."""

WRITES_AHEAD_MAX = 2
"""Pieces handed to the writing thread and not yet written."""


class _Written(Enum):
    PIECE = auto()
    GONE = auto()


def serve_stdio(
    session: Session,
    *,
    input_descriptor: int = STDIN,
    output_descriptor: int = STDOUT,
    clock: Callable[[], float] = time.monotonic,
    grown: Callable[[], Iterable[str]] = tuple,
    bytes_per_second: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run ``session`` to its end over two file descriptors, which stay open.

    ``grown`` is asked about once a second which zones of this host other processes have added to.
    ``bytes_per_second`` limits each direction; 0 sets no limit.

    Blocks until the exchange is over. Reads may still be pending in a daemon thread when it returns, so it
    is for a process that has nothing else to read there.

    Raises:
        PeerError: the connection was lost, or the peer broke the protocol or stopped.
        StorageError: our disk refused.
    """
    flows = tuple(_Flow(Bandwidth(bytes_per_second), clock, sleep) for _ in range(2))
    _StdioRun(session, (input_descriptor, output_descriptor), clock, grown, flows).run()


class _Flow:
    """One direction, used by the one thread that reads or writes it."""

    def __init__(
        self, bandwidth: Bandwidth, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self.bandwidth = bandwidth
        self._clock = clock
        self._sleep = sleep

    def wait(self) -> None:
        """Sleep until the next piece may go."""
        if seconds := self.bandwidth.wait_seconds(self._clock()):
            self._sleep(seconds)

    def spend(self, size: int) -> None:
        """Count a piece."""
        self.bandwidth.spend(size, self._clock())


class _StdioRun:
    def __init__(
        self,
        session: Session,
        descriptors: tuple[int, int],
        clock: Callable[[], float],
        grown: Callable[[], Iterable[str]],
        flows: tuple[_Flow, ...],
    ) -> None:
        self._session = session
        self._taking, self._giving = flows
        self._input, self._output = descriptors
        self._clock = clock
        self._grown = grown
        self._ticked_at = clock()
        self._inbox: queue.Queue[bytes | _Written] = queue.Queue()
        # A peer that sends faster than the disk syncs is held up by its own full pipe.
        self._room = threading.Semaphore(READS_AHEAD_MAX)
        self._outbox: queue.Queue[bytes | None] = queue.Queue()
        self._under_way = 0
        self._gone = False
        self._failure: JilogError | None = None

    def run(self) -> None:
        self._session.tick(self._ticked_at)
        threading.Thread(target=self._read, daemon=True).start()
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        try:
            while self._speak() or not self._over():
                self._listen()
                self._tick()
        finally:
            self._session.close()
            self._outbox.put(None)
        writer.join(SILENCE_SECONDS_MAX)
        if self._failure is not None:
            raise self._failure

    def _over(self) -> bool:
        return self._failure is not None or self._session.finished

    def _speak(self) -> bool:
        """Hand bytes to the writing thread; True when more may be waiting than it can take now."""
        while self._under_way < WRITES_AHEAD_MAX or self._gone:
            data = self._guarded(self._session.data_to_send)
            if not data:
                return False
            if not self._gone:
                self._under_way += 1
                self._outbox.put(data)
        return True

    def _listen(self) -> None:
        try:
            item = self._inbox.get(timeout=TICK_SECONDS)
        except queue.Empty:
            return
        self._session.set_time(self._clock())
        if isinstance(item, _Written):
            self._under_way -= 1
            # When nobody reads any more, what was sent to us before still tells how the session ended.
            self._gone = self._gone or item is _Written.GONE
        elif item:
            self._room.release()
            self._guarded(lambda: self._session.receive_data(item))
        else:
            self._guarded(self._session.receive_eof)

    def _tick(self) -> None:
        now = self._clock()
        if now - self._ticked_at < TICK_SECONDS:
            return
        self._ticked_at = now
        for zone in self._grown():
            self._session.notice(zone)
        self._guarded(lambda: self._session.tick(now))

    def _guarded(self, action: Callable[[], bytes | None]) -> bytes | None:
        try:
            return action()
        except JilogError as exc:
            self._failure = self._failure or exc
            return None
        finally:
            while self._session.next_event() is not None:
                pass

    def _read(self) -> None:
        data = b"-"
        while data:
            self._taking.wait()
            try:
                data = os.read(self._input, self._taking.bandwidth.piece_bytes(CHUNK_BYTES_MAX))
            except OSError:
                data = b""
            self._taking.spend(len(data))
            self._room.acquire()
            self._inbox.put(data)

    def _write(self) -> None:
        while (data := self._outbox.get()) is not None:
            done = _Written.PIECE
            try:
                for piece in self._giving.bandwidth.pieces(data):
                    self._giving.wait()
                    self._giving.spend(len(piece))
                    self._put_out(memoryview(piece))
            except OSError:
                done = _Written.GONE
            self._inbox.put(done)

    def _put_out(self, view: memoryview) -> None:
        while view:
            view = view[os.write(self._output, view) :]
