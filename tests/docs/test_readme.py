"""The README's tour runs, and prints what the README says it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "UUID"),
    (re.compile(r"\(?\b[0-9a-f]{8,16}\b\)?"), "HEX"),
    (re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d:\d\d)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)?"), "N"),
)


def steps() -> list[tuple[str, str]]:
    """Give each command of the tour with the output printed below it."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.findall(README.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            else:
                command, output = found[-1]
                found[-1] = (command, f"{output}{line}\n")
    return found


def plain(text: str, home: Path) -> str:
    """Replace what differs from run to run."""
    text = text.replace(str(home), "~")
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text.rstrip()


def test_tour_when_its_commands_are_typed_prints_what_the_readme_shows(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JILOG_")}
    environment |= {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    assert len(steps()) >= 7

    for command, shown in steps():
        # A reader types these lines into a shell, so the test does as well.
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert plain(done.stdout, tmp_path) == plain(shown, tmp_path), command
