"""Run simulated fleets from the command line: ``make sim SEED=1 N=100``, ``make sim SEED=7 SHRINK=1``."""

from __future__ import annotations

import argparse
import sys
import time

from simulation.campaign import report, run
from simulation.fleet import run_plan
from simulation.plan import draw
from simulation.shrink import shrink


def main() -> int:
    """Run what was asked for; exit status 1 when an invariant broke."""
    parser = argparse.ArgumentParser(prog="make sim", description="simulate fleets, one seed each")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (SEED)")
    parser.add_argument("--count", type=int, default=100, help="how many seeds (N)")
    parser.add_argument("--shrink", action="store_true", help="make a failing seed small (SHRINK=1)")
    parser.add_argument("--hash", action="store_true", help="print the trace hash of each seed")
    options = parser.parse_args()
    if options.shrink:
        return _shrink(options.seed)
    if options.hash:
        for seed in range(options.seed, options.seed + options.count):
            print(seed, run_plan(draw(seed)).trace.hash())
        return 0
    began = time.monotonic()
    seeds = range(options.seed, options.seed + options.count)
    campaign = run(seeds, lambda outcome: print(report(outcome), end="\n\n", flush=True))
    print(campaign.summary(time.monotonic() - began))
    return 1 if campaign.failures else 0


def _shrink(seed: int) -> int:
    plan = draw(seed)
    outcome = run_plan(plan)
    if outcome.broken is None:
        print(f"seed {seed} breaks nothing")
        return 0
    small, ended = shrink(plan, outcome)
    print(report(ended))
    print(f"{len(small.actions)} of {len(plan.actions)} actions are needed:")
    for action in small.actions:
        print(f"  {action.at:9.3f} {action.kind} host {action.host} {action.number}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
