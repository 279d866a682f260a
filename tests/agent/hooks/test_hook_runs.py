"""Hooks as coding agents start them: what they tell at the start, and what they record at the end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.agent_process import path_of, running
from support.jilog_cli import Host
from support.jilog_local import LocalHost
from support.turn_repo import GIT_SETTINGS, git, git_repository, program

SESSION = "3f0c5f4e-1d2a-4c1e-9a3b-0c5f4e1d2a01"


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    """A user's home with nothing in it; its commands run in this process."""
    (tmp_path / "home").mkdir()
    return LocalHost(tmp_path / "home")


@pytest.fixture
def ready(host: LocalHost) -> Host:
    """A host with a repository, and a decision about its file."""
    assert host.run("init", "--source", "alpha").returncode == 0
    app = git_repository(host.root / "app")
    write(host, "Keep a.txt short", "a.txt")
    (app / "a.txt").write_text("two\n")
    return host


@pytest.fixture(params=["with-an-agent", "without"])
def either(request: pytest.FixtureRequest, ready: Host) -> Iterator[Host]:
    """The same host, with an agent that runs and without one."""
    if request.param == "without":
        yield ready
        return
    with running(ready):
        yield ready


def write(host: Host, title: str, file: str) -> None:
    done = host.run("write", "--type", "decision", "--title", title, "--file", file, cwd=host.root / "app")
    assert done.returncode == 0, done.stderr


