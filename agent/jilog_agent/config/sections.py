"""The tables of the config file, one reading function each."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from jilog_agent.config.model import (
    DEFAULT_ZONE,
    LOG_LEVELS,
    NEW_ISSUES_DEFAULT,
    PROFILES,
    READER_PATHS,
    SESSION_ID_SOURCES,
    TRACKER_TYPES,
    AgentConfig,
    DirectoryConfig,
    PageConfig,
    PeerConfig,
    ReaderConfig,
    SpoolConfig,
    TrackerConfig,
    TrustConfig,
    ZoneConfig,
)
from jilog_agent.config.table import Table
from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import check_name
from jilog_ledger.times import parse_duration_seconds


@dataclass(frozen=True, slots=True)
class Expander:
    """Make paths absolute: ``~/`` is the user's home, a relative path starts at the config file."""

    user_home: Path
    base: Path

    def text(self, path: str) -> str:
        """Expand a path, as text."""
        if path == "~" or path.startswith("~/"):
            return str(self.user_home) + path[1:]
        return path if path.startswith("/") else str(self.base / path)

    def pattern(self, pattern: str) -> str:
        """Expand a glob pattern; what is put in front of it is taken literally."""
        if pattern == "~" or pattern.startswith("~/"):
            return glob.escape(str(self.user_home)) + pattern[1:]
        return pattern if pattern.startswith("/") else f"{glob.escape(str(self.base))}/{pattern}"

    def path(self, path: str) -> Path:
        """Expand a plain path."""
        return Path(self.text(path))


def read_zones(top: Table, home: Path, expand: Expander) -> tuple[ZoneConfig, ...]:
    """Read ``[[zones]]`` and ``[[zone]]``; without either there is one zone, ``main``, under the home."""
    zones: list[ZoneConfig] = []
    for table in (*top.tables("zones"), *top.tables("zone")):
        zone = _read_zone(table, home, expand, first=not zones)
        for other in zones:
            if other.id == zone.id:
                raise table.error(f"zone id {zone.id!r} is already taken", hint="give every zone its own id")
            if other.ledger_path == zone.ledger_path:
                raise table.error(
                    f"ledger_path {zone.ledger_path} already belongs to zone {other.id!r}",
                    hint="give every zone its own directory",
                )
        zones.append(zone)
    return tuple(zones) or (ZoneConfig(DEFAULT_ZONE, home / "zones" / DEFAULT_ZONE, shared=True),)


def _read_zone(table: Table, home: Path, expand: Expander, *, first: bool) -> ZoneConfig:
    zone_id = _checked_name(table, "zone", table.required_text("id", "ops"))
    ledger_path = table.text("ledger_path")
    shared = table.boolean("shared")
    redaction = _read_redaction(table)
    table.finish()
    return ZoneConfig(
        id=zone_id,
        ledger_path=expand.path(ledger_path) if ledger_path else home / "zones" / zone_id,
        shared=first if shared is None else shared,
        redaction=redaction,
    )


def _read_redaction(zone: Table) -> dict[str, object]:
    """Read a zone's ``redaction``. Secrets have no key in it: they are always replaced."""
    table = zone.table("redaction")
    if table is None:
        return {}
    values = {
        "emails": table.boolean("emails"),
        "home_paths": table.boolean("home_paths"),
        "patterns": table.texts("patterns"),
    }
    table.finish()
    given: dict[str, object] = {key: value for key, value in values.items() if value is not None}
    # Imported here: it compiles the rules for secrets, which few commands need.
    from jilog_review.redact import policy_from

    try:
        policy_from(given)
    except InputError as error:
        raise table.error(error.message, hint=error.hint) from error
    return given


