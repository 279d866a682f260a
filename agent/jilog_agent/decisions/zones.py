"""Open zones: a ledger, and its projection from the moment somebody asks it something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from jilog_agent.config import ZoneConfig
from jilog_agent.identity import Identity
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import Disk
from jilog_ledger.event import Event
from jilog_ledger.ledger import ZoneLedger

if TYPE_CHECKING:
    from jilog_ledger.projection import EventQuery, Projection


class OpenZone:
    """One zone to read from and to write to.

    The projection is opened and brought up to date when it is first asked for: an entry with a new id is
    written without it, and so without the third of a second that SQLAlchemy takes to import.
    """

    def __init__(self, ledger: ZoneLedger, disk: Disk) -> None:
        self.ledger = ledger
        self.disk = disk
        self._projection: Projection | None = None

    @property
    def projection(self) -> Projection:
        """The projection, as new as the last :meth:`apply`."""
        if self._projection is None:
            from jilog_ledger.projection import Projection

            self._projection = Projection.open(self.ledger)
            self._projection.apply()
        return self._projection

    def apply(self) -> None:
        """Bring the projection up to what the ledger holds."""
        self.projection.apply()

    def close(self) -> None:
        """Close both."""
        if self._projection is not None:
            self._projection.close()
        self.ledger.close()


@contextmanager
def open_zones(
    workspace: Workspace, zones: Sequence[ZoneConfig], identity: Identity
) -> Iterator[list[OpenZone]]:
    """Open zones; they are closed at the end of the block."""
    with ExitStack() as stack:
        opened = []
        for zone in zones:
            ledger = stack.enter_context(workspace.opened(zone, identity))
            opened.append(OpenZone(ledger, workspace.disk))
            stack.callback(opened[-1].close)
        yield opened


def find_events(zones: Sequence[OpenZone], query: EventQuery) -> list[Event]:
    """Ask several zones as if they were one: limit and offset count over all of them.

    With ``best_first`` zone follows zone, for how well texts match can only be compared within one.
    """
    if len(zones) == 1:
        return zones[0].projection.query(query)
    wanted = None if query.limit is None else query.offset + query.limit
    found = [
        event for zone in zones for event in zone.projection.query(replace(query, limit=wanted, offset=0))
    ]
    if not query.best_first:
        found.sort(key=lambda event: event.order, reverse=not query.oldest_first)
    return found[query.offset : wanted]
