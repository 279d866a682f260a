"""Trend: what the signals of many review dates say together. A pure function, like the digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from jilog_ledger.event import Event, JsonValue
from jilog_review.aggregate import (
    Background,
    Report,
    SignatureAlert,
    Summary,
    Window,
    aggregate,
    alerts_by_signature,
    alerts_by_tool,
)
from jilog_review.detector import Kind, Tier
from jilog_review.fleet import sessions_read
from jilog_review.issue_history import IssueHistory, issue_histories
from jilog_review.signal import Signal

TREND_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class DayCount:
    """One review date: signals fit to file by kind, those of low confidence, and the sessions read."""

    day: str
    kinds: Mapping[Kind, int]
    low_confidence: int
    sessions: int

    @property
    def total(self) -> int:
        """All signals that are fit to file."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class P0Mark:
    """An alert that fired on a date. ``key`` is the tool, or the fingerprint of a signature's alert."""

    day: str
    key: str
    subject: str
    by: str
    sessions: int


@dataclass(frozen=True, slots=True)
class NameCount:
    """What one host, or one reader, gave."""

    name: str
    kinds: Mapping[Kind, int]
    sessions: int

    @property
    def total(self) -> int:
        """All signals that are fit to file."""
        return sum(self.kinds.values())


@dataclass(frozen=True, slots=True)
class Recurrence:
    """An issue's problem before and after the issue was closed.

    ``days`` counts its signals by review date. Exposure is the sessions that were read in the same stretch.
    Without a closing date all is before.
    """

    issue: IssueHistory
    days: Mapping[str, int]
    before: int
    exposure_before: int
    after: int
    exposure_after: int

    @property
    def outcome(self) -> str:
        """Say in a word what the closing achieved, as far as this stretch shows."""
        if self.issue.closed_on is None:
            return "open"
        if self.after:
            return "came back"
        return "quiet" if self.exposure_after else "nothing read since"


@dataclass(frozen=True, slots=True)
class Trend:
    """What the review dates of a window hold together; ``summary`` is the whole window at once."""

    summary: Summary
    days: tuple[DayCount, ...]
    alerts: tuple[P0Mark, ...]
    hosts: tuple[NameCount, ...]
    readers: tuple[NameCount, ...]
    issues: tuple[Recurrence, ...]

    @property
    def window(self) -> Window:
        """The review dates that are covered."""
        return self.summary.window

    def to_json(self) -> dict[str, JsonValue]:
        """Give the trend as one JSON object; ``docs/detectors.md`` describes its keys."""
        return {
            "window": {"first": self.window.first.isoformat(), "last": self.window.last.isoformat()},
            "profile": self.summary.profile,
            "days": [
                {
                    "date": day.day,
                    **_kinds_json(day.kinds),
                    "low_confidence": day.low_confidence,
                    "sessions": day.sessions,
                }
                for day in self.days
            ],
            "p0": [
                {
                    "date": mark.day,
                    "by": mark.by,
                    "key": mark.key,
                    "subject": mark.subject,
                    "sessions": mark.sessions,
                }
                for mark in self.alerts
            ],
            "hosts": [_name_json(count) for count in self.hosts],
            "readers": [_name_json(count) for count in self.readers],
            "issues": [_recurrence_json(item) for item in self.issues],
        }


def _kinds_json(kinds: Mapping[Kind, int]) -> dict[str, JsonValue]:
    return {f"{kind.value}s": kinds.get(kind, 0) for kind in Kind}


def _name_json(count: NameCount) -> dict[str, JsonValue]:
    return {"name": count.name, **_kinds_json(count.kinds), "sessions": count.sessions}


def _recurrence_json(item: Recurrence) -> dict[str, JsonValue]:
    return {
        **item.issue.to_json(),
        "outcome": item.outcome,
        "signals_before": item.before,
        "sessions_read_before": item.exposure_before,
        "signals_after": item.after,
        "sessions_read_after": item.exposure_after,
        "days": dict(item.days),
    }


@dataclass(slots=True)
class _Buckets:
    """Signals and reports by review date."""

    signals: dict[str, list[Signal]] = field(default_factory=dict)
    reports: dict[str, list[Report]] = field(default_factory=dict)


