"""Problems: the signals of a span of dates under one fingerprint, which is what an issue is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from jilog_review.aggregate import P0_SESSIONS_MIN, SUBAGENT_PREFIX, days_before
from jilog_review.detector import Kind, Tier
from jilog_review.signal import Signal


@dataclass(frozen=True, slots=True)
class Burst:
    """A P0: failures in ``sessions``, distinct root sessions, in the window that ends with ``last_date``."""

    sessions: tuple[str, ...]
    last_date: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One fingerprint and where it was seen: ``signals`` by review date, then in their order, never empty."""

    fingerprint: str
    signals: tuple[Signal, ...]
    p0: Burst | None = None

    @property
    def first(self) -> Signal:
        """The signal that was seen first: an issue quotes it."""
        return self.signals[0]

    @property
    def kind(self) -> Kind:
        """What the problem is about."""
        return self.first.kind

    @property
    def sessions(self) -> tuple[str, ...]:
        """The distinct root sessions, sorted."""
        return tuple(sorted({signal.root_session for signal in self.signals}))

    @property
    def last_date(self) -> str:
        """The last review date (YYYY-MM-DD) on which it was seen."""
        return self.signals[-1].review_date


def problems_of(signals: Iterable[Signal], window_days: int, *, by_tool: bool) -> tuple[Problem, ...]:
    """Group the signals that are fit to file (tier A) by fingerprint, the most pressing problem first.

    An error in P0_SESSIONS_MIN or more root sessions within ``window_days`` is a P0. ``by_tool`` adds the
    seed's rule, which counts the failures of a tool whatever they were: of that tool's problems the most
    frequent one becomes the alert's face, so that an alert is one issue and not one more.
    """
    groups: dict[str, list[Signal]] = {}
    for signal in signals:
        if signal.tier is Tier.A:
            groups.setdefault(signal.fingerprint, []).append(signal)
    problems = [_problem(fingerprint, group, window_days) for fingerprint, group in groups.items()]
    if by_tool:
        problems = _with_tool_alerts(problems, window_days)
    return tuple(sorted(problems, key=_urgency))


def _problem(fingerprint: str, group: list[Signal], window_days: int) -> Problem:
    ordered = tuple(sorted(group, key=lambda signal: (signal.review_date, signal.order)))
    return Problem(fingerprint, ordered, _latest_burst(ordered, window_days))


def _latest_burst(signals: Sequence[Signal], window_days: int) -> Burst | None:
    """Find the last window in which enough distinct root sessions failed."""
    failures = [s for s in signals if s.kind is Kind.ERROR and not s.session_id.startswith(SUBAGENT_PREFIX)]
    for last in sorted({signal.review_date for signal in failures}, reverse=True):
        first = days_before(date.fromisoformat(last), max(1, window_days) - 1).isoformat()
        sessions = {signal.root_session for signal in failures if first <= signal.review_date <= last}
        if len(sessions) >= P0_SESSIONS_MIN:
            return Burst(tuple(sorted(sessions)), last)
    return None


def _with_tool_alerts(problems: list[Problem], window_days: int) -> list[Problem]:
    by_tool: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.kind is Kind.ERROR:
            by_tool.setdefault(problem.first.tool or "unknown", []).append(problem)
    faces: dict[str, Problem] = {}
    for group in by_tool.values():
        burst = _latest_burst([signal for problem in group for signal in problem.signals], window_days)
        if burst is not None and not any(problem.p0 for problem in group):
            face = min(group, key=_urgency)
            faces[face.fingerprint] = replace(face, p0=burst)
    return [faces.get(problem.fingerprint, problem) for problem in problems]


def _urgency(problem: Problem) -> tuple[bool, int, int, str]:
    return (problem.p0 is None, -len(problem.sessions), -len(problem.signals), problem.fingerprint)
