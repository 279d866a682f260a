"""``jilog turn`` as a user runs it; tests are named by the feature that they prove."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from jilog_ledger.times import parse_rfc3339
from support.turn_repo import (
    RECORD_ID,
    TurnHost,
    fingerprint,
    git,
    git_repository,
    identifier,
    program,
)


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    """A host whose user stands in a repository with one commit."""
    return TurnHost.at(tmp_path, git_repository(tmp_path / "app"))


def document(app: TurnHost, record_id: str) -> dict[str, object]:
    kind = "sessions" if record_id.startswith("sess_") else "turns"
    value = json.loads((app.store / kind / f"{record_id}.json").read_text())
    assert isinstance(value, dict)
    return value


def index(app: TurnHost) -> list[dict[str, object]]:
    return [json.loads(line) for line in (app.store / "index.jsonl").read_text().splitlines()]


def test_tf01_init_twice_is_as_good_as_once(app: TurnHost) -> None:
    (app.folder / ".gitignore").write_text("build")

    first = app.turn("init")
    before = fingerprint(app.folder)
    second = app.turn("init", cwd=app.folder)

    assert first == second == f"initialized {app.store}\n"
    assert fingerprint(app.folder) == before
    assert (app.folder / ".gitignore").read_text() == "build\n.turnlog/\n"
    assert {path.name for path in app.store.iterdir()} >= {"index.jsonl", "sessions", "turns", "attachments"}


@pytest.mark.parametrize("line", [".turnlog", ".turnlog/", "/.turnlog/", "  .turnlog/  "])
def test_tf01_form_of_the_line_that_is_there_is_kept(app: TurnHost, line: str) -> None:
    (app.folder / ".gitignore").write_text(f"{line}\n")

    app.turn("init")

    assert (app.folder / ".gitignore").read_text() == f"{line}\n"


def test_tf02_start_writes_the_session_and_makes_it_current(app: TurnHost) -> None:
    session = app.start("--ticket", "AUTH-123", goal="Fix auth\ntoken")

    written = document(app, session)
    head = git(app.folder, "rev-parse", "HEAD").strip()
    assert written["ticket"] == "AUTH-123"
    assert written["goal"] == "Fix auth token"
    assert written["repo_root"] == str(app.folder)
    assert written["vcs_start"] == {
        "kind": "git",
        "git_head": head,
        "git_branch": "main",
        "dirty": False,
        "changed_files": [],
    }
    assert app.turn("current") == f"current session: {session} ticket=AUTH-123 goal=Fix auth token\n"


def test_tf02_goal_is_required(app: TurnHost) -> None:
    missing, empty = app.run("turn", "start"), app.run("turn", "start", "--goal", " ")

    assert (missing.returncode, empty.returncode) == (2, 2)
    assert "--goal" in missing.stderr
    assert "goal must not be empty" in empty.stderr


def test_tf03_turn_holds_what_was_said_and_needs_nothing(app: TurnHost) -> None:
    session = app.start()

    bare = app.record()
    full = app.record(
        "--model",
        "some-model",
        "--summary",
        "Did it",
        "--verification",
        "ran tests",
        "--verification",
        "read it",
    )

    written = document(app, full)
    assert document(app, bare)["verification"] == []
    assert (document(app, bare)["model"], document(app, bare)["summary"]) == (None, None)
    assert (written["session"], written["model"], written["summary"]) == (session, "some-model", "Did it")
    assert written["verification"] == ["ran tests", "read it"]
    assert [turn["id"] for turn in app.records()[1:]] == [bare, full]


def test_tf04_flag_use_and_current_choose_the_session(app: TurnHost) -> None:
    first, second = app.start(goal="first"), app.start(goal="second")

    def session_of(turn: str) -> object:
        return document(app, turn)["session"]

    assert session_of(app.record()) == second
    assert session_of(app.record("--session", first)) == first
    assert session_of(app.record(JILOG_SESSION=first)) == first
    assert app.turn("use", first) == f"current session: {first} first\n"
    assert session_of(app.record()) == first


def test_tf04_missing_and_dangling_sessions_are_told_apart(app: TurnHost) -> None:
    app.turn("init")

    none = app.run("turn", "record")
    (app.store / "current-session").write_text("sess_01KZZZZZZZZZZZZZZZZZZZZZZZ\n")
    dangling = app.run("turn", "record")
    unknown = app.run("turn", "record", "--session", "sess_01KYYYYYYYYYYYYYYYYYYYYYYY")
    traversal = app.run("turn", "record", "--session", "sess_../../x")

    assert "no active session" in none.stderr
    assert "active session sess_01KZZZZZZZZZZZZZZZZZZZZZZZ was not found" in dangling.stderr
    assert "session not found: sess_01KYYYY" in unknown.stderr
    assert "session not found: sess_../../x" in traversal.stderr
    assert {done.returncode for done in (none, dangling, unknown, traversal)} == {2}
    assert app.records() == []


def test_tf04_two_agents_in_one_repository_never_cross(app: TurnHost) -> None:
    ann = app.start("--agent", "ann", goal="by ann")
    bob = app.start(goal="by bob", JILOG_AGENT="bob")
    stranger = app.run("turn", "record", "--agent", "carl")

    turns = [app.record("--agent", name) for name in ("ann", "bob", "ann", "bob")]

    assert [document(app, turn)["session"] for turn in turns] == [ann, bob, ann, bob]
    assert [document(app, turn)["agent"] for turn in turns] == ["ann", "bob", "ann", "bob"]
    assert "no active session of agent carl" in stranger.stderr
    assert app.run("turn", "start", "--goal", "x", "--agent", "../x").returncode == 2


def test_tf04_two_agents_that_record_at_the_same_moment_keep_their_sessions(app: TurnHost) -> None:
    sessions = {name: app.start("--agent", name, goal=f"by {name}") for name in ("ann", "bob")}
    command = [sys.executable, "-m", "jilog_agent", "turn", "record", "--json", "--agent"]

    started = [
        (
            name,
            subprocess.Popen(
                [*command, name, "--summary", f"{name} {number}"],
                cwd=app.folder,
                env=app.host.environment(TURNLOG_VCS="none"),
                stdout=subprocess.PIPE,
                text=True,
            ),
        )
        for number in range(3)
        for name in sessions
    ]
    done = [(name, json.loads(process.communicate(timeout=120)[0])["turn"]) for name, process in started]

    assert {(name, turn["session"]) for name, turn in done} == set(sessions.items())
    assert all(turn["agent"] == name and turn["summary"].startswith(name) for name, turn in done)
    assert len({turn["id"] for _, turn in done}) == len(app.records()) - 2 == 6


def test_tf05_status_before_within_and_outside_of_a_repository(app: TurnHost, tmp_path: Path) -> None:
    assert app.turn("status") == "turnlog: not initialized\n"
    session = app.start("--ticket", "T-1", goal="fix")
    (app.folder / "b c.txt").write_text("x")
    turn = app.record("--summary", "did\nit")
    head = git(app.folder, "rev-parse", "HEAD").strip()

    inside = app.turn("status")
    plain = tmp_path / "plain"
    plain.mkdir()
    app.turn("start", "--goal", "g", cwd=plain)
    outside = app.turn("status", cwd=plain).splitlines()

    assert inside.splitlines() == [
        "turnlog: initialized",
        f"current session: {session} ticket=T-1 goal=fix",
        f"last turn: {turn} session={session} summary=did it",
        "vcs: git",
        "git branch: main",
        f"git head: {head}",
        "dirty: true",
        "changed files:",
        "  - .gitignore",
        "  - b c.txt",
    ]
    assert outside[0] == "turnlog: initialized"
    assert outside[2:] == ["last turn: none", "vcs: none"]


def test_tf05_status_with_jj_shows_its_ids(app: TurnHost, tmp_path: Path) -> None:
    root = shlex.quote(str(app.folder))
    script = (
        f"""case "$*" in *" root") echo {root} ;; *"log -r @"*) printf 'ch\\nco\\n' ;; *) echo op ;; esac"""
    )
    folder = program(tmp_path / "bin", "jj", script)
    (app.folder / ".jj").mkdir()
    app.turn("init")

    shown = app.turn("status", PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")

    head = git(app.folder, "rev-parse", "HEAD").strip()
    assert shown.splitlines() == [
        "turnlog: initialized",
        "current session: none",
        "last turn: none",
        "vcs: jj",
        "jj change: ch",
        "jj commit: co",
        "jj operation: op",
        "git branch: main",
        f"git head: {head}",
        "dirty: true",
        "changed files:",
        "  - .gitignore",
    ]


def test_tf05_status_of_a_folder_that_has_drifted_is_whole_and_names_the_cure(app: TurnHost) -> None:
    session, turn = app.start(), app.record("--summary", "done")
    whole = app.run("turn", "status")
    (app.store / "turns" / f"{turn}.json").unlink()
    (app.store / "index.jsonl").write_text("")

    drifted = app.run("turn", "status")

    assert (drifted.returncode, drifted.stdout) == (0, whole.stdout)
    assert session in drifted.stdout
    assert whole.stderr == ""
    assert "2 record(s) are missing" in drifted.stderr
    assert "jilog turn repair" in drifted.stderr


def test_tf05_wrong_choice_of_version_control_is_refused(app: TurnHost) -> None:
    app.turn("init")

    done = app.run("turn", "status", TURNLOG_VCS="svn")

    assert done.returncode == 2
    assert "TURNLOG_VCS is 'svn'" in done.stderr


def test_tf06_all_filters_combine_as_a_naive_filter_does(app: TurnHost) -> None:
    for ticket, goal in (("A-1", "tokens"), ("A-2", "Tokens again"), ("", "other")):
        app.start("--ticket", ticket, goal=goal)
        for name in ("src/auth.py", "docs/auth.md"):
            (app.folder / name).parent.mkdir(exist_ok=True)
            (app.folder / name).write_text(ticket)
            app.record("--summary", f"changed {name} for {goal}")
            git(app.folder, "add", ".")
            git(app.folder, "commit", "-q", "-m", "x", "--allow-empty")
    everything = app.records()
    sessions = {item["id"]: item for item in everything if item["type"] == "session_started"}

    def naive(item: dict[str, object], session: str, ticket: str, grep: str, changed: str) -> bool:
        owner = item["id"] if item["type"] == "session_started" else item["session"]
        values = json.dumps(list(_values(item))).lower()
        files = item["vcs"]["changed_files"] if "vcs" in item else []  # type: ignore[index] # a document
        return (
            (not session or owner == session)
            and (not ticket or sessions[owner]["ticket"] == ticket)
            and (not grep or grep.lower() in values)
            and (not changed or any(changed in path for path in files))
        )

    some = next(iter(sessions))
    for session, ticket, grep, changed in product(("", str(some)), ("", "A-1"), ("", "TOKENS"), ("", "src/")):
        flags = [("--session", session), ("--ticket", ticket), ("--grep", grep), ("--changed", changed)]
        typed = [word for flag in flags if flag[1] for word in flag]
        expected = [item["id"] for item in everything if naive(item, session, ticket, grep, changed)]
        assert [item["id"] for item in app.records(*typed)] == expected, typed
    assert len(everything) == 9


def _values(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _values(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _values(item)]
    return [value]


def test_tf07_show_gives_the_story_and_the_record(app: TurnHost) -> None:
    session = app.start("--ticket", "T-1", goal="fix")
    (app.folder / "b.txt").write_text("x")
    turn = app.record("--summary", "did it", "--verification", "has `ticks`", "--model", "m")

    story, page = app.turn("show", session), app.turn("show", turn[:20])
    as_json = app.json("show", session)

    assert app.json("show", turn)["turn"] == document(app, turn)
    assert as_json["session"] == document(app, session)
    assert as_json["turns"] == [document(app, turn)]
    at_start = json.dumps(document(app, session)["vcs_start"], indent=2)
    assert story == (
        f"# Session {session}\n\n"
        f"Ticket: T-1  \nGoal: fix  \nCreated: {document(app, session)['created_at']}  \n"
        f"Repo: {app.folder}  \n\n"
        f"## VCS at start\n\n```json\n{at_start}\n```\n\n"
        f"## Turns\n\n### {turn}\n\n"
        f"Model: m  \nSummary: did it  \nCreated: {document(app, turn)['created_at']}  \n\n"
        "Verification:\n\n- `` has `ticks` ``\n\n"
        "Attachments:\n\n- none\n\n"
        "Changed files:\n\n- `.gitignore`\n- `b.txt`\n"
    )
    assert page == (app.store / "turns" / f"{turn}.md").read_text()


def test_tf07_unknown_and_ambiguous_ids_are_said(app: TurnHost) -> None:
    first, second = app.start(), app.start()

    unknown, ambiguous = app.run("turn", "show", "sess_9"), app.run("turn", "show", "sess_")

    assert "not found: sess_9" in unknown.stderr
    assert f"matches: {first}, {second}" in ambiguous.stderr


def test_tf08_grep_looks_into_values_and_not_into_names_of_keys(app: TurnHost) -> None:
    session = app.start(goal="Fix the Token")
    app.record("--summary", "nothing")

    assert app.turn("grep", "tOKEN").split()[1] == session
    assert app.turn("grep", "goal") == ""
    assert app.turn("grep", "schema_version") == ""


def test_tf09_report_to_a_file_says_what_stdout_says(app: TurnHost) -> None:
    session = app.start()
    app.record("--summary", "did it")

    path = Path(app.turn("report").removeprefix("wrote ").strip())

    assert path == app.store / "reports" / f"{session}.md"
    assert path.read_text() == app.turn("report", session, "--stdout") == app.turn("show", session)


def test_tf10_each_record_has_a_page_that_matches_its_document(app: TurnHost) -> None:
    session, turn = (
        app.start("--ticket", "T-9"),
        app.record("--summary", "did it", "--verification", "looked"),
    )

    session_page = (app.store / "sessions" / f"{session}.md").read_text()
    turn_page = (app.store / "turns" / f"{turn}.md").read_text()

    fenced = turn_page.split("```json\n")[1].split("\n```")[0]
    assert json.loads(fenced) == document(app, turn)["vcs"]
    assert f"Created: {document(app, turn)['created_at']}  " in turn_page
    assert "## Verification\n\n- `looked`\n" in turn_page
    assert "Ticket: T-9  " in session_page


def test_tf13_everything_works_without_version_control(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    app = TurnHost.at(tmp_path, folder)

    app.turn("init")
    session, turn = app.start(), app.record("--attach-diff")

    assert document(app, turn)["vcs"] == {"kind": "none"}
    assert document(app, turn)["attachments"] == []
    assert "no VCS diff available" in app.run("turn", "record", "--attach-diff").stderr
    for command in (
        ("log",),
        ("status",),
        ("current",),
        ("use", session),
        ("show", session),
        ("show", turn),
        ("grep", session),
        ("report", session, "--stdout"),
        ("repair",),
        ("end",),
    ):
        assert app.turn(*command), command
    assert session in app.run("trace", turn).stdout


def test_tf14_no_command_changes_anything_in_git(app: TurnHost) -> None:
    (app.folder / "staged.txt").write_text("x")
    git(app.folder, "add", "staged.txt")
    (app.folder / "a.txt").write_text("changed")
    (app.folder / "untracked.txt").write_text("x")
    before = fingerprint(app.folder / ".git")

    session = app.start()
    app.record("--attach-diff", "--verify", "true")
    for command in (
        ("init",),
        ("status",),
        ("log",),
        ("current",),
        ("use", session),
        ("show", session),
        ("grep", "x"),
        ("report", session),
        ("repair",),
        ("end",),
    ):
        app.turn(*command)
    others = (
        ("write", "--type", "decision", "--title", "x", "--file", "a.txt"),
        ("blame", "a.txt"),
        ("context", "--files", "a.txt"),
        ("log", "--all"),
        ("trace", session),
        ("import", "turnlog", "."),
        ("hooks", "run", "claude-code", "start"),
        ("hooks", "run", "claude-code", "stop"),
        ("hooks", "install"),
    )
    for words in others:
        assert app.run(*words).returncode == 0, words

    assert fingerprint(app.folder / ".git") == before


def test_tf15_attached_patch_is_there_applies_and_is_hashed(app: TurnHost, tmp_path: Path) -> None:
    app.start()
    git(app.folder, "add", ".gitignore")
    git(app.folder, "commit", "-q", "-m", "ignore")
    (app.folder / "new é.txt").write_text("x\n")
    (app.folder / "a.txt").write_text("two\n")

    turn = app.record("--attach-diff")
    git(app.folder, "add", ".")
    git(app.folder, "commit", "-q", "-m", "clean")
    clean = app.run("turn", "record", "--attach-diff")

    (attached,) = document(app, turn)["attachments"]  # type: ignore[misc] # a list
    assert attached["path"] == f".turnlog/attachments/{turn}.diff"
    patch = app.folder / attached["path"]
    assert attached["bytes"] == patch.stat().st_size
    git(tmp_path, "clone", "-q", "app", "copy")
    git(tmp_path / "copy", "checkout", "-q", "HEAD~1")
    git(tmp_path / "copy", "apply", "--check", str(patch))
    assert "no diff to attach" in clean.stderr
    assert clean.returncode == 0


def test_tf15_refused_turn_leaves_no_patch(app: TurnHost) -> None:
    app.start()
    (app.folder / "new.txt").write_text("x\n")

    done = app.run("turn", "record", "--attach-diff", "--summary", "x" * 30_000)

    assert done.returncode == 2
    assert list((app.store / "attachments").iterdir()) == []
    assert list((app.store / "turns").iterdir()) == []


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("relative", [True, False])
def test_tf16_folder_may_be_named_before_and_after_the_command(
    app: TurnHost, tmp_path: Path, before: bool, relative: bool
) -> None:
    folder = ("-C" if before else "--cwd", "app" if relative else str(app.folder))
    arguments = ("turn", *folder, "init") if before else ("turn", "init", *folder)

    done = app.run(*arguments, cwd=tmp_path)

    assert done.stdout == f"initialized {app.store}\n"
    assert "there is no folder" in app.run("turn", "-C", "nowhere", "init", cwd=tmp_path).stderr


def test_tf17_store_is_found_from_below_but_not_above_the_repository(app: TurnHost, tmp_path: Path) -> None:
    session = app.start()
    deep = app.folder / "deep" / "er"
    deep.mkdir(parents=True)
    inner = git_repository(app.folder / "inner")

    below = app.turn("current", cwd=deep)
    nested = app.run("turn", "current", cwd=inner)
    outside = app.run("turn", "log", cwd=tmp_path)

    assert session in below
    for done in (nested, outside):
        assert done.returncode == 2
        assert "there is no .turnlog here" in done.stderr
        assert "jilog turn init" in done.stderr


def test_tf18_records_have_version_prefix_ulid_and_utc_time(app: TurnHost) -> None:
    session, turn = app.start(), app.record()
    app.turn("end")

    for name in (session, turn):
        assert RECORD_ID.fullmatch(name)
        assert document(app, name)["schema_version"] == 1
        created = str(document(app, name)["created_at"])
        assert created.endswith("Z")
        parse_rfc3339(created)
    lines = index(app)
    assert [line["type"] for line in lines] == ["session_started", "turn_recorded", "session_ended"]
    assert all({"id", "created_at", "schema_version"} <= set(line) for line in lines)
    assert lines[0]["session"] == document(app, session)
    assert lines[1]["turn"] == document(app, turn)


def test_tf23_records_stay_out_of_git_status(app: TurnHost) -> None:
    app.start()
    app.record("--attach-diff")

    assert git(app.folder, "status", "--porcelain").split() == ["??", ".gitignore"]
    assert app.store.stat().st_mode & 0o777 == 0o700


def test_session_ends_once_and_is_current_no_longer(app: TurnHost) -> None:
    session = app.start()

    ended = app.turn("end", "--summary", "merged")
    again = app.turn("end", "--session", session, "--summary", "other")

    assert ended == f"ended {session}\n"
    assert again == f"{session} had ended already\n"
    assert "(merged)" in (app.store / "sessions" / f"{session}.md").read_text()
    assert "no active session" in app.run("turn", "current").stderr


def test_secrets_are_masked_in_ledger_and_snapshot(app: TurnHost) -> None:
    secret = "ghp_" + "a1B2" * 9

    app.start(goal=f"use {secret}")
    app.record(
        "--summary", f"used {secret}", "--verification", f"curl -H {secret}", "--verify", f"echo {secret}"
    )

    app.record("--verify", "echo --password hunter22 --token=hunter22")

    stored = "".join(path.read_text() for path in app.store.rglob("*") if path.is_file())
    assert secret not in stored
    assert "hunter22" not in stored
    assert app.run("turn", "status").stderr == ""
    assert secret not in app.run("log", "--all", "--json").stdout


def test_zone_says_what_is_masked_and_repair_agrees_with_it(app: TurnHost) -> None:
    app.host.config.write_text(
        '[[zones]]\nid = "main"\n[zones.redaction]\nemails = false\npatterns = ["Project Falcon"]\n'
    )
    app.start(goal="ask ann@example.org about Project Falcon")

    assert "goal=ask ann@example.org about [redacted]" in app.turn("current")
    assert app.run("turn", "status").stderr == ""


def test_confidential_turn_stays_in_the_local_stream(app: TurnHost) -> None:
    app.start()

    turn = app.record("--confidential", "--summary", "quiet")

    events = app.host.events()
    (found,) = (event for event in events if turn in json.dumps(event))
    assert found["payload_tier"] == "confidential"


def test_pf02_only_a_changed_tree_is_recorded_and_a_missing_session_begun(app: TurnHost) -> None:
    done = app.run("turn", "record", "--auto-start", "Record work", "--if-dirty")
    git(app.folder, "add", ".")
    git(app.folder, "commit", "-q", "-m", "ignore")

    clean = app.turn("record", "--if-dirty")
    (app.folder / "a.txt").write_text("changed")
    dirty = app.turn("record", "--if-dirty")

    assert "started sess_" in done.stderr
    assert clean == "not recorded: nothing has changed\n"
    assert RECORD_ID.search(dirty)
    again = app.run("turn", "record", "--auto-start", "Other")
    assert "started" not in again.stderr


def test_pf03_message_is_recorded_once_even_by_another_process(app: TurnHost) -> None:
    app.start()
    runs = app.folder.parent / "runs"

    first = app.record("--message-id", "msg-1", "--summary", "a", "--verify-shell", f"echo x >> {runs}")
    again = app.json(
        "record", "--message-id", "msg-1", "--summary", "b", "--verify-shell", f"echo x >> {runs}"
    )
    other = app.record("--message-id", "msg-2")

    assert again["created"] is False
    assert again["turn"]["id"] == first  # type: ignore[index] # a document
    assert other != first
    assert len(app.records()) == 3
    assert runs.read_text() == "x\n"


def test_pf04_summary_from_standard_input_is_squeezed_and_cut(app: TurnHost) -> None:
    app.start()

    turn = app.record("--summary", "-", stdin="  I changed\n\n the   code " + "and more " * 40)

    summary = str(document(app, turn)["summary"])
    assert summary.startswith("I changed the code and more and")
    assert len(summary) <= 120
    assert summary.endswith("…")


def test_blame_log_show_and_search_tell_turns_too(app: TurnHost) -> None:
    session = app.start("--ticket", "T-7", goal="tell it")
    (app.folder / "a.txt").write_text("changed")
    turn = app.record("--summary", "changed the first file", "--verification", "looked")

    blamed = app.run("blame", "a.txt").stdout
    shown = app.run("show", turn).stdout
    page = app.run("show", session).stdout

    assert "[turn]" in blamed
    assert "changed the first file" in blamed
    assert "claim: looked" in shown
    assert page.startswith(f"Session: {session}\n")
    assert "Entries: 2" in page
    assert [line.split("] ")[0].split("[")[1] for line in app.run("log", "--all").stdout.splitlines()] == [
        "turn",
        "session",
    ]
    assert turn in app.run("search", "first file", "--all", "--json").stdout
    assert app.run("log").stdout == "no entries found\n"


def test_record_into_a_store_that_cannot_be_written_stands_in_the_ledger(app: TurnHost) -> None:
    app.start()
    (app.store / "turns").rename(app.store / "away")
    (app.store / "turns").write_text("not a folder")

    done = app.run("turn", "record", "--summary", "kept")
    (app.store / "turns").unlink()
    (app.store / "away").rename(app.store / "turns")
    app.turn("repair")

    assert done.returncode == 0
    assert "run jilog turn repair" in done.stderr
    assert document(app, identifier(done.stdout))["summary"] == "kept"


def test_working_tree_named_by_a_hook_of_git_is_not_taken_for_another(app: TurnHost, tmp_path: Path) -> None:
    other = git_repository(tmp_path / "other")

    session = app.start(GIT_DIR=str(other / ".git"), GIT_INDEX_FILE=str(other / ".git" / "index"))

    assert document(app, session)["repo_root"] == str(app.folder)
