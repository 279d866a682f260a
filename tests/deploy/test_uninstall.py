"""The uninstall script in a person's home: the program goes, what was recorded stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "uninstall.sh"
LOGROTATE = ROOT / "deploy" / "logrotate" / "jilog"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a program, units and data, and a systemctl that notes what it is asked."""
    for path in (
        ".jilog/zones/main/segments",
        ".config/systemd/user",
        ".local/bin",
        ".local/share/jilog/0.1.0/bin",
    ):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / ".jilog.toml").write_text("")
    (tmp_path / ".jilog/zones/main/segments/1.seg").write_bytes(b"events")
    for unit in (ROOT / "deploy/systemd/user").iterdir():
        shutil.copy(unit, tmp_path / ".config/systemd/user")
    (tmp_path / ".config/systemd/user/foreign.service").write_text("")
    program = tmp_path / ".local/share/jilog/0.1.0/bin/jilog"
    program.write_text("")
    (tmp_path / ".local/bin/jilog").symlink_to(program)
    (tmp_path / "tools").mkdir()
    tool = tmp_path / "tools/systemctl"
    tool.write_text('#!/bin/sh\necho "$@" >>"$HOME/asked"\n')
    tool.chmod(0o755)
    return tmp_path


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": f"{home}/tools:{os.environ['PATH']}", **variables}
    return subprocess.run(
        ["sh", str(SCRIPT), "--user", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tree(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def test_program_and_units_go_and_data_stay(home: Path) -> None:
    done = run(home)

    assert done.returncode == 0, done.stderr
    left = tree(home)
    assert ".jilog/zones/main/segments/1.seg" in left
    assert ".jilog.toml" in left
    assert ".config/systemd/user/foreign.service" in left
    assert not any("share/jilog" in path or "bin/jilog" in path or "jilog-" in path for path in left)
    assert "--user disable --now jilog-agent.service" in (home / "asked").read_text()
    assert f"left: ledger, keys and digests in {home}/.jilog" in done.stdout


def test_dry_run_changes_nothing_and_says_what_it_would_do(home: Path) -> None:
    before = tree(home)

    done = run(home, "--dry-run", "--delete-data", "--yes-delete-data")

    assert tree(home) == before
    assert f"would delete {home}/.jilog" in done.stdout
    assert "would stop and disable jilog-agent.service" in done.stdout


@pytest.mark.parametrize("wish", ["--delete-data", "--yes-delete-data"])
def test_data_asked_for_once_are_not_deleted(home: Path, wish: str) -> None:
    before = tree(home)

    done = run(home, wish)

    assert done.returncode == 2
    assert "give both" in done.stderr
    assert tree(home) == before


def test_data_asked_for_twice_go(home: Path) -> None:
    done = run(home, "--delete-data", "--yes-delete-data")

    assert done.returncode == 0, done.stderr
    assert not (home / ".jilog").exists()
    assert not (home / ".jilog.toml").exists()


def test_second_run_has_nothing_to_do(home: Path) -> None:
    run(home)

    assert run(home).stdout.startswith("nothing to do")


def test_command_that_leads_elsewhere_is_not_touched(home: Path) -> None:
    (home / ".local/bin/jilog").unlink()
    (home / ".local/bin/jilog").symlink_to("/usr/bin/true")

    run(home)

    assert (home / ".local/bin/jilog").is_symlink()


@pytest.mark.parametrize("place", ["/", "", "relative", "/opt"])
def test_place_that_cannot_be_jilogs_is_refused(home: Path, place: str) -> None:
    before = tree(home)

    done = run(home, "--delete-data", "--yes-delete-data", JILOG_HOME=place)

    if place:
        assert done.returncode == 2
        assert tree(home) == before
    else:
        # Empty is as good as unset.
        assert done.returncode == 0


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    # The account is one of this machine here; the rest is read as it is shipped.
    mine = LOGROTATE.read_text().replace("jilog jilog", "root root").replace("/var/log/jilog", str(tmp_path))
    (tmp_path / "nightly.log").write_text("a line\n")
    copy = tmp_path / "jilog"
    copy.write_text(mine)
    copy.chmod(0o644)

    checked = subprocess.run(
        ["logrotate", "-d", "-s", str(tmp_path / "state"), str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr
    assert "nightly.log" in checked.stderr


def test_logrotate_leaves_the_log_alone_that_the_agent_rotates_itself() -> None:
    sections = [line for line in LOGROTATE.read_text().splitlines() if line.endswith("{")]

    assert sections == ["/var/log/jilog/nightly.log {"]
