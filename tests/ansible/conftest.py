"""Tests of the playbooks, against real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from support.container_fixtures import fleet_network, systemd_image
from support.fleet_story import NAMES, VARIABLES
from support.managed_fleet import ManagedFleet, Wheels, make_wheels, managed_fleet

__all__ = ["fleet_network", "systemd_image"]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def fleet(systemd_image: str, fleet_network: Network, wheels: Wheels) -> Iterator[ManagedFleet]:
    with managed_fleet(systemd_image, fleet_network, NAMES) as made:
        made.write_inventory(VARIABLES)
        made.variables = {"jilog_wheelhouse": str(wheels.packed), "jilog_wheel": str(wheels.own)}
        yield made
