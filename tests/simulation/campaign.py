"""Many seeds in a row: what happened over all of them, and how to see a failure again."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simulation.fleet import Outcome, run_seed
from simulation.plan import FAULTS, WORK

LINES_SHOWN = 60

HAPPENED = (
    *FAULTS, "power_cut_in_write", "peer_added",
    "appended", "confidential", "sealed", "verified", "delivered_again", "found_by_scrub", "sessions",
)  # fmt: skip
"""What each campaign of some dozens of seeds has to have seen."""


@dataclass(slots=True)
class Campaign:
    """The sum over some seeds."""

    seeds: int = 0
    steps: int = 0
    events: int = 0
    virtual_seconds: float = 0.0
    quiet_seconds_max: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        self.seeds += 1
        self.steps += outcome.steps
        self.events += outcome.events
        self.virtual_seconds += outcome.virtual_seconds
        self.quiet_seconds_max = max(self.quiet_seconds_max, outcome.quiet_seconds)
        self.counts += outcome.trace.counts
        if outcome.broken is not None:
            self.failures.append(outcome)

    def summary(self, seconds: float) -> str:
        """Say what happened, for a person."""
        hours = self.virtual_seconds / 3600
        rows = [
            f"{self.seeds} seeds, {len(self.failures)} failed, {seconds:.0f} s",
            f"{self.steps} steps, {self.events} acknowledged events, {hours:.1f} virtual hours",
            f"longest way to agreement after the last fault: {self.quiet_seconds_max:.0f} virtual seconds",
        ]
        kinds = sorted({*FAULTS, *HAPPENED, *self.counts} - {*WORK})
        width = max(map(len, kinds))
        rows += [f"  {kind:<{width}} {self.counts[kind]:>8}" for kind in kinds]
        return "\n".join(rows)


def report(outcome: Outcome, *, lines: int = LINES_SHOWN) -> str:
    """Say how a run failed and how to see it again."""
    assert outcome.broken is not None
    seed, cause = outcome.seed, outcome.broken.__cause__
    return "\n".join(
        [
            *(traceback.format_exception(cause) if cause is not None else ()),
            f"seed {seed} breaks {outcome.broken}",
            *outcome.trace.tail(lines),
            f"see it again:  make sim SEED={seed} N=1",
            f"make it small: make sim SEED={seed} SHRINK=1",
        ]
    )


def run(seeds: Iterable[int], on_failure: Callable[[Outcome], None] = lambda _: None) -> Campaign:
    """Run some seeds to their ends; ``on_failure`` is told of each that breaks something."""
    campaign = Campaign()
    for seed in seeds:
        campaign.add(outcome := run_seed(seed))
        if outcome.broken is not None:
            on_failure(outcome)
    return campaign
