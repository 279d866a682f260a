"""Wire the filing of issues to this host: its tracker, its clock, and whether it is this host's turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from jilog_agent.config import Config
from jilog_agent.config.nearest import did_you_mean
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns
from jilog_review.aggregate import Window, aggregate
from jilog_review.filed import FiledIssue
from jilog_review.filing import FilingRun
from jilog_review.issue_view import judge_all
from jilog_review.labels import read_labels
from jilog_review.log import LearningLog
from jilog_review.night_filing import NightFiling, file_night, plan_night
from jilog_review.nightly import NightResult
from jilog_review.outcomes import Judgement
from jilog_review.tracker import Tracker, TrackerConfig, make_tracker


@dataclass(frozen=True, slots=True)
class Office:
    """Where and for whom this host files. ``source`` is the name it writes under."""

    config: Config
    source: str
    environment: Mapping[str, str]

    @property
    def name(self) -> str:
        """The tracker's type."""
        return self.config.tracker.type

    @property
    def left_to(self) -> str | None:
        """Name the coordinator when that is another host; without a coordinator every host files."""
        coordinator = self.config.review.coordinator
        return None if coordinator in (None, self.source) else coordinator

    def tracker(self) -> Tracker:
        """Make the configured tracker; it is not asked anything yet.

        Raises:
            InputError: an option cannot be meant.
        """
        tracker = self.config.tracker
        return make_tracker(TrackerConfig(tracker.type, tracker.options, self.environment))

    def filing_tracker(self) -> Tracker:
        """Make the configured tracker for a command that is about one.

        Raises:
            InputError: none is configured, or an option cannot be meant.
        """
        if self.name == "none":
            where = self.config.path or "~/.jilog.toml"
            raise InputError(
                "no tracker is configured",
                hint=f'under [tracker] in {where}: type = "github" and repo = "OWNER/NAME"',
            )
        return self.tracker()

    def check_turn(self) -> None:
        """Refuse to file in the coordinator's place.

        Raises:
            InputError: another host is the coordinator.
        """
        if self.left_to is not None:
            raise InputError(
                f"{self.left_to} files issues, not {self.source}: it is the coordinator",
                hint=f"run it on {self.left_to}, or set [review] coordinator, or add --take-over",
            )

    def run(
        self, log: LearningLog, day: date, profile: str, window_days: int, max_new: int | None = None
    ) -> FilingRun:
        """Give the run that this host's configuration asks for."""
        return FilingRun(
            host=self.source,
            run_date=day,
            now_ns=now_ns,
            profile=profile,
            window_days=window_days,
            max_new=max_new or self.config.tracker.max_new_per_run,
            muted=frozenset(read_labels(log.labels()).mutes),
        )

    def missing_coordinator(self, log: LearningLog) -> InputError | None:
        """Give what to tell when issues are left to a host that this ledger has never heard of."""
        if self.left_to is None or self.name == "none" or self.left_to in log.hosts():
            return None
        return InputError(
            f"[review] coordinator is {self.left_to!r}, and no host of that name writes to this ledger",
            hint=did_you_mean(self.left_to, log.hosts())
            or "issues wait until one does: jilog issues pending",
        )

    def close_night(self, night: NightResult, log: LearningLog, *, file: bool = True) -> NightFiling:
        """File what a night left to file, if it is this host's turn; a dry run counts it."""
        if self.name == "none" or not file or self.left_to is not None:
            return NightFiling(self.name, left_to=self.left_to if self.name != "none" else None)
        asked = night.night
        days = (asked.window.last - asked.window.first).days + 1
        run = self.run(log, asked.stamp.review_date, asked.profile.name, days)
        if asked.dry_run:
            return plan_night(run, log, self.name, self.tracker, night)
        return file_night(run, log, self.name, self.tracker)


def judged(log: LearningLog, issues: tuple[FiledIssue, ...], profile: str, today: date) -> list[Judgement]:
    """Judge issues by all that was learned and read since the first of them was filed."""
    if not issues:
        return []
    window = Window(date.fromisoformat(min(issue.filed_on for issue in issues)), today)
    summary = aggregate(log.events(window.first, window.last), window, profile)
    return list(judge_all(issues, summary.signals, summary.runs, today))
