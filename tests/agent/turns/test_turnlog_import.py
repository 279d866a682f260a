"""Import of ``.turnlog`` folders of the program turnlog, and of jilog on other hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.turn_repo import TurnHost, git_repository

SESSION = {
    "schema_version": 1,
    "id": "sess_01HXAAAAAAAAAAAAAAAAAAAAAA",
    "ticket": "AUTH-123",
    "goal": "Fix auth token validation",
    "created_at": "2026-05-22T12:00:00.5Z",
    "repo_root": "/repo",
    "vcs_start": {"kind": "none"},
}
TURN = {
    "schema_version": 1,
    "id": "turn_01HXBBBBBBBBBBBBBBBBBBBBBB",
    "session": SESSION["id"],
    "created_at": "2026-05-22T12:05:00Z",
    "model": "some-model",
    "summary": "Updated token validation",
    "verification": ["cargo test auth"],
    "vcs": {
        "kind": "jj",
        "jj_change": "kmqzvrlp",
        "jj_commit": "def789",
        "jj_operation": "abcxyz",
        "git_head": "abc123",
        "git_branch": "main",
        "dirty": True,
        "changed_files": ["src/auth.rs"],
    },
}
BARE_TURN = {
    "schema_version": 1,
    "id": "turn_01HXCCCCCCCCCCCCCCCCCCCCCC",
    "session": SESSION["id"],
    "created_at": "2026-05-22T12:06:00Z",
    "model": None,
    "summary": None,
    "verification": [],
    "vcs": {"kind": "git", "git_head": None, "git_branch": None, "dirty": False, "changed_files": []},
}


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    app = TurnHost.at(tmp_path, git_repository(tmp_path / "app"))
    assert app.run("init", "--source", "alpha").returncode == 0
    return app


def lay_out(folder: Path) -> Path:
    """Make a folder as turnlog does: an old turn stands in the index only."""
    for name in ("sessions", "turns"):
        (folder / name).mkdir(parents=True)
    (folder / "sessions" / f"{SESSION['id']}.json").write_text(json.dumps(SESSION, indent=2))
    (folder / "turns" / f"{TURN['id']}.json").write_text(json.dumps(TURN))
    lines = [
        {"type": "session_started", "session": SESSION},
        {"type": "turn_recorded", "turn": {**TURN, "summary": "stale: the file is preferred"}},
        {"type": "turn_recorded", "turn": BARE_TURN},
    ]
    (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_import_keeps_ids_times_and_content_and_can_be_repeated(app: TurnHost) -> None:
    lay_out(app.store)

    rehearsal = app.run("import", "turnlog", ".", "--dry-run")
    first = app.run("import", "turnlog", ".")
    again = app.run("import", "turnlog", ".turnlog")

    assert rehearsal.stdout == "3 would be imported, 0 were here already, 0 skipped, from 3 file(s)\n"
    assert first.stdout == "3 imported, 0 were here already, 0 skipped, from 3 file(s)\n"
    assert again.stdout == "0 imported, 3 were here already, 0 skipped, from 3 file(s)\n"
    session, turn, bare = app.records()
    assert (session["id"], session["ticket"], session["created_at"]) == (
        SESSION["id"],
        "AUTH-123",
        "2026-05-22T12:00:00.500Z",
    )
    assert {key: turn[key] for key in TURN} == {**TURN, "created_at": "2026-05-22T12:05:00Z"}
    assert {key: bare[key] for key in BARE_TURN} == BARE_TURN


def test_imported_records_are_found_by_ticket_commit_and_file(app: TurnHost) -> None:
    lay_out(app.store)
    app.run("import", "turnlog", ".")

    assert TURN["id"] in app.run("trace", "AUTH-123").stdout
    assert "ticket AUTH-123" in app.run("trace", "kmqz").stdout
    assert "Updated token validation" in app.run("blame", "src/auth.rs").stdout


def test_what_cannot_be_read_is_reported_and_the_rest_imported(app: TurnHost) -> None:
    folder = lay_out(app.store)
    (folder / "turns" / "turn_bad.json").write_text("{")
    (folder / "turns" / "turn_9999.json").write_text(json.dumps(TURN))
    (folder / "turns" / "turn_8888.json").write_text(json.dumps({**TURN, "schema_version": 2}))
    (folder / "turns" / "turn_7777.json").write_text(json.dumps({**TURN, "id": "../../x"}))
    (folder / "turns" / "turn_6666.json").write_text("[" * 100_000)
    with (folder / "index.jsonl").open("a") as index:
        index.write('{"type": "unheard_of"}\n[]\n{"type": "turn_recorded", "turn": {"id"')

    done = app.run("import", "turnlog", ".", "--json")

    report = json.loads(done.stdout)
    assert done.returncode == 3
    assert report["added"] == 3
    assert {item["where"] for item in report["skipped"]} == {
        "turns/turn_bad.json",
        "turns/turn_9999.json",
        "turns/turn_8888.json",
        "turns/turn_7777.json",
        "turns/turn_6666.json",
        "index.jsonl:4",
        "index.jsonl:5",
        "index.jsonl:6",
    }


def test_our_own_folder_imported_on_another_host_is_the_same_events(app: TurnHost, tmp_path: Path) -> None:
    app.start("--ticket", "T-1", "--agent", "ann")
    (app.folder / "new.txt").write_text("x")
    app.record(
        "--verify", "echo x", "--verification", "y", "--message-id", "m1", "--attach-diff", "--agent", "ann"
    )
    app.turn("end", "--agent", "ann", "--summary", "done")
    other = TurnHost.at(tmp_path / "other", app.folder)
    assert other.run("init", "--source", "beta").returncode == 0

    done = other.run("import", "turnlog", ".")
    at_home = app.run("import", "turnlog", ".")

    assert done.stdout.startswith("3 imported, 0 were here already, 0 skipped")
    assert at_home.stdout.startswith("0 imported, 3 were here already, 0 skipped")
    ids = [{str(event["event_id"]) for event in host.host.events()} for host in (app, other)]
    assert ids[0] == ids[1]


def test_changed_record_does_not_replace_the_one_that_is_here(app: TurnHost) -> None:
    folder = lay_out(app.store)
    app.run("import", "turnlog", ".")
    (folder / "turns" / f"{TURN['id']}.json").write_text(json.dumps({**TURN, "summary": "other"}))

    done = app.run("import", "turnlog", ".")

    assert done.returncode == 3
    assert "its id is taken by an event with other content" in done.stdout


def test_folder_that_is_none_is_refused(app: TurnHost) -> None:
    done = app.run("import", "turnlog", "nowhere")

    assert done.returncode == 2
    assert "holds no turnlog records" in done.stderr
