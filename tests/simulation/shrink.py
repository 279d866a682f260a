"""Make a failing plan small: leave kinds of actions out, and then single ones, while it still fails alike."""

from __future__ import annotations

from collections.abc import Callable

from simulation.fleet import Outcome, run_plan
from simulation.plan import Plan

RUNS_MAX = 400


def shrink(plan: Plan, outcome: Outcome, run: Callable[[Plan], Outcome] = run_plan) -> tuple[Plan, Outcome]:
    """Give a smaller plan that breaks the same invariant, and how it ended (delta debugging, Zeller 1999)."""
    search = _Search(run, plan, outcome)
    for kind in sorted({action.kind for action in plan.actions}):
        search.attempt(search.plan.without(kinds={kind}))
    size = max(1, len(search.plan.actions) // 2)
    while size:
        start = 0
        while start < len(search.plan.actions):
            smaller = search.plan.without(positions=range(start, start + size))
            if not search.attempt(smaller):
                start += size
        size //= 2
    return search.plan, search.outcome


class _Search:
    def __init__(self, run: Callable[[Plan], Outcome], plan: Plan, outcome: Outcome) -> None:
        assert outcome.broken is not None
        self.plan = plan
        self.outcome = outcome
        self._number = outcome.broken.number
        self._run = run
        self._left = RUNS_MAX

    def attempt(self, plan: Plan) -> bool:
        """Take a smaller plan if it fails with the same invariant."""
        if self._left <= 0 or len(plan.actions) == len(self.plan.actions):
            return False
        self._left -= 1
        outcome = self._run(plan)
        if outcome.broken is None or outcome.broken.number != self._number:
            return False
        self.plan, self.outcome = plan, outcome
        return True
