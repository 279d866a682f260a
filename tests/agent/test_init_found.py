"""A first ``jilog init`` on machines with something to find: what it writes down, and what it uses."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from support.jilog_cli import Host
from support.terminal import at_terminal

SSH_CONFIG = """
Host desktop
    HostName desktop.example.org
Host nas *.example.org !old
    User me
Host github.com
    User git
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine with transcripts of three agents, hosts in its SSH configuration, and beads."""
    for folder in (".claude/projects", ".codex/sessions", ".gemini/tmp", ".ssh", ".beads"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".ssh" / "config").write_text(SSH_CONFIG)
    return Host(tmp_path)


def written(host: Host) -> dict[str, object]:
    return tomllib.loads(host.config.read_text())


def with_gh(host: Host, origin: str) -> dict[str, str]:
    """A machine without beads: gh is installed and logged in, and the home is a repository."""
    (host.root / ".beads").rmdir()
    (host.root / ".config" / "gh").mkdir(parents=True)
    (host.root / ".config" / "gh" / "hosts.yml").write_text("github.com:\n    user: me\n")
    programs = host.root / "programs"
    programs.mkdir()
    (programs / "gh").write_text("#!/bin/sh\nexit 99\n")
    (programs / "gh").chmod(0o755)
    subprocess.run(["git", "init", "-q", str(host.root)], check=True)
    subprocess.run(["git", "-C", str(host.root), "remote", "add", "origin", origin], check=True)
    path = host.environment()["PATH"]
    kept = {
        key: value for key, value in host.environment().items() if key not in ("GH_TOKEN", "GITHUB_TOKEN")
    }
    return kept | {"PATH": f"{programs}:{path}", "XDG_CONFIG_HOME": "", "GH_CONFIG_DIR": ""}


def test_without_a_person_hosts_and_tracker_are_comments_and_transcripts_are_read(host: Host) -> None:
    done = host.run("init", "--source", "laptop")

    config = written(host)
    assert done.returncode == 0, done.stderr
    assert [item["type"] for item in config["reader"]] == ["claude-code", "codex", "gemini"]  # type: ignore[attr-defined]
    assert config["tracker"] == {"type": "none"}
    assert "spool" not in config
    assert '# ssh_hosts = ["desktop", "nas"]' in host.config.read_text()
    assert '# type = "beads"' in host.config.read_text()
    assert "peers    desktop, nas (use: jilog peer add desktop)" in done.stdout
    assert "tracker  beads" in done.stdout


def test_the_comments_become_settings_when_their_marks_are_taken_away(host: Host) -> None:
    assert host.run("init").returncode == 0
    before, _, after = host.config.read_text().partition('type = "none"\n')
    for line in ("[spool]", "ssh_hosts = [", 'type = "beads"', 'path = "'):
        after = after.replace(f"# {line}", line)

    host.config.write_text(before + after)

    shown = host.json("config", "show")
    assert shown["tracker"]["path"] == str(host.root)  # type: ignore[index, call-overload]
    assert shown["spool"]["ssh_hosts"] == ["desktop", "nas"]  # type: ignore[index, call-overload]


def test_with_yes_all_is_used(host: Host) -> None:
    document = host.json("init", "--yes")

    assert written(host)["tracker"] == {"type": "beads", "path": str(host.root)}
    assert written(host)["spool"] == {"ssh_hosts": ["desktop", "nas"]}
    assert document["found"] == {
        "ssh_hosts": ["desktop", "nas"],
        "tracker": {"type": "beads", "path": str(host.root)},
        "nearby": [],
    }
    assert document["used"] == {"ssh_hosts": True, "tracker": True}


def test_at_a_terminal_a_person_is_asked_and_each_answer_counts(host: Host) -> None:
    seen = at_terminal(host, "init", typed=[("Replicate with desktop, nas", "y"), ("into beads", "n")])

    assert seen.status == 0, seen.text
    assert written(host)["spool"] == {"ssh_hosts": ["desktop", "nas"]}
    assert written(host)["tracker"] == {"type": "none"}


def test_a_person_who_leaves_the_question_leaves_nothing_behind(host: Host) -> None:
    seen = at_terminal(host, "init", typed=[("Replicate with", "\x03")])

    assert seen.status == 130
    assert not host.config.exists()
    assert not host.state.exists()


def test_a_config_that_is_there_stays_and_nobody_is_asked(host: Host) -> None:
    host.config.write_text("# mine\n")

    seen = at_terminal(host, "init", "--yes")

    assert seen.status == 0, seen.text
    assert host.config.read_text() == "# mine\n"


@pytest.mark.parametrize(
    "origin", ["git@github.com:me/app.git", "https://github.com/me/app", "ssh://git@github.com/me/app.git"]
)
def test_a_login_of_gh_and_a_repository_on_github_are_a_tracker(host: Host, origin: str) -> None:
    done = host.run("init", "--yes", environment=with_gh(host, origin))

    assert done.returncode == 0, done.stderr
    assert written(host)["tracker"] == {"type": "github", "repo": "me/app"}


def test_a_repository_elsewhere_is_no_tracker(host: Host) -> None:
    environment = with_gh(host, "git@codeberg.org:me/app.git")

    done = host.run("init", "--yes", environment=environment)

    assert done.returncode == 0, done.stderr
    assert written(host)["tracker"] == {"type": "none"}


def test_names_that_try_to_write_into_the_config_stay_text(host: Host) -> None:
    (host.root / ".ssh" / "config").write_text("Host a]\\n[trust]\nHost b\x07c\n")
    strange = host.root / 'app"\n[trust]\nca = ["x"]'
    (strange / ".beads").mkdir(parents=True)
    (host.root / ".beads").rmdir()

    plain, used = Host(strange), host.run("init", "--yes", cwd=strange)

    assert used.returncode == 0, used.stderr
    assert set(written(host)) == {"zones", "reader", "tracker", "spool"}
    assert written(host)["tracker"]["path"] == str(strange)  # type: ignore[index, call-overload]
    assert "\x07" not in used.stdout
    host.config.unlink()
    assert plain.root.is_dir()
    assert host.run("init", cwd=strange).returncode == 0
    assert set(written(host)) == {"zones", "reader", "tracker"}


def test_a_machine_with_nothing_on_it_gets_no_more_than_the_defaults(tmp_path: Path) -> None:
    bare = Host(tmp_path)

    done = bare.run("init", "--yes")

    assert done.returncode == 0, done.stderr
    assert set(written(bare)) == {"zones", "tracker"}
    assert "peers" not in done.stdout
