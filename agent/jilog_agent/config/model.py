"""The configuration as values: checked, with paths made absolute. Nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from pathlib import Path

from jilog_ledger.errors import InputError

READER_PATHS = {
    "claude-code": "~/.claude/projects",
    "amplifier": "~/.amplifier/projects",
    "context-intelligence": "~/.amplifier/projects",
    "codex": "~/.codex/sessions",
    "copilot": "~/.copilot/session-state",
    "pi": "~/.pi/agent/sessions",
    "gemini": "~/.gemini/tmp",
    "opencode": "~/.local/share/opencode",
    "nanoclaw": "~/nanoclaw/data",
    "generic": None,
}
"""The reader types a config may name, each with the place its harness keeps transcripts."""

TRACKER_TYPES = ("none", "github", "kata", "beads")
"""The trackers that come with jilog; an installed entry point adds its own name."""

NEW_ISSUES_DEFAULT = 10
"""Issues created in one run: what a person reads in a morning."""

SESSION_ID_SOURCES = ("parent_dir", "file_stem")
PROFILES = ("precise", "seed")
DEFAULT_ZONE = "main"
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """One ``[[reader]]``: transcripts of one harness.

    ``paths`` are as written except that ``~`` is expanded; a generic reader's may be glob patterns.
    ``paths_given`` is False when they are only the usual place, which the harness's own variables may move.
    ``host`` is the other host that has the transcripts (nanoclaw only), and ``further`` holds options as
    written, for the reader to check.
    """

    type: str
    paths: tuple[str, ...]
    name: str
    session_id_from: str = "parent_dir"
    paths_given: bool = True
    discover_profiles: bool = False
    default_seat: str | None = None
    host: str | None = None
    further: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """``[tracker]``: where learnings are filed.

    ``path`` is absolute. ``further`` are the keys of a tracker that is not one of TRACKER_TYPES, as written.
    """

    type: str = "none"
    repo: str | None = None
    project: str | None = None
    path: Path | None = None
    labels: tuple[str, ...] = ()
    max_new_per_run: int = NEW_ISSUES_DEFAULT
    further: Mapping[str, object] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, object]:
        """Give the keys that the tracker itself reads; none when nothing is filed."""
        if self.type == "none":
            return {}
        own = {
            "repo": self.repo,
            "project": self.project,
            "path": str(self.path) if self.path else None,
            "labels": list(self.labels) or None,
        }
        return {**{key: value for key, value in own.items() if value is not None}, **self.further}


@dataclass(frozen=True, slots=True)
class ZoneConfig:
    """One ``[[zones]]``: a ledger with a directory of its own.

    ``shared``: trusted peers get it. The first zone is, any further one only when it says so. ``redaction``
    holds the keys of its ``[zones.redaction]``, checked; without one everything usual is replaced.
    """

    id: str
    ledger_path: Path
    shared: bool
    redaction: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReviewConfig:
    """``[review]``: the nightly review's defaults; ``days`` is the window, from 1.

    ``coordinator`` names the host that files issues; when it is None, every host with a tracker does.
    ``rule_folders`` are absolute.
    """

    profile: str = "precise"
    days: int = 1
    coordinator: str | None = None
    rule_folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """One ``[[peer]]``: a host to replicate with.

    ``host`` is a name of ``~/.ssh/config`` or an address; what is None is left to that file and to SSH.
    """

    name: str
    host: str
    port: int | None = None
    user: str | None = None
    host_key: str | None = None
    command: str | None = None
    zones: tuple[str, ...] = ()
    bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """One ``[[directory]]``: a folder that a sync tool, a mount or a stick carries to other hosts.

    Its zones are those of ``peer``, or ``zones``, or else the shared ones. ``keep_seconds`` is how long a
    segment stays after every reader has it; None is for good. ``trust`` are public keys of hosts.
    """

    path: Path
    peer: str | None = None
    zones: tuple[str, ...] = ()
    every_seconds: int = 30
    keep_seconds: int | None = None
    trust: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpoolConfig:
    """``[spool]``: which hosts of ``~/.ssh/config`` are peers, by pattern, and how long to wait.

    ``bytes_per_second`` limits each session in each direction, unless its peer says otherwise; 0: no limit.
    ``quiet_hours`` are the local times between which nothing is exchanged.
    """

    ssh_hosts: tuple[str, ...] = ()
    timeout_seconds: int = 30
    bytes_per_second: int = 0
    quiet_hours: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True)
class TrustConfig:
    """``[trust]``: the keys of authorities, or absolute paths of their files, and whom they may vouch for."""

    ca: tuple[str, ...] = ()
    principals: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """``[agent]``: what the agent process does by itself; None and 0 stand for: not at all.

    ``listen`` is the address of the own SSH endpoint, ``review_at`` the local time of the nightly review.
    """

    listen: tuple[str, int] | None = None
    sync_seconds: int = 60
    review_at: time | None = None
    scrub_mib_per_minute: int = 64
    metrics_file: Path | None = None
    log_level: str = "info"
    disk_low_mib: int = 256
    disk_floor_mib: int = 64
    mdns: bool = True


@dataclass(frozen=True, slots=True)
class PageConfig:
    """``[page]``: the address of loopback at which the agent serves the status page; None: it serves none."""

    listen: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and who said it: ``flag --home``, ``env JILOG_HOME``, ``file …`` or ``default``."""

    name: str
    value: str | int | bool | None
    origin: str


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that was configured. ``path`` is None when there is no config file."""

    path: Path | None
    home: Path
    source: str | None
    timezone: str | None
    digest_dir: Path
    zones: tuple[ZoneConfig, ...]
    readers: tuple[ReaderConfig, ...]
    tracker: TrackerConfig
    review: ReviewConfig
    spool: SpoolConfig
    trust: TrustConfig
    agent: AgentConfig
    page: PageConfig
    peers: tuple[PeerConfig, ...]
    settings: tuple[Setting, ...]
    directories: tuple[DirectoryConfig, ...] = ()

    def zone(self, zone_id: str | None) -> ZoneConfig:
        """Give the zone of that id; without one, the first, where commands write.

        Raises:
            InputError: no such zone is configured.
        """
        if zone_id is None:
            return self.zones[0]
        for zone in self.zones:
            if zone.id == zone_id:
                return zone
        from jilog_agent.config.nearest import did_you_mean

        known = [zone.id for zone in self.zones]
        hint = did_you_mean(zone_id, known) or f"the configured zones are: {', '.join(known)}"
        raise InputError(f"unknown zone {zone_id[:80]!r}", hint=hint)

    def chosen_zones(self, zone_id: str | None) -> tuple[ZoneConfig, ...]:
        """Give one zone by id, or all of them."""
        return self.zones if zone_id is None else (self.zone(zone_id),)
