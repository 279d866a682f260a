"""What ``jilog status`` and ``jilog spool status`` say of spool directories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jilog_agent.cli.output import print_line, print_table
from jilog_agent.workspace import Workspace
from jilog_ledger.event import JsonValue

if TYPE_CHECKING:
    from jilog_agent.directories import DirectoryRecord


def _records(workspace: Workspace) -> Mapping[str, DirectoryRecord]:
    if not (workspace.config.directories or workspace.home.directories_path.exists()):
        return {}
    from jilog_agent.directories import DirectoryHistory, DirectoryRecord

    never = DirectoryRecord("", "never_used", "no pass over it yet", "jilog agent start")
    configured = {str(item.path): never for item in workspace.config.directories}
    return {**configured, **DirectoryHistory(workspace.home, workspace.disk).load()}


def directories_document(workspace: Workspace) -> list[JsonValue]:
    """Give the documented JSON."""
    return [
        {
            "path": path,
            "at": record.at or None,
            "reason": record.reason,
            "detail": record.detail,
            "next": record.next or None,
            "taken_at": record.taken_at,
            "hosts": record.hosts,
            "unreadable": record.unreadable,
        }
        for path, record in sorted(_records(workspace).items())
    ]


def print_directories(workspace: Workspace) -> None:
    """Print one line for each directory; nothing when there is none."""
    rows = [
        (
            f"  {path}",
            record.reason,
            f"{record.at[:19]}Z" if record.at else "never",
            record.detail,
            record.next,
        )
        for path, record in sorted(_records(workspace).items())
    ]
    if rows:
        print_line()
        print_table(("  DIRECTORY", "STATE", "LAST PASS", "WHY", "NEXT"), rows, whole=2)
