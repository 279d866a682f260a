"""Starting an agent in the background, and ending one."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from jilog_agent.daemon import limits
from jilog_agent.daemon.instance import is_running, running_pid, wait_until_gone
from jilog_agent.home import Home
from jilog_ledger.disk import FILE_MODE, Disk
from jilog_ledger.errors import BusyError, JilogError

STDERR_NAME = "stderr.log"
_REPORT_BYTES_MAX = 65_536


class StartReport(msgspec.Struct, frozen=True):
    """What a new agent says through the pipe it was started with: that it answers, or why it does not."""

    pid: int
    error: str | None = None
    hint: str | None = None
    exit_code: int = 0


def send_report(descriptor: int, report: StartReport) -> None:
    """Tell whoever started this process; nobody may be left to listen."""
    with contextlib.suppress(OSError):
        os.write(descriptor, msgspec.json.encode(report) + b"\n")
        os.close(descriptor)


class NotStarted(JilogError):
    """The agent could not be started; the exit status is that of its own error."""

    def __init__(self, message: str, *, hint: str | None, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code or 1


def start_detached(home: Home, disk: Disk, options: Sequence[str]) -> int:
    """Start an agent in the background and give its pid; it answers on its socket when this returns.

    ``options`` are the global options of the command line. The agent lives in a session of its own: closing
    the terminal does not end it.

    Raises:
        NotStarted: it ended, or did not answer in START_SECONDS; the message is its own.
    """
    disk.make_directory(home.agent_dir)
    reader, writer = os.pipe()
    try:
        process = _spawn(home, options, writer)
    finally:
        os.close(writer)
    try:
        report = _read_report(reader)
    finally:
        os.close(reader)
    # It is nobody's business but its own from now on; this keeps Popen from warning that it still runs.
    process.returncode = 0
    if report is None:
        raise NotStarted(
            f"the agent (pid {process.pid}) did not come to answer in {limits.START_SECONDS:.0f} seconds",
            hint=f"see: {home.agent_dir / STDERR_NAME} and {home.agent_log_path}",
            exit_code=1,
        )
    if report.error is not None:
        raise NotStarted(report.error, hint=report.hint, exit_code=report.exit_code)
    return report.pid


def _spawn(home: Home, options: Sequence[str], writer: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jilog_agent", *options, "agent", "run", "--report-to", str(writer)]
    path = home.agent_dir / STDERR_NAME
    # What the log cannot hold, such as a crash of the interpreter; from the last start only.
    errors = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd="/",
            pass_fds=(writer,),
            start_new_session=True,
            env=_environment(),
        )
    finally:
        os.close(errors)


def _environment() -> dict[str, str]:
    """Give the environment without what is meant for this process alone, and with paths that stay true."""
    kept = dict(os.environ)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        kept.pop(name, None)
    if "PYTHONPATH" in kept:
        # It is about to work in another folder.
        parts = [str(Path(part).absolute()) for part in kept["PYTHONPATH"].split(os.pathsep) if part]
        kept["PYTHONPATH"] = os.pathsep.join(parts)
    return kept


def _read_report(reader: int) -> StartReport | None:
    """Read the new agent's report; None when it ended without one or takes too long."""
    ready, _, _ = select.select([reader], [], [], limits.START_SECONDS)
    data = os.read(reader, _REPORT_BYTES_MAX) if ready else b""
    try:
        return msgspec.json.decode(data, type=StartReport) if data else None
    except msgspec.DecodeError:
        return None


def stop(home: Home, seconds: float) -> int:
    """End the agent with SIGTERM and wait until it is gone; give the pid it had.

    Raises:
        JilogError: no agent runs, or nobody knows which process it is.
        BusyError: it has not ended in time.
    """
    if not is_running(home):
        raise JilogError("the agent is not running", hint="start it: jilog agent start")
    pid = running_pid(home)
    if pid is None:
        raise JilogError(
            "an agent runs, but nobody knows which process it is",
            hint=f"find it: fuser -v {home.agent_lock_path}",
        )
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not wait_until_gone(home, seconds):
        raise BusyError(
            f"the agent (pid {pid}) has not ended within {seconds:.0f} seconds",
            hint=f"look at it: tail {home.agent_log_path}; as a last resort: kill -9 {pid}",
        )
    return pid
