"""The playbooks against a fleet that runs: another version on every host, and jilog off a host.

The tests share their hosts and run in the order in which they stand here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.containers import wait_until
from support.fleet_story import Writing, ask, level
from support.managed_fleet import BUSY_SECONDS, ManagedFleet, another_version, wheel_of

pytestmark = [pytest.mark.rollout, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def running(fleet: ManagedFleet) -> ManagedFleet:
    """The fleet, set up unless another test did."""
    if any(host.run("test", "-e", "/opt/jilog/current").returncode for host in fleet.hosts.values()):
        fleet.play("site.yml").done()
    return fleet


def versions(running: ManagedFleet) -> list[str]:
    return [ask(host, "agent", "status")["agent"]["version"] for host in running.hosts.values()]


def test_rolling_upgrade_under_writes_loses_none_and_names_a_host_that_is_off(
    running: ManagedFleet, wheelhouse: Path, tmp_path: Path
) -> None:
    newer = another_version(wheel_of(wheelhouse), "0.1.1", tmp_path, {})
    running.hosts["gamma"].kill()

    with Writing(running.hosts["beta"]) as writing:
        first = running.play("upgrade.yml", jilog_wheel=str(newer))
        report = _status(running, tmp_path)

    assert first.status != 0
    assert "could not be reached: gamma" in first.said
    assert {row["host"]: (row["state"] == "off", row["version"]) for row in report} == {
        "alpha": (False, "0.1.1"),
        "beta": (False, "0.1.1"),
        "gamma": (True, None),
    }
    running.hosts["gamma"].power_on()
    _wait_for_login(running, "gamma")
    running.play("upgrade.yml", jilog_wheel=str(newer)).done()
    assert versions(running) == ["0.1.1"] * 3
    wait_until(lambda: level(running), "equal hosts after the upgrade", BUSY_SECONDS)
    assert writing.acknowledged
    for host in running.hosts.values():
        wait_until(lambda host=host: not writing.missing(host), "all that was acknowledged", BUSY_SECONDS)


def _status(running: ManagedFleet, folder: Path) -> list[dict[str, Any]]:
    running.play("status.yml", jilog_report=str(folder / "report.json"))
    rows: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["hosts"]
    return rows


def _wait_for_login(running: ManagedFleet, name: str) -> None:
    host = running.hosts[name]
    wait_until(
        lambda: host.run("systemctl", "is-active", "ssh").stdout.strip() == "active", "an sshd", BUSY_SECONDS
    )
    wait_until(
        lambda: host.run("jilog-host", "agent", "status").returncode == 0,
        "an agent that starts with its host",
        BUSY_SECONDS,
    )


def test_unhealthy_version_stops_the_roll_out_and_its_host_goes_back(
    running: ManagedFleet, wheelhouse: Path, tmp_path: Path
) -> None:
    # A version that installs and answers --version, and whose agent ends as soon as it is started.
    patch = {
        "jilog_agent/daemon/run.py": (
            "async def _ping(self",
            "raise SystemExit(9)\n\n    async def _ping(self",
        )
    }
    broken = another_version(wheel_of(wheelhouse), "0.1.2", tmp_path, patch)

    played = running.play("upgrade.yml", jilog_wheel=str(broken))

    assert played.status != 0
    assert "alpha was not healthy with jilog 0.1.2 and runs 0.1.1 again" in played.said
    assert versions(running) == ["0.1.1"] * 3
    started = [
        host.sh("journalctl -u jilog-agent -o cat | grep -c 'code=exited, status=9' || true")
        for host in running.hosts.values()
    ]
    assert [int(count) > 0 for count in started] == [True, False, False]
    wait_until(lambda: level(running), "equal hosts after the way back", BUSY_SECONDS)


def test_removal_leaves_data_and_a_later_run_goes_on_with_them(running: ManagedFleet) -> None:
    host = running.hosts["gamma"]
    before = host.sh(
        "cd /var/lib/jilog && find zones identity -name '*.seg' -o -name 'id_*' | sort | xargs sha256sum"
    )

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
    after = host.sh(
        "cd /var/lib/jilog && find zones identity -name '*.seg' -o -name 'id_*' | sort | xargs sha256sum"
    )
    assert after == before
    assert running.play("remove.yml", "--limit", "gamma").done().changed["gamma"] == 0


def test_data_go_when_they_are_asked_for_twice(running: ManagedFleet) -> None:
    host = running.hosts["gamma"]

    asked = running.play(
        "remove.yml", "--limit", "gamma", jilog_delete_data="true", jilog_yes_delete_data="true"
    ).done()

    assert asked.changed["gamma"] > 0
    assert host.sh("ls -d /var/lib/jilog /etc/jilog 2>/dev/null || true") == ""
    assert not (running.folder / "jilog-keys" / "gamma.pub").exists()
