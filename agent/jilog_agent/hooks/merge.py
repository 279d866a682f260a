"""Our commands merged into an agent's settings, and taken out again: pure functions over JSON.

Everything else in the settings stays as it is and where it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from jilog_agent.hooks.harness import Harness, is_ours
from jilog_ledger.event import JsonValue

Settings = dict[str, JsonValue]


class NotSettings(Exception):
    """The document is not what the agent takes; the text says where."""


def with_hooks(settings: Settings, harness: Harness, commands: Mapping[str, str]) -> Settings:
    """Give the settings with exactly one of our commands for each event, foreign ones untouched.

    ``commands`` is by the agent's names of events. A command of ours that is there already stays in its
    place, so installing twice changes nothing.

    Raises:
        NotSettings: the settings have another shape.
    """
    merged: Settings = copy.deepcopy(settings)
    if harness.owns_file:
        merged.setdefault("version", 1)
    hooks = _table(merged.setdefault("hooks", {}), "hooks")
    for event in [*hooks, *(event for event in commands if event not in hooks)]:
        groups = _groups(hooks, event)
        kept = _replaced(groups, harness, commands.get(event))
        if kept or event in commands:
            hooks[event] = kept
        elif groups:
            del hooks[event]
    return merged


def without_hooks(settings: Settings, harness: Harness) -> Settings:
    """Give the settings without our commands, and without what is empty then because of that.

    Raises:
        NotSettings: the settings have another shape.
    """
    if "hooks" not in settings:
        return settings
    rest = with_hooks(settings, harness, {})
    if rest.get("hooks") == {} and settings["hooks"] != {}:
        del rest["hooks"]
    return rest


def our_commands(settings: Settings) -> dict[str, list[str]]:
    """Give our commands by event, to be compared with what would be installed.

    Raises:
        NotSettings: the settings have another shape.
    """
    hooks = _table(settings.get("hooks", {}), "hooks")
    found: dict[str, list[str]] = {}
    for event in hooks:
        for group in _groups(hooks, event):
            for handler in _handlers(group):
                if is_ours(handler):
                    assert isinstance(handler, dict)
                    found.setdefault(event, []).append(str(handler.get("command") or handler.get("bash")))
    return found


def _replaced(groups: list[JsonValue], harness: Harness, command: str | None) -> list[JsonValue]:
    """Put a command where our first one stood, else at the end; take every other of ours out."""
    kept: list[JsonValue] = []
    placed = command is None
    for group in groups:
        handlers = _handlers(group)
        if not any(is_ours(handler) for handler in handlers):
            kept.append(group)
            continue
        rest: list[JsonValue] = []
        for handler in handlers:
            if not is_ours(handler):
                rest.append(handler)
            elif not placed:
                assert command is not None
                rest.append(harness.handler(command))
                placed = True
        if rest:
            kept.append({**group, "hooks": rest} if isinstance(group, dict) and "hooks" in group else rest[0])
    if not placed:
        assert command is not None
        kept.append(harness.group(command))
    return kept


def _handlers(group: JsonValue) -> list[JsonValue]:
    """Give the commands of a group; in Copilot's settings a group is a command."""
    if isinstance(group, dict) and isinstance(group.get("hooks"), list):
        handlers = group["hooks"]
        assert isinstance(handlers, list)
        return handlers
    return [group]


def _table(value: JsonValue, name: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise NotSettings(f"{name} is no object")
    return value


def _groups(hooks: Mapping[str, JsonValue], event: str) -> list[JsonValue]:
    groups = hooks.get(event, [])
    if not isinstance(groups, list):
        raise NotSettings(f"hooks.{event} is no list")
    return groups
