"""The playbooks against a fleet that runs: other versions, and jilog off a host.

The tests share their hosts and run in the order in which they stand here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.containers import User, wait_until
from support.fleet_story import Writing, ask, level
from support.managed_fleet import BUSY_SECONDS, ManagedFleet, Wheels, another_version

pytestmark = [pytest.mark.rollout, pytest.mark.xdist_group("rollout"), pytest.mark.timeout(1200)]

NEWER, BROKEN = "0.1.1", "0.1.2"
# A version that installs and answers --version, and whose agent ends as soon as it is started.
ENDS_AT_ONCE = {
    "jilog_agent/daemon/run.py": ("async def _ping(self", "raise SystemExit(9)\n\n    async def _ping(self")
}


@pytest.fixture(scope="module")
def running(fleet: ManagedFleet) -> ManagedFleet:
    """The fleet, set up unless another test did."""
    if any(host.run("test", "-e", "/opt/jilog/current").returncode for host in fleet.hosts.values()):
        fleet.play("site.yml").done()
    return fleet


@pytest.fixture(scope="module")
def gamma_off(running: ManagedFleet) -> Iterator[ManagedFleet]:
    running.hosts["gamma"].kill()
    yield running
    running.hosts["gamma"].power_on()


@pytest.fixture(scope="module")
def newer(wheels: Wheels, tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(another_version(wheels.own, NEWER, tmp_path_factory.mktemp("newer"), {}))


def versions(fleet: ManagedFleet, *names: str) -> list[str]:
    return [ask(fleet.hosts[name], "agent", "status")["agent"]["version"] for name in names]


def test_unhealthy_version_stops_the_roll_out_and_its_host_goes_back(
    gamma_off: ManagedFleet, wheels: Wheels, tmp_path: Path
) -> None:
    old, began = versions(gamma_off, "alpha", "beta"), _began(gamma_off)
    broken = another_version(wheels.own, BROKEN, tmp_path, ENDS_AT_ONCE)

    played = gamma_off.play("upgrade.yml", jilog_wheel=str(broken))

    assert played.status != 0
    assert f"alpha was not healthy with jilog {BROKEN} and runs {old[0]} again" in played.said
    assert versions(gamma_off, "alpha", "beta") == old
    assert [new != old for old, new in zip(began, _began(gamma_off), strict=True)] == [True, False]


def _began(fleet: ManagedFleet) -> list[str]:
    return [ask(fleet.hosts[name], "agent", "status")["agent"]["started"] for name in ("alpha", "beta")]


def test_rolling_upgrade_under_writes_loses_none_and_names_a_host_that_is_off(
    gamma_off: ManagedFleet, newer: str, tmp_path: Path
) -> None:
    with Writing(gamma_off.hosts["beta"]) as writing:
        played = gamma_off.play("upgrade.yml", jilog_wheel=newer)
    report = _report(gamma_off, tmp_path)

    assert played.status != 0
    assert "could not be reached: gamma" in played.said
    assert {row["host"]: (row["state"] == "off", row["version"]) for row in report} == {
        "alpha": (False, NEWER),
        "beta": (False, NEWER),
        "gamma": (True, None),
    }
    for name in ("alpha", "beta"):
        host = gamma_off.hosts[name]
        wait_until(lambda host=host: not writing.missing(host), "all that was acknowledged", BUSY_SECONDS)


def _report(fleet: ManagedFleet, folder: Path) -> list[dict[str, Any]]:
    fleet.play("status.yml", jilog_report=str(folder / "report.json"))
    rows: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["hosts"]
    return rows


def test_upgrade_run_again_does_the_host_that_was_off_and_leaves_the_others_alone(
    gamma_off: ManagedFleet, newer: str
) -> None:
    gamma = gamma_off.hosts["gamma"]
    gamma.power_on()
    wait_until(
        lambda: gamma.run("jilog-host", "agent", "status").returncode == 0,
        "an agent that starts with its host",
        BUSY_SECONDS,
    )
    wait_until(
        lambda: gamma.run("systemctl", "is-active", "ssh").stdout.strip() == "active", "an sshd", BUSY_SECONDS
    )

    played = gamma_off.play("upgrade.yml", jilog_wheel=newer).done()

    assert versions(gamma_off, "gamma") == [NEWER]
    assert (played.changed["alpha"], played.changed["beta"]) == (0, 0)
    wait_until(lambda: level(gamma_off), "equal hosts after the upgrade", BUSY_SECONDS)


def test_removal_leaves_data_and_data_go_when_they_are_asked_for_twice(running: ManagedFleet) -> None:
    host = running.hosts["gamma"]
    before = host.sh(_DATA)

    half = running.play("remove.yml", "--limit", "gamma", jilog_delete_data="true")
    tried = running.play("remove.yml", "--limit", "gamma", "--check").done()
    runs = host.sh("systemctl is-active jilog-agent").strip()
    removed = running.play("remove.yml", "--limit", "gamma").done()

    assert half.status != 0
    assert "asked for twice" in half.said
    assert "would remove" in tried.said
    assert runs == "active"
    assert removed.changed["gamma"] > 0
    gone = host.sh("ls -d /opt/jilog /usr/local/bin/jilog* /etc/systemd/system/jilog* 2>/dev/null || true")
    assert gone == ""
    assert host.sh(_DATA) == before

    running.play(
        "remove.yml", "--limit", "gamma", jilog_delete_data="true", jilog_yes_delete_data="true"
    ).done()

    assert host.sh("ls -d /var/lib/jilog /etc/jilog 2>/dev/null || true") == ""
    assert not (running.folder / "jilog-keys" / "gamma.pub").exists()


PERSON = User(1100, "/home/person")
THEIR_BUS = "XDG_RUNTIME_DIR=/run/user/1100"


def test_a_person_without_root_gets_an_agent_that_runs_while_nobody_is_logged_in(
    fleet: ManagedFleet,
) -> None:
    host = fleet.hosts["gamma"]
    host.sh(
        "useradd --create-home --uid 1100 --shell /bin/bash person && usermod -p '*' person"
        " && install -d -m 700 -o person -g person ~person/.ssh"
        " && install -m 600 -o person -g person ~/.ssh/authorized_keys ~person/.ssh/"
        " && loginctl enable-linger person"
    )
    theirs = fleet.of_one_person("gamma", "person")

    theirs.play("site.yml").done()

    states = host.sh(
        f"{THEIR_BUS} systemctl --user is-active jilog-agent.service jilog-nightly.timer", user=PERSON
    )
    found = host.sh(
        f"{THEIR_BUS} ~/.local/bin/jilog doctor --only units --only permissions --json", user=PERSON
    )
    assert states.split() == ["active", "active"]
    assert json.loads(found)["findings"] == []
    theirs.play("remove.yml").done()
    left = host.sh(
        "ls -d ~/.jilog ~/.jilog.toml ~/.local/share/jilog ~/.local/bin/jilog 2>/dev/null || true",
        user=PERSON,
    )
    assert left.split() == ["/home/person/.jilog", "/home/person/.jilog.toml"]


# Sealed and active segments grow while an agent runs and peers write; nobody does here.
_DATA = "cd /var/lib/jilog && find zones identity -name '*.seg' -o -name 'id_*' | sort | xargs sha256sum"
