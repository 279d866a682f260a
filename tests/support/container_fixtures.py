"""Fixtures for tests of real hosts; a test folder imports those it uses into its ``conftest.py``.

Mark such tests with ``pytest.mark.xdist_group("containers")``, so that one worker has all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from support.containers import network
from support.images import bare_systemd_image, jilog_image


@pytest.fixture(scope="session")
def fleet_image() -> str:
    """The shipped image with this working tree's jilog in it."""
    return jilog_image()


@pytest.fixture(scope="session")
def systemd_image() -> str:
    """A Debian with systemd and sshd, to install jilog on."""
    return bare_systemd_image()


@pytest.fixture(scope="session")
def fleet_network() -> Iterator[Network]:
    """A bridge that the hosts of all tests share; the daemon has addresses for thirty only."""
    with network() as made:
        yield made
