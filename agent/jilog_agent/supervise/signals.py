"""Signals as a queue: a supervisor reads them when it is ready to, and none is lost in between.

The interpreter's C-level handler writes each signal's number into a pipe (``signal.set_wakeup_fd``); waiting
for a signal, for a child's output and for a deadline is then one ``select``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import deque
from collections.abc import Iterator
from types import FrameType

TERMINATING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""These end the run: they go to the child, and no further attempt follows."""
PASSED_ON = (*TERMINATING, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
_WATCHED = (*PASSED_ON, signal.SIGTSTP, signal.SIGCONT, signal.SIGCHLD)
_NEVER_IGNORED = (signal.SIGCHLD,)


class SignalQueue:
    """Collects the watched signals while the ``with`` block of :func:`signal_queue` runs."""

    def __init__(self, read_descriptor: int) -> None:
        self._read_descriptor = read_descriptor
        self._queue: deque[int] = deque()
        self._terminated_by: int | None = None

    def terminated_by(self) -> int | None:
        """Give the first signal that asked us to end, as far as ``take`` has seen one."""
        return self._terminated_by

    def wait(self, timeout_seconds: float | None, descriptors: tuple[int, ...] = ()) -> list[int]:
        """Block until a signal, something to read or the end of time; name the descriptors to read.

        ``timeout_seconds`` None waits for ever.
        """
        if self._queue:
            timeout_seconds = 0.0
        ready, _, _ = select.select([self._read_descriptor, *descriptors], [], [], timeout_seconds)
        if self._read_descriptor in ready:
            self._fill()
        return [descriptor for descriptor in ready if descriptor != self._read_descriptor]

    def take(self) -> list[int]:
        """Empty the queue without waiting; note the first terminating signal."""
        self._fill()
        taken = list(self._queue)
        self._queue.clear()
        for number in taken:
            if number in TERMINATING and self._terminated_by is None:
                self._terminated_by = number
        return taken

    def _fill(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._queue.extend(os.read(self._read_descriptor, 4096))


def _seen(number: int, frame: FrameType | None) -> None:
    """Do nothing: the number is already in the pipe."""


@contextlib.contextmanager
def signal_queue() -> Iterator[SignalQueue]:
    """Queue signals while the block runs. Those that were ignored, as under nohup, stay ignored."""
    read_descriptor, write_descriptor = os.pipe()
    for descriptor in (read_descriptor, write_descriptor):
        os.set_blocking(descriptor, False)
    before = {number: signal.getsignal(number) for number in _WATCHED}
    previous_descriptor = signal.set_wakeup_fd(write_descriptor, warn_on_full_buffer=False)
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN or number in _NEVER_IGNORED:
                signal.signal(number, _seen)
        yield SignalQueue(read_descriptor)
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(previous_descriptor)
        os.close(read_descriptor)
        os.close(write_descriptor)
