"""Checks that a program runs and measures itself: evidence for ``turn.record``; a claim is only words."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from jilog_agent.sdk.errors import InvalidArgument
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.turns.evidence import Check


@dataclass(frozen=True, slots=True)
class Evidence:
    """A command that was run, and what was measured; give it to ``turn.record``.

    ``output_sha256`` is of standard output and standard error as they came, ``ran_at`` is RFC 3339 in UTC.
    Exit statuses are a shell's: 124 when the time ran out, 126 and 127 when it could not be started, 128 and
    the signal's number when it was killed.
    """

    command: tuple[str, ...]
    exit_status: int
    duration_seconds: float
    output_sha256: str
    output_bytes: int
    ran_at: str
    shell: bool = False
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        """Tell whether the command ended with status 0."""
        return self.exit_status == 0


class CheckOptions(TypedDict, total=False):
    """How a check is run: with ``shell`` its text is a line for /bin/sh; ``timeout`` is in seconds (an hour).

    ``sink`` gets the output as it comes, in the thread that runs the check.
    """

    shell: bool
    timeout: float
    sink: Callable[[bytes], object]


Command = str | Sequence[str]
"""A text, which is split into words as a shell does, or the words."""


def run(
    command: Command,
    folder: str,
    *,
    shell: bool = False,
    timeout: float | None = None,
    sink: Callable[[bytes], object] | None = None,
    cancelled: Callable[[], bool] = bool,
) -> Evidence:
    """Run a command in a folder and measure it.

    Raises:
        InvalidArgument: it is no command, the timeout is not above 0, or there is no such folder.
    """
    from jilog_agent.turns.evidence import TIMEOUT_SECONDS, run_check

    seconds = TIMEOUT_SECONDS if timeout is None else timeout
    if not seconds > 0:
        raise InvalidArgument(f"timeout is {timeout}", hint="use some seconds, such as 600")
    if not Path(folder).is_dir():
        # Else it would be evidence of a command that cannot be found.
        raise InvalidArgument(
            f"cannot run a check in {folder}: it is no folder", hint="give the client a cwd"
        )

    def take(data: bytes) -> None:
        if sink is not None:
            sink(data)

    done = run_check(
        _check(command, shell=shell),
        Path(folder),
        sink=take,
        clock=now_ns,
        timeout_seconds=seconds,
        cancelled=cancelled,
    )
    assert done.exit_status is not None
    assert done.duration_seconds is not None
    return Evidence(
        command=done.command,
        exit_status=done.exit_status,
        duration_seconds=done.duration_seconds,
        output_sha256=done.output_sha256,
        output_bytes=done.output_bytes,
        ran_at=done.ran_at,
        shell=done.shell,
        timed_out=done.timed_out,
    )


def _check(command: Command, *, shell: bool) -> Check:
    from jilog_agent.turns.evidence import Check

    try:
        if isinstance(command, str):
            return Check.script(command) if shell else Check.of(command)
    except InputError as error:
        raise InvalidArgument(error.message, hint=error.hint) from error
    words = tuple(command)
    if shell or not words or not words[0].strip():
        raise InvalidArgument("a check is a text, or words without a shell", hint='such as ["pytest", "-q"]')
    return Check(words)


async def run_beside(command: Command, folder: str, **how: Unpack[CheckOptions]) -> Evidence:
    """Run a command in a thread; when the caller is cancelled, so is the command, with all it has started."""
    over = threading.Event()
    try:
        return await asyncio.to_thread(run, command, folder, **how, cancelled=over.is_set)
    finally:
        over.set()
