"""Hooks in the settings of coding agents: put in, taken out, and everything else as it was."""

from __future__ import annotations

import copy
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.hooks.harness import HARNESSES
from jilog_agent.hooks.merge import our_commands, with_hooks, without_hooks
from support.jilog_local import LocalHost
from support.turn_repo import git_repository, program

COMMANDS = {"SessionStart": "jilog hooks run claude-code start", "Stop": "jilog hooks run claude-code stop"}
CLAUDE = HARNESSES["claude-code"]


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    (tmp_path / "home").mkdir()
    host = LocalHost(tmp_path / "home")
    assert host.run("init", "--source", "alpha").returncode == 0
    git_repository(host.root / "app")
    return host


def hooks(host: LocalHost, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = host.run("hooks", *arguments, cwd=host.root / "app", environment=environment(host))
    assert done.returncode == status, done.stderr
    return done


def environment(host: LocalHost) -> dict[str, str]:
    moved = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME")
    return {name: value for name, value in host.environment().items() if name not in moved}


def conditions(host: LocalHost, status: int = 0) -> dict[tuple[str, str], str]:
    document = json.loads(hooks(host, "status", "--json", status=status).stdout)
    return {(row["agent"], row["scope"]): row["condition"] for row in document["settings"]}


@pytest.mark.parametrize("agent", list(HARNESSES))
@pytest.mark.parametrize("scope", ["project", "global"])
def test_af42_install_twice_is_byte_identical_and_uninstall_takes_all_back(
    host: LocalHost, agent: str, scope: str
) -> None:
    flags = ("--agent", agent, *(["--global"] if scope == "global" else []))
    hooks(host, "install", *flags, "--dry-run")
    assert conditions(host)[agent, scope] == "absent"

    hooks(host, "install", *flags)
    harness = HARNESSES[agent]
    root = host.root / "app"
    path = harness.project_path(root) if scope == "project" else harness.global_path(host.root, {})
    first = path.read_bytes()
    again = hooks(host, "install", *flags)

    assert path.read_bytes() == first
    assert "unchanged" in again.stdout
    assert conditions(host)[agent, scope] == "installed"
    assert sum(found == "installed" for found in conditions(host).values()) == 1
    hooks(host, "uninstall", *flags)
    assert not path.exists()
    assert conditions(host)[agent, scope] == "absent"


def test_af42_foreign_hooks_order_indentation_and_everything_else_stay(host: LocalHost) -> None:
    path = host.root / "app" / ".claude" / "settings.json"
    path.parent.mkdir()
    foreign = {
        "permissions": {"allow": ["Bash(git log:*)"]},
        "hooks": {
            "Stop": [{"matcher": "*", "hooks": [{"type": "command", "command": "./naïve.sh", "timeout": 3}]}],
            "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "guard"}]}],
        },
        "model": "some",
    }
    old = json.dumps(foreign, indent="\t", ensure_ascii=False)
    path.write_text(old)
    path.chmod(0o640)

    hooks(host, "install")

    text = path.read_text()
    merged = json.loads(text)
    assert list(merged) == ["permissions", "hooks", "model"]
    assert list(merged["hooks"]) == ["Stop", "PreToolUse", "SessionStart", "UserPromptSubmit"]
    assert merged["hooks"]["Stop"][0] == foreign["hooks"]["Stop"][0]
    assert '\n\t"hooks"' in text
    assert not text.endswith("\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert path.with_name("settings.json.jilog-backup").read_text() == old
    hooks(host, "uninstall")
    assert path.read_text() == old


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"// a comment\n{}",
        b"[]",
        b'{"hooks": []}',
        b'{"hooks": {"Stop": {}}}',
        b"\xff",
        b" " * 2**21,
        b"[" * 9**5,
    ],
    ids=["torn", "comment", "list", "hooks-list", "event-object", "no-utf8", "huge", "deep"],
)
def test_af42_settings_that_are_none_are_left_untouched_and_said(host: LocalHost, content: bytes) -> None:
    path = host.root / ".claude" / "settings.json"
    path.parent.mkdir()
    path.write_bytes(content)

    for command in ("install", "uninstall"):
        said = hooks(host, command, "--global", "--agent", "claude-code", status=2).stderr
        assert f"{path} is left as it is" in said

    assert path.read_bytes() == content
    assert sorted(item.name for item in path.parent.iterdir()) == ["settings.json"]
    assert conditions(host)["claude-code", "global"] == "unreadable"


def test_af42_a_link_into_a_folder_of_dot_files_stays_a_link(host: LocalHost) -> None:
    real = host.root / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text("{}\n")
    (host.root / ".claude").mkdir()
    link = host.root / ".claude" / "settings.json"
    link.symlink_to(real)

    hooks(host, "install", "--global")

    assert link.is_symlink()
    assert "hooks run claude-code start" in real.read_text()


