"""What a hook costs a coding agent's session: the command, against an interpreter that does nothing.

Processor time is the measure: it is the same on a busy machine. The hook's own and the agent's are counted
apart, each with the git commands that it starts. What the clock says counts on a quiet machine only.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ENTRIES = 200
ROUNDS = 21
FILES = 20


@contextmanager
def _home() -> Iterator[tuple[Path, dict[str, str]]]:
    """Make a home with entries, a repository with changed files, and an agent that runs."""
    with tempfile.TemporaryDirectory(prefix="jilog-bench-") as directory:
        root = Path(directory)
        environment = {**os.environ, "HOME": directory, "JILOG_HOME": str(root / ".jilog")}
        app = root / "app"
        app.mkdir()
        subprocess.run(["git", "init", "-q", str(app)], check=True)
        for number in range(FILES):
            (app / f"file-{number}.py").write_text("x\n")
        _jilog(environment, "init", "--source", "bench")
        _fill(root / ".jilog", app)
        _jilog(environment, "agent", "start")
        try:
            yield app, environment
        finally:
            _jilog(environment, "agent", "stop")


def _fill(home: Path, app: Path) -> None:
    from jilog_agent.sdk import Client

    client = Client(home, cwd=app, fallback=True, session="bench")
    for number in range(ENTRIES):
        client.write("decision", f"entry {number}", body="why " * 30, files=[f"file-{number % FILES}.py"])


def _jilog(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "jilog_agent", *arguments], env=environment, check=True, capture_output=True
    )


@dataclass(slots=True)
class _Cost:
    """Seconds of each call: by the clock, the command's processor time, and the agent's meanwhile."""

    wall: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    agent: list[float] = field(default_factory=list)

    def row(self, name: str, base: _Cost) -> str:
        own, agent = statistics.median(self.own), statistics.fmean(self.agent)
        ratio = (own + agent) / statistics.median(base.own)
        wall = statistics.median(self.wall)
        return (
            f"  {name:<15} {own * 1_000:6.1f} ms  agent {agent * 1_000:6.1f} ms  {ratio:5.2f} x"
            f"    by the clock {wall * 1_000:6.1f} ms"
        )


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _agent_seconds(home: Path) -> float:
    """Give what the agent, and the commands it has run to their end, have used (proc(5): utime to cstime)."""
    pid = (home / "agent" / "pid").read_text().strip()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _measure(cost: _Cost, command: list[str], environment: dict[str, str], given: str) -> None:
    home = Path(environment["JILOG_HOME"])
    agent, own, start = _agent_seconds(home), _children_seconds(), time.perf_counter()
    subprocess.run(command, env=environment, input=given, text=True, capture_output=True, check=True)
    cost.wall.append(time.perf_counter() - start)
    cost.own.append(_children_seconds() - own)
    cost.agent.append(_agent_seconds(home) - agent)


def run() -> str:
    """Measure and give the table."""
    program = str(Path(sys.executable).with_name("jilog"))
    base = "python -c pass"
    with _home() as (app, environment):
        for round_number in range(ROUNDS + 1):
            if round_number <= 1:
                # The first round warms the agent and the disk's cache, and does not count.
                costs = {name: _Cost() for name in (base, "start", "prompt", "stop")}
            given = json.dumps({"session_id": f"session-{round_number}", "cwd": str(app)})
            (app / "file-0.py").write_text(f"{round_number}\n")
            for name, cost in costs.items():
                command = [program, "hooks", "run", "claude-code", name]
                _measure(
                    cost, [sys.executable, "-c", "pass"] if name == base else command, environment, given
                )
    rows = [f"hooks with an agent that runs: processor time of {ROUNDS} calls each, as ratio to {base}"]
    return "\n".join([*rows, *(cost.row(name, costs[base]) for name, cost in costs.items())])
