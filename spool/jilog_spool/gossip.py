"""The quiet side of a warm session: when roots are compared, and when a silent peer is given up."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

from jilog_spool import limits
from jilog_spool.replica import Replica


class Gossip:
    """Times are seconds of the session's clock. ``chance`` gives numbers from 0 to 1."""

    def __init__(
        self,
        replicas: Mapping[str, Replica],
        chance: Callable[[], float],
        every_seconds: float = limits.GOSSIP_SECONDS,
    ) -> None:
        self._replicas = replicas
        self._chance = chance
        self._every_seconds = every_seconds
        self._due_at = 0.0
        self._waits_since = 0.0
        self._told = b""
        self._answered_at = -math.inf
        self._level = b""
        self.shared: list[str] = []
        """Zones that both sides named."""

    @property
    def asked(self) -> bool:
        """Whether the peer's digest is due."""
        return bool(self._told)

    def plan(self, now: float) -> None:
        """Set the moment of the next comparison."""
        spread = limits.GOSSIP_JITTER * (2 * self._chance() - 1)
        self._due_at = now + self._every_seconds * (1 + spread)

    def hurry(self, at: float) -> None:
        """Compare no later than ``at``."""
        self._due_at = min(self._due_at, at)

    def ask(self, now: float) -> bytes | None:
        """Give our digest when it is time to tell it; None while it is not, or the peer's is due."""
        if now < self._due_at or self._told:
            return None
        self._waits_since = now
        self._told = self.digest()
        return self._told

    def heard(self, theirs: bytes, now: float) -> tuple[bytes | None, bool | None]:
        """Take the peer's digest: give our own if it is owed, and whether the two differ; None: not compared.

        Ours may have changed since it was told, but the peer judges by what it was told, and so do we. A
        digest that comes right after one that was answered may be an answer that came twice: two hosts that
        answered that would answer each other for ever. It is put off until we ask ourselves, and whoever
        asked takes that for the answer.
        """
        told, self._told = self._told, b""
        self.plan(now)
        if told:
            return None, theirs != told
        if now - self._answered_at < limits.RESYNC_SECONDS:
            self.hurry(now + limits.RESYNC_SECONDS)
            return None, None
        self._answered_at = now
        mine = self.digest()
        return mine, theirs != mine

    def digest(self) -> bytes:
        """Sum up the fleet roots of all shared zones in 16 bytes."""
        digest = hashlib.sha256()
        for zone in self.shared:
            digest.update(zone.encode() + b"\0" + self._replicas[zone].frontier().root())
        return digest.digest()[:16]

    def moved(self) -> bool:
        """Tell whether both, who are level now, hold something else than when this was asked last."""
        before, self._level = self._level, self.digest()
        return self._level != before

    def silence(self, now: float, heard_at: float, *, waiting: bool) -> float:
        """Say for how long the peer has kept us waiting."""
        if not (waiting or self._told):
            self._waits_since = now
        return now - max(heard_at, self._waits_since)
