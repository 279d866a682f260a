"""Running a tracker's own program: never through a shell, with limits of time and of output."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TypeVar

import msgspec

from jilog_ledger.errors import TrackerError
from jilog_review import filing_limits as limits
from jilog_review.issue_text import one_line

_READ_BYTES = 65_536
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Command:
    """One call. ``environment`` is the whole environment; ``folder`` is where it runs."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: bytes = b""
    folder: Path | None = None
    timeout_seconds: float = limits.COMMAND_TIMEOUT_SECONDS
    stdout_bytes_max: int = limits.STDOUT_BYTES_MAX

    @property
    def program(self) -> str:
        """The program's name."""
        return self.arguments[0]


@dataclass(frozen=True, slots=True)
class Completed:
    """How a call ended."""

    status: int
    stdout: bytes
    stderr: str

    @property
    def message(self) -> str:
        """What the program said was wrong, on one short line."""
        lines = [one_line(line) for line in self.stderr.splitlines()]
        text = next((line for line in lines if line), "no message")
        return text[: limits.MESSAGE_CHARS_MAX]


class Runner(Protocol):
    """Runs one command to its end."""

    def __call__(self, command: Command) -> Completed:
        """Run it, and give its status and output, whatever the status.

        Raises:
            TrackerError: the program is not installed, or was stopped for exceeding a limit.
        """
        ...


def run_command(command: Command) -> Completed:
    """Run a command with its own process group, so that nothing of it outlives the time limit."""
    with tempfile.TemporaryFile() as stdin, _started(command, stdin) as process:
        try:
            stdout, stderr = _outputs(process, command)
            # Both pipes are closed; a program that lingers after that has the same deadline.
            status = process.wait(timeout=command.timeout_seconds)
        except subprocess.TimeoutExpired as exc:
            raise _out_of_time(command) from exc
        finally:
            _stop(process)
    return Completed(status, stdout, stderr.decode("utf-8", "replace"))


@contextlib.contextmanager
def _started(command: Command, stdin: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    # A file, not a pipe: the program may read its input late, or not at all, without blocking us.
    stdin.write(command.stdin)
    stdin.seek(0)
    try:
        process = subprocess.Popen(
            command.arguments,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.folder,
            env=dict(command.environment),
            start_new_session=True,
        )
    except FileNotFoundError as exc:
        raise TrackerError(f"{command.program} is not installed, or not on PATH") from exc
    except OSError as exc:
        raise TrackerError(f"cannot run {command.program}: {exc.strerror or exc}") from exc
    with process:
        yield process


def _outputs(process: subprocess.Popen[bytes], command: Command) -> tuple[bytes, bytes]:
    """Read both outputs to their ends, within the limits."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept: dict[int, bytearray] = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    sizes = {
        process.stdout.fileno(): command.stdout_bytes_max,
        process.stderr.fileno(): limits.STDERR_BYTES_MAX,
    }
    deadline = time.monotonic() + command.timeout_seconds
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise _out_of_time(command)
            for key, _ in ready:
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    selector.unregister(key.fd)
                kept[key.fd] += data
                if len(kept[key.fd]) > sizes[key.fd]:
                    raise TrackerError(
                        f"{command.program} printed more than {sizes[key.fd]} bytes and was stopped",
                        hint=f"run it yourself: {shown(command)}",
                        uncertain=True,
                    )
    return bytes(kept[process.stdout.fileno()]), bytes(kept[process.stderr.fileno()])


def _out_of_time(command: Command) -> TrackerError:
    return TrackerError(
        f"{command.program} did not answer within {command.timeout_seconds:g} seconds",
        hint=f"run it yourself to see why: {shown(command)}",
        uncertain=True,
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the program and of its children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def shown(command: Command) -> str:
    """Write the beginning of a command as a person could type it; never its input."""
    words = [
        word if word.isascii() and " " not in word else f"'{one_line(word)}'" for word in command.arguments
    ]
    return " ".join(words[:6])[: limits.MESSAGE_CHARS_MAX]


def decode_output(command: Command, completed: Completed, form: type[Value]) -> Value:
    """Decode one JSON value that a program printed.

    Raises:
        TrackerError: the output is no JSON, or has another form.
    """
    try:
        return msgspec.json.decode(completed.stdout, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise unreadable(command, completed, exc) from exc


def decode_output_lines(command: Command, completed: Completed, form: type[Value]) -> list[Value]:
    """Decode JSON values that a program printed, one on each line.

    Raises:
        TrackerError: the output is no JSON, or has another form.
    """
    try:
        return msgspec.json.Decoder(form).decode_lines(completed.stdout)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise unreadable(command, completed, exc) from exc


def decode_many(command: Command, completed: Completed, form: type[Value]) -> list[Value]:
    """Decode a JSON array, or what some versions of a program print for it: one object, null, nothing.

    Raises:
        TrackerError: the output is no JSON, or has another form.
    """
    text = completed.stdout.strip()
    if text in (b"", b"null"):
        return []
    if text.startswith(b"{"):
        return [decode_output(command, completed, form)]
    decoder = msgspec.json.Decoder(form)
    rows = decode_output(command, completed, list[msgspec.Raw])
    try:
        return [decoder.decode(row) for row in rows]
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise unreadable(command, completed, exc) from exc


def unreadable(command: Command, completed: Completed, exc: Exception) -> TrackerError:
    """Say that a program printed something else than was asked for; its request may have been carried out."""
    begin = one_line(completed.stdout[:80].decode("utf-8", "replace"))
    return TrackerError(
        f"{command.program} answered what jilog cannot read ({exc}): {begin!r}",
        hint=f"run it yourself and look at its output: {shown(command)}",
        uncertain=True,
    )
