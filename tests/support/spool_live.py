"""Warm sessions among several hosts, over pipes in memory and a clock that tests move."""

from __future__ import annotations

from dataclasses import dataclass, field

from jilog_spool.memory import Pipe
from jilog_spool.session import Grown, Session, Settled, State
from support.spool_fleet import AnyReplica, session


@dataclass
class Link:
    """One warm session between two hosts, by their index in the fleet.

    ``settled`` counts how often one of them told that both are level, or how they stand.
    """

    ends: tuple[int, int]
    pipe: Pipe
    settled: int = 0

    @property
    def sessions(self) -> tuple[Session, Session]:
        return self.pipe.first.session, self.pipe.second.session

    @property
    def wire_bytes(self) -> int:
        return self.pipe.first.sent_bytes + self.pipe.second.sent_bytes


@dataclass
class LiveFleet:
    """Hosts that stay connected; what one of them gains, its other sessions are told."""

    replicas: list[AnyReplica]
    links: list[Link] = field(default_factory=list)
    now: float = 0.0

    def connect(self, first: int, second: int, *, chance: float = 0.5, zstd: bool = True) -> Link:
        """Open a warm session and let the first exchange happen."""
        options = {"live": True, "chance": lambda: chance, "zstd": zstd}
        pipe = Pipe(session(self.replicas[first], **options), session(self.replicas[second], **options))
        link = Link((first, second), pipe)
        self.links.append(link)
        self.tick(0)
        self.settle()
        return link

    def append(self, index: int, drafts: list) -> None:  # type: ignore[type-arg]
        """Append at one host and tell its sessions."""
        self.replicas[index].append(drafts)
        self.notice(index)

    def notice(self, index: int) -> None:
        for link in self.links:
            for end, live in zip(link.ends, link.sessions, strict=True):
                if end == index:
                    live.notice(self.replicas[index].zone)

    def settle(self) -> None:
        """Carry bytes until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            for link in self.links:
                moved = link.pipe.step() or moved
                self._pass_on(link)

    def tick(self, seconds: float) -> None:
        """Let time pass for every session."""
        self.now += seconds
        for link in self.links:
            for live in link.sessions:
                if live.state is not State.FAILED:
                    live.tick(self.now)

    def _pass_on(self, link: Link) -> None:
        for end, side in zip(link.ends, (link.pipe.first, link.pipe.second), strict=True):
            for event in side.events:
                if isinstance(event, Grown):
                    self.notice(end)
                link.settled += isinstance(event, Settled)
            side.events.clear()