def read_readers(top: Table, expand: Expander) -> tuple[ReaderConfig, ...]:
    """Read ``[[reader]]``; no entry means no transcripts on this host."""
    readers = [_read_reader(table, expand) for table in top.tables("reader")]
    names = [reader.name for reader in readers if reader.type == "generic"]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"{top.file}: two generic readers are called {name!r}",
                hint="give each [[reader]] its own name",
            )
    return tuple(readers)


def _read_reader(table: Table, expand: Expander) -> ReaderConfig:
    reader_type = _installed_type(
        table, table.required_text("type", "claude-code"), tuple(READER_PATHS), "jilog.readers"
    )
    if reader_type == "generic":
        return _read_generic_reader(table, expand)
    if reader_type not in READER_PATHS:
        return ReaderConfig(reader_type, (), reader_type, paths_given=False, further=table.rest())
    nanoclaw = reader_type == "nanoclaw"
    host = table.text("host") if nanoclaw else None
    further = _nanoclaw_options(table, expand, host) if nanoclaw else {}
    path = table.text("path")
    paths = table.texts("paths")
    claude = reader_type == "claude-code"
    discover_profiles = claude and bool(table.boolean("discover_profiles"))
    default_seat = table.text("default_seat") if claude else None
    table.finish()
    if path is not None and paths is not None:
        raise table.error("path and paths are both given", hint="keep one of them")
    chosen = paths if paths is not None else (path or READER_PATHS[reader_type] or "",)
    return ReaderConfig(
        reader_type,
        # Another host's paths start at the home that the login has there.
        tuple(item if host else expand.text(item) for item in chosen),
        reader_type,
        paths_given=path is not None or paths is not None,
        discover_profiles=discover_profiles,
        default_seat=default_seat,
        host=host,
        further=further,
    )


def _nanoclaw_options(table: Table, expand: Expander, host: str | None) -> dict[str, object]:
    database = table.text("db")
    options: dict[str, object | None] = {
        "db": database if host or database is None else expand.text(database),
        "include": table.texts("include"),
        "exclude": table.texts("exclude"),
    }
    return {key: value for key, value in options.items() if value is not None}


def _read_generic_reader(table: Table, expand: Expander) -> ReaderConfig:
    name = _checked_name(table, "reader", table.required_text("name", "my-agent"))
    session_id_from = table.choice("session_id_from", SESSION_ID_SOURCES) or SESSION_ID_SOURCES[0]
    path = table.required_text("path", "~/agent/sessions/*/*.jsonl")
    table.finish()
    return ReaderConfig("generic", (expand.pattern(path),), name, session_id_from)


def read_tracker(top: Table, expand: Expander) -> TrackerConfig:
    """Read ``[tracker]``; none by default.

    The keys of another tracker are refused, so that a mix-up shows; under ``none`` they may stay where they
    are, for that is how filing is switched off for a while.
    """
    table = top.table("tracker")
    if table is None:
        return TrackerConfig()
    tracker_type = _tracker_type(table)
    max_new = table.integer("max_new_per_run", 1, 1000) or NEW_ISSUES_DEFAULT
    if tracker_type not in TRACKER_TYPES:
        return TrackerConfig(tracker_type, max_new_per_run=max_new, further=table.rest())
    off = tracker_type == "none"
    labels = table.texts("labels") or ()
    repo = table.text("repo") if off or tracker_type == "github" else None
    project = table.text("project") if off or tracker_type == "kata" else None
    path = table.text("path") if off or tracker_type == "beads" else None
    table.finish()
    needed = {"github": ("repo", "your-org/your-repo"), "kata": ("project", "jilog")}.get(tracker_type)
    if needed is not None:
        table.required_text(*needed)
    if tracker_type == "beads":
        path = path or "."
    return TrackerConfig(tracker_type, repo, project, expand.path(path) if path else None, labels, max_new)


def _tracker_type(table: Table) -> str:
    return _installed_type(table, table.text("type") or "none", TRACKER_TYPES, "jilog.trackers")


