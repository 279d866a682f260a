"""What a first ``jilog init`` finds on a machine: transcripts, hosts to replicate with, a place for issues.

Looking asks no network and runs one program, git, in the working folder. Nothing that is found is trusted or
used until somebody says so.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.config.model import READER_PATHS

HOSTS_MAX = 50
"""Hosts of ``~/.ssh/config`` that are offered: more than a person would read through."""

FORGES = frozenset(
    {
        "aur.archlinux.org",
        "bitbucket.org",
        "codeberg.org",
        "git.sr.ht",
        "github.com",
        "gitlab.com",
        "ssh.dev.azure.com",
        "ssh.github.com",
    }
)
"""Hosts that many write into ``~/.ssh/config`` and that nobody's ledger is on."""

_GITHUB = re.compile(r"(?:https://|ssh://git@|git@)github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True, slots=True)
class FoundTracker:
    """A place for issues: a type of ``[tracker]`` with its one key, and how it was found."""

    type: str
    key: str
    value: str
    how: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was found: ``readers`` are (type, path as a config writes it), ``ssh_hosts`` names for ssh."""

    readers: tuple[tuple[str, str], ...] = ()
    ssh_hosts: tuple[str, ...] = ()
    tracker: FoundTracker | None = None


def look(user_home: Path, environment: Mapping[str, str], folder: Path | None) -> Surroundings:
    """Look around for the user of ``user_home`` who works in ``folder`` (None: it is gone)."""
    return Surroundings(
        tuple(found_readers(user_home)),
        found_ssh_hosts(user_home / ".ssh" / "config"),
        found_tracker(user_home, environment, folder) if folder is not None else None,
    )


def found_readers(user_home: Path) -> list[tuple[str, str]]:
    """Name the harnesses whose transcripts lie at their usual place: (type, path as a config writes it)."""
    found: dict[str, str] = {}
    for reader_type, path in READER_PATHS.items():
        # Two readers may know one folder; the first is the one that reads all of it.
        if path is not None and path not in found and (user_home / path.removeprefix("~/")).is_dir():
            found[path] = reader_type
    return [(reader_type, path) for path, reader_type in found.items()]


def found_ssh_hosts(path: Path) -> tuple[str, ...]:
    """Name the hosts that ssh knows by a name of the user's, in their order, without the forges."""
    from jilog_spool.peers import read_ssh_config_hosts

    hosts = [host for host in read_ssh_config_hosts(path) if host.lower() not in FORGES]
    return tuple(hosts[:HOSTS_MAX])


def found_tracker(user_home: Path, environment: Mapping[str, str], folder: Path) -> FoundTracker | None:
    """Find where issues of the working folder go: its beads, or else its repository on GitHub."""
    for above in (folder, *folder.parents):
        if (above / ".beads").is_dir():
            return FoundTracker("beads", "path", str(above), f"{above / '.beads'} is there")
        if above in (user_home, Path("/")):
            break
    if not _logged_in(user_home, environment):
        return None
    repository = _github_repository(folder)
    if repository is None:
        return None
    return FoundTracker("github", "repo", repository, "gh is logged in, and the folder's origin is there")


def _logged_in(user_home: Path, environment: Mapping[str, str]) -> bool:
    """Tell whether gh is installed and has a login; whether that still holds, `jilog doctor` asks it."""
    if shutil.which("gh", path=environment.get("PATH")) is None:
        return False
    if environment.get("GH_TOKEN") or environment.get("GITHUB_TOKEN"):
        return True
    settings = environment.get("XDG_CONFIG_HOME") or str(user_home / ".config")
    place = Path(environment.get("GH_CONFIG_DIR") or f"{settings}/gh")
    return (place / "hosts.yml").is_file()


def _github_repository(folder: Path) -> str | None:
    from jilog_agent.vcs.command import Runner, VcsProblem

    try:
        answer = Runner(folder).run(("git", "remote", "get-url", "origin"))
    except VcsProblem:
        return None
    found = _GITHUB.fullmatch(answer.output.decode("utf-8", "replace").strip())
    return found[1] if found and answer.status == 0 else None
