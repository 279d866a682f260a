"""Filing: the run that brings the fleet's problems into a tracker, each exactly once, and tells what it did.

The order makes every death harmless. The tracker is asked for everything jilog ever filed there, then intents
are recorded, then each step is taken and recorded. Dying after a step and before its record leaves an issue
whose body has the fingerprint: the next run, on whatever host, finds and adopts it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from msgspec import structs

from jilog_ledger.errors import TrackerError
from jilog_review import filing_limits as limits
from jilog_review.aggregate import Window, aggregate, days_before
from jilog_review.filing_plan import Action, Plan, Policy, Verb, plan_filing
from jilog_review.filings import Filing, FilingAction, History, histories
from jilog_review.issue_text import bump_text, issue_of, reopen_text, title_of
from jilog_review.log import LearningLog
from jilog_review.problems import Problem, problems_of
from jilog_review.signal import Signal
from jilog_review.tracker import Issue, IssueRef, IssueState, Tracker

SEED_PROFILE = "seed"
"""The profile whose alerts count failures by the tool's name."""


@dataclass(frozen=True, slots=True)
class FilingRun:
    """One run, as asked for. ``profile`` names whose signals are filed; ``now_ns`` reads the clock.

    ``window_days`` is what an alert's text calls its span; ``horizon_days`` is how far back problems count.
    """

    host: str
    run_date: date
    now_ns: Callable[[], int]
    profile: str
    window_days: int = 1
    max_new: int = limits.NEW_PER_RUN_DEFAULT
    horizon_days: int = limits.HORIZON_DAYS
    muted: Collection[str] = ()

    @property
    def window(self) -> Window:
        """The review dates whose problems count."""
        return Window(days_before(self.run_date, self.horizon_days - 1), self.run_date)


