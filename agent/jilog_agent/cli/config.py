"""``jilog config``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click

from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_agent.config import Config, Setting, TrackerConfig, ZoneConfig
from jilog_agent.identity import read_source
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue

group = LazyGroup(
    name="config",
    help="Show the settings and where each comes from.",
    examples=("jilog config show", "JILOG_TZ=Asia/Tokyo jilog config show --json"),
    table={"show": Entry("jilog_agent.cli.config:show", "Print every setting with its origin.")},
)


@click.command("show", cls=JilogCommand, examples=("jilog config show", "jilog config show --json"))
@json_option
def show(as_json: bool) -> None:
    """Print every setting, its value, and who said it: flag, environment, file or default."""
    workspace = open_workspace()
    config = workspace.config
    settings = [_in_force(item, workspace) for item in config.settings]
    if as_json:
        print_json(config_document(config, settings))
        return
    rows = [(item.name, "-" if item.value is None else str(item.value), item.origin) for item in settings]
    print_table(("SETTING", "VALUE", "FROM"), rows)
    print_line()
    origin = f"file {config.path}" if config.path else "default"
    lists = [("zone", zone.id, str(zone.ledger_path)) for zone in config.zones]
    lists += [("redaction", zone.id, _redaction_line(zone)) for zone in config.zones if zone.redaction]
    lists += [("reader", reader.name, ", ".join(reader.paths)) for reader in config.readers]
    lists += [("tracker", config.tracker.type, _tracker_place(config.tracker))]
    lists += [("peer", peer.name, peer.host) for peer in config.peers]
    lists += [
        ("directory", item.peer or ", ".join(item.zones), str(item.path)) for item in config.directories
    ]
    print_table(("KIND", "NAME", f"WHERE ({origin})"), lists)


def _in_force(setting: Setting, workspace: Workspace) -> Setting:
    """Give a setting as it counts: a source that nobody configured is the one that ``init`` chose."""
    if setting.name != "source" or setting.value is not None:
        return setting
    try:
        return replace(setting, value=read_source(workspace.home), origin="jilog init")
    except JilogError:
        # Not set up, or damaged: other commands tell that, and this one shows what is configured.
        return setting


def _tracker_place(tracker: TrackerConfig) -> str:
    return tracker.repo or tracker.project or (str(tracker.path) if tracker.path else "-")


def _redaction(zone: ZoneConfig) -> dict[str, JsonValue]:
    """Give what a zone replaces, said or by default; secrets always."""
    from jilog_review.redact import policy_from

    policy = policy_from(zone.redaction)
    return {
        "secrets": True,
        "emails": policy.emails,
        "home_paths": policy.home_paths,
        "patterns": [*policy.patterns],
    }


def _redaction_line(zone: ZoneConfig) -> str:
    """Write it as ``secrets, e-mail addresses, 2 patterns``."""
    replaced = _redaction(zone)
    patterns = zone.redaction.get("patterns")
    words = ["secrets"]
    words += ["e-mail addresses"] if replaced["emails"] else []
    words += ["home folders"] if replaced["home_paths"] else []
    count = len(patterns) if isinstance(patterns, tuple) else 0
    words += [f"{count} pattern{'s' * (count != 1)} of its own"] if count else []
    return ", ".join(words)


def config_document(config: Config, settings: Sequence[Setting]) -> dict[str, JsonValue]:
    """Give the configuration as JSON."""
    return {
        "settings": [{"name": item.name, "value": item.value, "origin": item.origin} for item in settings],
        "zones": [
            {
                "id": zone.id,
                "ledger_path": str(zone.ledger_path),
                "shared": zone.shared,
                "redaction": _redaction(zone),
            }
            for zone in config.zones
        ],
        "readers": [
            {
                "type": reader.type,
                "name": reader.name,
                "paths": list(reader.paths),
                "session_id_from": reader.session_id_from,
            }
            for reader in config.readers
        ],
        "tracker": {
            "type": config.tracker.type,
            "repo": config.tracker.repo,
            "project": config.tracker.project,
            "path": str(config.tracker.path) if config.tracker.path else None,
            "labels": list(config.tracker.labels),
            "max_new_per_run": config.tracker.max_new_per_run,
            "further": [*sorted(config.tracker.further)],
        },
        "review": {
            "profile": config.review.profile,
            "days": config.review.days,
            "coordinator": config.review.coordinator,
            "rule_folders": [str(folder) for folder in config.review.rule_folders],
        },
        "spool": {
            "ssh_hosts": list(config.spool.ssh_hosts),
            "timeout_seconds": config.spool.timeout_seconds,
            "bytes_per_second": config.spool.bytes_per_second,
            "quiet_hours": "-".join(at.strftime("%H:%M") for at in config.spool.quiet_hours or ()) or None,
        },
        "page": {"listen": "{}:{}".format(*config.page.listen) if config.page.listen else None},
        "agent": {
            "listen": "{}:{}".format(*config.agent.listen) if config.agent.listen else None,
            "sync_seconds": config.agent.sync_seconds,
            "review_at": config.agent.review_at.strftime("%H:%M") if config.agent.review_at else None,
            "scrub_mib_per_minute": config.agent.scrub_mib_per_minute,
            "metrics_file": str(config.agent.metrics_file) if config.agent.metrics_file else None,
            "log_level": config.agent.log_level,
            "disk_low_mib": config.agent.disk_low_mib,
            "disk_floor_mib": config.agent.disk_floor_mib,
            "mdns": config.agent.mdns,
        },
        "peers": [
            {"name": peer.name, "host": peer.host, "port": peer.port, "user": peer.user}
            for peer in config.peers
        ],
        "directories": [
            {
                "path": str(item.path),
                "peer": item.peer,
                "zones": list(item.zones),
                "every_seconds": item.every_seconds,
                "keep_seconds": item.keep_seconds,
            }
            for item in config.directories
        ],
    }
