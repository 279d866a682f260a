"""What a check is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from jilog_agent.config import Config
from jilog_agent.home import Home
from jilog_ledger.disk import Disk
from jilog_ledger.event import JsonValue


class Level(IntEnum):
    """How bad a finding is: a note costs nothing, a warning costs a feature, an error risks the record."""

    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. ``check`` is printed with ``--json``, so it stays.

    ``why`` says what follows from it for the user, ``next_step`` is what to type, or what to do by hand.
    """

    check: str
    level: Level
    what: str
    why: str
    next_step: str

    def to_json(self) -> dict[str, JsonValue]:
        """Give the documented JSON."""
        return {
            "check": self.check,
            "level": self.level.name.lower(),
            "what": self.what,
            "why": self.why,
            "next": self.next_step,
        }


@dataclass(frozen=True, slots=True)
class Patient:
    """The host that is looked at: its configuration, its state, and the world around both.

    ``user_home`` is where harnesses keep transcripts and SSH its files. ``now_ns`` is this host's clock.
    """

    config: Config
    home: Home
    disk: Disk
    environment: Mapping[str, str]
    user_home: Path
    now_ns: int


Check = Callable[[Patient], Iterator[Finding]]
"""Looks at one thing and yields what is wrong with it; it may fail, and it may take its time."""
