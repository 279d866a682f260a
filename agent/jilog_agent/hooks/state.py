"""What hooks remember of an agent's session: what it was told, and how each file looked when it was recorded.

One small file per session below ``hooks/`` of the home. All of it may be lost: then a session is told once
more, and its next entry names files that an earlier one named.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_agent.hooks import limits
from jilog_ledger.disk import Disk
from jilog_ledger.errors import JilogError

VERSION = 1


class SessionState(msgspec.Struct, kw_only=True):
    """``known`` has the digest of each file as it was at the start, or when it was recorded last.

    ``injected`` counts the entries that were told, ``recorded`` those that are in the ledger, the last of
    them ``last_entry``. ``head`` is the commit up to which commits were looked at; ``started_ns`` is Unix
    nanoseconds.
    """

    version: int = VERSION
    agent: str
    session: str
    started_ns: int
    root: str = ""
    head: str | None = None
    told: bool = False
    injected: int = 0
    recorded: int = 0
    last_entry: str = ""
    known: dict[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StateFile:
    """The file of one session of one agent."""

    disk: Disk
    path: Path

    @classmethod
    def of(cls, disk: Disk, folder: Path, agent: str, session: str) -> StateFile:
        """Name it; a session's id is any text, so its hash stands for it."""
        name = hashlib.sha256(session.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        return cls(disk, folder / f"{agent}-{name}.json")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other hooks of this session waiting: an agent may start two at once.

        Raises:
            BusyError: another one holds it for ten seconds.
        """
        self.disk.make_directory(self.path.parent)
        with self.disk.lock(self.path.with_suffix(".lock")):
            yield

    def load(self) -> SessionState | None:
        """Read it; None when there is none, or none that can be read."""
        return read_state(self.disk, self.path)

    def save(self, state: SessionState) -> None:
        """Keep it; a crash leaves the old one or the new one.

        Raises:
            StorageError: the disk refused.
        """
        self.disk.replace(self.path, msgspec.json.encode(state))


def read_state(disk: Disk, path: Path) -> SessionState | None:
    """Read a state; None when it is none."""
    try:
        size = disk.size(path)
        if size is None or size > limits.STATE_BYTES_MAX:
            return None
        state = msgspec.json.decode(disk.read(path), type=SessionState)
    except (JilogError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state if state.version == VERSION else None


def states(disk: Disk, folder: Path) -> list[SessionState]:
    """Read all states, for counters."""
    found = (read_state(disk, path) for path in sorted(folder.glob("*.json")))
    return [state for state in found if state is not None]


def forget_old(folder: Path) -> None:
    """Forget the sessions that nobody touched for longest when there are too many."""
    paths = list(folder.glob("*.json"))
    if len(paths) <= limits.STATES_MAX:
        return
    with contextlib.suppress(OSError):
        paths.sort(key=lambda path: path.stat().st_mtime)
    for path in paths[: len(paths) - limits.STATES_MAX]:
        for old in (path, path.with_suffix(".lock")):
            with contextlib.suppress(OSError):
                old.unlink()
