"""The plan of a filing run, a pure function over problems, issues, the ledger's filings and mutes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from jilog_ledger.times import SECOND_NS, format_time
from jilog_review import filing_limits as limits
from jilog_review.filings import History
from jilog_review.moments import transcript_time_ns
from jilog_review.problems import Problem
from jilog_review.signal import Signal
from jilog_review.tracker import Issue, IssueState, standing_issue


class Verb(StrEnum):
    """What is to be done about a problem. ``WAIT`` is work that this run must leave to a later one."""

    CREATE = "create"
    ADOPT = "adopt"
    BUMP = "bump"
    REOPEN = "reopen"
    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Action:
    """One step. ``fresh`` are the signals that the issue has not been told of; ``reason`` says why."""

    verb: Verb
    problem: Problem
    reason: str
    issue: Issue | None = None
    fresh: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may do. ``now_ns`` is Unix nanoseconds, ``settle_seconds`` the tracker's own."""

    run_date: date
    now_ns: int
    settle_seconds: int = 0
    max_new: int = limits.NEW_PER_RUN_DEFAULT
    max_told: int = limits.BUMPS_PER_RUN_MAX


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, in order: reopenings, new issues, comments, and what is left alone."""

    actions: tuple[Action, ...]

    def of(self, *verbs: Verb) -> tuple[Action, ...]:
        """Give the steps of some verbs."""
        return tuple(action for action in self.actions if action.verb in verbs)


_ORDER = {verb: place for place, verb in enumerate((Verb.REOPEN, Verb.CREATE, Verb.ADOPT, Verb.BUMP))}


def plan_filing(
    problems: Sequence[Problem],
    issues: Sequence[Issue],
    known: Mapping[str, History],
    muted: Collection[str],
    policy: Policy,
) -> Plan:
    """Decide what to do about each problem, the most pressing first; what exceeds a cap becomes ``WAIT``."""
    by_fingerprint: dict[str, list[Issue]] = {}
    for issue in issues:
        if issue.fingerprint is not None:
            by_fingerprint.setdefault(issue.fingerprint, []).append(issue)
    actions: list[Action] = []
    for problem in problems:
        standing = standing_issue(by_fingerprint.get(problem.fingerprint, ()), problem.fingerprint)
        case = _Case(problem, standing, known.get(problem.fingerprint, History()), policy)
        muted_now = problem.fingerprint in muted
        actions.append(Action(Verb.SKIP, problem, "muted by a label") if muted_now else case.decide())
    capped = _capped(
        _capped(actions, (Verb.CREATE,), policy.max_new), (Verb.BUMP, Verb.REOPEN), policy.max_told
    )
    return Plan(tuple(sorted(capped, key=lambda action: _ORDER.get(action.verb, len(_ORDER)))))


@dataclass(frozen=True, slots=True)
class _Case:
    """One problem, the issue that stands for it, and what the ledger knows of it."""

    problem: Problem
    issue: Issue | None
    history: History
    policy: Policy

    def decide(self) -> Action:
        if self.issue is None:
            return self._without_issue()
        match self.issue.state:
            case IssueState.OPEN:
                return self._open()
            case IssueState.DONE:
                return self._done()
            case IssueState.DECLINED:
                return self._action(Verb.SKIP, "closed as not planned")
            case IssueState.DUPLICATE:
                return self._action(Verb.SKIP, "closed as a duplicate")

    def _without_issue(self) -> Action:
        if self.history.latest is not None:
            # Somebody who deletes an issue does not want it; filing it again each night would be spam.
            return self._action(Verb.SKIP, f"its issue {self.history.latest.ref} was deleted")
        begun = self.history.intended_ns
        if begun is not None and self.policy.now_ns < begun + self.policy.settle_seconds * SECOND_NS:
            # The request may have got through although the listing does not show it yet.
            return self._action(Verb.WAIT, f"the attempt of {format_time(begun)} has no known outcome yet")
        return self._action(Verb.CREATE, "new", self.problem.signals)

    def _open(self) -> Action:
        fresh = self._untold()
        if not fresh:
            verb = Verb.ADOPT if self.history.latest is None else Verb.SKIP
            return self._action(verb, "already filed")
        if self.history.bumped_on == self.policy.run_date.isoformat():
            return self._action(Verb.SKIP, "told today already")
        return self._action(Verb.BUMP, "seen again", fresh)

    def _done(self) -> Action:
        fresh = tuple(signal for signal in self.problem.signals if self._after_closing(signal))
        if fresh:
            return self._action(Verb.REOPEN, "seen after it was closed as done", fresh)
        return self._action(Verb.SKIP, "closed as done, not seen since")

    def _untold(self) -> tuple[Signal, ...]:
        """Give the signals of later review dates than the issue has been told of."""
        covers = self._covers()
        return tuple(signal for signal in self.problem.signals if signal.review_date > covers)

    def _covers(self) -> str:
        if self.history.covers is not None:
            return self.history.covers
        # Filed by a run that died before its record, or by a ledger that never met ours: the body's date.
        assert self.issue is not None
        return self.issue.detected_on or _date_of(self.issue.created_ns) or ""

    def _after_closing(self, signal: Signal) -> bool:
        """Tell whether a signal is younger than the closing: by its own time where it has one."""
        assert self.issue is not None
        closed_ns = self.issue.closed_ns
        if closed_ns is None:
            return signal.review_date > self._covers()
        moment_ns = transcript_time_ns(signal.timestamp)
        if moment_ns is not None:
            return moment_ns > closed_ns
        return signal.review_date > (_date_of(closed_ns) or "")

    def _action(self, verb: Verb, reason: str, fresh: tuple[Signal, ...] = ()) -> Action:
        return Action(verb, self.problem, reason, self.issue, fresh)


def _date_of(moment_ns: int | None) -> str | None:
    return (
        None if moment_ns is None else datetime.fromtimestamp(moment_ns / SECOND_NS, UTC).date().isoformat()
    )


def _capped(actions: Sequence[Action], verbs: Collection[Verb], most: int) -> list[Action]:
    """Turn the steps beyond the cap into waiting ones; the order of ``actions`` says which come first."""
    left = most
    kept = []
    for action in actions:
        if action.verb in verbs:
            left -= 1
            if left < 0:
                reason = f"beyond the cap of {most} a run"
                kept.append(Action(Verb.WAIT, action.problem, reason, action.issue, action.fresh))
                continue
        kept.append(action)
    return kept
