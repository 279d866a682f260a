"""``make demo-fleet``: three containers find each other, are cut apart, and review a night."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose.yaml"
DEMO = ROOT / "deploy" / "demo_fleet.py"
PROJECT = f"jilog-demo-{os.getpid()}"

pytestmark = [pytest.mark.rollout, pytest.mark.xdist_group("containers"), pytest.mark.timeout(900)]


@pytest.fixture
def compose() -> Iterator[list[str]]:
    """The command of the compose that is installed; what the demo left behind is gone afterwards."""
    for command in (["docker", "compose"], ["docker-compose"]):
        try:
            done = subprocess.run([*command, "version"], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            break
    else:
        pytest.skip("neither `docker compose` nor docker-compose is installed")
    yield command
    subprocess.run(
        [*command, "-f", str(COMPOSE), "-p", PROJECT, "down", "-v", "-t", "1"],
        capture_output=True,
        check=False,
    )


def test_demo_of_a_fleet_shows_what_it_says_and_leaves_nothing(fleet_image: str, compose: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO)],
        env={**os.environ, "JILOG_IMAGE": fleet_image, "JILOG_DEMO_PROJECT": PROJECT},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    steps = [
        line for line in done.stdout.splitlines() if line[:2] in {f"{number}." for number in range(1, 8)}
    ]
    assert len(steps) == 7
    assert "found each other by mDNS" in steps[1]
    assert "charlie was cut off" in steps[3]
    assert done.stdout.splitlines()[-1].startswith("demo-fleet ok: hosts=3 root=")
    listed = subprocess.run(
        ["docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""
