"""Who NanoClaw's agents are: their names and where they speak, from its central database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from jilog_review.readers.sqlite_file import open_read_only

_AGENTS = "SELECT id, name, folder FROM agent_groups"
_CHANNELS = """
SELECT link.agent_group_id, place.name
FROM messaging_group_agents AS link JOIN messaging_groups AS place ON place.id = link.messaging_group_id
WHERE place.name IS NOT NULL
ORDER BY link.priority DESC, link.created_at, place.name
"""
_NAME_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: the names it goes by, and the places where it speaks, the most important first."""

    agent_id: str
    persona: str
    folder: str | None = None
    channel: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Every name that ``include`` and ``exclude`` may use for it."""
        return frozenset(name for name in (self.agent_id, self.persona, self.folder) if name)


def _channels(connection: sqlite3.Connection) -> list[tuple[object, object]]:
    """Give agents and where they speak; nothing from a version that keeps it elsewhere."""
    try:
        return connection.execute(_CHANNELS).fetchall()
    except sqlite3.OperationalError as exc:
        if str(exc).startswith("no such"):
            return []
        raise


def load_agents(path: Path) -> dict[str, Agent]:
    """Load the agents by their ids.

    Raises:
        OSError: the database cannot be read, or has another shape.
    """
    with open_read_only(path) as connection:
        rows = connection.execute(_AGENTS).fetchall()
        places: dict[str, list[str]] = {}
        for agent_id, name in _channels(connection):
            places.setdefault(str(agent_id), []).append(str(name))
    agents: dict[str, Agent] = {}
    for agent_id, name, folder in rows:
        channel = ", ".join(places.get(str(agent_id), ()))[:_NAME_CHARS_MAX] or None
        persona = str(name).strip()[:_NAME_CHARS_MAX] if name else str(agent_id)
        agents[str(agent_id)] = Agent(str(agent_id), persona, str(folder) if folder else None, channel)
    return agents
