"""A host's configuration, home and ledgers together: what every command starts from."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from jilog_agent.config import Config, ZoneConfig
from jilog_agent.home import Home
from jilog_agent.identity import Identity, ensure_identity, load_identity
from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.ledger import ZoneLedger


@dataclass(frozen=True, slots=True)
class Workspace:
    """``complain`` is told, in one line, what opening a ledger found and mended."""

    config: Config
    home: Home
    complain: Callable[[str], None]
    disk: Disk = field(default_factory=RealDisk)

    def identity(self) -> Identity:
        """Load this host's identity.

        Raises:
            JilogError: the host has none yet.
        """
        return load_identity(self.home, self.config.source)

    def ensure_identity(self, source: str | None = None) -> Identity:
        """Load this host's identity, or make one; ``source`` is a wish for a new one."""
        return ensure_identity(
            self.home,
            self.disk,
            configured=self.config.source,
            wanted=source,
            hostname=socket.gethostname(),
        )

    def open_zone(self, zone: ZoneConfig, identity: Identity) -> ZoneLedger:
        """Open a zone's ledger, making it when it is not there; findings of its recovery are told."""
        ledger = ZoneLedger.open(
            zone.ledger_path, zone.id, source=identity.source, key=identity.key, disk=self.disk
        )
        for finding in ledger.findings:
            self.complain(f"zone {zone.id}: {finding}")
        return ledger

    @contextmanager
    def opened(
        self, zone: ZoneConfig, identity: Identity, *, tell_later: bool = True
    ) -> Iterator[ZoneLedger]:
        """Open a zone's ledger for a block; what is found damaged inside it is told at its end.

        Without ``tell_later`` the caller tells that itself.
        """
        ledger = self.open_zone(zone, identity)
        told = ledger.findings
        try:
            yield ledger
        finally:
            ledger.close()
            for finding in ledger.findings if tell_later else ():
                if finding not in told:
                    self.complain(f"zone {zone.id}: {finding}")

    @contextmanager
    def zones(
        self, zone_id: str | None, identity: Identity, *, tell_later: bool = True
    ) -> Iterator[list[ZoneLedger]]:
        """Open one zone, or all, for a block, as :meth:`opened` does."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(self.opened(zone, identity, tell_later=tell_later))
                for zone in self.config.chosen_zones(zone_id)
            ]
