"""One child process: started in its own process group, waited for, signalled, stopped in time."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

from jilog_agent.supervise.events import TaskSpec
from jilog_agent.supervise.outcome import (
    NOT_EXECUTABLE_STATUS,
    NOT_FOUND_STATUS,
    TIMED_OUT_STATUS,
    Ending,
    Outcome,
)
from jilog_agent.supervise.signals import PASSED_ON, SignalQueue
from jilog_agent.supervise.terminal import Terminal

_TERMINAL_STOPS = (signal.SIGTTIN, signal.SIGTTOU)
_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these two; a task must find them as its own shell would have left them."""
_READ_BYTES = 65_536


@dataclass(slots=True)
class Tail:
    """The last bytes of what the child wrote to stderr, which still goes through untouched."""

    read_descriptor: int
    bytes_max: int
    kept: bytes = b""
    open: bool = True

    def pump(self) -> bool:
        """Move what is there from the child to our stderr; False when nothing more can come now."""
        try:
            data = os.read(self.read_descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.open = False
            return False
        self.kept = (self.kept + data)[-self.bytes_max :]
        with contextlib.suppress(OSError):
            _write_all(2, data)
        return True

    def text(self) -> str:
        """Give the tail as text; a character cut at its start, or bytes that are no UTF-8, are replaced."""
        return self.kept.decode("utf-8", "replace")


def run_attempt(
    spec: TaskSpec, signals: SignalQueue, terminal: Terminal, monotonic: Callable[[], float]
) -> Outcome:
    """Run the command once and see it to its end, whatever that is.

    Signals that reach us meanwhile are passed on to the child's group; a timeout sends SIGTERM and, after
    ``kill_after_seconds``, SIGKILL.
    """
    begun = monotonic()
    tail, write_descriptor = _open_tail(spec)
    try:
        pid = _spawn(spec.command, write_descriptor)
    except (OSError, ValueError) as exc:
        # A ValueError: the name is empty, or an argument holds a byte that no argument can.
        return _not_started(spec.command[0], exc, monotonic() - begun)
    finally:
        if write_descriptor is not None:
            os.close(write_descriptor)
    deadline = None if spec.timeout_seconds is None else begun + spec.timeout_seconds
    attempt = _Attempt(spec, pid, signals, terminal, monotonic, tail, begun, deadline)
    try:
        return attempt.see_through()
    finally:
        terminal.take_back()
        if tail is not None:
            os.close(tail.read_descriptor)


def _open_tail(spec: TaskSpec) -> tuple[Tail | None, int | None]:
    if spec.capture_tail_bytes <= 0:
        return None, None
    read_descriptor, write_descriptor = os.pipe()
    os.set_blocking(read_descriptor, False)
    return Tail(read_descriptor, spec.capture_tail_bytes), write_descriptor


def _spawn(command: tuple[str, ...], stderr_descriptor: int | None) -> int:
    actions: list[tuple[int, int, int]] = []
    if stderr_descriptor is not None:
        actions.append((os.POSIX_SPAWN_DUP2, stderr_descriptor, 2))
    # What we still hold in buffers belongs before anything the child prints.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    return os.posix_spawnp(
        command[0], command, os.environ, file_actions=actions, setpgroup=0, setsigdef=_RESET_SIGNALS
    )


def _not_started(program: str, exc: OSError | ValueError, duration_seconds: float) -> Outcome:
    found = bool(program) and not isinstance(exc, FileNotFoundError)
    status = NOT_EXECUTABLE_STATUS if found else NOT_FOUND_STATUS
    why = f"could not start: {program or '(an empty name)'}: {getattr(exc, 'strerror', None) or exc}"
    return Outcome(Ending.NOT_STARTED, status, duration_seconds, reason=why)


@dataclass(slots=True)
class _Attempt:
    """The loop around one running child. ``deadline`` is on the monotonic clock, None for never."""

    spec: TaskSpec
    pid: int
    signals: SignalQueue
    terminal: Terminal
    monotonic: Callable[[], float]
    tail: Tail | None
    begun: float
    deadline: float | None
    timed_out: bool = False

    def see_through(self) -> Outcome:
        """Wait for the child's end, doing meanwhile what signals, output and time ask for."""
        while True:
            status = self._poll_child()
            if status is not None:
                return self._outcome(status)
            descriptors = (self.tail.read_descriptor,) if self.tail and self.tail.open else ()
            for _ in self.signals.wait(self._seconds_left(), descriptors):
                if self.tail is not None:
                    self.tail.pump()
            for number in self.signals.take():
                self._handle(number)
            self._check_deadline()

    def _poll_child(self) -> int | None:
        """Give the child's wait status once it has ended; see to it when it was only stopped."""
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if os.WIFSTOPPED(status):
            self._child_stopped(os.WSTOPSIG(status))
            return None
        return status

    def _child_stopped(self, number: int) -> None:
        if number in _TERMINAL_STOPS and self.terminal.lend(self.pid):
            self._kill_group(signal.SIGCONT)
            return
        if number in (*_TERMINAL_STOPS, signal.SIGTSTP):
            self._stop_ourselves()

    def _handle(self, number: int) -> None:
        if number == signal.SIGTSTP:
            self._kill_group(signal.SIGTSTP)
            self._stop_ourselves()
        elif number in PASSED_ON:
            self._kill_group(number)
        elif number == signal.SIGCONT:
            self._kill_group(signal.SIGCONT)

    def _stop_ourselves(self) -> None:
        """Stop, as the shell expects of a job that was told to; go on together with the child."""
        had_terminal = self.terminal.take_back() is not None
        os.kill(os.getpid(), signal.SIGSTOP)
        # Somebody sent SIGCONT: here we are again, perhaps in the background.
        if had_terminal:
            self.terminal.lend(self.pid)
        self._kill_group(signal.SIGCONT)

    def _seconds_left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - self.monotonic())

    def _check_deadline(self) -> None:
        if self.deadline is None or self.monotonic() < self.deadline:
            return
        if not self.timed_out:
            self.timed_out = True
            self._kill_group(signal.SIGTERM)
            # A stopped child would not see SIGTERM before it is continued.
            self._kill_group(signal.SIGCONT)
            self.deadline = self.monotonic() + self.spec.kill_after_seconds
        else:
            self._kill_group(signal.SIGKILL)
            self.deadline = None

    def _kill_group(self, number: int) -> None:
        # The child is not reaped yet, so its group's number cannot have been given to anybody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _outcome(self, status: int) -> Outcome:
        if self.tail is not None:
            while self.tail.pump():
                pass
        duration = self.monotonic() - self.begun
        code = os.waitstatus_to_exitcode(status)
        signal_number = -code if code < 0 else None
        exit_status = 128 - code if code < 0 else code
        text = self.tail.text() if self.tail is not None else None
        if self.timed_out:
            return Outcome(Ending.TIMED_OUT, TIMED_OUT_STATUS, duration, signal_number, stderr_tail=text)
        ending = Ending.SUCCEEDED if code == 0 else Ending.FAILED
        return Outcome(ending, exit_status, duration, signal_number, stderr_tail=text)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
