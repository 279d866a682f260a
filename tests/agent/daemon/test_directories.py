"""Which turns of a spool directory the agent goes through it, and what it says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.daemon import limits
from jilog_agent.daemon.directories import Directories
from jilog_agent.daemon.growth import Growth
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.zones import Zones
from jilog_agent.home import Home
from jilog_agent.pauses import EVERYBODY, Pauses
from jilog_agent.workspace import Workspace
from support.spool_fleet import drafts


class Agent:
    """The parts of an agent that deal with one directory, without its loop."""

    def __init__(self, tmp_path: Path) -> None:
        self.shared = tmp_path / "shared"
        self.shared.mkdir()
        config_file = tmp_path / "jilog.toml"
        config_file.write_text(f'[[directory]]\npath = "{self.shared}"\nkeep = "7d"\nevery = "5s"\n')
        config = load_config(ConfigSources({}, tmp_path, str(config_file), str(tmp_path / "home")))
        self.workspace = Workspace(config, Home(config.home), lambda _: None)
        identity = self.workspace.ensure_identity("alpha")
        self.zones = Zones.open(self.workspace, identity, lambda _: None)
        self.growth = asyncio.run(self._growth())
        self.metrics = Metrics()
        self.directories = Directories(
            self.zones, identity, self.growth, Logbook(lambda _: None, "debug"), self.metrics
        )
        (self.kept,) = self.directories._kept

    @staticmethod
    async def _growth() -> Growth:
        return Growth()

    def append(self) -> None:
        self.zones.ledger(None).append(drafts(1))
        self.growth.count += 1

    def passes(self) -> float:
        path = str(self.shared)
        reasons = ("in_order", "directory_missing", "disk_full")
        return sum(
            self.metrics.value("jilog_directory_passes_total", path=path, reason=reason) for reason in reasons
        )


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    return Agent(tmp_path)


def test_directory_without_change_is_gone_through_now_and_then_only(agent: Agent) -> None:
    agent.append()
    for _ in range(3):
        agent.directories.turn(agent.kept)
    settled = agent.passes()

    for _ in range(limits.DIRECTORY_SKIPS_MAX):
        agent.directories.turn(agent.kept)
    skipped = agent.passes()
    for _ in range(2):
        agent.directories.turn(agent.kept)

    assert settled <= 2
    assert skipped - settled <= 1
    assert agent.passes() > settled


def test_news_of_this_host_and_of_another_are_seen_at_the_next_turn(agent: Agent) -> None:
    for _ in range(3):
        agent.directories.turn(agent.kept)
    before = agent.passes()
    agent.append()
    agent.directories.turn(agent.kept)
    after_own = agent.passes()
    files = list(agent.shared.glob("h+alpha+*/*.tail"))
    agent.directories.turn(agent.kept)
    (agent.shared / "h+beta+0123456789abcdef").mkdir()

    settled = agent.passes()
    agent.directories.turn(agent.kept)

    assert after_own == before + 1
    assert len(files) == 1
    assert agent.passes() == settled + 1


def test_directory_that_goes_and_comes_back_is_told_and_used_again(agent: Agent, tmp_path: Path) -> None:
    agent.append()
    agent.directories.turn(agent.kept)
    agent.shared.rename(tmp_path / "away")
    agent.directories.turn(agent.kept)
    gone = agent.directories.status()
    agent.shared.mkdir()
    agent.directories.turn(agent.kept)
    emptied = agent.directories.status()
    agent.shared.rmdir()
    (tmp_path / "away").rename(agent.shared)

    agent.directories.turn(agent.kept)

    for status in (gone, emptied):
        assert status[0]["reason"] == "directory_missing"  # type: ignore[index,call-overload]
    assert agent.directories.status()[0]["reason"] == "in_order"  # type: ignore[index,call-overload]
    assert agent.metrics.value("jilog_directory_ok", path=str(agent.shared)) == 1


def test_nothing_is_exchanged_while_the_disk_is_nearly_full(agent: Agent) -> None:
    agent.append()
    agent.zones.gate.free_bytes, agent.zones.gate.low_bytes = (lambda: 5), 10

    agent.directories.turn(agent.kept)

    assert agent.directories.status()[0]["reason"] == "disk_full"  # type: ignore[index,call-overload]
    assert list(agent.shared.iterdir()) == []


def test_directory_rests_while_replication_is_paused(agent: Agent) -> None:
    pauses = Pauses(agent.workspace.home, agent.workspace.disk)
    agent.append()
    pauses.pause(EVERYBODY, None)

    agent.directories.turn(agent.kept)
    resting = agent.directories.status()
    written = list(agent.shared.iterdir())
    pauses.resume(EVERYBODY)
    agent.directories.turn(agent.kept)

    assert resting[0]["reason"] == "paused"  # type: ignore[index,call-overload]
    assert written == []
    assert agent.directories.status()[0]["reason"] == "in_order"  # type: ignore[index,call-overload]
    assert list(agent.shared.iterdir())