def hook(
    host: Host, event: str, *flags: str, agent: str = "claude-code", given: object = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a hook as its agent does; whatever happens, it ends with status 0."""
    payload = {"session_id": SESSION, "cwd": str(host.root / "app"), "hook_event_name": event, "prompt": "x"}
    text = given if isinstance(given, str) else json.dumps(payload if given is None else given)
    environment = {"JILOG_HOOK_TIMEOUT": "120", **environment}
    done = host.run(
        "hooks", "run", agent, event, *flags,
        stdin=text, environment=host.environment(**{**GIT_SETTINGS, **environment}), cwd=host.root / "app",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def quiet(done: subprocess.CompletedProcess[str]) -> bool:
    return (done.stdout, done.stderr) == ("", "")


def entries(host: Host, *filters: str) -> list[dict[str, Any]]:
    found = host.json("log", "--limit", "0", *filters)["entries"]
    assert isinstance(found, list)
    return found  # type: ignore[return-value] # entries are objects


def recorded(host: Host) -> list[dict[str, Any]]:
    """Give what hooks recorded, the oldest first."""
    return entries(host, "--tag", "claude-code")[::-1]


def counters(host: Host) -> tuple[object, object]:
    document = host.json("hooks", "status")
    return document["injected"], document["recorded"]


def test_af37_start_tells_what_concerns_the_files_at_hand_once(either: Host) -> None:
    write(either, "About another file", "b.txt")

    first = hook(either, "start")
    again = hook(either, "prompt")

    assert first.stdout.startswith("# Relevant decisions\n\n## [decision] Keep a.txt short")
    assert "another file" not in first.stdout
    assert first.stderr == ""
    assert quiet(again)


def test_af37_changed_staged_and_committed_files_are_asked_for(ready: Host) -> None:
    app = ready.root / "app"
    for name in ("staged.txt", "last.txt", "früh, spät.txt"):
        (app / name).write_text("x\n")
        write(ready, f"about {name}", name)
    git(app, "add", "last.txt")
    git(app, "commit", "-q", "-m", "last")
    git(app, "add", "staged.txt")

    told = hook(ready, "prompt").stdout

    for name in ("a.txt short", "about staged.txt", "about last.txt", "about früh, spät.txt"):
        assert name in told


def test_af37_a_session_that_forgot_is_told_again_and_a_resumed_one_is_not(ready: Host) -> None:
    payload = {"session_id": SESSION, "cwd": str(ready.root / "app")}
    assert hook(ready, "start", given={**payload, "source": "startup"}).stdout

    assert quiet(hook(ready, "start", given={**payload, "source": "resume"}))
    assert hook(ready, "start", given={**payload, "source": "compact"}).stdout
    assert hook(ready, "start", given={**payload, "session_id": "another"}).stdout


def test_af37_a_miss_is_asked_again_with_the_next_prompt(host: Host) -> None:
    assert host.run("init", "--source", "alpha").returncode == 0
    git_repository(host.root / "app")
    assert quiet(hook(host, "start"))

    write(host, "Keep a.txt short", "a.txt")

    assert "Keep a.txt short" in hook(host, "prompt").stdout


def test_af37_without_files_at_hand_the_repositorys_name_is_the_topic(ready: Host) -> None:
    app = ready.root / "app"
    git(app, "checkout", "-q", "--", ".")
    git(app, "commit", "-q", "--allow-empty", "-m", "nothing")

    assert "Keep a.txt short" in hook(ready, "start").stdout


def test_af37_without_home_repository_or_git_it_is_silent(host: Host, tmp_path: Path) -> None:
    app = git_repository(host.root / "app")
    assert quiet(hook(host, "start"))
    assert not host.state.exists()

    assert host.run("init", "--source", "alpha").returncode == 0
    nowhere = {"session_id": SESSION, "cwd": str(tmp_path)}
    for event in ("start", "stop"):
        assert quiet(hook(host, event, given=nowhere))
        assert quiet(hook(host, event, given={"session_id": SESSION, "cwd": "/not/there"}))
        assert quiet(hook(host, event, PATH=str(tmp_path)))
    (app / "a.txt").write_text("two\n")
    assert quiet(hook(host, "start"))


@pytest.mark.parametrize(
    "given", ["", "not json", "[]", "{", '{"session_id": 7, "cwd": []}', "\x00\xff", "[" * 100_000]
)
def test_af37_whatever_the_agent_writes_the_hook_ends_well(ready: Host, given: str) -> None:
    assert "Keep a.txt short" in hook(ready, "start", given=given).stdout


def test_af38_stop_records_what_changed_as_one_entry_and_nothing_twice(either: Host) -> None:
    app = either.root / "app"
    git(app, "checkout", "-q", "--", ".")
    hook(either, "start")
    for name in ("naïve file.txt", "a,b.txt", "line\nbreak.txt"):
        (app / name).write_text("x\n")

    assert quiet(hook(either, "stop"))
    assert quiet(hook(either, "stop"))

    (entry,) = recorded(either)
    assert entry["title"] == "Modified a,b.txt line break.txt naïve file.txt"
    assert {file["path"] for file in entry["files"]} == {"naïve file.txt", "a,b.txt", "line\nbreak.txt"}
    assert (entry["session_id"], entry["tags"]) == (SESSION, ["claude-code"])


def test_af38_what_was_dirty_before_is_not_the_sessions_work_but_its_next_edit_is(ready: Host) -> None:
    app = ready.root / "app"
    hook(ready, "start")
    hook(ready, "stop")
    assert recorded(ready) == []

    (app / "a.txt").write_text("three\n")
    hook(ready, "stop")
    (app / "a.txt").write_text("four\n")
    hook(ready, "stop")
    os.utime(app / "a.txt", (1, 1))
    hook(ready, "stop")

    assert [entry["title"] for entry in recorded(ready)] == ["Modified a.txt", "Modified a.txt"]
    assert {entry["session_id"] for entry in recorded(ready)} == {SESSION}


def test_af38_commits_of_the_session_are_its_work_and_older_ones_are_not(ready: Host) -> None:
    app = ready.root / "app"
    git(app, "checkout", "-q", "-b", "old", "HEAD")
    (app / "old.txt").write_text("x\n")
    git(app, "add", "old.txt")
    old = {"GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
    subprocess.run(
        ["git", "commit", "-q", "-m", "from elsewhere"],
        cwd=app,
        env={**os.environ, **GIT_SETTINGS, **old},
        check=True,
    )
    git(app, "checkout", "-q", "main")
    hook(ready, "start")

    git(app, "merge", "-q", "--ff-only", "old")
    (app / "new.txt").write_text("x\n")
    git(app, "add", "new.txt")
    git(app, "commit", "-q", "-m", "Add the new file")
    hook(ready, "stop")
    hook(ready, "stop")

    (entry,) = recorded(ready)
    assert entry["title"] == "Modified new.txt"
    assert entry["body"].startswith("commit ")
    assert entry["body"].endswith(" Add the new file")


def test_af38_more_than_three_files_are_counted_in_the_title(ready: Host) -> None:
    for number in range(5):
        (ready.root / "app" / f"n{number}.txt").write_text("x\n")

    hook(ready, "stop")

    (entry,) = recorded(ready)
    assert entry["title"] == "Modified a.txt and 5 other files"
    assert len(entry["files"]) == 6


def test_af38_a_failed_capture_loses_nothing_and_poisons_no_session(ready: Host) -> None:
    hook(ready, "start")
    (ready.root / "app" / "a.txt").write_text("three\n")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path_of(ready)))
    listener.listen()
    refuser = threading.Thread(target=refuse_one, args=(listener,))
    refuser.start()

    failed = hook(ready, "stop")
    refuser.join(timeout=30)
    listener.close()
    path_of(ready).unlink()

    assert quiet(failed)
    assert counters(ready) == (1, 0)
    assert "the disk is full" in (ready.state / "hooks" / "hooks.log").read_text()
    hook(ready, "stop")
    (entry,) = recorded(ready)
    assert entry["session_id"] == SESSION
    assert counters(ready) == (1, 1)


def refuse_one(listener: socket.socket) -> None:
    """Answer one client as an agent does that cannot write."""
    channel, _ = listener.accept()
    with channel, channel.makefile("rb") as lines:
        lines.readline()
        channel.sendall(b'{"ok":false,"error":"the disk is full","code":"storage","hint":null}\n')


def test_af38_a_hook_whose_state_was_lost_after_the_entry_writes_no_second_one(ready: Host) -> None:
    hook(ready, "start")
    (state,) = (ready.state / "hooks").glob("*.json")
    before = state.read_bytes()
    (ready.root / "app" / "a.txt").write_text("three\n")
    hook(ready, "stop")

    state.write_bytes(before)
    hook(ready, "stop")

    assert len(recorded(ready)) == 1
    assert counters(ready) == (1, 1)


def test_af39_limit_topic_and_tags_of_the_environment_count(ready: Host) -> None:
    app = ready.root / "app"
    for number in range(3):
        write(ready, f"number {number}", "a.txt")
    write(ready, "Whales are mammals", "other.txt")

    assert hook(ready, "start", JILOG_HOOK_LIMIT="2").stdout.count("## [") == 2
    other = {"session_id": "two", "cwd": str(app)}
    assert "Whales" in hook(ready, "start", given=other, AGENTLOG_TOPIC="whales").stdout
    third = {"session_id": "three", "cwd": str(app)}
    assert len(hook(ready, "start", given=third, JILOG_HOOK_BUDGET="30").stdout) <= 30 * 4
    (app / "a.txt").write_text("three\n")
    hook(ready, "stop", JILOG_HOOK_TAGS="bot, night")
    assert entries(ready, "--tag", "night")[0]["tags"] == ["bot", "night"]


def test_af39_own_session_of_jilog_takes_the_entry(ready: Host) -> None:
    hook(ready, "stop", JILOG_SESSION="2026-05-deploy")

    assert recorded(ready)[0]["session_id"] == "2026-05-deploy"


def test_af40_verbose_speaks_on_stderr_alone_and_a_dry_run_writes_nothing(ready: Host) -> None:
    before = (entries(ready), counters(ready))

    start = hook(ready, "start", "--dry-run", "--verbose")
    stop = hook(ready, "stop", JILOG_HOOK_VERBOSE="1", JILOG_HOOK_DRY_RUN="1")

    assert start.stdout == stop.stdout == ""
    assert start.stderr == "[jilog] dry run: 1 entries about 1 files would be told\n"
    assert stop.stderr == "[jilog] dry run: would record: Modified a.txt\n"
    assert (entries(ready), counters(ready)) == before


def test_af41_counters_are_what_is_stored(either: Host) -> None:
    hook(either, "start")
    for text in ("three\n", "four\n"):
        (either.root / "app" / "a.txt").write_text(text)
        hook(either, "stop")
    hook(either, "stop")

    assert counters(either) == (1, 2)
    assert len(recorded(either)) == 2


def test_codex_and_copilot_are_told_as_they_take_it(ready: Host) -> None:
    payload = {"sessionId": "c1", "cwd": str(ready.root / "app"), "timestamp": 1, "source": "new"}

    copilot = hook(ready, "start", agent="copilot", given=payload)
    codex = hook(ready, "start", agent="codex")

    assert "Keep a.txt short" in json.loads(copilot.stdout)["additionalContext"]
    assert codex.stdout.startswith("# Relevant decisions")
    (ready.root / "app" / "a.txt").write_text("three\n")
    assert quiet(hook(ready, "stop", agent="copilot", given=payload))
    assert entries(ready, "--tag", "copilot")[0]["session_id"] == "c1"


def test_agent_that_does_not_answer_is_left_alone_after_a_while(ready: Host) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf:
        deaf.bind(str(path_of(ready)))
        deaf.listen()

        assert quiet(hook(ready, "start", JILOG_HOOK_TIMEOUT="1"))

    # Either the wait for the answer or the whole call was over first.
    assert '"error": "claude-code start: ' in (ready.state / "hooks" / "hooks.log").read_text()


@pytest.mark.parametrize("kind", ["no-commits", "detached", "linked", "submodule", "subfolder"])
def test_odd_working_trees_are_told_and_recorded_like_any_other(
    ready: Host, tmp_path: Path, kind: str
) -> None:
    app = ready.root / "app"
    folder = tmp_path / "odd"
    if kind == "no-commits":
        git_repository(folder, commit=False)
    elif kind == "detached":
        git(app, "checkout", "-q", "--detach")
        folder = app
    elif kind == "linked":
        git(app, "worktree", "add", "-q", str(folder))
    elif kind == "submodule":
        git(app, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(app), "sub")
        folder = app / "sub"
    else:
        folder = app / "deep" / "er"
        folder.mkdir(parents=True)
    done = ready.run("write", "--type", "decision", "--title", "About new", "--file", "new.txt", cwd=folder)
    assert done.returncode == 0, done.stderr
    given = {"session_id": SESSION, "cwd": str(folder)}

    (folder / "new.txt").write_text("x\n")
    told = hook(ready, "start", given=given)
    (folder / "new.txt").write_text("y\n")
    stopped = hook(ready, "stop", given=given)

    assert "About new" in told.stdout
    assert quiet(stopped)
    (entry,) = recorded(ready)
    assert entry["title"] == "Modified new.txt"


def test_bare_repository_is_passed_over_in_silence(ready: Host, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(ready.root / "app"), "bare.git")
    given = {"session_id": SESSION, "cwd": str(tmp_path / "bare.git")}

    assert quiet(hook(ready, "start", given=given))
    assert quiet(hook(ready, "stop", given=given))
    assert recorded(ready) == []


def test_git_that_hangs_is_not_waited_for(ready: Host, tmp_path: Path) -> None:
    path = f"{program(tmp_path / 'bin', 'git', 'sleep 60')}:{os.environ['PATH']}"

    assert quiet(hook(ready, "stop", PATH=path, JILOG_HOOK_TIMEOUT="2"))
    assert recorded(ready) == []


def test_hooks_files_are_for_the_owner_alone(ready: Host) -> None:
    hook(ready, "start")
    hook(ready, "nonsense")

    folder = ready.state / "hooks"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_entry_imports_nothing_but_parts_of_the_standard_library(ready: Host) -> None:
    with running(ready):
        code = (
            "import sys; sys.argv = ['jilog', 'hooks', 'run', 'claude-code', 'start']\n"
            "from jilog_agent.main import run\nrun(sys.argv[1:])\n"
            "print(sorted(name for name in sys.modules if name.partition('.')[0] in"
            " ('click', 'msgspec', 'sqlalchemy', 'cryptography', 'pathlib', 'dataclasses', 'typing',"
            " 'subprocess', 'jilog_ledger', 'jilog_review', 'jilog_spool')), file=sys.stderr)"
        )
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
            input=json.dumps({"cwd": str(ready.root / "app")}),
            env=ready.environment(JILOG_HOOK_TIMEOUT="120"),
            capture_output=True, text=True, timeout=150, check=True,
        )  # fmt: skip

    assert "Keep a.txt short" in done.stdout
    assert done.stderr.strip() == "[]"
