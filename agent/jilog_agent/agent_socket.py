"""Where the agent's socket is, and who may be at its other end."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
import time
from pathlib import Path

from jilog_agent.home import Home
from jilog_ledger.errors import StorageError

SOCKET_NAME = "agent.sock"
PATH_BYTES_MAX = 103
"""``sun_path`` has room for 104 bytes on macOS and 108 on Linux, one of them the final zero."""


_PAUSE_SECONDS = 0.01


def socket_path(home: Home) -> Path:
    """Give the socket's path: in the home, or in a short folder of this user's when that path is too long.

    It is the same through whatever link the home is named.
    """
    root = os.path.realpath(home.root)
    path = Path(root) / SOCKET_NAME
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return path
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    # Not the variable TMPDIR: a command started by cron has to come to the same place.
    return Path(f"/tmp/jilog-{os.getuid()}-{name}") / SOCKET_NAME  # noqa: S108 -- checked by check_folder


def check_folder(path: Path) -> None:
    """Refuse a socket's folder that another user could have made or may look into.

    Raises:
        StorageError: it is not a folder of mode 0700 of this user.
    """
    try:
        found = path.parent.lstat()
    except OSError as exc:
        raise StorageError(
            f"cannot look at {path.parent}: {exc.strerror}", hint=f"see: ls -ld {path.parent}"
        ) from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StorageError(
            f"{path.parent} is not a folder of mode 0700 of this user",
            hint=f"look at it, then: chmod 700 {path.parent}",
        )


def connect(path: Path, timeout_seconds: float) -> socket.socket | None:
    """Connect to an agent; None when nobody listens there."""
    deadline = time.monotonic() + timeout_seconds
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(timeout_seconds)
    while True:
        try:
            channel.connect(os.fspath(path))
        except BlockingIOError:
            # So many wait to be taken that there is no room to wait; somebody does listen.
            if time.monotonic() < deadline:
                time.sleep(_PAUSE_SECONDS)
                continue
            channel.close()
            return None
        except OSError:
            channel.close()
            return None
        return channel


def peer_of(channel: socket.socket) -> tuple[int, int] | None:
    """Give process id and user id of the other end, as the kernel knows them; None where it does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    data = channel.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", data)
    return pid, uid
