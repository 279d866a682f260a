"""What a hook costs a coding agent's session: the command, against an interpreter that does nothing."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


def _timed(command: list[str], environment: dict[str, str], given: str) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, input=given, text=True, capture_output=True, check=True)
    return time.perf_counter() - start


def run() -> str:
    """Measure and give the table."""
    program = str(Path(sys.executable).with_name("jilog"))
    with _home() as (app, environment):
        seconds: dict[str, list[float]] = {"python -c pass": [], "start": [], "prompt": [], "stop": []}
        for number in range(ROUNDS + 1):
            given = json.dumps({"session_id": f"session-{number}", "cwd": str(app)})
            (app / "file-0.py").write_text(f"{number}\n")
            for name, found in seconds.items():
                command = [program, "hooks", "run", "claude-code", name]
                took = _timed([sys.executable, "-c", "pass"] if " " in name else command, environment, given)
                if number:
                    found.append(took)
    base = statistics.median(seconds["python -c pass"])
    rows = [
        f"hooks with an agent that runs, medians of {ROUNDS}, and ratios to an interpreter that does nothing"
    ]
    for name, found in seconds.items():
        median = statistics.median(found)
        rows.append(f"  {name:<15} {median * 1_000:7.1f} ms  {median / base:6.2f} x")
    return "\n".join(rows)
