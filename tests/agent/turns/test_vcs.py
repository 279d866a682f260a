"""What is asked of git and jj, and that asking changes nothing."""

from __future__ import annotations

import os
import select
import shlex
import shutil
from pathlib import Path

import pytest

from jilog_agent.vcs.capture import working_tree
from jilog_agent.vcs.command import Runner, VcsProblem
from jilog_agent.vcs.diff import work_diff
from jilog_agent.vcs.git import commits_since, parse_status
from jilog_ledger.errors import InputError
from support.turn_repo import GIT_SETTINGS, TurnHost, fingerprint, git, git_repository, program

ODD_NAMES = ("with space.txt", "é.txt", "comma,name.txt", "line\nfeed.txt", '"quoted".txt', "-dash.txt")
JJ_SCRIPT = """
printf '%s\\n' "$*" >> {log}
case "$*" in
  *" root") echo {root} ;;
  *"log -r @"*) printf 'kmqzvrlpkmqzvrlp\\ndef789def789\\n' ;;
  *"op log"*) echo abcxyzabcxyz ;;
  *"--name-only"*) printf 'src/auth.rs\\nREADME.md\\n' ;;
  *"diff --git"*) echo 'a jj diff' ;;
  *) exit 2 ;;
esac
"""


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIT_SETTINGS.items():
        monkeypatch.setenv(name, value)


def ends(process_id: int) -> bool:
    """Wait for somebody else's process to end, long enough for any machine."""
    try:
        descriptor = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)


def jj_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Make a folder that jj says is its own; give it and the log of jj's calls."""
    root = tmp_path / "app"
    (root / ".jj").mkdir(parents=True)
    log = tmp_path / "jj.log"
    folder = program(
        tmp_path / "bin", "jj", JJ_SCRIPT.format(log=shlex.quote(str(log)), root=shlex.quote(str(root)))
    )
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return root, log


def test_tf11_head_branch_and_changed_files_with_odd_names_and_a_rename(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    (root / "old name.txt").write_text("content that git knows again\n" * 5)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "second")
    git(root, "mv", "old name.txt", "new name.txt")
    for name in ODD_NAMES:
        (root / name).write_text("x\n")
    (root / "a.txt").write_text("two\n")

    state = working_tree(root).state()

    assert (state.kind, state.git_branch, state.dirty) == ("git", "main", True)
    assert state.git_head == git(root, "rev-parse", "HEAD").strip()
    assert set(state.changed_files) == {"a.txt", "new name.txt", *ODD_NAMES}
    assert state.problem == ""


