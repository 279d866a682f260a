"""What git says of a working tree: one ``git status`` gives commit, branch and changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from jilog_agent.vcs.command import Runner, VcsProblem
from jilog_ledger.turn import COMMITS_MAX, Vcs

GIT = (
    "git",
    "--no-optional-locks",
    # A monitor is a program of the repository's choice.
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
)
OWN_FOLDER = ".turnlog/"
"""Our own records are not work, wherever somebody commits them."""

_FIELDS_BEFORE_PATH = {"1": 8, "2": 9, "u": 10}
"""Fields before the path in lines of ``--porcelain=v2`` (git-status(1))."""


@dataclass(frozen=True, slots=True)
class Status:
    """What ``git status`` said. ``paths`` are as bytes give them; ``renamed_from`` are names that went."""

    head: str | None
    branch: str | None
    paths: tuple[str, ...]
    renamed_from: tuple[str, ...]
    cut: bool = False


def git_status(runner: Runner) -> Status:
    """Ask for commit, branch and changed files, untracked ones included.

    Raises:
        VcsProblem: git is missing, refused, or did not end in time.
    """
    answer = runner.run(
        [
            *GIT,
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--untracked-files=all",
            "--ignore-submodules=none",
        ]
    )
    if answer.status != 0:
        raise VcsProblem("git status failed: it does not take this folder for a working tree")
    return parse_status(answer.output, cut=answer.cut)


def git_state(runner: Runner) -> Vcs:
    """Say what state a working tree is in; never raises, for a turn is worth recording without it."""
    try:
        status = git_status(runner)
    except VcsProblem as problem:
        return Vcs(kind="git", problem=str(problem))
    return Vcs(
        kind="git",
        git_head=status.head,
        git_branch=status.branch,
        dirty=bool(status.paths),
        changed_files=status.paths,
        problem="git named more changed files than were read" if status.cut else "",
    )


def commits_since(runner: Runner, base: str | None, head: str | None) -> tuple[str, ...]:
    """Give the commits that ``head`` has and ``base`` has not, the newest first; none when nobody knows."""
    if not base or not head or base == head:
        return ()
    command = [*GIT, "rev-list", f"--max-count={COMMITS_MAX}", "--end-of-options", head, f"^{base}", "--"]
    try:
        answer = runner.run(command)
    except VcsProblem:
        return ()
    return tuple(answer.output.decode("ascii", "replace").split()) if answer.status == 0 else ()


def parse_status(output: bytes, *, cut: bool = False) -> Status:
    """Read the output of ``git status --porcelain=v2 --branch -z``.

    A name may hold anything but NUL, line feeds included, which is why ``-z`` and no quoting is used.
    """
    head = branch = None
    paths: list[str] = []
    gone: list[str] = []
    lines = _lines(output, cut=cut)
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            if name == "branch.oid" and value != "(initial)":
                head = value
            elif name == "branch.head" and value != "(detached)":
                branch = value
        elif kind == "?":
            paths.append(rest)
        elif kind in _FIELDS_BEFORE_PATH:
            paths.append(line.split(" ", _FIELDS_BEFORE_PATH[kind])[-1])
            if kind == "2":
                # The name before the rename is a field of its own.
                gone.append(next(lines, ""))
    own = [path for path in dict.fromkeys(paths) if not path.startswith(OWN_FOLDER)]
    return Status(head, branch, tuple(own), tuple(path for path in gone if path), cut)


def _lines(output: bytes, *, cut: bool) -> Iterator[str]:
    parts = output.split(b"\0")
    # What follows the last NUL is nothing, or a line that was not read to its end.
    yield from (os.fsdecode(part) for part in parts[:-1])
    if not cut and parts[-1]:
        yield os.fsdecode(parts[-1])
