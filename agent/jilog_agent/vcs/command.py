"""Running git and jj: bounded in time and output, without a terminal, and changing nothing."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 10.0
"""``git status`` of a tree of a million files takes some seconds; what takes longer hangs."""

OUTPUT_BYTES_MAX = 16 * 1024 * 1024
"""A list of 200,000 changed files; a build folder that nobody ignores is not worth more memory."""

_READ_BYTES = 65_536
_SETTINGS = {
    # No refresh of the index on disk, no question on the terminal, no translation.
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "NO_COLOR": "1",
}
_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")
"""Set by git for its hooks; a folder is asked for its own repository, not for the one of a hook."""


class VcsProblem(Exception):
    """A question that git or jj did not answer; the text says why, in one line."""


class VcsMissing(VcsProblem):
    """The program is not installed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote to standard output. ``cut`` when it wrote more than was read."""

    status: int
    output: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs commands in one folder."""

    folder: Path
    timeout_seconds: float = TIMEOUT_SECONDS
    output_bytes_max: int = OUTPUT_BYTES_MAX

    def run(
        self, command: Sequence[str], *, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> Answer:
        """Run a command to its end, or to a limit.

        Raises:
            VcsMissing: there is no such program.
            VcsProblem: it cannot be started, or did not end in time; it was killed with all it had started.
        """
        try:
            process = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env=_environment(environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError as exc:
            raise VcsMissing(f"{command[0]} is not installed") from exc
        except OSError as exc:
            raise VcsProblem(f"{command[0]} cannot be started: {exc.strerror}") from exc
        try:
            return self._answer(process, stdin, command[0])
        finally:
            _kill(process)

    def _answer(self, process: subprocess.Popen[bytes], stdin: bytes, name: str) -> Answer:
        assert process.stdout is not None
        deadline = time.monotonic() + self.timeout_seconds
        output = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            question = _Question(process, selector, memoryview(stdin))
            while True:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    raise VcsProblem(f"{name} did not answer within {self.timeout_seconds:g} seconds")
                if any(key.fileobj is process.stdin for key, _ in ready):
                    question.send()
                if not any(key.fileobj is process.stdout for key, _ in ready):
                    continue
                data = os.read(process.stdout.fileno(), _READ_BYTES)
                output += data
                if not data:
                    return Answer(_status(process, deadline, name), bytes(output))
                if len(output) > self.output_bytes_max:
                    return Answer(0, bytes(output[: self.output_bytes_max]), cut=True)


class _Question:
    """What a command reads from standard input, sent as it takes it."""

    def __init__(
        self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector, unsent: memoryview
    ) -> None:
        assert process.stdin is not None
        self._stream, self._selector, self._unsent = process.stdin, selector, unsent
        if unsent:
            os.set_blocking(self._stream.fileno(), False)
            selector.register(self._stream, selectors.EVENT_WRITE)
        else:
            self._stream.close()

    def send(self) -> None:
        """Send what the pipe takes; close it behind the last byte."""
        try:
            self._unsent = self._unsent[os.write(self._stream.fileno(), self._unsent[:_READ_BYTES]) :]
        except BrokenPipeError:
            # It ended without reading all of it; its exit status says why.
            self._unsent = self._unsent[:0]
        if not self._unsent:
            self._selector.unregister(self._stream)
            self._stream.close()


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    return {**kept, **_SETTINGS, **more}


def _status(process: subprocess.Popen[bytes], deadline: float, name: str) -> int:
    try:
        return process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as exc:
        raise VcsProblem(f"{name} closed its output and did not end") from exc


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what still runs, with the helpers it started, and take its exit status."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
