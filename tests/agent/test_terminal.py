"""``jilog supervise`` on a terminal: Ctrl-C, Ctrl-Z, and a task that reads from the terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.jilog_cli import Host


class Screen:
    """The other end of a terminal on which jilog runs as the foreground job."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self.descriptor = descriptor
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def wait_for(self, text: str) -> None:
        """Read until ``text`` has appeared."""
        while text not in self.seen:
            self.seen += os.read(self.descriptor, 1024).decode()

    def status(self) -> int:
        """Read until the job ended and give its exit status.

        A read that waits for the last close of the terminal is not woken by every kernel, so the end of the
        process is what counts.
        """
        while True:
            if select.select([self.descriptor], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):  # EIO: the last process has closed the terminal
                    self.seen += os.read(self.descriptor, 1024).decode()
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)


@contextmanager
def on_terminal(host: Host, *command: str) -> Iterator[Screen]:
    arguments = host.command("supervise", "--task", "job", "--", *command)
    environment = host.environment()
    pid, descriptor = pty.fork()
    if pid == 0:
        try:
            os.execve(sys.executable, arguments, environment)
        finally:
            os._exit(99)
    try:
        yield Screen(pid, descriptor)
    finally:
        os.close(descriptor)


def task(code: str) -> tuple[str, ...]:
    """Give a task that is one process from start to end.

    A shell that has just forked its last command may lose a signal between the fork and the exec.
    """
    return (sys.executable, "-c", code)


@pytest.fixture(autouse=True)
def ready_host(host: Host) -> None:
    host.run("init")


def test_ctrl_c_on_a_terminal_ends_the_task_and_is_recorded(host: Host) -> None:
    with on_terminal(host, *task("import time; print('ready', flush=True); time.sleep(600)")) as screen:
        screen.wait_for("ready")

        screen.type("\x03")

        assert screen.status() == 130
    assert [payload["status"] for payload in host.payloads()] == ["started", "failed"]
    assert host.payloads()[-1]["signal"] == "SIGINT"


def test_a_task_may_read_from_the_terminal(host: Host) -> None:
    with on_terminal(host, "sh", "-c", "echo name; read x; echo hello $x") as screen:
        screen.wait_for("name")

        screen.type("world\n")

        assert screen.status() == 0
        assert "hello world" in screen.seen


def test_ctrl_c_reaches_a_task_that_was_given_the_terminal(host: Host) -> None:
    code = "import time; print('got', input(), flush=True); time.sleep(600)"
    with on_terminal(host, *task(code)) as screen:
        screen.type("it\n")
        screen.wait_for("got it")

        screen.type("\x03")

        assert screen.status() == 130


def test_a_stopped_jilog_stops_its_task_and_both_go_on_together(host: Host) -> None:
    with on_terminal(host, "sh", "-c", "echo ready $$; read x; echo went on") as screen:
        screen.wait_for("ready")

        os.kill(screen.pid, signal.SIGTSTP)
        _, status = os.waitpid(screen.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        os.kill(screen.pid, signal.SIGCONT)
        screen.type("x\n")

        assert screen.status() == 0
        assert "went on" in screen.seen


def test_the_next_command_is_whole_in_a_narrow_terminal(host: Host) -> None:
    host.run("peer", "add", "a-host-with-a-long-name", "no-such-host.invalid")
    reader, writer = pty.openpty()
    with os.fdopen(reader, "rb", buffering=0) as shown, os.fdopen(writer, "wb") as terminal:
        subprocess.run(
            host.command("spool", "status"),
            env=host.environment(COLUMNS="60"),
            stdout=terminal,
            check=True,
            timeout=60,
        )
        lines = shown.read(65536).decode().splitlines()

    assert "      next: jilog spool sync a-host-with-a-long-name" in lines
    assert all(len(line) <= 60 for line in lines if not line.startswith("      "))
