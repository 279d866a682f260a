"""Tests of the playbooks, against real hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testcontainers.core.network import Network

from support.container_fixtures import fleet_network, systemd_image
from support.fleet_story import NAMES, VARIABLES
from support.managed_fleet import ManagedFleet, make_wheelhouse, managed_fleet, wheel_of

__all__ = ["fleet_network", "systemd_image"]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheelhouse(tmp_path_factory.mktemp("wheels") / "wheelhouse")


@pytest.fixture(scope="session")
def fleet(systemd_image: str, fleet_network: Network, wheelhouse: Path) -> Iterator[ManagedFleet]:
    with managed_fleet(systemd_image, fleet_network, NAMES) as made:
        made.write_inventory(VARIABLES)
        made.variables = {"jilog_wheelhouse": str(wheelhouse), "jilog_wheel": str(wheel_of(wheelhouse))}
        yield made
