"""Homes: each sees only its own, and is whole again after a torn write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.agent_process import ask, running
from support.jilog_cli import TIMEOUT_SECONDS, Host
from support.jilog_local import LocalHost

ENTRY = {"session_id": "s1", "type": "decision", "title": "Use SQLite"}


READING = (
    ("log",),
    ("log", "--all"),
    ("query",),
    ("search", "reason"),
    ("show", "adr-7"),
    ("show", "s1"),
    ("blame", "/app/a.py"),
    ("context", "--files", "/app/a.py"),
    ("context", "--topic", "reason"),
    ("export",),
    ("export", "--template", "handoff"),
    ("export", "--format", "jsonl"),
)


def test_af4_every_command_sees_only_what_its_home_holds(tmp_path: Path) -> None:
    full, empty = LocalHost(tmp_path / "full"), LocalHost(tmp_path / "empty")
    for host in (full, empty):
        host.root.mkdir()
        assert host.run("init", "--source", "alpha").returncode == 0
    options = ("--title", "marker reason", "--id", "adr-7", "--session", "s1", "--file", "/app/a.py")
    assert full.run("write", "--type", "decision", *options).returncode == 0

    for command in READING:
        own, other = full.run(*command), empty.run(*command)
        named = empty.run("--home", str(full.state), *command)

        assert "marker" in own.stdout, (command, own.stderr)
        assert "marker" not in other.stdout + other.stderr, command
        assert "marker" in named.stdout, (command, named.stderr)


@pytest.mark.parametrize("by_path", [True, False])
def test_af5_the_agent_starts_from_a_linked_program_and_from_one_on_the_path(
    host: Host, by_path: bool
) -> None:
    folder = host.root / "bin"
    folder.mkdir()
    (folder / "jilog").symlink_to(Path(sys.executable).with_name("jilog"))
    program = "jilog" if by_path else str(folder / "jilog")
    environment = host.environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    command = ["/usr/bin/env", program, "agent", "start"]

    done = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, timeout=TIMEOUT_SECONDS, check=False
    )

    assert done.returncode == 0, done.stderr
    assert ask(host, "ping")["pid"]


@pytest.mark.parametrize("tail", [b"\x00" * 40, b"torn"], ids=["zeros", "torn"])
def test_af32_after_a_torn_tail_earlier_and_later_entries_are_readable(host: Host, tail: bytes) -> None:
    with running(host):
        ask(host, "write", {"entry": {**ENTRY, "title": "before"}})
    # What a power cut leaves of a write that nobody was told had succeeded.
    with host.segment().open("ab") as segment:
        segment.write(tail)

    with running(host):
        ask(host, "write", {"entry": {**ENTRY, "title": "after"}})
        found = [entry["title"] for entry in ask(host, "query", {})]
    verified = host.run("verify")

    assert found == ["after", "before"]
    assert verified.returncode == 0, verified.stdout + verified.stderr
