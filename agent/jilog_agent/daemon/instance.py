"""One agent per home, guarded by a lock that the kernel gives back whatever happens to its holder.

::

    agent/lock    locked for as long as an agent lives; never removed
    agent/pid     who that is, for people; nothing depends on it
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.agent_socket import connect, peer_of, socket_path
from jilog_agent.home import Home
from jilog_ledger.disk import FILE_MODE, Disk
from jilog_ledger.errors import JilogError, StorageError

CLAIM_SECONDS = 0.3
"""Somebody who looks whether an agent runs holds the lock for an instant, which must not look like one."""

_PAUSE_SECONDS = 0.01
_PID_BYTES_MAX = 32


class AlreadyRunning(JilogError):
    """Another process is the agent of this home."""


@dataclass(slots=True)
class Instance:
    """The right to be this home's agent. It ends with the process, so that who sees it end sees that gone."""

    home: Home
    descriptor: int

    @classmethod
    def claim(cls, home: Home, disk: Disk) -> Instance:
        """Become the agent.

        Raises:
            AlreadyRunning: there is one.
            StorageError: the home cannot be written.
        """
        disk.make_directory(home.agent_dir)
        descriptor = _open_lock(home)
        deadline = time.monotonic() + CLAIM_SECONDS
        while not _locked(descriptor, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                pid = running_pid(home)
                who = f" (pid {pid})" if pid else ""
                raise AlreadyRunning(f"the agent is already running{who}", hint="see: jilog agent status")
            time.sleep(_PAUSE_SECONDS)
        # A crash from here on leaves a pid file that nobody trusts and a socket that the next agent removes.
        disk.replace(home.agent_pid_path, f"{os.getpid()}\n".encode())
        return cls(home, descriptor)

    def retire(self) -> None:
        """Take back what was written for people; the lock stays until the process has ended."""
        self.home.agent_pid_path.unlink(missing_ok=True)


def is_running(home: Home) -> bool:
    """Tell whether an agent lives, even one that is only starting or draining."""
    if not home.agent_lock_path.exists():
        return False
    descriptor = _open_lock(home)
    try:
        return not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def running_pid(home: Home) -> int | None:
    """Name the agent's process: as the kernel knows the socket's owner, else as the pid file says.

    Only meant while :func:`is_running`; the pid file's word is believed because the lock's holder wrote it.
    """
    channel = connect(socket_path(home), 1.0)
    if channel is not None:
        with channel:
            peer = peer_of(channel)
        if peer is not None:
            return peer[0]
    return _recorded_pid(home.agent_pid_path)


def wait_until_gone(home: Home, seconds: float) -> bool:
    """Wait until no agent lives; tell whether that came to be in time."""
    deadline = time.monotonic() + seconds
    while is_running(home):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _open_lock(home: Home) -> int:
    try:
        return os.open(home.agent_lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as exc:
        raise StorageError(
            f"cannot open {home.agent_lock_path}: {exc.strerror}", hint=f"see: ls -ld {home.agent_dir}"
        ) from exc


def _locked(descriptor: int, mode: int) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _recorded_pid(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            text = file.read(_PID_BYTES_MAX).strip()
    except OSError:
        return None
    # Not isdigit() on text: it is true for digits that int() reads as something else.
    return int(text) if text.isdigit() and int(text) > 1 else None
