"""jilog on a real terminal: a pseudo-terminal of a given size, typed into and read from as a person does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass

from support.jilog_cli import TIMEOUT_SECONDS, Host

_WITH_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal that of the session, so that Ctrl-C typed into it is a signal; becomes the command."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a terminal showed, byte by byte, and how the command ended."""

    status: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.replace("\r\n", "\n").splitlines()


def at_terminal(
    host: Host,
    *arguments: str,
    columns: int = 80,
    rows: int = 24,
    typed: Sequence[tuple[str, str]] = (),
    **more: str,
) -> Seen:
    """Run jilog with a terminal for all that it reads and writes; after each awaited text, type a line."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    where = host.environment()
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        where.pop(name, None)
    where |= {"TERM": "xterm-256color", **more}
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _WITH_TERMINAL, *host.command(*arguments)],
            env=where,
            cwd=host.root,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        ) as process:
            os.close(slave)
            slave = -1
            try:
                text = _read(master, process, list(typed))
                return Seen(process.wait(timeout=TIMEOUT_SECONDS), text)
            finally:
                if process.poll() is None:
                    process.kill()
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)


def _read(master: int, process: subprocess.Popen[bytes], typed: list[tuple[str, str]]) -> str:
    """Read until the process has ended and all that it wrote was read.

    The end of the process is what counts: not every kernel wakes a reader when the last writer closes.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    seen = b""
    while True:
        ended = process.poll() is not None
        data = b""
        if select.select([master], [], [], 0 if ended else 0.05)[0]:
            with contextlib.suppress(OSError):  # EIO: the last holder of the other side has gone
                data = os.read(master, 65_536)
        if ended and not data:
            assert not typed, f"never saw {typed[0][0]!r} in {seen.decode(errors='replace')!r}"
            return seen.decode()
        seen += data
        assert time.monotonic() < deadline, f"no end in sight after {seen.decode(errors='replace')!r}"
        if typed and typed[0][0].encode() in seen:
            os.write(master, f"{typed.pop(0)[1]}\n".encode())
