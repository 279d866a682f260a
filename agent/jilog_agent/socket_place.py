"""Where the agent's socket is. Nothing but ``os`` is imported: a hook finds it in a millisecond."""

from __future__ import annotations

import os
import stat

SOCKET_NAME = "agent.sock"
PATH_BYTES_MAX = 103
"""``sun_path`` has room for 104 bytes on macOS and 108 on Linux, one of them the final zero."""


def socket_file(root: str) -> str:
    """Give the socket's path: in the home, or in a short folder of this user's when that path is too long.

    It is the same through whatever link the home is named.
    """
    root = os.path.realpath(root)
    path = f"{root}/{SOCKET_NAME}"
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return path
    import hashlib

    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    # Not the variable TMPDIR: a command started by cron has to come to the same place.
    return f"/tmp/jilog-{os.getuid()}-{name}/{SOCKET_NAME}"  # noqa: S108 -- checked by is_private


def is_private(folder: str) -> bool:
    """Tell whether a folder is one of mode 0700 of this user.

    Raises:
        OSError: it cannot be looked at.
    """
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
