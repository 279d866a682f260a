"""The zones the agent holds open: many threads append; each question opens a projection of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jilog_agent.daemon.schedule import read_only
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.identity import Identity
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import StorageError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.limits import MIB


def _unlimited() -> int:
    return sys.maxsize


@dataclass(slots=True)
class Gate:
    """Whether segments of peers, and whether own events are taken, by the free space of the disk.

    Below ``low_bytes`` nothing more is taken from peers and ``low`` says why; below ``floor_bytes`` own
    events are refused as well and ``reason`` says why. Both end by themselves, some way above.
    """

    free_bytes: Callable[[], int] = _unlimited
    low_bytes: int = 0
    floor_bytes: int = 0
    low: str | None = None
    reason: str | None = None

    def look(self) -> int:
        """Compare with the free space as it is now, and give it."""
        free = self.free_bytes()
        self.low = _too_little(free, self.low_bytes, was=self.low is not None)
        self.reason = _too_little(free, self.floor_bytes, was=self.reason is not None)
        return free

    def full(self) -> str | None:
        """Say why nothing is taken from peers now; None when it is."""
        self.look()
        return self.low or self.reason

    def check(self) -> None:
        """Refuse own events when there is hardly any room left.

        Raises:
            StorageError: the agent is read-only.
        """
        self.look()
        if self.reason is not None:
            raise StorageError(
                f"the agent takes no events: {self.reason}",
                hint="free some space, or lower disk_floor_mib in [agent]; see: jilog agent status",
            )


def _too_little(free: int, threshold: int, *, was: bool) -> str | None:
    if not read_only(free, threshold, was=was):
        return None
    return f"{free // MIB} MiB are free on the disk, less than {threshold // MIB}"


class GatedLedger(ZoneLedger):
    """A ledger that appends nothing while its gate is closed, and says when it grew.

    ``grown`` gets the number of events, in the appending thread, after they are on stable storage.
    """

    def __init__(self, ledger: ZoneLedger, gate: Gate, grown: Callable[[int], None]) -> None:
        super().__init__(ledger.root, ledger.zone, ledger.shared, ledger.local)
        self._gate = gate
        self._grown = grown

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Append durably; see :meth:`ZoneLedger.append`."""
        self._gate.check()
        events = super().append(drafts)
        self._grown(len(events))
        return events

    def close(self) -> None:
        """Do nothing: requests share this ledger, and the agent closes it at its end."""


@dataclass(frozen=True, slots=True)
class Zones:
    """All zones of this host, open for as long as the agent lives."""

    workspace: Workspace
    source: str
    ledgers: dict[str, GatedLedger]
    gate: Gate

    @classmethod
    def open(
        cls,
        workspace: Workspace,
        identity: Identity,
        grown: Callable[[int], None],
        free_bytes: Callable[[], int] = _unlimited,
    ) -> Zones:
        """Open every configured zone, recovering what a crash left.

        ``free_bytes`` tells how much may still be written to the file system that holds the home.
        """
        agent = workspace.config.agent
        gate = Gate(free_bytes, agent.disk_low_mib * MIB, agent.disk_floor_mib * MIB)
        ledgers = {
            zone.id: GatedLedger(workspace.open_zone(zone, identity), gate, grown)
            for zone in workspace.config.zones
        }
        return cls(workspace, identity.source, ledgers, gate)

    def ledger(self, zone_id: str | None) -> GatedLedger:
        """Give a zone to append to; the first one without a name.

        Raises:
            InputError: no such zone.
        """
        return self.ledgers[self.workspace.config.zone(zone_id).id]

    def chosen(self, zone_id: str | None) -> list[GatedLedger]:
        """Give one zone, or all."""
        return [self.ledgers[zone.id] for zone in self.workspace.config.chosen_zones(zone_id)]

    @contextmanager
    def opened(self, zone_id: str | None) -> Iterator[list[OpenZone]]:
        """Give one zone, or all, for one request.

        Projections are opened per request, in two milliseconds, and not kept: while one is open,
        ``jilog rebuild`` waits. What takes long, compiled statements, the projection keeps by itself.
        """
        zones = [OpenZone(ledger, self.workspace.disk) for ledger in self.chosen(zone_id)]
        try:
            yield zones
        finally:
            for zone in zones:
                zone.close()
