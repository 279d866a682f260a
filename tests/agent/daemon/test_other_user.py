"""Another user of the same host: sees nothing of a home, and is turned away where doors were left open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agent_process import ask, path_of, running
from support.jilog_cli import Host
from support.jilog_local import LocalHost

STRANGER = 65_534
"""The id of nobody, on every system."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="not root: no second user can be played, and what others see is not shown"
)

AS_STRANGER = f"""
import json, os, socket, sys

def attempt(work, *arguments):
    try:
        return work(*arguments)
    except OSError as error:
        return type(error).__name__

def talk(path):
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(30)
        channel.connect(path)
        channel.sendall(b'{{"method":"query","params":{{}}}}\\n')
        return json.loads(channel.makefile("rb").read())

def read(path):
    with open(path, "rb") as stream:
        return len(stream.read())

os.setgroups([])
os.setgid({STRANGER})
os.setuid({STRANGER})
home, sock, *files = sys.argv[1:]
print(json.dumps({{
    "uid": os.getuid(),
    "folder": attempt(os.listdir, home),
    "files": [attempt(read, file) for file in files],
    "reply": attempt(talk, sock),
}}))
"""


@pytest.fixture
def open_ground() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are closed, and would prove anything."""
    root = Path(tempfile.mkdtemp(prefix="jilog-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


def seen_by_stranger(host: Host, *files: Path) -> Any:
    """Look at a home as another user does."""
    done = subprocess.run(
        [sys.executable, "-c", AS_STRANGER, str(host.state), str(path_of(host)), *map(str, files)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["uid"] == STRANGER
    return seen


def test_af46_another_user_can_neither_read_the_home_nor_connect(open_ground: Path) -> None:
    host = LocalHost(open_ground)
    assert host.run("init", "--source", "alpha").returncode == 0
    beside = open_ground / "readable.txt"
    beside.write_text("x")
    beside.chmod(0o644)
    with running(host):
        host.run("write", "--type", "decision", "--title", "mine")
        files = sorted(path for path in host.state.rglob("*") if path.is_file())

        seen = seen_by_stranger(host, beside, *files)

        # The stranger's eyes work: what is for everybody is read.
        assert seen["files"][0] == 1
        assert set(seen["files"][1:]) == {"PermissionError"}
        assert (seen["folder"], seen["reply"]) == ("PermissionError", "PermissionError")
        assert len(ask(host, "query", {})) == 1


def test_af46_another_user_who_gets_at_the_socket_is_known_by_the_kernel_and_refused(
    open_ground: Path,
) -> None:
    host = LocalHost(open_ground)
    assert host.run("init", "--source", "alpha").returncode == 0
    with running(host):
        host.run("write", "--type", "decision", "--title", "mine")
        host.state.chmod(0o711)
        path_of(host).chmod(0o666)

        seen = seen_by_stranger(host, *host.state.rglob("*.seg"))

        assert isinstance(seen["reply"], dict), seen
        assert (seen["reply"]["ok"], seen["reply"]["code"]) == (False, "forbidden")
        assert "mine" not in json.dumps(seen)
        # Each door has a lock of its own: the segments' folders are closed, too.
        assert set(seen["files"]) == {"PermissionError"}
        host.state.chmod(0o700)