def test_tf11_detached_head_has_no_branch_and_a_repository_without_commits_no_head(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    git(root, "checkout", "-q", "--detach")
    empty = git_repository(tmp_path / "empty", commit=False)

    detached, unborn = working_tree(root).state(), working_tree(empty).state()

    assert detached.git_branch is None
    assert detached.git_head is not None
    assert detached.dirty is False
    assert (unborn.git_head, unborn.git_branch, unborn.dirty) == (None, "main", False)


def test_linked_trees_and_submodules_are_trees_of_their_own(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    git(root, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(root), "vendor")

    side, module = working_tree(tmp_path / "side"), working_tree(root / "vendor")

    assert (side.root, side.state().git_branch) == (tmp_path / "side", "side")
    assert (module.root, module.kind) == (root / "vendor", "git")


def test_bare_repository_is_refused_with_what_to_do(tmp_path: Path) -> None:
    git_repository(tmp_path / "app")
    git(tmp_path, "clone", "-q", "--bare", "app", "bare.git")

    for folder in (tmp_path / "bare.git", tmp_path / "bare.git" / "refs"):
        with pytest.raises(InputError, match="bare repository"):
            working_tree(folder)


def test_our_own_records_are_not_work_even_when_they_are_committed(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    (root / ".turnlog").mkdir()
    (root / ".turnlog" / "index.jsonl").write_text("{}\n")

    assert working_tree(root).state().dirty is False
    assert working_tree(root).diff() == b""


def test_tf12_jj_in_use_is_asked_first_and_never_takes_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, log = jj_repository(tmp_path, monkeypatch)

    tree = working_tree(root)
    state = tree.state()
    diff = tree.diff()

    assert (tree.kind, tree.root, state.kind, diff) == ("jj", root, "jj", b"a jj diff\n")
    assert state.jj_change == "kmqzvrlpkmqzvrlp"
    assert (state.jj_commit, state.jj_operation) == ("def789def789", "abcxyzabcxyz")
    assert state.changed_files == ("src/auth.rs", "README.md")
    calls = log.read_text().splitlines()
    assert len(calls) == 5
    assert all(call.startswith("--ignore-working-copy --at-op=@ ") for call in calls)


def test_tf12_jj_beside_git_gives_the_fields_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, log = jj_repository(tmp_path, monkeypatch)
    git(root, "init", "-q", "-b", "main")
    (root / ".gitignore").write_text(".jj\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    (root / "seen by git.txt").write_text("x\n")

    state = working_tree(root).state()

    assert (state.kind, state.jj_commit, state.git_branch) == ("jj", "def789def789", "main")
    assert state.changed_files == ("seen by git.txt",)
    assert "name-only" not in log.read_text()


@pytest.mark.parametrize(("chosen", "kind"), [("git", "git"), ("none", "none")])
def test_tf12_jj_is_not_started_when_another_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, kind: str
) -> None:
    root, log = jj_repository(tmp_path, monkeypatch)
    git(root, "init", "-q")

    tree = working_tree(root, chosen)

    assert (tree.kind, tree.state().kind, tree.root) == (kind, kind, root)
    assert not log.exists()


def test_tf12_jj_is_not_started_in_a_repository_that_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, log = jj_repository(tmp_path, monkeypatch)
    other = git_repository(tmp_path / "other")

    assert working_tree(other).kind == "git"
    assert not log.exists()


def test_jj_that_hangs_or_fails_gives_way_to_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, _ = jj_repository(tmp_path, monkeypatch)
    git(root, "init", "-q", "-b", "main")
    program(tmp_path / "bin", "jj", "exec sleep 60")

    tree = working_tree(root, timeout_seconds=0.3)

    assert tree.kind == "git"
    assert "jj did not answer" in tree.state().problem


def test_git_that_hangs_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = git_repository(tmp_path / "app")
    folder = program(
        tmp_path / "bin", "git", f"sleep 60 & echo $! > {shlex.quote(str(tmp_path / 'pid'))}; wait"
    )
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    tree = working_tree(root, timeout_seconds=0.3)
    state = tree.state()

    assert (state.kind, state.git_head) == ("git", None)
    assert "git did not answer within 0.3 seconds" in state.problem
    assert ends(int((tmp_path / "pid").read_text()))


def test_git_that_is_missing_is_said_and_everything_else_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = git_repository(tmp_path / "app")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    tree = working_tree(root)

    assert (tree.root, tree.state().kind) == (root, "none")
    assert "git is not installed" in tree.state().problem


def test_tf13_folder_without_version_control_is_none(tmp_path: Path) -> None:
    tree = working_tree(tmp_path)

    assert (tree.root, tree.kind, tree.state().kind) == (tmp_path, "none", "none")
    with pytest.raises(VcsProblem, match="no VCS diff"):
        tree.diff()


def test_tf15_diff_of_everything_is_taken_by_git_apply(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    for name in ("staged.txt", "renamed.txt", "deleted.txt", "mode.sh"):
        (root / name).write_text(f"{name}\n" * 4)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "second")
    (root / "staged.txt").write_text("staged\n")
    git(root, "add", "staged.txt")
    (root / "staged.txt").write_text("staged, then changed, without a last newline")
    (root / "a.txt").write_text("unstaged\n")
    git(root, "mv", "renamed.txt", "moved.txt")
    (root / "deleted.txt").unlink()
    (root / "mode.sh").chmod(0o755)
    (root / "binary.bin").write_bytes(bytes(range(256)) * 3)
    (root / "link").symlink_to("a.txt")
    for name in ODD_NAMES:
        (root / name).write_text(f"{name}\n")
    before = fingerprint(root / ".git")

    patch = working_tree(root).diff()

    assert fingerprint(root / ".git") == before
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", "app", "copy")
    (tmp_path / "work.diff").write_bytes(patch)
    git(copy, "apply", "--check", str(tmp_path / "work.diff"))
    git(copy, "apply", str(tmp_path / "work.diff"))
    left = {name: value for name, value in fingerprint(root).items() if not name.startswith(".git/")}
    right = {name: value for name, value in fingerprint(copy).items() if not name.startswith(".git/")}
    assert left == right
    assert (copy / "link").is_symlink()
    assert os.access(copy / "mode.sh", os.X_OK)


def test_tf15_diff_in_a_repository_without_commits_has_all_files(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app", commit=False)
    (root / "new.txt").write_text("x\n")

    patch = work_diff(Runner(root))

    other = git_repository(tmp_path / "other", commit=False)
    (tmp_path / "work.diff").write_bytes(patch)
    git(other, "apply", str(tmp_path / "work.diff"))
    assert (other / "new.txt").read_text() == "x\n"


def test_tf15_nested_repository_without_commits_does_not_stop_the_diff(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    git_repository(root / "nested", commit=False)
    (root / "new.txt").write_text("x\n")

    assert b"new.txt" in work_diff(Runner(root))


def test_commits_since_are_those_that_came_between(tmp_path: Path) -> None:
    root = git_repository(tmp_path / "app")
    base = git(root, "rev-parse", "HEAD").strip()
    for number in range(2):
        git(root, "commit", "-q", "--allow-empty", "-m", str(number))
    head = git(root, "rev-parse", "HEAD").strip()

    runner = Runner(root)

    assert commits_since(runner, base, head) == tuple(git(root, "rev-list", f"{base}..HEAD").split())
    assert commits_since(runner, head, head) == ()
    assert commits_since(runner, "f" * 40, head) == ()
    assert commits_since(runner, "--all", head) == ()


@pytest.mark.parametrize(
    ("output", "paths"),
    [
        (b"", ()),
        (b"? a\0? b", ("a", "b")),
        (b"1 .M N... 100644 100644 100644 1 2 name with spaces\0", ("name with spaces",)),
        (b"2 R. N... 100644 100644 100644 1 2 R100 new\nname\0old name\0? x\0", ("new\nname", "x")),
        (b"u UU N... 1 2 3 4 5 6 7 both\0", ("both",)),
        (b"? .turnlog/x\0? y\0", ("y",)),
        (b"nonsense\0# branch.oid (initial)\0", ()),
    ],
)
def test_status_lines_are_read_as_git_documents_them(output: bytes, paths: tuple[str, ...]) -> None:
    assert parse_status(output).paths == paths


def test_status_that_was_cut_gives_whole_names_only() -> None:
    status = parse_status(b"? whole\0? cut of", cut=True)

    assert (status.paths, status.cut) == (("whole",), True)


def test_output_past_the_limit_is_cut_and_the_command_ends(tmp_path: Path) -> None:
    answer = Runner(tmp_path, output_bytes_max=1_000).run(["yes"])

    assert (answer.cut, len(answer.output)) == (True, 1_000)


@pytest.mark.skipif(shutil.which("jj") is None, reason="jj is not installed: only its stand-in is tested")
def test_tf12_real_jj_has_the_same_operations_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "app"
    root.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    Runner(root).run(["jj", "git", "init"])
    (root / "new.txt").write_text("not in any snapshot\n")
    before = fingerprint(root / ".jj")

    state = working_tree(root).state()

    assert (state.kind, state.problem) == ("jj", "")
    assert None not in (state.jj_change, state.jj_commit, state.jj_operation)
    assert fingerprint(root / ".jj") == before


@pytest.mark.skipif(shutil.which("jj") is None, reason="jj is not installed: only its stand-in is tested")
def test_tf12_turns_in_a_repository_of_real_jj_alone_add_no_operation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = TurnHost.at(tmp_path, tmp_path / "app")
    host.folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    runner = Runner(host.folder)
    runner.run(["jj", "git", "init", "--no-colocate"])
    (host.folder / "new.txt").write_text("one\n")
    runner.run(["jj", "describe", "-m", "first"])
    host.start(goal="fix it")
    before = fingerprint(host.folder / ".jj")
    (host.folder / "new.txt").write_text("not in any snapshot\n")

    turn = host.json("record", "--summary", "done", "--attach-diff")["turn"]

    assert isinstance(turn, dict)
    assert fingerprint(host.folder / ".jj") == before
    assert (turn["vcs"]["kind"], turn["vcs"]["changed_files"]) == ("jj", ["new.txt"])
    assert b"+one\n" in (host.store / "attachments" / f"{turn['id']}.diff").read_bytes()
    assert turn["id"] in host.run("trace", turn["vcs"]["jj_change"][:8]).stdout
