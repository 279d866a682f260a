"""What a session has to tell its caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jilog_spool.report import ForkFound


@dataclass(frozen=True, slots=True)
class PeerKnown:
    """The hello has come: the peer's name, and whether there is anything to exchange."""

    source: str
    in_sync: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of segments moved since the session began; ``expected`` grows while offers come in."""

    received: int
    expected: int
    sent: int


@dataclass(frozen=True, slots=True)
class Grown:
    """The peer's news made a zone grow; other sessions of this host may want to pass it on."""

    zone: str


@dataclass(frozen=True, slots=True)
class Settled:
    """The two hosts hold the same, and the session stays open."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The exchange is complete."""


Event: TypeAlias = PeerKnown | Progress | ForkFound | Grown | Settled | Finished
