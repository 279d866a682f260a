"""Five hundred simulated fleets; each test is one campaign (invariants 1 to 8)."""

from __future__ import annotations

import pytest

from simulation.campaign import HAPPENED, report, run
from simulation.plan import HOSTS_MAX, draw

SEEDS = 500
CAMPAIGNS = 10
SEEDS_EACH = SEEDS // CAMPAIGNS


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("campaign", range(CAMPAIGNS))
def test_fleets_keep_every_invariant_whatever_befalls_them(campaign: int) -> None:
    seeds = range(campaign * SEEDS_EACH, (campaign + 1) * SEEDS_EACH)

    ran = run(seeds)

    assert not ran.failures, "\n\n".join(map(report, ran.failures))
    # A fault that never happens proves nothing.
    assert [kind for kind in HAPPENED if not ran.counts[kind]] == []
    assert any(draw(seed).hosts == HOSTS_MAX for seed in seeds)
