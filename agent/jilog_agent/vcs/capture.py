"""Which version control is in use around a folder: jj, else git, else none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_agent.vcs.command import TIMEOUT_SECONDS, Runner, VcsMissing, VcsProblem
from jilog_agent.vcs.diff import work_diff
from jilog_agent.vcs.git import commits_since, git_state
from jilog_agent.vcs.jj import jj_diff, jj_root, jj_state
from jilog_ledger.errors import InputError
from jilog_ledger.turn import Vcs

VARIABLE = "TURNLOG_VCS"
CHOICES = ("auto", "jj", "git", "none")


@dataclass(frozen=True, slots=True)
class WorkingTree:
    """A working tree and what looks after it. ``problem`` says why a better choice was not possible."""

    root: Path
    kind: str
    problem: str = ""
    timeout_seconds: float = TIMEOUT_SECONDS

    def state(self) -> Vcs:
        """Say what state it is in; never raises."""
        if self.kind == "none":
            return Vcs(problem=self.problem)
        state = jj_state(self._runner()) if self.kind == "jj" else git_state(self._runner())
        problems = dict.fromkeys(text for text in (self.problem, state.problem) if text)
        return msgspec.structs.replace(state, problem="; ".join(problems))

    def diff(self) -> bytes:
        """Give one patch of all changes.

        Raises:
            VcsProblem: it could not be made; the text says why.
        """
        if self.kind == "none":
            raise VcsProblem("no VCS diff available")
        if self.kind == "git" or os.path.lexists(self.root / ".git"):
            return work_diff(self._runner())
        return jj_diff(self._runner())

    def commits_since(self, base: str | None, head: str | None) -> tuple[str, ...]:
        """Give git's commits from ``base`` (not included) to ``head``."""
        return () if self.kind == "none" else commits_since(self._runner(), base, head)

    def _runner(self) -> Runner:
        return Runner(self.root, self.timeout_seconds)


def choice(environment: Mapping[str, str]) -> str:
    """Read which version control the user wants asked; ``auto`` takes the first that is in use.

    Raises:
        InputError: the variable names none.
    """
    chosen = environment.get(VARIABLE, "") or "auto"
    if chosen in CHOICES:
        return chosen
    raise InputError(f"{VARIABLE} is {chosen[:80]!r}", hint=f"use one of {', '.join(CHOICES)}")


def working_tree(
    folder: Path, chosen: str = "auto", *, timeout_seconds: float = TIMEOUT_SECONDS
) -> WorkingTree:
    """Find the working tree around ``folder``, an absolute path.

    Raises:
        InputError: the folder is inside a bare repository, which has no files that a turn could change.
    """
    if chosen == "none":
        return WorkingTree(_marked(folder, (".git", ".jj")) or folder, "none")
    problem = ""
    runner = Runner(folder, timeout_seconds)
    if chosen != "git" and _marked(folder, (".jj",)) is not None:
        try:
            root = jj_root(runner)
        except VcsProblem as exc:
            root, problem = None, str(exc)
        if root is not None:
            return WorkingTree(root, "jj", timeout_seconds=timeout_seconds)
    return _git_tree(folder, runner, problem)


def _git_tree(folder: Path, runner: Runner, problem: str) -> WorkingTree:
    root = _marked(folder, (".git",))
    if root is None:
        if _is_bare(folder):
            raise InputError(
                f"{folder} is inside a bare repository", hint="run it in a working tree: jilog turn -C DIR …"
            )
        return WorkingTree(_marked(folder, (".jj",)) or folder, "none", problem)
    try:
        answer = runner.run(["git", "--no-optional-locks", "rev-parse", "--show-toplevel"])
    except VcsMissing as exc:
        return WorkingTree(root, "none", str(exc))
    except VcsProblem as exc:
        # It is a repository, whatever git is waiting for.
        return WorkingTree(root, "git", str(exc), runner.timeout_seconds)
    if answer.status != 0:
        return WorkingTree(root, "none", "git does not take this folder for a working tree")
    top = Path(os.fsdecode(answer.output.removesuffix(b"\n")))
    return WorkingTree(top, "git", problem, runner.timeout_seconds)


def _marked(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Find the nearest folder around that holds one of these."""
    for root in (folder, *folder.parents):
        if any(os.path.lexists(root / name) for name in names):
            return root
    return None


def _is_bare(folder: Path) -> bool:
    """Tell whether a folder lies in git's own folder without a working tree (gitrepository-layout(5))."""
    return any(
        (root / "HEAD").is_file() and (root / "objects").is_dir() and (root / "refs").is_dir()
        for root in (folder, *folder.parents)
    )
