"""Filing as the last part of a night: what was filed, what would be, or why nothing was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jilog_ledger.errors import InputError, JilogError, TrackerError
from jilog_ledger.event import JsonValue
from jilog_review.filing import FilingResult, FilingRun, file_issues, pending_problems
from jilog_review.filing_plan import Verb
from jilog_review.filing_report import filing_json, filing_lines
from jilog_review.log import LearningLog
from jilog_review.nightly import NightResult
from jilog_review.redact import redact
from jilog_review.runs import Run, own_runs
from jilog_review.tracker import Tracker


@dataclass(frozen=True, slots=True)
class NightFiling:
    """What became of a night's learnings.

    ``left_to`` names the host that files in this one's place. ``result`` is None when nothing was filed, and
    ``error`` says why when the tracker could not be used at all. ``planned`` counts the new issues of a dry
    run, ``more`` those that the cap would leave to later runs. ``told`` says whether the ledger was told of
    the tracker's trouble just now.
    """

    tracker: str = "none"
    left_to: str | None = None
    result: FilingResult | None = None
    error: JilogError | None = None
    planned: int = 0
    more: int = 0
    told: bool = False

    @property
    def changed_ledger(self) -> bool:
        """Tell whether the ledger now says more of issues, or of the tracker, than before."""
        return self.told or (self.result is not None and bool(self.result.done or self.result.observed))

    @property
    def trouble(self) -> str | None:
        """Say in one redacted line what the tracker failed; None where it did all it was asked."""
        failures = self.result.failures if self.result is not None else ()
        if self.error is not None:
            said = self.error.message
        elif failures:
            said = f"{len(failures)} step(s) failed, the first: {failures[0].error.message}"
        else:
            return None
        return redact(f"tracker {self.tracker}: {said}; what is new stays pending").text

    def lines(self) -> list[str]:
        """Say what was filed; nothing where there is no tracker."""
        if self.left_to is not None:
            return [f"Issues: left to {self.left_to}, the coordinator"]
        if self.error is not None:
            return [f"Issues: none filed in {self.tracker}; what is new stays pending"]
        if self.result is None:
            return []
        *steps, summary = filing_lines(self.result)
        return [*steps, f"Issues: {summary} in {self.tracker} {self.result.place}".rstrip()]

    def dry_run_lines(self) -> list[str]:
        """Say how many issues would be filed, in the seed's words."""
        lines = [f"would create: {self.planned} issues in tracker={self.tracker} (dry-run, skipped)"]
        if self.more:
            lines.append(f"would leave: {self.more} issues to later runs")
        return lines

    def to_json(self) -> dict[str, JsonValue]:
        """Give the night's keys about issues; ``docs/cli-json.md`` describes them."""
        result = self.result
        created: list[JsonValue] = [
            {"id": done.ref.id, "backend": done.ref.backend, "title": done.ref.title, "url": done.ref.url}
            for done in (result.done if result else ())
            if done.verb is Verb.CREATE
        ]
        return {
            "tracker": self.tracker,
            "coordinator": self.left_to,
            "created_issues": created,
            "would_create": self.planned,
            "tracker_failures": len(result.failures) if result else int(self.error is not None),
            "tracker_error": self.error.message if self.error else None,
            "filing": filing_json(result) if result else None,
        }

    def raise_for_failures(self) -> None:
        """Raise what kept issues from being filed.

        Raises:
            TrackerError: the tracker failed a step, or could not be asked.
            InputError: the tracker's configuration cannot be meant.
        """
        if self.error is not None:
            raise self.error
        if self.result is not None:
            self.result.raise_for_failures()


NOT_FILED = NightFiling()


def file_night(run: FilingRun, log: LearningLog, name: str, make: Callable[[], Tracker]) -> NightFiling:
    """File at the end of a night; a tracker that fails is told, and does no harm to the rest of the night.

    Raises:
        JilogError: the ledger cannot be written.
    """
    try:
        filing = NightFiling(name, result=file_issues(run, log, make()))
    except (TrackerError, InputError) as error:
        filing = NightFiling(name, error=error)
    trouble = filing.trouble
    return replace(filing, told=trouble is not None and _tell(run, log, trouble))


def _tell(run: FilingRun, log: LearningLog, trouble: str) -> bool:
    """Record once a date what the tracker failed, so that the digest's coverage tells it on every host."""
    day = run.run_date
    today = own_runs(log.events(day, day), run.host, run.profile, (day, day))
    if any(trouble in recorded.problems for recorded in today):
        return False
    recorded = Run(host=run.host, profile=run.profile, review_date=day.isoformat(), problems=(trouble,))
    log.append([recorded.to_draft(run.now_ns())])
    return True


def plan_night(
    run: FilingRun, log: LearningLog, name: str, make: Callable[[], Tracker], night: NightResult
) -> NightFiling:
    """Count the issues that a night would file, by the ledger alone: a dry run asks no tracker."""
    try:
        tracker = make()
    except InputError as error:
        return NightFiling(name, error=error)
    new = [signal for signal in night.new_signals if signal.profile == run.profile]
    count = len(pending_problems(run, log, tracker.name, tracker.place, new))
    planned = min(count, run.max_new)
    return NightFiling(name, planned=planned, more=count - planned)
