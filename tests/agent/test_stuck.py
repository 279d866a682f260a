"""What the kernel tells of a process that does not answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jilog_agent.stuck import Stuck, stuck
from support.agent_process import wait_for

STARVE = (
    "import resource, sys; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
    " resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))"
)
LINUX = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="only Linux tells")


@pytest.fixture
def started() -> Iterator[Callable[[str], int]]:
    """Give the function that runs a line of Python and then waits; it says when it is so far."""
    processes: list[subprocess.Popen[str]] = []

    def start(line: str) -> int:
        code = f"{line}; print('ready', flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@LINUX
def test_process_at_its_limit_of_open_files_is_told_from_one_that_is_well(
    started: Callable[[str], int],
) -> None:
    assert stuck(started("pass")) is None
    assert stuck(started(STARVE)) is Stuck.NO_FILE_DESCRIPTORS


@LINUX
def test_stopped_process_is_told_until_it_goes_on(started: Callable[[str], int]) -> None:
    pid = started("pass")

    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: stuck(pid) is Stuck.STOPPED, "a stopped process")
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: stuck(pid) is None, "a running process")


@pytest.mark.parametrize("limits", ["", "Max open files unlimited unlimited files", "Max open files"])
def test_nothing_is_said_where_nothing_is_known(tmp_path: Path, limits: str) -> None:
    place = tmp_path / "7"
    (place / "fd").mkdir(parents=True)
    (place / "stat").write_text("7 (a) b) S 1 7")
    (place / "limits").write_text(limits)

    assert stuck(7, tmp_path) is None
    assert stuck(8, tmp_path) is None
