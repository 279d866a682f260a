"""What the agent remembers from one life to the next. It may be lost at any time."""

from __future__ import annotations

import msgspec

from jilog_agent.home import Home
from jilog_ledger.disk import Disk
from jilog_ledger.errors import StorageError


class ScrubPosition(msgspec.Struct, frozen=True):
    """How far the scrub of one zone came: the last segment it read, and when a round was last complete."""

    source: str = ""
    epoch: str = ""
    number: int = 0
    rounds: int = 0
    completed_at_ns: int = 0


class AgentState(msgspec.Struct, frozen=True):
    """When the agent first ran, and when a review last began; 0 stands for never."""

    first_started_at_ns: int = 0
    reviewed_at_ns: int = 0
    scrub: dict[str, ScrubPosition] = {}


def load_state(home: Home, disk: Disk) -> AgentState:
    """Read the state; a fresh one when there is none that can be read."""
    path = home.agent_state_path
    try:
        if disk.size(path) is None:
            return AgentState()
        return msgspec.json.decode(disk.read(path), type=AgentState)
    except (msgspec.DecodeError, UnicodeDecodeError, StorageError):
        return AgentState()


def save_state(home: Home, disk: Disk, state: AgentState) -> None:
    """Keep the state."""
    disk.replace(home.agent_state_path, msgspec.json.encode(state))
