"""Fixtures of the tests of real hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from support.container_fixtures import fleet_image, fleet_network, systemd_image
from support.fleet import Fleet, Member, fleet_of, introduce, serve_behind_sshd

__all__ = ["fleet", "fleet_image", "fleet_network", "systemd_image"]

ASH, BIRCH, CEDAR, DATE, ELM = "ash", "birch", "cedar", "date", "elm"


@pytest.fixture(scope="session")
def fleet(fleet_image: str, fleet_network: Network) -> Iterator[Fleet]:
    """Five hosts: four pairs by address, three by mDNS, and one through OpenSSH."""

    def member(name: str) -> Member:
        return Member(
            fleet_image,
            name,
            fleet_network,
            small_disk=name == CEDAR,
            shifting_clock=name == DATE,
            outlives_agent=name == ELM,
        )

    with fleet_of([member(name) for name in (ASH, BIRCH, CEDAR, DATE, ELM)]) as hosts:
        for one, other in ((ASH, BIRCH), (BIRCH, CEDAR), (CEDAR, DATE), (BIRCH, ELM)):
            introduce(hosts[one], hosts[other], by_address=True)
        for one, other in ((ASH, CEDAR), (ASH, DATE), (BIRCH, DATE)):
            introduce(hosts[one], hosts[other], by_address=False)
        serve_behind_sshd(hosts[ELM], [hosts[ASH]])
        hosts.write_everywhere("the beginning")
        hosts.converged()
        yield hosts
