"""The coding agents that offer hooks: where they keep their settings, and in which form.

Claude Code and Codex have one shape: an event's name, groups with a matcher, and commands in each group.
Copilot loads every file of a folder; its events have commands at once. ``docs/hooks.md`` tells more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.event import JsonValue

TIMEOUT_SECONDS = 10
"""What the agents are told to wait at most; our own deadline is below it."""

_OURS = re.compile(r"\bhooks run (?:claude-code|codex|copilot) (?:start|prompt|stop)\b")


@dataclass(frozen=True, slots=True)
class Harness:
    """One agent. ``events`` maps its events' names to ours; ``owns_file``: the whole file is jilog's."""

    name: str
    title: str
    project_file: str
    global_folder: str
    folder_variable: str
    global_file: str
    events: Mapping[str, str]
    owns_file: bool = False

    def project_path(self, root: Path) -> Path:
        """Name the settings of a repository."""
        return root / self.project_file

    def global_path(self, user_home: Path, environment: Mapping[str, str]) -> Path:
        """Name the user's settings."""
        moved = environment.get(self.folder_variable)
        return (Path(moved).expanduser() if moved else user_home / self.global_folder) / self.global_file

    def handler(self, command: str) -> dict[str, JsonValue]:
        """Write one command as the agent wants it."""
        if self.owns_file:
            return {"type": "command", "bash": command, "timeoutSec": TIMEOUT_SECONDS}
        return {"type": "command", "command": command, "timeout": TIMEOUT_SECONDS}

    def group(self, command: str) -> dict[str, JsonValue]:
        """Write what stands in an event's list."""
        handler = self.handler(command)
        return handler if self.owns_file else {"hooks": [handler]}


HARNESSES = {
    harness.name: harness
    for harness in (
        Harness(
            "claude-code",
            "Claude Code",
            ".claude/settings.json",
            ".claude",
            "CLAUDE_CONFIG_DIR",
            "settings.json",
            {"SessionStart": "start", "UserPromptSubmit": "prompt", "Stop": "stop"},
        ),
        Harness(
            "codex",
            "Codex",
            ".codex/hooks.json",
            ".codex",
            "CODEX_HOME",
            "hooks.json",
            {"SessionStart": "start", "UserPromptSubmit": "prompt", "Stop": "stop"},
        ),
        Harness(
            "copilot",
            "Copilot",
            ".github/hooks/jilog.json",
            ".copilot",
            "COPILOT_HOME",
            "hooks/jilog.json",
            {"sessionStart": "start", "agentStop": "stop"},
            owns_file=True,
        ),
    )
}


def is_ours(handler: JsonValue) -> bool:
    """Tell whether a command in somebody's settings is one that jilog put there."""
    if not isinstance(handler, dict):
        return False
    command = handler.get("command") or handler.get("bash")
    return isinstance(command, str) and _OURS.search(command) is not None
