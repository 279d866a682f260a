"""One patch of everything that is not committed, which ``git apply`` takes: staged, unstaged and untracked.

git shows untracked files in no diff. So the changes are added to a copy of the index, in a temporary folder
that also takes the objects that adding writes: nothing in the repository changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from jilog_agent.vcs.command import Runner, VcsProblem
from jilog_agent.vcs.git import GIT, git_status

DIFF_BYTES_MAX = 64 * 1024 * 1024
"""A patch that somebody may want to look at or to apply; past this it is a data set."""

_DIFF = (
    "diff",
    "--cached",
    "--binary",
    "--full-index",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)


def work_diff(runner: Runner) -> bytes:
    """Give the patch from the last commit to the working tree; empty when nothing changed.

    Raises:
        VcsProblem: git is missing or refused, did not end in time, or the patch is too large.
    """
    status = git_status(runner)
    names = [path for path in (*status.paths, *status.renamed_from) if not path.endswith("/")]
    if not names:
        return b""
    with tempfile.TemporaryDirectory(prefix="jilog-diff-") as folder:
        environment = _scratch(runner, Path(folder))
        add = [*GIT, "-c", "core.splitIndex=false", "update-index", "--add", "--remove", "--replace", "-z"]
        stdin = b"".join(os.fsencode(name) + b"\0" for name in names)
        _checked(runner, [*add, "--stdin"], stdin=stdin, environment=environment)
        base = status.head or _empty_tree(runner)
        large = Runner(runner.folder, runner.timeout_seconds, DIFF_BYTES_MAX)
        return _checked(large, [*GIT, *_DIFF, base, "--"], environment=environment)


def _scratch(runner: Runner, folder: Path) -> dict[str, str]:
    """Make an index and an object folder on top of the repository's; give the variables that choose them."""
    index, objects = (_git_path(runner, name) for name in ("index", "objects"))
    if index.exists():
        shutil.copyfile(index, folder / "index")
    information = folder / "objects" / "info"
    information.mkdir(parents=True)
    (information / "alternates").write_bytes(os.fsencode(objects) + b"\n")
    return {"GIT_INDEX_FILE": str(folder / "index"), "GIT_OBJECT_DIRECTORY": str(folder / "objects")}


def _git_path(runner: Runner, name: str) -> Path:
    output = _checked(runner, [*GIT, "rev-parse", "--git-path", name])
    return Path(os.path.realpath(runner.folder / os.fsdecode(output.removesuffix(b"\n"))))


def _empty_tree(runner: Runner) -> str:
    """Name the tree without files; it depends on the repository's hash function."""
    return _checked(runner, [*GIT, "hash-object", "-t", "tree", "--stdin"]).decode().strip()


def _checked(
    runner: Runner, command: list[str], *, stdin: bytes = b"", environment: dict[str, str] | None = None
) -> bytes:
    answer = runner.run(command, stdin=stdin, environment=environment)
    if answer.cut:
        raise VcsProblem(f"the diff is larger than {runner.output_bytes_max} bytes")
    if answer.status != 0:
        raise VcsProblem(f"git {next(word for word in command[5:] if word[:1] != '-')} failed")
    return answer.output
