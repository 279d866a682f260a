"""The command line as a whole: help, mistakes, exit statuses, what is imported when."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jilog_agent.cli.lazy import LazyGroup
from jilog_agent.cli.output import fit, plain
from jilog_agent.cli.root import root
from support.jilog_cli import Host

HEAVY = ("asyncssh", "sqlalchemy", "zeroconf")


def all_commands() -> list[tuple[str, ...]]:
    """Name every command, by importing them all."""
    import click

    found: list[tuple[str, ...]] = []

    def walk(group: LazyGroup, path: tuple[str, ...]) -> None:
        for name in group.table:
            command = group.get_command(click.Context(group), name)
            assert command is not None
            if isinstance(command, LazyGroup):
                walk(command, (*path, name))
            else:
                found.append((*path, name))

    walk(root, ())
    return found


COMMANDS = all_commands()


def imported_by(host: Host, *arguments: str) -> set[str]:
    """Run a command line in a fresh interpreter and give the modules it has imported."""
    program = (
        "import sys, json\n"
        "from jilog_agent.main import run\n"
        "status = run(sys.argv[1:])\n"
        "print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=host.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stderr
    return set(modules)


def test_help_imports_no_command_and_no_heavy_library(host: Host) -> None:
    modules = imported_by(host, "--help")

    assert modules.isdisjoint(HEAVY)
    assert "jilog_agent.cli.status" not in modules
    assert "jilog_agent.cli.supervise" not in modules
    assert modules.isdisjoint({"cryptography", "msgpack", "zstandard", "jilog_spool", "jilog_review"})


def test_status_imports_no_heavy_library(host: Host) -> None:
    host.run("init")
    host.run("query")

    modules = imported_by(host, "status")

    assert modules.isdisjoint(HEAVY)
    assert "jilog_ledger.ledger" in modules


def test_the_denylist_would_notice_a_heavy_import(host: Host) -> None:
    host.run("init")

    assert "sqlalchemy" in imported_by(host, "query")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_command_explains_itself_with_an_example_first(host: Host, path: tuple[str, ...]) -> None:
    done = host.run(*path, "--help")

    assert done.returncode == 0
    assert f"  jilog {' '.join(path)}" in done.stdout
    assert done.stdout.index("Examples:") < done.stdout.index("Usage:") < done.stdout.index("Options:")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["quer"], "no such command: quer", "did you mean 'query'?"),
        (["review", "nightli"], "no such command: nightli", "did you mean 'nightly'?"),
        (["zzz"], "no such command: zzz", "the commands are: init"),
        (["query", "--sinze", "7d"], "no such option '--sinze'", "did you mean '--since'?"),
        (["query", "--sinc", "7d"], "no such option '--sinc'", "did you mean '--since'?"),
        (["status", "extra"], "unexpected extra argument", "jilog status --help"),
        (["query", "--since", "yesterday"], "invalid time 'yesterday'", "7d"),
        (["query", "--class", "learnin"], "unknown event class 'learnin'", "did you mean 'learning'?"),
        (["query", "--limit", "-1"], "--limit is -1", "use 0"),
        (["review", "nightly", "--date", "2026-13-01"], "invalid date", "2026-05-09"),
        (["review", "nightly", "--profile", "sead"], "unknown review profile", "'seed'"),
        (["review", "nightly", "--since", "1d", "--days", "2"], "both given", "keep one"),
        (["--config", "/no/such.toml", "status"], "does not exist", "jilog init"),
    ],
)
def test_a_mistake_is_one_line_with_a_hint_and_exit_status_2(
    host: Host, arguments: list[str], message: str, hint: str
) -> None:
    done = host.run(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    error, told = done.stderr.splitlines()
    assert error.startswith("jilog: error: ")
    assert message in error
    assert "ean one of" not in error
    assert told.startswith("jilog: hint: ")
    assert hint in told
    assert not host.state.exists()


@pytest.mark.parametrize("command", ["status", "query", "verify", "rebuild"])
def test_a_host_that_was_never_set_up_says_how_to(host: Host, command: str) -> None:
    done = host.run(command)

    assert done.returncode == 1
    assert "is not set up yet" in done.stderr
    assert "run: jilog init" in done.stderr
    assert not host.state.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("init",),
        ("config", "show"),
        ("query",),
        ("status",),
        ("verify",),
        ("rebuild",),
        ("spool", "status"),
        ("peer", "list"),
        ("review", "sessions"),
        ("review", "signals"),
        ("review", "trend"),
        ("label", "list"),
    ],
    ids=" ".join,
)
def test_what_json_prints_is_documented(host: Host, command: tuple[str, ...]) -> None:
    text = (Path(__file__).parents[2] / "docs" / "cli-json.md").read_text()
    host.run("supervise", "--task", "x", "--", "true")
    host.run("peer", "add", "other", "192.0.2.1")
    names = " ".join(command)
    section = next(part for part in text.split("\n## ")[1:] if f"`jilog {names}`" in part.splitlines()[0])

    document = host.json(*command)

    assert document.pop("schema_version") == 1
    for key in keys_of(document):
        assert re.search(rf"\b{key}\b", section), key


def keys_of(value: object) -> set[str]:
    """Collect the keys of a document, but not those of event payloads, which are anybody's."""
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item)}
    if not isinstance(value, dict):
        return set()
    inner = {key for name, item in value.items() if name != "payload" for key in keys_of(item)}
    return inner | set(value)


