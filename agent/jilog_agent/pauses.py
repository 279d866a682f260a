"""When replication rests: pauses that a person asked for, which outlive restarts, and quiet hours.

``spool/pauses.json`` maps the name of a peer, or ``*`` for all, to the Unix nanosecond at which its pause
ends; 0 stands for: until it is resumed. Losing the file loses pauses, never events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from jilog_agent.daemon.schedule import last_occurrence, next_occurrence
from jilog_agent.home import Home
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import Disk
from jilog_ledger.errors import PeerError
from jilog_ledger.times import SECOND_NS, format_time, now_ns

EVERYBODY = "*"
"""Stands for all peers, those that come later among them; no peer can have this name."""

PAUSES_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is exchanged with a peer now. ``until_ns`` of 0: until somebody resumes it.

    ``name`` is whose pause it is: the peer's or EVERYBODY's.
    """

    name: str
    quiet: bool
    until_ns: int

    @property
    def next_step(self) -> str:
        """The command that ends a pause; quiet hours end by themselves."""
        if self.quiet:
            return f"jilog spool sync {self.name}"
        return "jilog spool resume" if self.name == EVERYBODY else f"jilog spool resume {self.name}"

    def __str__(self) -> str:
        what = "quiet hours" if self.quiet else "replication is paused"
        return f"{what} until {format_time(self.until_ns)[:19]}Z" if self.until_ns else what


class Pauses:
    """What is paused, read from the file at each question: any process may change it."""

    def __init__(self, home: Home, disk: Disk, clock: Callable[[], int] = now_ns) -> None:
        self._path = home.pauses_path
        self._disk = disk
        self._clock = clock

    def load(self) -> dict[str, int]:
        """Give the pauses that have not ended; none when the file is missing or not ours."""
        size = self._disk.size(self._path)
        if not size or size > PAUSES_BYTES_MAX:
            return {}
        try:
            pauses = msgspec.json.decode(self._disk.read(self._path), type=dict[str, int])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        now = self._clock()
        return {name: until for name, until in pauses.items() if not until or until > now}

    def pause(self, name: str, seconds: int | None) -> int:
        """Pause a peer, or everybody, durably; give the moment at which it ends, 0 for none."""
        until = self._clock() + seconds * SECOND_NS if seconds is not None else 0
        self._save({**self.load(), name: until})
        return until

    def resume(self, name: str) -> list[str]:
        """End the pause of a peer; that of everybody ends all. Give the names that had one."""
        pauses = self.load()
        ended = [other for other in pauses if name in (EVERYBODY, other)]
        self._save({other: until for other, until in pauses.items() if other not in ended})
        return ended

    def _save(self, pauses: dict[str, int]) -> None:
        self._disk.make_directory(self._path.parent)
        # A crash leaves the old file or the new one.
        self._disk.replace(self._path, msgspec.json.encode(pauses))

    def of(self, name: str, quiet_until_ns: int) -> Hold | None:
        """Say why a peer rests now; None when it does not. A pause counts before quiet hours."""
        pauses = self.load()
        found = [Hold(key, False, pauses[key]) for key in (EVERYBODY, name) if key in pauses]
        if found:
            return max(found, key=lambda hold: hold.until_ns or float("inf"))
        return Hold(name, True, quiet_until_ns) if quiet_until_ns else None


def quiet_until(hours: tuple[time, time] | None, zone: tzinfo | None, now: datetime) -> datetime | None:
    """Give the moment at which the quiet hours of now end; None outside of them.

    ``zone`` of None is the system's. It is quiet when clocks showed the beginning later than the end, which
    stays true on days on which the clocks change.
    """
    if hours is None:
        return None
    begin, end = hours
    if last_occurrence(begin, zone, now) <= last_occurrence(end, zone, now):
        return None
    return next_occurrence(end, zone, now)


def held(workspace: Workspace, name: str, clock: Callable[[], int] = now_ns) -> Hold | None:
    """Say why nothing is exchanged with a peer now; None when nothing stands in the way."""
    config = workspace.config
    zone = ZoneInfo(config.timezone) if config.timezone else None
    now = datetime.fromtimestamp(clock() / SECOND_NS, UTC)
    quiet = quiet_until(config.spool.quiet_hours, zone, now)
    quiet_until_ns = int(quiet.timestamp()) * SECOND_NS if quiet else 0
    return Pauses(workspace.home, workspace.disk, clock).of(name, quiet_until_ns)


def refuse_held(workspace: Workspace, name: str) -> None:
    """Refuse a session with a peer while it rests.

    Raises:
        PeerError: it does; the words reach the peer.
    """
    hold = held(workspace, name)
    if hold is not None:
        raise PeerError(f"this host rests: {hold}", hint="on that host: jilog spool resume")