def _installed_type(table: Table, written: str, own: tuple[str, ...], group: str) -> str:
    """Check a type against jilog's own and those that installed packages offer."""
    if written in own:
        return written
    # Imported here: only what somebody else wrote needs it.
    from importlib import metadata

    installed = (point.name for point in metadata.entry_points(group=group))
    return table.choice("type", (*own, *sorted(installed))) or written


def read_review(
    top: Table, expand: Expander
) -> tuple[str | None, int | None, str | None, tuple[Path, ...] | None]:
    """Read ``[review]``: profile, days, coordinator and rule folders, None where the file is silent."""
    table = top.table("review")
    if table is None:
        return None, None, None, None
    coordinator = table.text("coordinator")
    folders = table.texts("rule_folders")
    values = (
        table.choice("profile", PROFILES),
        table.integer("days", 1, 3650),
        None if coordinator is None else _checked_name(table, "source", coordinator),
        None if folders is None else tuple(expand.path(folder) for folder in folders),
    )
    table.finish()
    return values


def read_spool(top: Table) -> SpoolConfig:
    """Read ``[spool]``."""
    table = top.table("spool")
    if table is None:
        return SpoolConfig()
    default = SpoolConfig()
    spool = SpoolConfig(
        ssh_hosts=table.texts("ssh_hosts") or default.ssh_hosts,
        timeout_seconds=table.integer("timeout_seconds", 1, 3600) or default.timeout_seconds,
        bytes_per_second=_rate(table) or default.bytes_per_second,
        quiet_hours=_quiet_hours(table),
    )
    table.finish()
    return spool


def _rate(table: Table) -> int | None:
    text = table.text("bwlimit")
    if text is None:
        return None
    from jilog_spool.bandwidth import parse_rate

    try:
        return parse_rate(text)
    except InputError as error:
        raise table.error(f"bwlimit: {error.message}", hint=error.hint) from error


def _quiet_hours(table: Table) -> tuple[time, time] | None:
    text = table.text("quiet_hours")
    if text is None:
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    hours = (time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))) if match else None
    if hours is None or hours[0] == hours[1]:
        raise table.error(
            f"invalid quiet_hours {text[:80]!r}", hint='use two times of day such as "22:00-07:00"'
        )
    return hours


def read_trust(top: Table, expand: Expander) -> TrustConfig:
    """Read ``[trust]``: keys are taken as they are, everything else is the path of a file with one."""
    table = top.table("trust")
    if table is None:
        return TrustConfig()
    entries = table.texts("ca") or ()
    principals = table.texts("principals")
    table.finish()
    keys = ("ssh-", "ecdsa-", "sk-")
    authorities = tuple(entry if entry.startswith(keys) else expand.text(entry) for entry in entries)
    return TrustConfig(authorities, TrustConfig().principals if principals is None else principals)


def read_agent(top: Table, expand: Expander) -> AgentConfig:
    """Read ``[agent]``."""
    default = AgentConfig()
    table = top.table("agent")
    if table is None:
        return default
    metrics_file = table.text("metrics_file")
    scrub = table.integer("scrub_mib_per_minute", 0, 65_536)
    disk_low = table.integer("disk_low_mib", 0, 1_048_576)
    disk_floor = table.integer("disk_floor_mib", 0, 1_048_576)
    mdns = table.boolean("mdns")
    agent = AgentConfig(
        listen=_listen(table),
        sync_seconds=_duration(table, "sync_every", default.sync_seconds),
        review_at=_time_of_day(table, "review_at"),
        scrub_mib_per_minute=default.scrub_mib_per_minute if scrub is None else scrub,
        metrics_file=expand.path(metrics_file) if metrics_file else None,
        log_level=table.choice("log_level", LOG_LEVELS) or default.log_level,
        disk_low_mib=default.disk_low_mib if disk_low is None else disk_low,
        disk_floor_mib=default.disk_floor_mib if disk_floor is None else disk_floor,
        mdns=default.mdns if mdns is None else mdns,
    )
    table.finish()
    return agent


