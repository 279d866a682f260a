"""The trend as rows of tables, for a terminal."""

from __future__ import annotations

from jilog_review.detector import Kind
from jilog_review.trend import P0Mark, Trend

_DAYS = 7


def week_rows(trend: Trend) -> list[tuple[str, ...]]:
    """Add the days up by sevens, counted from the window's first."""
    rows = []
    for start in range(0, len(trend.days), _DAYS):
        week = trend.days[start : start + _DAYS]
        counts = (str(sum(day.kinds.get(kind, 0) for day in week)) for kind in Kind)
        rows.append((week[0].day, *counts, str(sum(day.sessions for day in week))))
    return rows


def alert_rows(trend: Trend) -> list[tuple[str, ...]]:
    """Give each cause of alerts with the days on which it fired, the most frequent first."""
    causes: dict[str, list[P0Mark]] = {}
    for mark in trend.alerts:
        causes.setdefault(mark.key, []).append(mark)
    ordered = sorted(causes.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        (
            marks[-1].subject[:80],
            marks[-1].by,
            str(len(marks)),
            marks[-1].day,
            str(max(mark.sessions for mark in marks)),
        )
        for _, marks in ordered
    ]


def issue_rows(trend: Trend) -> list[tuple[str, ...]]:
    """Give each issue with its failures before and after it was closed, and the sessions read meanwhile."""
    return [
        (
            f"{item.issue.backend} {item.issue.ref}",
            item.outcome,
            item.issue.closed_on or "",
            f"{item.before} in {item.exposure_before}",
            f"{item.after} in {item.exposure_after}",
            item.issue.title,
        )
        for item in trend.issues
    ]
