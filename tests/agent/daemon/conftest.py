"""Agents that are gone when their test is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.agent_process import running, stop_agent
from support.jilog_cli import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that is set up; no agent is left on it."""
    root = tmp_path / "home"
    root.mkdir()
    made = Host(root)
    assert made.run("init", "--source", "alpha").returncode == 0
    yield made
    stop_agent(made)


@pytest.fixture
def agent(host: Host) -> Iterator[Host]:
    """A host with a running agent."""
    with running(host):
        yield host


@pytest.fixture(scope="module")
def patient_agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One agent for many tests that leave nothing behind."""
    made = Host(tmp_path_factory.mktemp("patient"))
    assert made.run("init", "--source", "alpha").returncode == 0
    with running(made):
        yield made
