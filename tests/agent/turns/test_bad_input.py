"""What repositories and users may be like: from outside, one clear error or a record, and never a hang."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.turn_repo import TurnHost, git, git_repository, program


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    return TurnHost.at(tmp_path, git_repository(tmp_path / "app"))


def files(app: TurnHost) -> list[str]:
    """Name all files around that are not the ledger's own."""
    paths = app.folder.parent.rglob("*")
    return sorted(str(path) for path in paths if ".jilog" not in path.parts)


def vcs(host: TurnHost, **environment: str) -> dict[str, object]:
    """Record a turn and give what is kept of the repository."""
    found = host.json("record", "--summary", "x", **environment)["turn"]
    assert isinstance(found, dict)
    state = found["vcs"]
    assert isinstance(state, dict)
    return state


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "sess_../x", "/etc/passwd", "sess_\x00", "turn_1", "%2e%2e", "~"]
)
def test_ids_that_lead_elsewhere_are_refused_everywhere_and_make_no_file(app: TurnHost, text: str) -> None:
    app.start()
    before = files(app)

    for command in (
        ("turn", "record", "--session", text),
        ("turn", "use", text),
        ("turn", "show", text),
        ("turn", "report", text),
        ("turn", "start", "--goal", "x", "--parent", text),
        ("show", text),
        ("trace", text),
        ("write", "--type", "decision", "--title", "x", "--session", f"../{text}"),
        ("write", "--type", "decision", "--title", "x", "--id", f"../{text}"),
    ):
        done = app.run(*command)
        assert done.returncode == 2, (command, done.stdout, done.stderr)
        assert done.stderr.startswith("jilog: error: "), command
        assert "jilog: hint: " in done.stderr, command
        assert "Traceback" not in done.stderr

    assert files(app) == before


@pytest.mark.parametrize("agent", ["../x", "a/b", ".hidden", "", "x" * 300])
def test_names_of_agents_that_are_no_file_names_are_refused(app: TurnHost, agent: str) -> None:
    done = app.run("turn", "start", "--goal", "x", "--agent", agent)

    assert done.returncode == (0 if agent == "" else 2)
    assert not (app.folder.parent / "x").exists()


def test_detached_head_a_repository_without_commits_and_odd_names(app: TurnHost, tmp_path: Path) -> None:
    git(app.folder, "checkout", "-q", "--detach")
    for name in ("a,b.txt", "line\nbreak.txt", "naïve é.txt"):
        (app.folder / name).write_text("x\n")
    app.start()

    state = vcs(app)

    assert state["git_branch"] is None
    assert {"a,b.txt", "line\nbreak.txt", "naïve é.txt"} <= set(state["changed_files"])  # type: ignore[call-overload]
    empty = TurnHost(app.host, git_repository(tmp_path / "empty", commit=False))
    empty.start()
    assert vcs(empty)["git_head"] is None


def test_bare_repositories_are_refused_and_linked_trees_and_submodules_are_trees_of_their_own(
    app: TurnHost, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(app.folder), str(tmp_path / "bare.git"))
    bare = app.run("turn", "start", "--goal", "x", cwd=tmp_path / "bare.git")
    assert (bare.returncode, "bare repository" in bare.stderr) == (2, True)

    git(app.folder, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(
        app.folder,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        str(tmp_path / "bare.git"),
        "sub",
    )
    for folder in (tmp_path / "linked", app.folder / "sub"):
        tree = TurnHost(app.host, folder)
        tree.start()
        assert vcs(tree)["kind"] == "git"
        assert tree.store.is_dir()
    assert not app.store.exists()


def test_git_that_is_missing_is_said_and_the_turn_is_recorded(app: TurnHost, tmp_path: Path) -> None:
    app.start()

    state = vcs(app, PATH=str(tmp_path / "nothing"))

    assert state["kind"] == "none"
    assert "git is not installed" in str(state["problem"])


def test_jj_that_fails_gives_way_to_git(app: TurnHost, tmp_path: Path) -> None:
    (app.folder / ".jj").mkdir()
    path = f"{program(tmp_path / 'bin', 'jj', 'exit 7')}:{os.environ['PATH']}"
    app.start(PATH=path)

    assert vcs(app, PATH=path)["kind"] == "git"


def test_invalid_utf8_in_names_and_texts_becomes_visible(app: TurnHost) -> None:
    (app.folder / os.fsdecode(b"latin-\xe9.txt")).write_text("x\n")
    app.start()

    turn = app.json("record", "--summary", os.fsdecode(b"caf\xe9"))["turn"]

    assert isinstance(turn, dict)
    assert turn["summary"] == "caf\\xe9"
    assert "latin-\\xe9.txt" in turn["vcs"]["changed_files"]
    assert "latin-\\xe9.txt" in app.run("trace", str(turn["id"])).stdout


def test_damaged_records_are_set_aside_and_writing_goes_on(app: TurnHost) -> None:
    session = app.start()
    turn = app.record("--summary", "one")
    app.store.joinpath("turns", f"{turn}.json").write_bytes(b"\x00\xff{")
    app.store.joinpath("sessions", f"{session}.json").write_text("[]")
    with app.store.joinpath("index.jsonl").open("ab") as index:
        index.write(b"{torn")

    assert app.record("--summary", "two") != turn
    repaired = app.json("repair")

    assert len(repaired["set_aside"]) >= 2  # type: ignore[arg-type]
    assert [item["type"] for item in app.records()] == ["session_started", "turn_recorded", "turn_recorded"]
    assert json.loads(app.store.joinpath("turns", f"{turn}.json").read_text())["summary"] == "one"


def test_texts_past_their_limits_are_refused_by_name(app: TurnHost) -> None:
    app.start()

    for flag in ("--summary", "--model", "--verification", "--message-id"):
        done = app.run("turn", "record", flag, "x" * 1_200_000)
        assert done.returncode == 2, flag
        assert "limit" in done.stderr or "must match" in done.stderr, flag
    assert len(app.records()) == 1
