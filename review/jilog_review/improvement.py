"""Improvement: what is new, what came back and what went quiet, compared with the weeks before.

A problem that was not seen is only called quiet when there was enough to see it in: sessions that were read
since it was last seen. Rates are given with that exposure, never without.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter

from jilog_ledger.event import JsonValue
from jilog_review.aggregate import Summary
from jilog_review.detector import Tier
from jilog_review.fleet import sessions_read
from jilog_review.signal import Signal

QUIET_DAYS = 7
"""A problem must have stayed away for so many days: less is a weekend."""

EXPOSURE_SESSIONS_MIN = 5
"""...and so many sessions must have been read since, or nothing can be said."""

RECURRING_SESSIONS_MIN = 2
"""What was seen in one session only may be an accident: it is not said to have gone away."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """Where one fingerprint was seen in a stretch of days. ``last_date`` is a review date, YYYY-MM-DD."""

    example: Signal
    count: int
    sessions: tuple[str, ...]
    last_date: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the problem."""
        return self.example.fingerprint


@dataclass(frozen=True, slots=True)
class Recurring:
    """A problem of the window that was there in the weeks before."""

    now: Sightings
    earlier: Sightings


@dataclass(frozen=True, slots=True)
class Quiet:
    """A problem of the weeks before that has stayed away; ``exposure`` counts the sessions since."""

    earlier: Sightings
    quiet_days: int
    exposure: int


@dataclass(frozen=True, slots=True)
class Improvement:
    """The comparison. ``sessions`` and ``earlier_sessions`` are what was read in the window and before it."""

    new: tuple[Sightings, ...]
    recurring: tuple[Recurring, ...]
    resolved: tuple[Quiet, ...]
    unproven: int
    """Problems that stayed away in too few days or sessions to say so."""
    sessions: int
    earlier_sessions: int

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object."""
        return {
            "new": [_sightings_json(seen) for seen in self.new],
            "recurring": [
                {**_sightings_json(item.now), "earlier": _sightings_json(item.earlier)}
                for item in self.recurring
            ],
            "resolved": [
                {
                    **_sightings_json(item.earlier),
                    "quiet_days": item.quiet_days,
                    "exposure_sessions": item.exposure,
                }
                for item in self.resolved
            ],
            "unproven": self.unproven,
            "sessions": self.sessions,
            "earlier_sessions": self.earlier_sessions,
        }


def _sightings_json(seen: Sightings) -> dict[str, JsonValue]:
    return {
        "fingerprint": seen.fingerprint,
        "kind": seen.example.kind.value,
        "tool": seen.example.tool,
        "summary": seen.example.summary,
        "signals": seen.count,
        "sessions": len(seen.sessions),
        "last_date": seen.last_date,
    }


def improvement_of(summary: Summary) -> Improvement | None:
    """Compare the window with the weeks before; None when nothing was read in those weeks."""
    if not summary.earlier and not summary.earlier_reports:
        return None
    now, before = sightings(summary.signals), sightings(summary.earlier)
    quiet = [_quiet(summary, seen) for key, seen in before.items() if key not in now and _recurs(seen)]
    proven = [item for item in quiet if _is_proven(item)]
    return Improvement(
        new=_by_weight(seen for key, seen in now.items() if key not in before),
        recurring=tuple(
            Recurring(seen, before[seen.fingerprint])
            for seen in _by_weight(seen for key, seen in now.items() if key in before)
        ),
        resolved=tuple(sorted(proven, key=lambda item: _weight(item.earlier))),
        unproven=len(quiet) - len(proven),
        sessions=sessions_read(summary.reports),
        earlier_sessions=sessions_read(summary.earlier_reports),
    )


def sightings(signals: Iterable[Signal]) -> dict[str, Sightings]:
    """Group the signals that are fit to file by fingerprint."""
    groups: dict[str, list[Signal]] = {}
    for signal in signals:
        if signal.tier is Tier.A:
            groups.setdefault(signal.fingerprint, []).append(signal)
    return {fingerprint: _sightings_of(group) for fingerprint, group in groups.items()}


def _sightings_of(group: Sequence[Signal]) -> Sightings:
    dates = [signal.review_date for signal in group]
    first_date = min(dates)
    return Sightings(
        example=min(
            (signal for signal in group if signal.review_date == first_date), key=attrgetter("order")
        ),
        count=len(group),
        sessions=tuple(sorted({signal.root_session for signal in group})),
        last_date=max(dates),
    )


def _quiet(summary: Summary, seen: Sightings) -> Quiet:
    since = [
        report
        for report in (*summary.earlier_reports, *summary.reports)
        if report.run.review_date > seen.last_date
    ]
    days = (summary.window.last - date.fromisoformat(seen.last_date)).days
    return Quiet(seen, days, sessions_read(since))


def _recurs(seen: Sightings) -> bool:
    return len(seen.sessions) >= RECURRING_SESSIONS_MIN


def _is_proven(item: Quiet) -> bool:
    return item.quiet_days >= QUIET_DAYS and item.exposure >= EXPOSURE_SESSIONS_MIN


def _by_weight(found: Iterable[Sightings]) -> tuple[Sightings, ...]:
    return tuple(sorted(found, key=_weight))


def _weight(seen: Sightings) -> tuple[int, int, str]:
    return (-len(seen.sessions), -seen.count, seen.fingerprint)
