"""Where the agent's socket is, and who may be at its other end."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

from jilog_agent.home import Home
from jilog_agent.socket_place import is_private, socket_file
from jilog_ledger.errors import StorageError

_PAUSE_SECONDS = 0.01


def socket_path(home: Home) -> Path:
    """Give the socket's path; see :func:`jilog_agent.socket_place.socket_file`."""
    return Path(socket_file(os.fspath(home.root)))


def check_folder(path: Path) -> None:
    """Refuse a socket's folder that another user could have made or may look into.

    Raises:
        StorageError: it is not a folder of mode 0700 of this user.
    """
    try:
        private = is_private(os.fspath(path.parent))
    except OSError as exc:
        raise StorageError(
            f"cannot look at {path.parent}: {exc.strerror}", hint=f"see: ls -ld {path.parent}"
        ) from exc
    if not private:
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
