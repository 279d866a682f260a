"""Setting a host up: the config file that ``jilog init`` writes."""

from __future__ import annotations

from pathlib import Path

from jilog_agent.config import ConfigSources
from jilog_agent.config.model import DEFAULT_ZONE, READER_PATHS
from jilog_ledger.disk import Disk

_HEAD = """\
# jilog's configuration. Every key is optional; `jilog config show` tells what counts and why.
# Flags win over environment variables, these over this file, this file over the defaults.

# The name this host's events carry (default: what `jilog init` recorded).
# source = "laptop"

# The time zone that a digest's date is taken in (default: the system's).
# timezone = "Europe/Berlin"

# Where the nightly review writes its digests.
# digest_dir = "~/.jilog/digests"
"""

_ZONE = """
# Ledgers. The first one is shared with trusted peers.
[[zones]]
id = "{zone}"
"""

_READERS = """
# Transcripts to review. Types: {types}.
# A generic reader takes any JSON lines with role, content and name:
# [[reader]]
# type = "generic"
# name = "my-agent"
# path = "~/my-agent/sessions/*/*.jsonl"
"""

_TAIL = """
# Where learnings are filed: none, github (repo), beads (path) or kata (project).
[tracker]
type = "none"

# [review]
# profile = "precise"
# days = 1
# coordinator = "laptop"   # the host that files; without it every host that has a tracker does

# Whose certificates make a host a peer, and of which names (docs/certificates.md).
# [trust]
# ca = ["~/fleet_ca.pub"]
# principals = ["box-*"]

# Hosts to replicate with; names of ~/.ssh/config work.
# [[peer]]
# name = "desktop"
# host = "desktop.example.org"
"""


def target_config_path(sources: ConfigSources) -> Path:
    """Give the path at which the config file is, or is to be written."""
    named = sources.config_flag or sources.environment.get("JILOG_CONFIG")
    if not named:
        return sources.user_home / ".jilog.toml"
    return sources.from_working_folder(named)


def found_readers(user_home: Path) -> list[tuple[str, str]]:
    """Name the harnesses whose transcripts lie at their usual place: (type, path as a config writes it)."""
    found: dict[str, str] = {}
    for reader_type, path in READER_PATHS.items():
        # Two readers may know one folder; the first is the one that reads all of it.
        if path is not None and path not in found and (user_home / path.removeprefix("~/")).is_dir():
            found[path] = reader_type
    return [(reader_type, path) for path, reader_type in found.items()]


def config_text(zone: str | None, readers: list[tuple[str, str]]) -> str:
    """Write a commented config file with the readers that were found."""
    types = ", ".join(READER_PATHS)
    parts = [_HEAD, _ZONE.format(zone=zone or DEFAULT_ZONE)]
    parts.append(_READERS.format(types=types))
    parts += [f'\n[[reader]]\ntype = "{reader_type}"\npath = "{path}"\n' for reader_type, path in readers]
    parts.append(_TAIL)
    return "".join(parts)


def write_config(sources: ConfigSources, disk: Disk, zone: str | None) -> bool:
    """Write a config file unless there is one; tell whether one was written.

    Raises:
        StorageError: it cannot be written.
    """
    path = target_config_path(sources)
    if path.exists():
        return False
    disk.publish(path, config_text(zone, found_readers(sources.user_home)).encode())
    return True
