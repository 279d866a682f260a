"""Setting a host up: the config file that ``jilog init`` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.config import ConfigSources
from jilog_agent.config.model import DEFAULT_ZONE, READER_PATHS
from jilog_agent.surroundings import FoundTracker, Surroundings
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

_TRACKER = """
# Where learnings are filed: none, github (repo), beads (path) or kata (project).
[tracker]
type = "none"
"""

_TAIL = """
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the surroundings is to be used; the rest is written down as a comment."""

    ssh_hosts: bool = False
    tracker: bool = False


def target_config_path(sources: ConfigSources) -> Path:
    """Give the path at which the config file is, or is to be written."""
    named = sources.config_flag or sources.environment.get("JILOG_CONFIG")
    if not named:
        return sources.user_home / ".jilog.toml"
    return sources.from_working_folder(named)


def config_text(zone: str | None, found: Surroundings, wanted: Wanted) -> str:
    """Write a commented config file with what was found; what is not wanted is a comment."""
    types = ", ".join(READER_PATHS)
    parts = [_HEAD, _ZONE.format(zone=zone or DEFAULT_ZONE)]
    parts.append(_READERS.format(types=types))
    parts += [
        f'\n[[reader]]\ntype = "{reader_type}"\npath = "{path}"\n' for reader_type, path in found.readers
    ]
    parts.append(_tracker_text(found.tracker, used=wanted.tracker))
    if found.ssh_hosts:
        parts.append(_ssh_hosts_text(found.ssh_hosts, used=wanted.ssh_hosts))
    parts.append(_TAIL)
    return "".join(parts)


def _tracker_text(found: FoundTracker | None, *, used: bool) -> str:
    if found is None:
        return _TRACKER
    lines = (f'type = "{found.type}"', f"{found.key} = {_quoted(found.value)}")
    if used:
        head, _, _ = _TRACKER.partition("type =")
        return head + "\n".join(lines) + "\n"
    # JSON's escapes keep it one line, whatever a folder is called.
    return f"{_TRACKER}# Found here ({_quoted(found.how)[1:-1]}):\n" + "".join(
        f"# {line}\n" for line in lines
    )


def _ssh_hosts_text(hosts: tuple[str, ...], *, used: bool) -> str:
    mark = "" if used else "# "
    names = ", ".join(_quoted(host) for host in hosts)
    head = "\n# Hosts of ~/.ssh/config that are peers; patterns work.\n"
    return f"{head}{mark}[spool]\n{mark}ssh_hosts = [{names}]\n"


def _quoted(text: str) -> str:
    """Write a string as TOML has it; the escapes of JSON are among TOML's."""
    return json.dumps(text).replace("\x7f", "\\u007f")


def write_config(
    sources: ConfigSources, disk: Disk, zone: str | None, found: Surroundings, wanted: Wanted
) -> bool:
    """Write a config file unless there is one; tell whether one was written.

    Raises:
        StorageError: it cannot be written.
    """
    path = target_config_path(sources)
    if path.exists():
        return False
    disk.publish(path, config_text(zone, found, wanted).encode())
    return True
