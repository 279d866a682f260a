"""Kill a real process before every system call that changes the disk, and refuse each of them in turn.

A killed process loses nothing that the kernel has; what this finds is a state in the middle of an operation
from which the store cannot come back. Missing syncs are found by the power cuts (``test_power_loss.py`` and
``tests/ledger/test_crash_points.py``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import scenarios

CALLS = (
    "openat",
    "pwrite64",
    "fdatasync",
    "fsync",
    "ftruncate",
    "rename",
    "link",
    "unlink",
    "mkdir",
    "rmdir",
)
SPACE_CALLS = ("openat", "pwrite64", "link", "rename", "mkdir")

pytestmark = [
    pytest.mark.xdist_group("strace"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
]


@dataclass
class Zygote:
    """The server that forks one stopped child per crash point."""

    process: subprocess.Popen[str]
    messages: Path

    def run(self, scenario: str, root: Path, *strace_options: str) -> int:
        """Run a scenario under strace; give the child's exit status, negative for a signal."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([scenario, str(root)]) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        with subprocess.Popen(
            ["strace", "-p", str(child), *strace_options], stderr=subprocess.PIPE, text=True
        ) as tracer:
            assert tracer.stderr is not None
            first = tracer.stderr.readline()
            os.kill(child, signal.SIGCONT)
            status = int(self.process.stdout.readline())
            tracer.stderr.read()
        if "attached" not in first:
            pytest.skip(f"strace may not attach here: {first.strip()}")
        return status


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    messages = tmp_path_factory.mktemp("zygote") / "stderr"
    with (
        messages.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-B", scenarios.__file__, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        yield Zygote(process, messages)
        assert process.stdin is not None
        process.stdin.close()


@dataclass
class Place:
    """Fresh directories, for one run each."""

    base: Path
    count: int = 0

    def fresh(self) -> Path:
        self.count += 1
        place = self.base / str(self.count)
        place.mkdir()
        return place / "zone"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def crash_points(zygote: Zygote, scenario: str, root: Path) -> list[tuple[str, int]]:
    """Count the calls of a run that is left alone; of openat only those that create."""
    log = root.with_suffix(".strace")
    # The question mark: not every kernel has every call, arm64 for one has no plain rename.
    names = ",".join(f"?{call}" for call in CALLS)
    status = zygote.run(scenario, root, "-e", f"trace={names}", "-o", str(log))
    assert status == 0
    assert scenarios.losses(root) == []
    counted: dict[str, int] = {}
    points = []
    for line in log.read_text().splitlines():
        match = re.match(r"(\w+)\(", line)
        if match is None:
            continue
        call = match[1]
        counted[call] = counted.get(call, 0) + 1
        if call != "openat" or "O_CREAT" in line:
            points.append((call, counted[call]))
    return points


@pytest.mark.parametrize("scenario", ["appending", "syncing"])
def test_killed_before_any_call_that_changes_the_disk_loses_nothing_acknowledged(
    zygote: Zygote, place: Place, scenario: str
) -> None:
    points = crash_points(zygote, scenario, place.fresh())
    problems = []

    for call, number in points:
        root = place.fresh()
        status = zygote.run(
            scenario, root, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"
        )
        assert status == -signal.SIGKILL, f"{call} {number} was not reached"
        problems += [f"killed before {call} {number}: {problem}" for problem in scenarios.losses(root)]

    assert problems == []
    assert {"openat", "pwrite64", "fdatasync", "fsync", "rename"} <= {call for call, _ in points}


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("scenario", ["appending", "syncing"])
def test_error_in_any_call_that_changes_the_disk_loses_nothing_acknowledged(
    zygote: Zygote, place: Place, scenario: str, error: str
) -> None:
    problems = []

    for call, number in crash_points(zygote, scenario, place.fresh()):
        if error == "ENOSPC" and call not in SPACE_CALLS:
            continue
        root = place.fresh()
        status = zygote.run(
            scenario, root, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"
        )
        if status != 0:
            problems.append(f"{error} in {call} {number}: died, {zygote.messages.read_text()[-300:]}")
        problems += [f"{error} in {call} {number}: {problem}" for problem in scenarios.losses(root)]

    assert problems == []
    assert "Input/output error" in zygote.messages.read_text() or error == "ENOSPC"
