"""The commands as a user runs them: streams, exit statuses, JSON, places, permissions."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jilog_ledger.decision import TYPES
from support.jilog_cli import Host
from support.jilog_local import LocalHost

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n\Z")


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    root = tmp_path / "home"
    root.mkdir()
    return LocalHost(root)


@pytest.fixture
def ready(host: LocalHost) -> LocalHost:
    """A host that is set up, with a repository to stand in."""
    assert host.run("init", "--source", "laptop").returncode == 0
    (host.root / "app" / ".git").mkdir(parents=True)
    (host.root / "app" / "src").mkdir()
    return host


def write(host: Host, title: str, *more: str, cwd: Path | None = None) -> str:
    done = host.run("write", "--type", "decision", "--title", title, "--session", "s1", *more, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def entries(host: Host, *arguments: str, cwd: Path | None = None) -> list[dict[str, object]]:
    done = host.run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["entries"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ((), "--type is required", "use one of decision, attempt_failed, deferred, assumption, question"),
        (("--title", "x"), "--type is required", "use one of"),
        (
            ("--type", "decison", "--title", ""),
            'invalid type "decison": must be one of decision, attempt_failed, deferred, assumption, question',
            "did you mean 'decision'?",
        ),
        (("--type", "decision"), "--title is required", "say in one line"),
        (
            ("--type", "decision", "--title", "x", "--session", "../x"),
            "invalid session id '../x'",
            "use a UUID",
        ),
        (("--type", "decision", "--title", "x", "--id", "a/b"), "invalid id 'a/b'", "use a UUID"),
        (
            ("--type", "decision", "--title", "x", "--timestamp", "soon"),
            "invalid timestamp 'soon'",
            "use the form",
        ),
        (("--type", "decision", "--title", "x", "--resolves", "nope"), 'nothing found matching "nope"', ""),
        (
            ("--type", "decision", "--title", "x", "--zone", "mian"),
            "unknown zone 'mian'",
            "did you mean 'main'?",
        ),
    ],
)
def test_af6_what_cannot_be_written_is_said_with_a_hint(
    ready: Host, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    done = ready.run("write", *arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert f"jilog: error: {message}" in done.stderr
    assert hint in done.stderr


def test_af6_every_type_is_written_and_listed(ready: Host) -> None:
    for entry_type in TYPES:
        assert ready.run("write", "--type", entry_type, "--title", entry_type).returncode == 0

    assert [entry["type"] for entry in entries(ready, "log")] == list(TYPES)[::-1]


def test_af7_tags_and_files_by_comma_and_one_by_one(ready: Host) -> None:
    write(
        ready,
        "x",
        "--tags",
        " b, a,,x",
        "--tag",
        "p,q",
        "--tag",
        "a",
        "--files",
        "s.py, t.py",
        "--file",
        "u,v.py",
    )

    (entry,) = entries(ready, "log")
    assert entry["tags"] == ["b", "a", "x", "p,q"]
    names = [str(path).rsplit("/", 1)[-1] for path in entry["file_refs"]]  # type: ignore[attr-defined] # a list
    assert names == ["s.py", "t.py", "u,v.py"]


def test_af8_id_on_stdout_and_a_new_session_on_stderr_only(ready: Host) -> None:
    first = ready.run("write", "--type", "decision", "--title", "x")
    session = first.stderr.strip()
    second = ready.run("write", "--type", "decision", "--title", "y", "--session", session)
    by_variable = ready.run(
        "write", "--type", "decision", "--title", "z", environment=ready.environment(JILOG_SESSION=session)
    )

    assert UUID.match(first.stdout)
    assert UUID.match(first.stderr)
    assert (second.stderr, by_variable.stderr) == ("", "")
    assert len(entries(ready, "log", "--session", session)) == 3


def test_af9_same_id_twice_succeeds_and_another_content_is_refused(ready: Host) -> None:
    arguments = ("--id", "adr-7", "--timestamp", "2026-01-02T03:04:05.25Z")
    assert write(ready, "one", *arguments) == write(ready, "one", *arguments) == "adr-7"

    other = ready.run("write", "--type", "decision", "--title", "two", "--session", "s1", *arguments)

    assert other.returncode == 2
    assert "id adr-7 is taken by an entry with other content" in other.stderr
    (entry,) = entries(ready, "log")
    assert (entry["id"], entry["timestamp"]) == ("adr-7", "2026-01-02T03:04:05.250Z")


def test_af12_minimal_entry_has_no_optional_keys(ready: Host) -> None:
    write(ready, "x")

    (entry,) = entries(ready, "log")

    assert set(entry) == {"id", "timestamp", "session_id", "type", "title", "zone", "source", "place"}


TIMES = [
    ("30m", True),
    ("1h", True),
    ("7d", True),
    ("2w", True),
    ("1H", True),
    ("2026-01-02", True),
    ("2026-01-02T03:04:05", True),
    ("2026-01-02T03:04:05.5+02:00", True),
    ("0h", False),
    ("1x2h", False),
    ("yesterday", False),
    ("2026-13-01", False),
]


@pytest.mark.parametrize("command", [("log",), ("search", "x"), ("export",)], ids=lambda command: command[0])
def test_af18_every_time_form_is_taken_everywhere(ready: Host, command: tuple[str, ...]) -> None:
    from jilog_agent.cli.entry_options import Filters
    from jilog_ledger.errors import InputError

    for text, good in TIMES:
        typed = Filters(None, None, (), text, text, (), unanswered=False)
        if good:
            assert typed.check() is typed
        else:
            with pytest.raises(InputError):
                typed.check()
    assert ready.run(*command, "--since", "7d", "--until", "2026-01-02T03:04:05.5Z").returncode == 0
    refused = ready.run(*command, "--since", "yesterday")
    assert refused.returncode == 2
    assert "invalid time 'yesterday'" in refused.stderr
    assert "use 30m, 24h, 7d, 2w" in refused.stderr


def test_af18_moments_within_one_second_are_told_apart(ready: Host) -> None:
    for fraction in ("", ".5", ".25"):
        write(ready, f"at{fraction}", "--timestamp", f"2026-01-02T03:04:05{fraction}Z")

    def found(*arguments: str) -> list[object]:
        return [entry["title"] for entry in entries(ready, "log", *arguments)]

    assert found() == ["at.5", "at.25", "at"]
    assert found("--since", "2026-01-02T03:04:05Z") == ["at.5", "at.25", "at"]
    assert found("--since", "2026-01-02T03:04:05.25Z", "--until", "2026-01-02T03:04:05.5Z") == ["at.25"]


def test_af16_limit_offset_and_empty_list(ready: Host) -> None:
    assert ready.run("log").stdout == "no entries found\n"
    for number in range(3):
        write(
            ready,
            f"entry {number}",
            "--body",
            "line one\nline two",
            "--timestamp",
            f"2026-01-02T03:04:0{number}Z",
        )

    page = ready.run("log", "--limit", "1", "--offset", "1", "--verbose").stdout

    assert page == "2026-01-02 03:04:01 [decision] (s1) entry 1\n    line one\n    line two\n"
    assert len(entries(ready, "log", "--limit", "0")) == 3
    for option in ("--limit", "--offset"):
        assert ready.run("log", option, "-1").returncode == 2


def test_af17_filters_with_a_wrong_type_name_the_nearest(ready: Host) -> None:
    done = ready.run("log", "--type", "asumption")

    assert done.returncode == 2
    assert "did you mean 'assumption'?" in done.stderr


@pytest.mark.parametrize("text", ["my-project", "C++", "don't", '"', "a:b", "(", "it is --not an option"])
def test_af19_search_takes_any_text_and_flags_after_it(ready: Host, text: str) -> None:
    write(ready, f"on {text}")

    done = (
        ready.run("search", "--", text)
        if text.startswith("-")
        else ready.run("search", text, "--type", "decision")
    )

    assert done.returncode == 0, done.stderr
    words = any(character.isalnum() or character in "+#" for character in text)
    assert done.stdout.endswith("1 result(s)\n" if words else "No results found.\n")
    assert "\x1b" not in done.stdout


def test_af20_words_are_bold_on_a_terminal(ready: Host) -> None:
    import pty

    write(ready, "use the cache")
    environment = {name: value for name, value in ready.environment().items() if name != "NO_COLOR"}
    outer, inner = pty.openpty()
    process = subprocess.Popen(
        ready.command("search", "cache"), env=environment, stdout=inner, cwd=ready.root
    )
    os.close(inner)
    shown = b""
    try:
        while chunk := os.read(outer, 4096):
            shown += chunk
    except OSError:
        pass  # Linux says EIO when the other side has closed.
    os.close(outer)

    assert process.wait(timeout=60) == 0
    assert b"use the \x1b[1mcache\x1b[0m" in shown


def test_af22_blame_from_root_subfolder_and_by_absolute_path(ready: Host) -> None:
    app = ready.root / "app"
    write(ready, "about a", "--files", "src/a.py", cwd=app)
    write(ready, "elsewhere", "--files", "src/a.py", cwd=ready.root)

    for path, cwd in (
        ("src/a.py", app),
        ("a.py", app / "src"),
        (str(app / "src" / "a.py"), ready.root),
        ("app", ready.root),
    ):
        done = ready.run("blame", path, cwd=cwd)
        assert done.stdout.splitlines()[-1].endswith("[decision] (s1) about a"), path
        assert len(done.stdout.splitlines()) == 1, path
    nothing = ready.run("blame", "b.py", cwd=app)
    assert nothing.stdout == f"no decisions reference {app / 'b.py'}\n"
    unknown = ready.run("blame", "a.py", "--verbse", cwd=app)
    assert unknown.returncode == 2
    assert "'--verbose'" in unknown.stderr


def test_af21_show_by_session_beginning_and_unknown_id(ready: Host) -> None:
    entry = write(ready, "one", "--id", "adr-7")

    assert ready.run("show", "s1").stdout.startswith("Session: s1\nStarted: ")
    assert ready.run("show", "adr").stdout.startswith(f"Entry: {entry}\n")
    wrong = ready.run("show", "adr-8")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines() == [
        'jilog: error: nothing found matching "adr-8"',
        "jilog: hint: did you mean 'adr-7'?",
    ]


def test_af23_context_as_text_and_as_json(ready: Host) -> None:
    app = ready.root / "app"
    write(ready, "about a", "--files", "src/a.py", cwd=app)

    by_file = ready.run("context", "--files", "a.py", cwd=app / "src")
    by_topic = json.loads(ready.run("context", "--topic", "about my-project", "--json").stdout)
    nothing = ready.run("context", "--topic", "zebra")
    empty = ready.run("context", "--topic", "zebra", "--json")
    unasked = ready.run("context")

    assert by_file.stdout.startswith("# Relevant decisions\n\n## [decision] about a (")
    assert [entry["title"] for entry in by_topic] == ["about a"]
    assert nothing.stdout == "No relevant decisions found."
    assert empty.stdout == "[]\n"
    assert unasked.returncode == 2
    assert "at least one of files or topic is required" in unasked.stderr


def test_af24_af25_export_forms_and_files(ready: Host) -> None:
    write(ready, "one", "--body", "Use v1.2 of it. More.")

    assert ready.run("export").stdout.startswith("# Decision Log Export\n\n## one\n")
    assert (
        ready.run("export", "--template", "pr").stdout == "## What changed\n\n- **one** - Use v1.2 of it.\n"
    )
    assert json.loads(ready.run("export", "--format", "json").stdout)[0]["title"] == "one"
    assert json.loads(ready.run("export", "--format", "jsonl").stdout)["event_class"] == "decision"
    both = ready.run("export", "--template", "pr", "--format", "json")
    assert both.returncode == 2
    assert "template pr is markdown and cannot be written as json" in both.stderr
    wrong = ready.run("export", "--format", "jsnl")
    assert "did you mean 'jsonl'?" in wrong.stderr
    target = ready.root / "notes.md"
    assert ready.run("export", "--output", str(target)).stdout == ""
    assert target.read_text().startswith("# Decision Log Export")


def test_exported_segments_are_imported_on_another_host(ready: Host, tmp_path: Path) -> None:
    write(ready, "one", "--id", "adr-7")
    folder = tmp_path / "out"

    exported = ready.run("export", "--format", "jilog", "--output", str(folder))
    again = ready.run("export", "--format", "jilog", "--output", str(folder))
    other = LocalHost(tmp_path / "other")
    other.root.mkdir()
    imported = other.run("import", "jilog", str(folder))
    repeated = other.json("import", "jilog", str(folder))

    assert exported.stdout == f"1 events, 1 segments written to {folder}\n"
    assert again.returncode == 0
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout == "1 imported, 0 were here already, 0 skipped, from 1 file(s)\n"
    assert (repeated["added"], repeated["present"]) == (0, 1)
    assert [entry["id"] for entry in entries(other, "log")] == ["adr-7"]


def test_import_that_skips_something_says_what_and_ends_with_3(ready: Host) -> None:
    log = ready.root / ".agentlog" / "log"
    log.mkdir(parents=True)
    (log / "s1.jsonl").write_text("not json\n")

    done = ready.run("import", "agentlog", str(ready.root / ".agentlog"))

    assert done.returncode == 3
    assert "0 imported, 0 were here already, 1 skipped, from 1 file(s)\n  s1.jsonl:1: " in done.stdout
    assert ready.run("import", "agentlog", "/nowhere").returncode == 2


def test_af31_body_of_a_megabyte_goes_in_and_comes_out(ready: Host) -> None:
    body = "ä line of text\n" * 65_000

    done = ready.run(
        "write", "--type", "decision", "--title", "large", "--session", "s1", "--body", "-", stdin=body
    )

    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(ready.run("show", "s1", "--json").stdout)["entries"]
    assert entry["body"] == body.removesuffix("\n")
    too_large = ready.run("write", "--type", "decision", "--title", "x", "--body", "-", stdin="y" * 1_048_577)
    assert too_large.returncode == 2
    assert "larger than the limit of 1048576 bytes" in too_large.stderr


def test_af31_a_reply_of_five_megabytes_is_printed_whole(ready: Host) -> None:
    body = "y" * 1_000_000
    for _ in range(5):
        ready.run(
            "write", "--type", "decision", "--title", "large", "--session", "s1", "--body", "-", stdin=body
        )

    done = ready.run("log", "--verbose")

    assert done.stdout.count(body) == 5


def test_af31_ten_thousand_tags_are_refused_by_their_limit(ready: Host) -> None:
    done = ready.run(
        "write", "--type", "decision", "--title", "x", "--tags", ",".join(map(str, range(10_000)))
    )

    assert done.returncode == 2
    assert "10000 tags are more than the limit of 256" in done.stderr


def test_arguments_that_are_no_utf8_are_written_and_found(ready: Host) -> None:
    name = os.fsdecode(b"caf\xe9.py")
    write(ready, f"on {name}", "--file", name)

    assert [entry["title"] for entry in entries(ready, "blame", name)] == ["on caf\\xe9.py"]


def test_af46_everything_is_for_the_owner_alone(ready: Host) -> None:
    write(ready, "one", "--id", "adr-7")
    ready.run("log")

    for path in [ready.state, *ready.state.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} {mode:o}"


def test_af11_many_processes_write_to_one_session_and_nothing_is_lost(ready: Host) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from support.decision_zone import open_zone, proposal\n"
        "from support.stores import Clock\n"
        "from jilog_agent.decisions.record import write_entry\n"
        "with open_zone(Path(sys.argv[1])) as zone:\n"
        "    for number in range(50):\n"
        "        write_entry(zone, proposal(f'{sys.argv[2]}-{number}'), Clock())\n"
    )
    root = ready.root / "zone"
    environment = {**ready.environment(), "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(root), str(process)], env=environment)
        for process in range(20)
    ]

    assert [process.wait(timeout=120) for process in processes] == [0] * 20
    from jilog_agent.decisions.select import EntryFilter, select_entries
    from support.decision_zone import open_zone, titles

    with open_zone(root) as zone:
        found = titles(select_entries([zone], EntryFilter(session="s"), limit=None))
    assert len(found) == len(set(found)) == 1_000


def test_plain_write_does_not_wait_for_sqlalchemy(ready: Host) -> None:
    program = (
        "import sys\n"
        "from jilog_agent.main import run\n"
        "status = run(['write', '--type', 'decision', '--title', 'x', '--files', 'a.py'])\n"
        "assert status == 0 and 'jilog_agent.decisions.record' in sys.modules\n"
        "assert 'sqlalchemy' not in sys.modules\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=ready.environment(), check=False, capture_output=True, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_working_folder_that_is_gone_is_said(ready: Host, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        "import os, sys\n"  # one statement a line
        "os.rmdir(os.getcwd())\n"
        "from jilog_agent.main import run\n"
        "sys.exit(run(['blame', 'a.py']))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=gone,
        env=ready.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("jilog: error: the working folder is gone")
