"""The shipped image, and the hosts that other tests of real hosts are made of."""

from __future__ import annotations

import json

import pytest
from testcontainers.core.network import Network

from support.containers import Container, User, started, wait_until

pytestmark = pytest.mark.xdist_group("containers")

SECRETS = (
    r"find / -xdev \( -name '.jilog*' -o -name 'id_ed25519*' -o -name 'ssh_host_*' \) 2>/dev/null || true"
)
JILOG = User(1000, "/home/jilog")


def test_image_when_started_runs_an_agent_without_root_that_docker_calls_healthy(
    fleet_image: str, fleet_network: Network
) -> None:
    # given: nothing but the image; only how often Docker looks is hastened
    host = Container(
        fleet_image,
        "alone",
        fleet_network,
        user=JILOG,
        healthcheck={"test": ["CMD", "jilog", "agent", "status"], "interval": 10**9, "timeout": 30 * 10**9},
    )

    with started([host]):
        wait_until(lambda: _health(host) == "healthy", "a healthy container")

        # then
        status = json.loads(host.sh("jilog agent status --json"))
        assert status["agent"]["pid"] == 1
        assert host.sh("awk '/^Uid/ { print $2 }' /proc/1/status").strip() == "1000"
        assert json.loads(host.sh("jilog status --json"))["source"] == "alone"


def test_image_holds_no_key_no_ledger_and_no_configuration(fleet_image: str, fleet_network: Network) -> None:
    # given
    host = Container(fleet_image, "bare", fleet_network, user=JILOG, entrypoint=["sleep", "infinity"])

    with started([host]):
        found = host.sh(SECRETS)

        # then
        assert found == ""


def test_systemd_image_when_started_has_a_running_system_and_an_sshd(
    systemd_image: str, fleet_network: Network
) -> None:
    # given
    host = Container(
        systemd_image,
        "managed",
        fleet_network,
        binds={"/sys/fs/cgroup": "/sys/fs/cgroup"},
        tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"},
    )

    with started([host]):
        wait_until(
            lambda: host.run("systemctl", "is-system-running").stdout.strip() == "running", "a running system"
        )

        # then
        assert host.sh("systemctl is-active ssh").strip() == "active"


def _health(host: Container) -> str:
    wrapped = host.get_wrapped_container()
    wrapped.reload()
    return str(wrapped.attrs["State"].get("Health", {}).get("Status"))
