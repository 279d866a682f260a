"""What jj says of a workspace, without a snapshot of the working copy.

Every jj command takes a snapshot and reconciles operations unless it is told not to. With
``--ignore-working-copy`` and ``--at-op=@`` together it changes nothing (jj-operation-log(1)). The price: in a
repository that is not shared with git, changes since the last jj command are not seen.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from jilog_agent.vcs.command import Runner, VcsProblem
from jilog_agent.vcs.git import OWN_FOLDER, git_state
from jilog_ledger.turn import Vcs

JJ = ("jj", "--ignore-working-copy", "--at-op=@", "--no-pager", "--color=never")


def jj_root(runner: Runner) -> Path | None:
    """Give the workspace's root when jj takes the folder for one.

    Raises:
        VcsProblem: jj is missing or did not end in time.
    """
    answer = runner.run([*JJ, "root"])
    if answer.status != 0:
        return None
    return Path(os.fsdecode(answer.output.removesuffix(b"\n")))


def jj_state(runner: Runner) -> Vcs:
    """Say what state a workspace is in; what cannot be found out stays open."""
    git = git_state(runner) if os.path.lexists(runner.folder / ".git") else None
    problems: list[str] = []
    ids = _ask(
        runner, ["log", "-r", "@", "--no-graph", "-T", r'change_id ++ "\n" ++ commit_id ++ "\n"'], problems
    )
    operation = _ask(runner, ["op", "log", "--limit", "1", "--no-graph", "-T", r'id ++ "\n"'], problems)
    if git is not None and not git.problem:
        files = git.changed_files
    else:
        listed = _ask(runner, ["diff", "--name-only", "-r", "@"], problems)
        files = tuple(path for path in listed if not path.startswith(OWN_FOLDER))
    return Vcs(
        kind="jj",
        jj_change=ids[0] if ids else None,
        jj_commit=ids[1] if len(ids) > 1 else None,
        jj_operation=operation[0] if operation else None,
        git_head=git.git_head if git else None,
        git_branch=git.git_branch if git else None,
        dirty=bool(files),
        changed_files=files,
        problem="; ".join(dict.fromkeys([*problems, *([git.problem] if git and git.problem else [])])),
    )


def jj_diff(runner: Runner) -> bytes:
    """Give the working copy's change as a patch in git's form, as of the last snapshot.

    Raises:
        VcsProblem: jj refused, did not end in time, or the patch is too large.
    """
    answer = runner.run([*JJ, "diff", "--git", "-r", "@"])
    if answer.status != 0 or answer.cut:
        raise VcsProblem("jj diff failed, or gave more than was read")
    return answer.output


def _ask(runner: Runner, command: Sequence[str], problems: list[str]) -> list[str]:
    """Give the lines of an answer; a failure is noted and gives none."""
    try:
        answer = runner.run([*JJ, *command])
    except VcsProblem as problem:
        problems.append(str(problem))
        return []
    if answer.status != 0:
        problems.append(f"jj {command[0]} failed")
        return []
    return [line for line in os.fsdecode(answer.output).split("\n") if line]