def test_version_is_printed(host: Host) -> None:
    done = host.run("--version")
    after_an_option = host.run("--home", str(host.state), "-V")

    assert done.returncode == 0
    assert done.stdout.startswith("jilog ")
    assert (after_an_option.returncode, after_an_option.stdout) == (0, done.stdout)
    assert "--version" in host.run("--help").stdout


def test_a_group_alone_shows_its_help_and_fails(host: Host) -> None:
    done = host.run("review")

    assert done.returncode == 2
    assert "nightly" in done.stderr


def test_config_and_home_are_taken_before_and_after_the_command(host: Host) -> None:
    host.run("init")
    other = host.root / "other"

    before = host.run("--home", str(other), "status")
    after = host.run("status", "--home", str(other))

    assert before.returncode == after.returncode == 1
    assert f"{other} is not set up yet" in before.stderr
    assert before.stderr == after.stderr


def test_a_closed_pipe_ends_quietly_with_141(host: Host) -> None:
    host.run("supervise", "--task", "x", "--", "true")
    reader, writer = os.pipe()
    os.close(reader)

    with subprocess.Popen(
        host.command("query"), env=host.environment(), stdout=writer, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writer)
        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 141
    assert stderr == ""


def test_a_full_output_device_is_an_error_and_no_traceback(host: Host) -> None:
    host.run("init")

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            host.command("status"),
            env=host.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 5
    assert "cannot write the output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["--help"]])
def test_a_closed_output_is_an_error_and_no_traceback(host: Host, arguments: list[str]) -> None:
    host.run("init")
    close_and_run = ["sh", "-c", 'exec "$@" >&-', "sh", *host.command(*arguments)]

    done = subprocess.run(
        close_and_run, env=host.environment(), stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (
        5,
        "jilog: error: cannot write the output: Bad file descriptor\n",
    )


def test_what_a_task_says_on_closed_streams_does_not_end_in_the_ledger(host: Host) -> None:
    host.run("init")
    command = host.command("supervise", "--task", "x", "--", "sh", "-c", "echo out; echo err >&2; exit 0")

    subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command],
        env=host.environment(),
        check=False,
        timeout=60,
    )

    assert host.run("verify").returncode == 0
    assert [payload["status"] for payload in host.payloads()] == ["started", "succeeded"]


def test_a_bug_is_one_line_and_its_traceback_is_shown_on_request(host: Host) -> None:
    program = (
        "import sys\n"
        "from jilog_agent.cli import failure\n"
        "def broken(arguments): raise RuntimeError('planted')\n"
        "failure.execute = broken\n"
        "sys.exit(failure.run_reported([]))\n"
    )

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env=host.environment(**variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    plain_run, debug_run = run(), run(JILOG_DEBUG="1")

    assert plain_run.returncode == debug_run.returncode == 1
    assert "jilog: error: internal error: RuntimeError: planted" in plain_run.stderr
    assert "JILOG_DEBUG=1" in plain_run.stderr
    assert "Traceback" not in plain_run.stderr
    assert "Traceback" in debug_run.stderr


@pytest.mark.parametrize("wait_seconds", [0.15, 0.2, 0.25, 0.3, 0.4, 0.5])
def test_ctrl_c_at_any_time_leaves_a_valid_store(host: Host, wait_seconds: float) -> None:
    host.run("supervise", "--task", "before", "--", "true")

    with host.start("supervise", "--task", "job", "--", "true") as process:
        try:
            process.wait(timeout=wait_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)

    # -SIGINT: the interpreter had not come to our first line yet.
    assert status in (0, 130, -signal.SIGINT)
    assert host.run("verify").returncode == 0
    assert [payload["task"] for payload in host.payloads()][:2] == ["before", "before"]


def test_ctrl_c_exits_130_with_one_line(host: Host) -> None:
    program = (
        "import sys\n"
        "from jilog_agent.cli import failure\n"
        "def interrupted(arguments): raise KeyboardInterrupt\n"
        "failure.execute = interrupted\n"
        "sys.exit(failure.run_reported([]))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (130, "jilog: interrupted\n")


def test_control_characters_from_the_ledger_do_not_reach_the_terminal() -> None:
    assert plain("a\x1b[31mb\nc\x9b") == "a\\x1b[31mb\\x0ac\\x9b"
    assert plain("a\u202eb\u2066c") == "a\\u202eb\\u2066c"


def test_columns_of_prose_shrink_until_the_line_fits() -> None:
    assert fit([10, 60, 10], [10, 12, 10], 60) == [10, 36, 10]
    assert fit([10, 20], [10, 20], 80) == [10, 20]
    assert fit([20, 20], [12, 12], 26) == [12, 12]
    assert fit([20, 20], [12, 12], 25) is None
    assert fit([20, 12, 12], [20, 4, 4], 40) == [20, 8, 8]
