"""Positive controls: bugs that the simulation has to find (or its silence means nothing)."""

from __future__ import annotations

import pytest

from simulation.fleet import run_seed
from simulation.planted import PLANTED

SEEDS_MAX = 60
"""Within so many seeds each planted bug has to be found."""


@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, invariants = PLANTED[bug]
    plant(monkeypatch.setattr)

    broken = next((found for seed in range(SEEDS_MAX) if (found := run_seed(seed).broken) is not None), None)

    assert broken is not None, f"{SEEDS_MAX} seeds did not notice it"
    assert broken.number in invariants
