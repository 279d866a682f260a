"""When the agent does what: pure functions of times that are passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from jilog_agent.daemon.limits import SYNC_RETRY_SECONDS

JITTER = 0.2
"""Share of an interval that chance adds or takes, so that a fleet does not speak in step."""

READ_ONLY_LEAVES_AT = 1.25
"""Read-only mode ends at this multiple of the threshold, so that it does not flicker."""


def sync_delay(interval_seconds: float, failures: int, chance: float) -> float:
    """Give the seconds until the next sync with a peer that has failed ``failures`` times in a row.

    ``chance`` is uniform in 0 to 1. A failed sync is tried again after SYNC_RETRY_SECONDS, and each further
    failure doubles that, but never beyond the interval.
    """
    base = interval_seconds
    if failures:
        base = min(base, SYNC_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))
    return base * (1 - JITTER + 2 * JITTER * chance)


def last_occurrence(at: time, zone: tzinfo | None, now: datetime) -> datetime:
    """Give the last moment, not after ``now`` (aware), at which clocks in ``zone`` showed ``at``.

    ``zone`` of None is the system's. A time that a change of the clocks leaves out counts at the moment it
    would have been; one that comes twice counts the first time.
    """
    local = now.astimezone(zone)
    for days in (0, 1, 2):
        day = local.date() - timedelta(days=days)
        moment = datetime.combine(day, at)
        aware = moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
        if aware.astimezone(UTC) <= now:
            return aware.astimezone(UTC)
    raise AssertionError("one of three days has begun")


def next_occurrence(at: time, zone: tzinfo | None, now: datetime) -> datetime:
    """Give the first moment after ``now`` (aware) at which clocks in ``zone`` show ``at``.

    ``zone`` and changes of the clocks count as for :func:`last_occurrence`.
    """
    for hours in range(1, 50):
        found = last_occurrence(at, zone, now + timedelta(hours=hours))
        if found > now:
            return found
    raise AssertionError("each time of day comes within two days")


def review_due(at: time | None, zone: tzinfo | None, now: datetime, last_run: datetime | None) -> bool:
    """Tell whether the nightly review is to run: its last time has come and gone without one."""
    if at is None:
        return False
    return last_run is None or last_run < last_occurrence(at, zone, now)


def read_only(free_bytes: int, threshold_bytes: int, *, was: bool) -> bool:
    """Tell whether the disk is too full to take events."""
    return free_bytes < threshold_bytes * (READ_ONLY_LEAVES_AT if was else 1.0)


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that may be read, growing with time: a token bucket of one minute's depth."""

    bytes_per_minute: int
    available: float = 0.0

    def after(self, seconds: float) -> Budget:
        """Let time pass."""
        grown = self.available + self.bytes_per_minute * seconds / 60
        return Budget(self.bytes_per_minute, min(grown, float(self.bytes_per_minute)))

    def spend(self, count: int) -> Budget:
        """Take bytes out; a debt, from a segment larger than the rest, is paid before the next one."""
        return Budget(self.bytes_per_minute, self.available - count)
