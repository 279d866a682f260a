"""The agent's log: one JSON object a line, with an outcome and never a body."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from jilog_agent.config.model import LOG_LEVELS
from jilog_agent.daemon.limits import LOG_BYTES_MAX
from jilog_ledger.disk import FILE_MODE
from jilog_ledger.event import JsonValue
from jilog_ledger.times import format_time, now_ns

Sink = Callable[[str], None]


class Logbook:
    """Write entries of ``level`` and above. May be called from any thread."""

    def __init__(self, sink: Sink, level: str = "info", clock: Callable[[], int] = now_ns) -> None:
        self._sink = sink
        self._least = LOG_LEVELS.index(level)
        self._clock = clock

    def debug(self, message: str, **fields: JsonValue) -> None:
        """Say what only a search for a fault needs."""
        self._write("debug", message, fields)

    def info(self, message: str, **fields: JsonValue) -> None:
        """Say what happened."""
        self._write("info", message, fields)

    def warning(self, message: str, **fields: JsonValue) -> None:
        """Say what is not in order, and works all the same."""
        self._write("warning", message, fields)

    def error(self, message: str, **fields: JsonValue) -> None:
        """Say what does not work."""
        self._write("error", message, fields)

    def _write(self, level: str, message: str, fields: dict[str, JsonValue]) -> None:
        if LOG_LEVELS.index(level) < self._least:
            return
        document = {"time": format_time(self._clock()), "level": level, "message": message, **fields}
        self._sink(json.dumps(document, ensure_ascii=False, default=str))


def to_stderr(line: str) -> None:
    """Write a line for journald, or for whoever watches."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # a log that cannot be written must not stop what it tells about


class RotatingFile:
    """A file that is renamed to ``.1`` when it is full, replacing the one before."""

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        try:
            with self._lock:
                self._rotate(len(data))
                # Opened for each line: a log that somebody moved or removed goes on where it should be.
                descriptor = os.open(
                    self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE
                )
                try:
                    os.write(descriptor, data)
                finally:
                    os.close(descriptor)
        except OSError:
            return  # a full disk must not stop the agent

    def _rotate(self, count: int) -> None:
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size + count > self._bytes_max:
            self._path.replace(self._path.with_name(self._path.name + ".1"))
