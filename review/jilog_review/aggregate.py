"""Aggregation: from the events of a window to what a digest says. A pure function, so every node agrees.

Nothing here knows which host it runs on, in which order events arrived, or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from jilog_ledger.event import Event
from jilog_review.detector import Kind, Tier
from jilog_review.exposure import Share, ToolUse
from jilog_review.labels import NO_LABELS, Given, LabelBook
from jilog_review.outcomes import Judgement
from jilog_review.runs import Run, run_from_payload, tool_use_of
from jilog_review.signal import Signal, signal_from_event
from jilog_review.transcript import Coverage

P0_SESSIONS_MIN = 3
"""So many distinct root sessions in which one tool failed make an alert."""

SUBAGENT_PREFIX = "0" * 16
"""Amplifier's sub-agent sessions begin like this; the seed leaves them out of alerts."""

HISTORY_DAYS = 28
"""How many days before the window are compared with it: four weeks hold what comes back every week."""


@dataclass(frozen=True, slots=True)
class Window:
    """The review dates a digest covers, both ends included."""

    first: date
    last: date

    def covers(self, review_date: str) -> bool:
        """Tell whether a date (YYYY-MM-DD) lies in the window."""
        return self.first.isoformat() <= review_date <= self.last.isoformat()

    @property
    def before(self) -> Window:
        """Give the days that the window is compared with."""
        return Window(days_before(self.first, HISTORY_DAYS), days_before(self.first, 1))