@dataclass(frozen=True, slots=True)
class Done:
    """One step that was taken and recorded."""

    verb: Verb
    fingerprint: str
    ref: IssueRef
    occurrences: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that the tracker failed; it stays pending."""

    verb: Verb
    fingerprint: str
    title: str
    error: TrackerError


@dataclass(frozen=True, slots=True)
class FilingResult:
    """What a run did. ``pending`` is what it left to a later run, with reasons; ``plan`` is all of it.

    ``observed`` are the issues that somebody closed or reopened since a host last asked.
    """

    backend: str
    place: str
    run_date: date
    plan: Plan
    done: tuple[Done, ...]
    failures: tuple[Failure, ...]
    dry_run: bool = False
    observed: tuple[Filing, ...] = ()

    @property
    def pending(self) -> tuple[Action, ...]:
        """The steps that were planned and not taken, and those that must wait."""
        taken = {done.fingerprint for done in self.done}
        return tuple(
            action
            for action in self.plan.actions
            if action.verb is not Verb.SKIP and action.problem.fingerprint not in taken
        )

    @property
    def more(self) -> int:
        """How many new issues the cap left to later runs."""
        return sum(1 for action in self.plan.of(Verb.WAIT) if action.issue is None)

    def raise_for_failures(self) -> None:
        """Raise when the tracker failed a step, so that the command's exit status tells.

        Raises:
            TrackerError: the first failure, with the number of steps that stay pending.
        """
        if self.failures:
            first = self.failures[0].error
            raise TrackerError(
                f"{first.message} ({len(self.pending)} pending)",
                hint=first.hint or "run: jilog issues pending",
                uncertain=first.uncertain,
            )


def file_issues(run: FilingRun, log: LearningLog, tracker: Tracker, *, dry_run: bool = False) -> FilingResult:
    """File what the ledger holds and the tracker does not, and tell open issues what was seen again.

    A dry run asks the tracker and changes nothing, there or in the ledger. Failures of single steps are in
    the result; call :meth:`FilingResult.raise_for_failures`.

    Raises:
        TrackerError: the tracker cannot be asked at all: nothing was done.
        JilogError: the ledger cannot be written.
    """
    known = histories(log.filings(), tracker.name, tracker.place)
    issues = _with_unlisted(tracker, known)
    policy = Policy(run.run_date, run.now_ns(), tracker.settle_seconds, run.max_new)
    plan = plan_filing(current_problems(run, log), issues, known, run.muted, policy)
    if dry_run:
        return FilingResult(tracker.name, tracker.place, run.run_date, plan, (), (), dry_run=True)
    observed = _record_changes(run, log, known, issues)
    clerk = _Clerk(run, log, tracker)
    clerk.announce(plan.of(Verb.CREATE))
    done: list[Done] = []
    failures: list[Failure] = []
    in_a_row = 0
    for action in plan.of(Verb.REOPEN, Verb.CREATE, Verb.ADOPT, Verb.BUMP):
        if in_a_row >= limits.FAILURES_IN_A_ROW_MAX:
            break
        try:
            taken = clerk.take(action)
        except TrackerError as error:
            in_a_row += 1
            clerk.note_failure(action, error)
            failures.append(
                Failure(action.verb, action.problem.fingerprint, title_of(action.problem.first), error)
            )
            continue
        in_a_row = 0
        if taken is not None:
            done.append(taken)
    return FilingResult(
        tracker.name, tracker.place, run.run_date, plan, tuple(done), tuple(failures), observed=observed
    )


def pending_problems(
    run: FilingRun, log: LearningLog, backend: str, place: str, unwritten: Iterable[Signal] = ()
) -> tuple[Problem, ...]:
    """Give the problems that are fit to file and that no record says were filed: the ledger alone tells.

    ``unwritten`` are signals that count as if the log held them.
    """
    known = histories(log.filings(), backend, place)
    return tuple(
        problem
        for problem in current_problems(run, log, unwritten)
        if problem.fingerprint not in run.muted and known.get(problem.fingerprint, History()).latest is None
    )


def sync_issues(run: FilingRun, log: LearningLog, tracker: Tracker) -> tuple[Filing, ...]:
    """Ask the tracker how its issues stand, and record what changed, so that every host knows.

    Raises:
        TrackerError: the tracker cannot be asked; nothing was recorded.
    """
    known = histories(log.filings(), tracker.name, tracker.place)
    return _record_changes(run, log, known, _with_unlisted(tracker, known))


def _record_changes(
    run: FilingRun, log: LearningLog, known: Mapping[str, History], issues: Sequence[Issue]
) -> tuple[Filing, ...]:
    """Record the issues whose state is another than what the ledger says."""
    by_id = {issue.ref.id: issue for issue in issues}
    changes = []
    for history in known.values():
        latest = history.latest
        issue = by_id.get(latest.ref or "") if latest is not None else None
        if latest is None or issue is None:
            continue
        if (issue.state, issue.closed_ns) != (latest.state, latest.closed_ns):
            changes.append(_observed(latest, issue, run))
    now_ns = run.now_ns()
    if changes:
        log.append([filing.to_draft(now_ns) for filing in changes])
    return tuple(changes)


def _observed(latest: Filing, issue: Issue, run: FilingRun) -> Filing:
    return structs.replace(
        latest,
        action=FilingAction.OBSERVED,
        host=run.host,
        review_date=run.run_date.isoformat(),
        occurrences=0,
        state=issue.state,
        closed_ns=issue.closed_ns,
    )


def current_problems(
    run: FilingRun, log: LearningLog, unwritten: Iterable[Signal] = ()
) -> tuple[Problem, ...]:
    """Give the problems of the run's horizon, from the merged ledger."""
    window = run.window
    summary = aggregate(log.events(window.first, window.last), window, run.profile)
    signals = {signal.id: signal for signal in (*unwritten, *summary.signals)}
    return problems_of(signals.values(), run.window_days, by_tool=run.profile == SEED_PROFILE)


