"""An agent on a disk that fills up: nothing more of peers, then no own events, and all again by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agent_hosts import mesh
from support.agent_process import ask, refusal, running, wait_for
from support.jilog_cli import Host

MIB = 1 << 20
SIZE_MIB = 128
PATIENCE_SECONDS = 240.0
"""Two comparisons of roots: what was refused is offered again with the next one."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts; the home of the first one is a file system of its own, of 128 MiB."""
    small, large = mesh(tmp_path, ("small", "large"))
    limits = "disk_low_mib = 64\ndisk_floor_mib = 16\n"
    small.config.write_text(small.config.read_text().replace("[agent]\n", f"[agent]\n{limits}"))
    kept = small.state.rename(small.root / "kept")
    small.state.mkdir()
    options = f"size={SIZE_MIB}m,mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(small.state)], capture_output=True, check=False
    )
    if b"permission denied" in mounted.stderr or b"not permitted" in mounted.stderr:
        pytest.skip("this root may not mount file systems")
    assert mounted.returncode == 0, mounted.stderr
    try:
        shutil.copytree(kept, small.state, dirs_exist_ok=True)
        yield small, large
    finally:
        subprocess.run(["umount", "--lazy", str(small.state)], check=True)


def fill(host: Host, mib: int) -> None:
    """Take so many MiB of the host's disk, and no more than these."""
    with (host.state / "ballast").open("wb") as file:
        if mib:
            os.posix_fallocate(file.fileno(), 0, mib * MIB)


def entry(title: str) -> dict[str, Any]:
    return {"entry": {"session_id": "s", "type": "decision", "title": title}}


def titles(host: Host) -> set[str]:
    return {entry["title"] for entry in ask(host, "query", {}) or []}


def test_a_disk_that_fills_up_takes_less_and_less_and_everything_again_once_there_is_room(
    pair: tuple[Host, Host],
) -> None:
    small, large = pair
    with running(large), running(small):
        wait_for(lambda: ask(small, "status")["peers"][0]["connected"], "an open session", seconds=180)
        fill(small, SIZE_MIB - 40)
        ask(large, "write", entry("of the peer"))
        ask(small, "write", entry("its own"))
        wait_for(lambda: "its own" in titles(large), "the own event at the peer", seconds=180)
        low = small.run("status").stdout
        kept_out = titles(small)

        fill(small, SIZE_MIB - 8)
        refused = refusal(small, "write", entry("too much"))
        full = small.run("status").stdout

        fill(small, 0)
        ask(small, "write", entry("with room"))
        everything = {"of the peer", "its own", "with room"}
        wait_for(
            lambda: titles(small) == titles(large) == everything, "equal hosts", seconds=PATIENCE_SECONDS
        )
        after = ask(small, "status")

    assert "disk_low" in low
    assert "MiB are free on the disk, less than 64" in low
    assert kept_out == {"its own"}
    assert "takes no events" in refused
    assert "disk_full" in full
    assert (after["disk_low"], after["read_only"]) == (None, None)
