"""Why a process that is there does not answer, as far as Linux tells; elsewhere nothing is known of it."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

PROC = Path("/proc")


class Stuck(Enum):
    """What keeps a process from answering."""

    STOPPED = "stopped"
    NO_FILE_DESCRIPTORS = "no_file_descriptors"


def stuck(pid: int, proc: Path = PROC) -> Stuck | None:
    """Tell whether a process is stopped (proc(5): state T), or may not open another file."""
    try:
        if (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in "Tt":
            return Stuck.STOPPED
        limit = _open_files_limit((proc / str(pid) / "limits").read_text())
        # The limit is on the number of a descriptor, so those above a lowered one leave no room below it.
        taken = sum(int(name) < limit for name in os.listdir(proc / str(pid) / "fd"))
    except (OSError, ValueError, IndexError):
        return None
    return Stuck.NO_FILE_DESCRIPTORS if taken >= limit else None


def _open_files_limit(limits: str) -> int:
    """Find the soft limit in the text of ``/proc/PID/limits``; ValueError when it is not a number."""
    name = "Max open files"
    line = next((line for line in limits.splitlines() if line.startswith(name)), "")
    return int(line.removeprefix(name).split()[0])