def trend_of(
    events: Iterable[Event],
    filings: Iterable[Event],
    window: Window,
    profile: str,
    background: Background,
    *,
    alert_days: int = 1,
) -> Trend:
    """Count a window by date, host, reader and issue; an alert looks back on ``alert_days`` days."""
    summary = aggregate(events, window, profile, background)
    buckets = _Buckets()
    for signal in summary.signals:
        buckets.signals.setdefault(signal.review_date, []).append(signal)
    for report in summary.reports:
        buckets.reports.setdefault(report.run.review_date, []).append(report)
    days = _days(window)
    return Trend(
        summary=summary,
        days=tuple(_day_count(day, buckets) for day in days),
        alerts=tuple(mark for mark in _marks(days, buckets, max(1, alert_days))),
        hosts=_by_name(summary, lambda s: s.host, {r.run.host for r in summary.reports}, _host_sessions),
        readers=_by_name(summary, lambda s: s.reader, _reader_names(summary), _reader_sessions),
        issues=_recurrences(summary, issue_histories(filings)),
    )


def _days(window: Window) -> list[str]:
    first, last = window.first.toordinal(), window.last.toordinal()
    return [date.fromordinal(number).isoformat() for number in range(first, last + 1)]


def _day_count(day: str, buckets: _Buckets) -> DayCount:
    signals = buckets.signals.get(day, [])
    return DayCount(
        day,
        Counter(signal.kind for signal in signals if signal.tier is Tier.A),
        sum(signal.tier is Tier.B for signal in signals),
        sessions_read(buckets.reports.get(day, [])),
    )


def _marks(days: Sequence[str], buckets: _Buckets, alert_days: int) -> Iterable[P0Mark]:
    for place, day in enumerate(days):
        if not buckets.signals.get(day):
            continue
        span = days[max(0, place - alert_days + 1) : place + 1]
        signals = [signal for earlier in span for signal in buckets.signals.get(earlier, [])]
        for alert in alerts_by_tool(signals):
            yield P0Mark(day, alert.tool, f"{alert.tool} fails", "tool", len(alert.sessions))
        for wide in alerts_by_signature(signals):
            yield P0Mark(day, wide.fingerprint, _alert_subject(wide), "signature", len(wide.sessions))


def _alert_subject(alert: SignatureAlert) -> str:
    return alert.example.summary


def _by_name(
    summary: Summary,
    name_of: Callable[[Signal], str],
    names: set[str],
    sessions_of: Callable[[Summary, str], int],
) -> tuple[NameCount, ...]:
    kinds: dict[str, Counter[Kind]] = {name: Counter() for name in names}
    for signal in summary.signals:
        if signal.tier is Tier.A:
            kinds.setdefault(name_of(signal), Counter())[signal.kind] += 1
    return tuple(NameCount(name, kinds[name], sessions_of(summary, name)) for name in sorted(kinds))


def _host_sessions(summary: Summary, host: str) -> int:
    return sessions_read(report for report in summary.reports if report.run.host == host)


def _reader_names(summary: Summary) -> set[str]:
    return {count.reader for run in summary.runs for count in run.readers}


def _reader_sessions(summary: Summary, reader: str) -> int:
    return sum(count.sessions for run in summary.runs for count in run.readers if count.reader == reader)


def _recurrences(summary: Summary, issues: Sequence[IssueHistory]) -> tuple[Recurrence, ...]:
    """Give every issue whose problem was seen, or whose closing lies, in the window: the busiest first."""
    found: dict[str, Counter[str]] = {}
    for signal in (*summary.signals, *summary.muted):
        if signal.tier is Tier.A:
            found.setdefault(signal.fingerprint, Counter())[signal.review_date] += signal.occurrences
    items = [
        _recurrence(summary, issue, found.get(issue.fingerprint, Counter()))
        for issue in issues
        if issue.fingerprint in found or (issue.closed_on and summary.window.covers(issue.closed_on))
    ]
    return tuple(
        sorted(items, key=lambda item: (-item.after, -item.before, item.issue.fingerprint, item.issue.key))
    )


def _recurrence(summary: Summary, issue: IssueHistory, days: Counter[str]) -> Recurrence:
    # The day of the closing counts as before: what was recorded that night happened before anybody fixed it.
    end = issue.closed_on or "9999-12-31"
    before = [report for report in summary.reports if report.run.review_date <= end]
    after = [report for report in summary.reports if report.run.review_date > end]
    return Recurrence(
        issue=issue,
        days={day: days[day] for day in sorted(days)},
        before=sum(count for day, count in days.items() if day <= end),
        exposure_before=sessions_read(before),
        after=sum(count for day, count in days.items() if day > end),
        exposure_after=sessions_read(after),
    )
