"""The tutorials can be typed as they stand, and show what is printed then."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jilog_agent.demo.transcripts import write_sessions
from support.agent_hosts import free_port
from support.tour import STEP_SECONDS, Step, environment, same, steps, taken, typed

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = Path(sys.executable).parent


def test_the_tutorial_for_one_host_shows_what_is_printed(tmp_path: Path) -> None:
    write_sessions("alpha", tmp_path / ".claude" / "projects", datetime.now(UTC) - timedelta(hours=2))
    where = environment(tmp_path, PROGRAMS, os.environ)
    try:
        different = list(taken(steps(DOCS / "tutorial-one-host.md"), tmp_path, where))
    finally:
        subprocess.run(["jilog", "agent", "stop"], env=where, capture_output=True, check=False)

    assert not different, different[0]


class Fleet:
    """Hosts of the tutorial on one machine: its addresses become ports of the loopback interface."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ports = {name: str(free_port()) for name in ("7722", "7733")}
        self.code = ""
        self.inviting: subprocess.Popen[str] | None = None

    def where(self, host: str) -> dict[str, str]:
        home = self.root / host
        home.mkdir(exist_ok=True)
        return environment(home, PROGRAMS, os.environ)

    def take(self, step: Step) -> bool:
        """Type one command; tell whether the tutorial shows what is printed."""
        where = self.where(step.host)
        command = self.here(step.command)
        waits = command.startswith("jilog peer pair --listen")
        printed = self.invite(command, where) if waits else typed(command, where)
        shown = step.shown
        if found := re.search(r"^code: (\S+)", shown):
            shown = shown.replace(found[1], self.code)
        return same(printed, shown, self.root / step.host)

    def here(self, command: str) -> str:
        command = command.replace("0.0.0.0", "127.0.0.1").replace("desktop.lan", "127.0.0.1")
        for written, port in self.ports.items():
            command = command.replace(f":{written}", f":{port}")
        command = re.sub(r"(?<=peer pair )\w\w-\w{3}-\w{3}", self.code, command)
        return re.sub(r"^(\[agent\])$", r"\1\nmdns = false", command, flags=re.MULTILINE)

    def invite(self, command: str, where: dict[str, str]) -> str:
        """Start a pairing, which waits for the other host; give what it shows."""
        self.inviting = subprocess.Popen(
            command.split(), env=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert self.inviting.stdout is not None
        lines = [self.inviting.stdout.readline() for _ in range(3)]
        self.code = lines[0].removeprefix("code: ").strip()
        return "".join(lines)

    def end(self) -> None:
        for host in ("laptop", "desktop"):
            subprocess.run(["jilog", "agent", "stop"], env=self.where(host), capture_output=True, check=False)
        if self.inviting is not None:
            if self.inviting.poll() is None:
                self.inviting.terminate()
            self.inviting.communicate(timeout=STEP_SECONDS)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_the_tutorial_for_a_fleet_shows_what_is_printed(fleet: Fleet) -> None:
    tutorial = steps(DOCS / "tutorial-fleet.md")
    assert {step.host for step in tutorial} == {"laptop", "desktop"}

    different = [step.command for step in tutorial if not fleet.take(step)]

    assert different == []
    roots = {host: typed("jilog status | grep 'root  '", fleet.where(host)) for host in ("laptop", "desktop")}
    assert roots["laptop"] == roots["desktop"]
    digests = [typed("cat ~/.jilog/digests/*.md", fleet.where(host)) for host in ("laptop", "desktop")]
    assert digests[0] == digests[1]


def test_a_tutorial_that_shows_something_else_is_found_out() -> None:
    home = Path("/home/somebody")

    assert same("2 events at /home/somebody\n", "3 events at ~\n", home)
    assert same("first\nsecond\nlast\n", "first\n…\n", home)
    assert not same("2 events\n", "2 segments\n", home)
    assert not same("first\nsecond\n", "second\n…\n", home)
