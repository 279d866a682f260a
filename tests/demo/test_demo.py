"""The main job, end to end: what ``make demo`` runs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

LAST_LINE = re.compile(r"demo ok: hosts=3 events=(\d+) root=[0-9a-f]{64} digest_sha256=[0-9a-f]{64}")


@pytest.mark.timeout(240)
def test_three_hosts_when_synced_killed_and_rebuilt_end_with_the_same_events_and_digest() -> None:
    command = [sys.executable, "-m", "jilog_agent.demo"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    last = LAST_LINE.fullmatch(done.stdout.splitlines()[-1])
    assert last is not None, done.stdout
    assert int(last[1]) > 40_000
    assert "killed in the middle of a transfer" in done.stdout
    assert "**P0 ALERT**: `Bash` failed in 3 distinct sessions" in done.stdout
