"""Repositories for turns: real git, a jj that is a script, and a host that stands in one of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.jilog_cli import Host
from support.jilog_local import LocalHost

GIT_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}
RECORD_ID = re.compile(r"(sess|turn)_[0-9A-HJKMNP-TV-Z]{26}")


def git(folder: Path, *arguments: str) -> str:
    """Run git, which must succeed."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **GIT_SETTINGS},
        check=True,
        capture_output=True,
        timeout=60,
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def git_repository(root: Path, *, commit: bool = True) -> Path:
    """Make a repository on the branch main, with a.txt committed unless told otherwise."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    if commit:
        (root / "a.txt").write_text("one\n")
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", "first")
    return root


def fingerprint(folder: Path) -> dict[str, str]:
    """Hash every file below a folder, so that any change shows."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def program(folder: Path, name: str, script: str) -> Path:
    """Put a shell script into a folder that can be put onto the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return folder


@dataclass(frozen=True, slots=True)
class TurnHost:
    """A host and a folder in which its user stands."""

    host: Host
    folder: Path

    @classmethod
    def at(cls, root: Path, folder: Path, *, local: bool = True) -> TurnHost:
        """Make a host whose home is under ``root``."""
        (root / "home").mkdir(parents=True, exist_ok=True)
        return cls((LocalHost if local else Host)(root / "home"), folder)

    @property
    def store(self) -> Path:
        return self.folder / ".turnlog"

    def run(
        self, *arguments: str, cwd: Path | None = None, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``jilog`` in the folder."""
        variables = self.host.environment(**{**GIT_SETTINGS, **environment})
        if "TURNLOG_VCS" not in environment:
            variables.pop("TURNLOG_VCS", None)
        return self.host.run(*arguments, cwd=cwd or self.folder, environment=variables, stdin=stdin)

    def turn(self, *arguments: str, cwd: Path | None = None, stdin: str = "", **environment: str) -> str:
        """Run ``jilog turn``, which must succeed, and give its output."""
        done = self.run("turn", *arguments, cwd=cwd, stdin=stdin, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *more: str, goal: str = "fix it", **environment: str) -> str:
        """Begin a session and give its id."""
        return identifier(self.turn("start", "--goal", goal, *more, **environment))

    def record(self, *more: str, **environment: str) -> str:
        """Record a turn and give its id."""
        return identifier(self.turn("record", *more, **environment))

    def json(self, *arguments: str, **environment: str) -> dict[str, object]:
        """Run ``jilog turn`` with ``--json``."""
        document = json.loads(self.turn(*arguments, "--json", **environment))
        assert isinstance(document, dict)
        return document

    def records(self, *arguments: str, **environment: str) -> list[dict[str, object]]:
        """Give what ``jilog turn log`` lists."""
        found = self.json("log", *arguments, **environment)["records"]
        assert isinstance(found, list)
        return found


def identifier(output: str) -> str:
    """Find the id in a command's output."""
    match = RECORD_ID.search(output)
    assert match is not None, output
    return match[0]
