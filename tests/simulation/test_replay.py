"""Equal seeds, equal runs; a failure can be seen again and made small."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.campaign import report
from simulation.fleet import run_plan, run_seed
from simulation.plan import LARGE_EVERY, draw
from simulation.planted import acknowledge_before_sync
from simulation.shrink import shrink

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("seed", [3, 10, LARGE_EVERY - 1])
def test_seed_gives_the_same_trace_again(seed: int) -> None:
    first, second = run_seed(seed), run_seed(seed)

    assert first.trace.hash() == second.trace.hash()
    assert first.trace.counts == second.trace.counts


def test_seeds_give_different_traces() -> None:
    assert len({run_seed(seed).trace.hash() for seed in range(5)}) == 5


def test_trace_does_not_depend_on_the_order_of_hashes() -> None:
    """In other processes sets of texts have other orders, and nothing may follow from it."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "simulation", "--seed", "0", "--count", "12", "--hash"],
            cwd=TESTS,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=240,
        ).stdout
        for hash_seed in ("1", "2")
    ]

    assert told[0] == told[1]
    assert len(set(told[0].split())) == 24


def _failing_seed() -> int:
    return next(seed for seed in range(60) if run_seed(seed).broken is not None)


def test_failure_tells_how_to_see_it_again_and_does_so(monkeypatch: pytest.MonkeyPatch) -> None:
    acknowledge_before_sync(monkeypatch.setattr)
    seed = _failing_seed()

    told = report(run_seed(seed))

    assert f"make sim SEED={seed} N=1" in told
    assert re.search(r"seed \d+ breaks invariant 1: .*event", told)
    assert report(run_seed(seed)) == told


def test_failing_plan_becomes_small_and_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    acknowledge_before_sync(monkeypatch.setattr)
    plan = draw(_failing_seed())

    small, outcome = shrink(plan, run_plan(plan))

    assert outcome.broken is not None
    assert outcome.broken.number == 1
    assert len(small.actions) <= 6 < len(plan.actions)
    again = run_plan(small).broken
    assert again is not None
    assert str(again) == str(outcome.broken)