def window_of(last: date, since_seconds: int) -> Window:
    """Give the window of so many whole days, one at least, that ends with ``last``."""
    days = max(1, -(-since_seconds // 86_400))
    return Window(days_before(last, days - 1), last)


def days_before(day: date, days: int) -> date:
    """Give an earlier date; the first one there is, where there is none so early."""
    return date.fromordinal(max(1, day.toordinal() - days))


@dataclass(frozen=True, slots=True)
class Alert:
    """One P0: a tool that failed in ``sessions``, distinct root sessions in sorted order."""

    tool: str
    sessions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignatureAlert:
    """One P0 by its signature: the same failure in ``sessions``, distinct root sessions in sorted order.

    ``example`` is the first of its signals in their order, ``count`` how many there are. ``share`` tells in
    how many of the sessions that used the tool it failed so; None where a scan did not record that.
    """

    fingerprint: str
    example: Signal
    sessions: tuple[str, ...]
    count: int
    share: Share | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One scan of one host, and when its host recorded it (Unix nanoseconds, by that host's clock)."""

    run: Run
    recorded_ns: int


@dataclass(frozen=True, slots=True)
class Background:
    """What a digest knows beside its window: people's labels, and which hosts write to this ledger."""

    labels: LabelBook = NO_LABELS
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a window holds: signals in their order, alerts by tool and by signature, scans in theirs.

    ``signals`` leaves out what people muted; that is ``muted``. ``earlier`` and ``earlier_reports`` are of
    the days before the window, muted ones left out. ``background`` is None in a layout without use for it.
    ``issue_names`` gives the issue that stands for a fingerprint, ``judgements`` what became of issues.
    """

    window: Window
    profile: str
    signals: tuple[Signal, ...]
    alerts: tuple[Alert, ...]
    reports: tuple[Report, ...]
    signature_alerts: tuple[SignatureAlert, ...] = ()
    muted: tuple[Signal, ...] = ()
    earlier: tuple[Signal, ...] = ()
    earlier_reports: tuple[Report, ...] = ()
    background: Background | None = None
    issue_names: Mapping[str, str] = field(default_factory=dict)
    judgements: tuple[Judgement, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[Signal, ...]:
        """Give the signals of one section: those fit to file."""
        return tuple(signal for signal in self.signals if signal.kind is kind and signal.tier is Tier.A)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Give the scans of the window."""
        return tuple(report.run for report in self.reports)

    @property
    def low_confidence(self) -> tuple[Signal, ...]:
        """Give the signals that are only listed."""
        return tuple(signal for signal in self.signals if signal.tier is Tier.B)

    @property
    def coverage(self) -> Coverage:
        """Add up what the scans read."""
        return sum((run.coverage for run in self.runs), Coverage())


@dataclass(slots=True)
class _Gathered:
    """Signals by id and reports by event id, of one stretch of days."""

    window: Window
    signals: dict[str, Signal] = field(default_factory=dict)
    reports: dict[bytes, tuple[tuple[int, str, str, int], Report]] = field(default_factory=dict)
    _covered: dict[str, bool] = field(default_factory=dict)

    def covers(self, review_date: str) -> bool:
        known = self._covered.get(review_date)
        if known is None:
            known = self._covered[review_date] = self.window.covers(review_date)
        return known

    def take(self, signal: Signal) -> None:
        """Keep one copy of a signal, the same one whatever the order and number of the copies."""
        kept = self.signals.get(signal.id)
        if kept is None or _copy_order(signal) < _copy_order(kept):
            self.signals[signal.id] = signal

    def report(self, event: Event, run: Run) -> None:
        self.reports[event.stored.event_id] = (event.order, Report(run, event.stored.timestamp_ns))

    def ordered_reports(self) -> tuple[Report, ...]:
        return tuple(report for _, report in sorted(self.reports.values(), key=lambda pair: pair[0]))


def aggregate(
    events: Iterable[Event], window: Window, profile: str, background: Background | None = None
) -> Summary:
    """Give what the window holds under a profile, whatever the order or repetition of ``events``.

    A signal that two hosts recorded counts once: the copy that sorts first by date, host and place is kept. A
    host's scans of one date are all kept: each tells of other lines. Labels mute only with a ``background``.
    """
    here, earlier = _Gathered(window), _Gathered(window.before)
    for event in events:
        _gather(event, profile, (here, earlier))
    labels = background.labels if background else NO_LABELS
    shown, muted = _split(here.signals.values(), labels)
    before, _ = _split(
        (signal for signal_id, signal in earlier.signals.items() if signal_id not in here.signals), labels
    )
    reports = here.ordered_reports()
    return Summary(
        window=window,
        profile=profile,
        signals=shown,
        alerts=alerts_by_tool(shown),
        reports=reports,
        signature_alerts=alerts_by_signature(shown, tool_use_of(report.run for report in reports)),
        muted=muted,
        earlier=before,
        earlier_reports=earlier.ordered_reports(),
        background=background,
    )


def _gather(event: Event, profile: str, stretches: Sequence[_Gathered]) -> None:
    if event.stored.event_class == "learning":
        signal = signal_from_event(event)
        for stretch in stretches:
            if signal and signal.profile == profile and stretch.covers(signal.review_date):
                stretch.take(signal)
    elif event.stored.event_class == "review":
        run = run_from_payload(event.payload())
        for stretch in stretches:
            if run and run.profile == profile and stretch.covers(run.review_date):
                stretch.report(event, run)


def _split(signals: Iterable[Signal], labels: LabelBook) -> tuple[tuple[Signal, ...], tuple[Signal, ...]]:
    """Give the signals that are shown and those that are muted, each in their order."""
    ordered = sorted(signals, key=lambda signal: signal.order)
    shown = tuple(signal for signal in ordered if signal.fingerprint not in labels.mutes)
    return shown, tuple(signal for signal in ordered if signal.fingerprint in labels.mutes)


def alerts_by_tool(signals: Iterable[Signal]) -> tuple[Alert, ...]:
    """Find the tools that failed in P0_SESSIONS_MIN or more distinct root sessions."""
    failing: dict[str, set[str]] = {}
    for signal in _alarming(signals):
        failing.setdefault(signal.tool or "unknown", set()).add(signal.root_session)
    return tuple(
        Alert(tool, tuple(sorted(sessions)))
        for tool, sessions in sorted(failing.items())
        if len(sessions) >= P0_SESSIONS_MIN
    )


def alerts_by_signature(signals: Iterable[Signal], use: ToolUse | None = None) -> tuple[SignatureAlert, ...]:
    """Find the failures of one fingerprint in P0_SESSIONS_MIN or more root sessions, the widest first."""
    groups: dict[str, list[Signal]] = {}
    for signal in _alarming(signals):
        groups.setdefault(signal.fingerprint, []).append(signal)
    alerts = [_signature_alert(fingerprint, group, use) for fingerprint, group in groups.items()]
    wide = [alert for alert in alerts if len(alert.sessions) >= P0_SESSIONS_MIN]
    return tuple(sorted(wide, key=lambda alert: (-len(alert.sessions), -alert.count, alert.fingerprint)))


def _signature_alert(fingerprint: str, group: Sequence[Signal], use: ToolUse | None) -> SignatureAlert:
    example = min(group, key=lambda signal: signal.order)
    sessions = tuple(sorted({signal.root_session for signal in group}))
    share = use.share(example.tool, sessions) if use is not None and example.tool else None
    return SignatureAlert(fingerprint, example, sessions, sum(signal.occurrences for signal in group), share)


def _alarming(signals: Iterable[Signal]) -> Iterator[Signal]:
    for signal in signals:
        if signal.kind is not Kind.ERROR or signal.tier is not Tier.A:
            continue
        if not signal.session_id.startswith(SUBAGENT_PREFIX):
            yield signal


def _copy_order(signal: Signal) -> tuple[str, str, str, int, str, str]:
    """Order copies of one signal; what they say decides at last, so that arrival never does."""
    place = (signal.review_date, signal.host, signal.source_file, signal.line)
    return (*place, signal.timestamp or "", repr(signal))


def muted_groups(summary: Summary) -> tuple[tuple[Given, tuple[Signal, ...]], ...]:
    """Give each mute that hid something in the window, with what it hid, by fingerprint."""
    if summary.background is None:
        return ()
    mutes = summary.background.labels.mutes
    groups: dict[str, list[Signal]] = {}
    for signal in summary.muted:
        groups.setdefault(signal.fingerprint, []).append(signal)
    return tuple((mutes[fingerprint], tuple(groups[fingerprint])) for fingerprint in sorted(groups))