def _with_unlisted(tracker: Tracker, known: dict[str, History]) -> Sequence[Issue]:
    """List the tracker's issues, and ask one by one for those that the ledger knows and the listing lacks.

    An issue leaves the listing when somebody takes its label, or the hidden line of its body, away.
    """
    issues = list(tracker.list_issues())
    listed = {issue.ref.id for issue in issues}
    listed_fingerprints = {issue.fingerprint for issue in issues}
    for fingerprint, history in known.items():
        ref = history.latest.ref if history.latest is not None else None
        if ref is None or fingerprint in listed_fingerprints:
            continue
        found = (
            next((issue for issue in issues if issue.ref.id == ref), None)
            if ref in listed
            else tracker.get(ref)
        )
        if found is not None:
            issues.append(replace(found, fingerprint=fingerprint))
    return issues


class _Clerk:
    """Takes the steps of one run and records each before the next."""

    def __init__(self, run: FilingRun, log: LearningLog, tracker: Tracker) -> None:
        self._run = run
        self._log = log
        self._tracker = tracker

    def announce(self, actions: Sequence[Action]) -> None:
        """Record what is about to be filed, all in one batch, before the first request."""
        if actions and self._tracker.settle_seconds > 0:
            now_ns = self._run.now_ns()
            self._log.append(
                [self._filing(action, FilingAction.INTENDED).to_draft(now_ns) for action in actions]
            )

    def take(self, action: Action) -> Done | None:
        """Take one step and record it; None when the tracker files nothing."""
        issue, record = self._step(action)
        if issue is None:
            return None
        # Dying before this line leaves a step without a record: create finds the issue by its fingerprint,
        # a comment by its key, and a reopened issue is open.
        filing = self._filing(action, record, issue)
        self._log.append([filing.to_draft(self._run.now_ns())])
        return Done(action.verb, action.problem.fingerprint, issue.ref, len(action.fresh))

    def note_failure(self, action: Action, error: TrackerError) -> None:
        """Take an intent back when the tracker surely did not create the issue."""
        if action.verb is Verb.CREATE and not error.uncertain and self._tracker.settle_seconds > 0:
            refused = self._filing(action, FilingAction.REFUSED)
            self._log.append([refused.to_draft(self._run.now_ns())])

    def _step(self, action: Action) -> tuple[Issue | None, FilingAction]:
        problem, issue = action.problem, action.issue
        run_date = self._run.run_date
        if action.verb is Verb.CREATE:
            return self._tracker.create(
                issue_of(problem, run_date, self._run.window_days)
            ), FilingAction.CREATED
        assert issue is not None
        # One key for both kinds of comment: an issue that was reopened by a run that died before its record
        # looks open and untold to the next one.
        key = f"told:{problem.fingerprint}:{run_date.isoformat()}"
        if action.verb is Verb.BUMP:
            self._tracker.comment(issue.ref.id, bump_text(action.fresh, run_date), key)
            return issue, FilingAction.BUMPED
        if action.verb is Verb.REOPEN:
            self._tracker.reopen(issue.ref.id)
            self._tracker.comment(issue.ref.id, reopen_text(action.fresh, run_date), key)
            return replace(issue, state=IssueState.OPEN, closed_ns=None), FilingAction.REOPENED
        return issue, FilingAction.ADOPTED

    def _filing(self, action: Action, record: FilingAction, issue: Issue | None = None) -> Filing:
        problem = action.problem
        return Filing(
            fingerprint=problem.fingerprint,
            backend=self._tracker.name,
            place=self._tracker.place,
            action=record,
            host=self._run.host,
            review_date=self._run.run_date.isoformat(),
            title=title_of(problem.first),
            kind=problem.kind,
            ref=issue.ref.id if issue is not None else None,
            url=issue.ref.url if issue is not None else None,
            covers=problem.last_date if issue is not None else None,
            occurrences=len(action.fresh),
            state=issue.state if issue is not None else IssueState.OPEN,
            closed_ns=issue.closed_ns if issue is not None else None,
        )