def test_af42_paths_are_absolute_for_the_user_and_found_on_the_path_for_a_repository(host: LocalHost) -> None:
    hooks(host, "install")
    hooks(host, "install", "--global", "--home", str(host.root / "other"))

    project = json.loads((host.root / "app" / ".claude" / "settings.json").read_text())
    user = json.loads((host.root / ".claude" / "settings.json").read_text())
    ours = our_commands(project)["Stop"][0]
    theirs = shlex.split(our_commands(user)["Stop"][0])
    done = subprocess.run(["/bin/sh", "-c", ours], env={"PATH": "/nowhere"}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert str(host.root) not in ours
    assert theirs[0].startswith("/")
    assert theirs[-2:] == ["--home", str(host.root / "other")]


def test_af42_outside_of_a_repository_only_the_users_settings_can_be_meant(host: LocalHost) -> None:
    done = host.run("hooks", "install", cwd=host.root, environment=environment(host))

    assert done.returncode == 2
    assert "--global" in done.stderr


def test_af42_what_hooks_will_miss_is_said_when_they_are_installed(tmp_path: Path) -> None:
    host = LocalHost(tmp_path)
    git_repository(tmp_path / "app")
    git_alone = program(tmp_path / "bin", "git", f'exec {shutil.which("git")} "$@"')
    nowhere = {**environment(host), "PATH": str(git_alone)}

    done = host.run("hooks", "install", cwd=tmp_path / "app", environment=nowhere)
    for_user = host.run("hooks", "install", "--global", cwd=tmp_path / "app", environment=nowhere)

    assert (done.returncode, for_user.returncode) == (0, 0)
    assert "jilog is not on the PATH" in done.stderr
    assert "run: jilog init" in done.stderr
    # The user's own hooks name the program itself; nor is a helper such as jq looked for.
    assert "PATH" not in for_user.stderr
    assert host.run("hooks", "uninstall", cwd=tmp_path / "app", environment=nowhere).returncode == 0


def test_af44_each_command_line_of_the_guide_works_and_prints_something(host: LocalHost) -> None:
    text = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text()
    lines = re.findall(r"^jilog .*$", "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)), re.MULTILINE)

    for line in lines:
        done = host.run(*shlex.split(line)[1:], cwd=host.root / "app", environment=environment(host))
        assert (done.returncode, bool(done.stdout)) == (0, True), (line, done.stderr)

    assert len(lines) >= 4


def test_af42_help_names_what_there_is_and_a_wrong_flag_is_refused(host: LocalHost) -> None:
    assert "--global" in hooks(host, "install", "--help").stdout
    assert "no such option" in hooks(host, "install", "--globl", status=2).stderr


def test_af43_a_command_of_another_version_is_told_and_mended_in_its_place(host: LocalHost) -> None:
    hooks(host, "install")
    path = host.root / "app" / ".claude" / "settings.json"
    wanted = path.read_text()
    settings = json.loads(wanted)
    settings["hooks"]["Stop"][0]["hooks"][0]["command"] = "/old/jilog hooks run claude-code stop --fast"
    settings["hooks"]["Stop"].append(copy.deepcopy(settings["hooks"]["Stop"][0]))
    path.write_text(json.dumps(settings))

    assert conditions(host, status=3)["claude-code", "project"] == "outdated"
    assert "jilog hooks install --agent claude-code" in hooks(host, "status", status=3).stderr

    hooks(host, "install")

    assert json.loads(path.read_text()) == json.loads(wanted)
    assert conditions(host)["claude-code", "project"] == "installed"


JSON_TEXT = st.text(max_size=8)
FOREIGN = st.fixed_dictionaries({"type": st.just("command"), "command": JSON_TEXT})
GROUPS = st.lists(
    st.fixed_dictionaries({"hooks": st.lists(FOREIGN, max_size=2)}, optional={"matcher": JSON_TEXT}),
    max_size=3,
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "hooks": st.dictionaries(st.sampled_from(["Stop", "SessionStart", "PreToolUse"]), GROUPS),
        "x": JSON_TEXT,
    },
)


@given(SETTINGS)
def test_af42_any_settings_keep_what_is_theirs_and_get_ours_once(settings: dict[str, Any]) -> None:
    before = copy.deepcopy(settings)

    merged = with_hooks(settings, CLAUDE, COMMANDS)

    assert settings == before
    assert with_hooks(merged, CLAUDE, COMMANDS) == merged
    assert our_commands(merged) == {event: [command] for event, command in COMMANDS.items()}
    rest = without_hooks(merged, CLAUDE)
    assert our_commands(rest) == {}
    assert filled(rest) == filled(settings)


def filled(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out events without a hook, which are the same as none."""
    hooks = {event: groups for event, groups in settings.get("hooks", {}).items() if groups}
    return {
        **{key: value for key, value in settings.items() if key != "hooks"},
        **({"hooks": hooks} if hooks else {}),
    }
