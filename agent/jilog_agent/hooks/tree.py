"""The working tree as hooks see it: which files differ, how they look, and what was committed since."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.hooks import limits
from jilog_agent.vcs.capture import choice, working_tree
from jilog_agent.vcs.command import Runner, VcsProblem
from jilog_agent.vcs.git import GIT
from jilog_ledger.errors import InputError
from jilog_ledger.times import SECOND_NS

GONE = "gone"


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree; ``changed`` are paths below ``root``. ``problem`` says what could not be asked."""

    root: Path
    head: str | None
    changed: tuple[str, ...]
    problem: str
    vcs_seconds: float

    def committed(self) -> tuple[str, ...]:
        """Name the files of the last commit."""
        command = [*GIT, "show", "--format=", "--name-only", "-z", "--end-of-options", self.head or "HEAD"]
        return tuple(self._names(command))

    def commits_since(self, head: str | None, since_ns: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Name the files, and write the subjects, of commits that were made here since then.

        What was pulled or checked out was committed earlier, or elsewhere, and is not the session's work.
        """
        if head is None or self.head is None or head == self.head:
            return (), ()
        which = [
            "--no-merges",
            f"--max-count={limits.COMMITS_MAX}",
            f"--since=@{since_ns // SECOND_NS}",
            "--end-of-options",
            self.head,
            f"^{head}",
        ]
        names = self._names([*GIT, "log", "--format=", "--name-only", "-z", *which])
        subjects = self._names([*GIT, "log", "--format=%h %s", "-z", *which])
        return tuple(dict.fromkeys(names)), tuple(subjects)

    def digests(self, paths: Iterable[str]) -> dict[str, str]:
        """Digest files, so that a later change of any of them shows."""
        room = limits.DIGEST_BYTES_TOTAL_MAX
        found: dict[str, str] = {}
        for path in list(dict.fromkeys(paths))[: limits.FILES_MAX]:
            found[path], size = _digest(self.root / path, room)
            room -= size
        return found

    def _names(self, command: list[str]) -> list[str]:
        """Run a command that prints names, each with a NUL behind it; none when it fails."""
        try:
            answer = Runner(self.root, self.vcs_seconds).run(command)
        except VcsProblem:
            return []
        if answer.status != 0:
            return []
        return [name for part in answer.output.split(b"\0") if (name := os.fsdecode(part.strip(b"\n")))]


def find_tree(cwd: str, vcs_seconds: float) -> Tree | None:
    """Find the working tree around a folder; None when there is none, or nobody who could tell of it."""
    folder = Path(os.path.realpath(cwd))
    if not folder.is_dir():
        return None
    try:
        found = working_tree(folder, choice(os.environ), timeout_seconds=vcs_seconds)
    except InputError:
        return None
    if found.kind == "none":
        return None
    state = found.state()
    return Tree(found.root, state.git_head, state.changed_files, state.problem, vcs_seconds)


def _digest(path: Path, room: int) -> tuple[str, int]:
    """Digest a file and count the bytes that were read; what is no file is known by what it is."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return f"link:{os.fsencode(path.readlink()).hex()}", 0
        if not stat.S_ISREG(found.st_mode):
            return f"mode:{found.st_mode}", 0
        if found.st_size > min(room, limits.DIGEST_BYTES_MAX):
            return f"stat:{found.st_size}:{found.st_mtime_ns}", 0
        data = path.read_bytes()
    except OSError:
        return GONE, 0
    return hashlib.blake2b(data, digest_size=16).hexdigest(), len(data)
