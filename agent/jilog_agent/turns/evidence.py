"""Running what verifies a turn, and measuring it: evidence, where a claim is only words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from jilog_ledger.errors import InputError
from jilog_ledger.times import format_time
from jilog_ledger.turn import Verification

TIMEOUT_SECONDS = 3_600.0
"""A test suite that takes an hour is slow; one that takes longer hangs."""

NOT_FOUND_STATUS, NOT_EXECUTABLE_STATUS, TIMED_OUT_STATUS = 127, 126, 124
"""As shells and timeout(1) give them."""

_POLL_SECONDS = 0.2
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Check:
    """A command that verifies a turn. With ``shell`` it is one line for /bin/sh."""

    command: tuple[str, ...]
    shell: bool = False

    @classmethod
    def of(cls, text: str) -> Check:
        """Read a command as it was typed: split into words like a shell does, but run without one.

        Raises:
            InputError: it is empty, or a quote in it does not end.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as exc:
            raise InputError(f"cannot split {text[:80]!r} into words: {exc}") from exc
        if not words or not words[0].strip():
            raise InputError("a verification command must not be empty", hint="--verify 'pytest -q'")
        return cls(words)

    @classmethod
    def script(cls, text: str) -> Check:
        """Take a line for a shell, else raise InputError."""
        if not text.strip():
            raise InputError("a verification command must not be empty", hint="--verify-shell 'make | tail'")
        return cls((text,), True)


def run_check(
    check: Check,
    folder: Path,
    *,
    sink: Callable[[bytes], None],
    clock: Callable[[], int],
    timeout_seconds: float = TIMEOUT_SECONDS,
    cancelled: Callable[[], bool] = bool,
) -> Verification:
    """Run a check in ``folder`` and measure it; its output goes to ``sink`` as it comes.

    It ends when the command ends, even if something that it left running holds its output open. A command
    that does not end in time, or is ``cancelled`` (asked several times a second), is killed with all it had
    started.
    """
    ran_at, begun = format_time(clock()), monotonic()
    output = _Output(sink)
    timed_out = False
    try:
        status, timed_out = _run(check, folder, output, begun + timeout_seconds, cancelled)
    except OSError as exc:
        status = NOT_FOUND_STATUS if isinstance(exc, FileNotFoundError) else NOT_EXECUTABLE_STATUS
        output.take(f"{check.command[0]}: {exc.strerror}\n".encode("utf-8", "backslashreplace"))
    return Verification(
        kind="evidence",
        command=check.command,
        shell=check.shell,
        exit_status=status,
        timed_out=timed_out,
        duration_seconds=round(monotonic() - begun, 3),
        output_sha256=output.digest.hexdigest(),
        output_bytes=output.size,
        ran_at=ran_at,
    )


class _Output:
    """Counts and hashes what a command writes, and passes it on."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._sink = sink

    def take(self, data: bytes) -> None:
        self.digest.update(data)
        self.size += len(data)
        self._sink(data)


def _run(
    check: Check, folder: Path, output: _Output, deadline: float, cancelled: Callable[[], bool]
) -> tuple[int, bool]:
    """Run a command to its end; give its exit status, and whether its time ran out."""
    command: Sequence[str] = ("/bin/sh", "-c", check.command[0]) if check.shell else check.command
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            ended = _pump(process, output, deadline, cancelled)
        finally:
            # Also when we are interrupted: nothing of it goes on behind our back.
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    if not ended:
        return TIMED_OUT_STATUS, True
    return (status if status >= 0 else 128 - status), False


def _pump(
    process: subprocess.Popen[bytes], output: _Output, deadline: float, cancelled: Callable[[], bool]
) -> bool:
    """Move output until the command has ended; False when its time ran out, or nobody waits any more."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left = deadline - monotonic()
            if left <= 0 or cancelled():
                return False
            if selector.select(min(left, _POLL_SECONDS)):
                data = os.read(process.stdout.fileno(), _READ_BYTES)
                if data:
                    output.take(data)
                    continue
                selector.unregister(process.stdout)
                return _wait(process, deadline)
            if process.poll() is not None:
                return True


def _wait(process: subprocess.Popen[bytes], deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