def read_page(top: Table) -> PageConfig:
    """Read ``[page]``."""
    table = top.table("page")
    if table is None:
        return PageConfig()
    listen = _listen(table)
    if listen is not None and listen[0] not in ("127.0.0.1", "::1", "localhost"):
        raise table.error(
            f"the page listens on loopback only, not on {listen[0][:80]}",
            hint='use listen = "127.0.0.1:7780", and from elsewhere: ssh -L 7780:127.0.0.1:7780 HOST',
        )
    table.finish()
    return PageConfig(listen)


def _listen(table: Table) -> tuple[str, int] | None:
    text = table.text("listen")
    if text is None:
        return None
    host, separator, port = text.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise table.error(f"invalid listen address {text[:80]!r}", hint='use a form such as "0.0.0.0:7722"')
    return host.strip("[]"), int(port)


def _duration(table: Table, key: str, default: int) -> int:
    text = table.text(key)
    if text is None:
        return default
    try:
        return parse_duration_seconds(text)
    except InputError as error:
        raise table.error(f"{key}: {error.message}", hint=error.hint) from error


def _time_of_day(table: Table, key: str) -> time | None:
    text = table.text(key)
    if text is None:
        return None
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise table.error(f"invalid {key} {text[:80]!r}", hint='use a time of day such as "03:30"')
    return time(int(match[1]), int(match[2]))


def read_peers(top: Table) -> tuple[PeerConfig, ...]:
    """Read ``[[peer]]``."""
    peers: list[PeerConfig] = []
    for table in top.tables("peer"):
        peer = _read_peer(table)
        if any(other.name == peer.name for other in peers):
            raise table.error(
                f"peer name {peer.name!r} is already taken", hint="give every peer its own name"
            )
        peers.append(peer)
    return tuple(peers)


def _read_peer(table: Table) -> PeerConfig:
    name = _checked_name(table, "peer", table.required_text("name", "desktop"))
    peer = PeerConfig(
        name=name,
        host=table.text("host") or name,
        port=table.integer("port", 1, 65535),
        user=table.text("user"),
        host_key=table.text("host_key"),
        command=table.text("command"),
        zones=table.texts("zones") or (),
        bytes_per_second=_rate(table),
    )
    table.finish()
    return peer


def read_directories(top: Table, expand: Expander) -> tuple[DirectoryConfig, ...]:
    """Read ``[[directory]]``."""
    directories: list[DirectoryConfig] = []
    for table in top.tables("directory"):
        directory = _read_directory(table, expand)
        if any(other.path == directory.path for other in directories):
            raise table.error(f"path {directory.path} is already taken", hint="name each directory once")
        directories.append(directory)
    return tuple(directories)


def _read_directory(table: Table, expand: Expander) -> DirectoryConfig:
    default = DirectoryConfig(expand.path(table.required_text("path", "~/Sync/jilog")))
    peer, zones = table.text("peer"), table.texts("zones") or ()
    if peer is not None and zones:
        raise table.error("peer and zones are both given", hint="keep one of them")
    directory = DirectoryConfig(
        path=default.path,
        peer=peer if peer is None else _checked_name(table, "peer", peer),
        zones=zones,
        every_seconds=_duration(table, "every", default.every_seconds),
        keep_seconds=_duration(table, "keep", 0) or None,
        trust=table.texts("trust") or (),
    )
    table.finish()
    for line in directory.trust:
        if not line.startswith("ssh-ed25519 "):
            raise table.error(
                f"trust has {line[:40]!r}, which is no public key",
                hint="use lines such as: ssh-ed25519 AAAA…",
            )
    return directory


def _checked_name(table: Table, kind: str, name: str) -> str:
    try:
        return check_name(kind, name)
    except InputError as error:
        raise table.error(error.message, hint=error.hint) from error
