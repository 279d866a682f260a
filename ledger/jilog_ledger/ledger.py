"""One zone of the ledger as its users see it: what may travel and what may not, in one place.

Events of the confidential tier go to a store of their own under ``local/``. It has its own epoch and
sequence, so the replicated stream has no holes and not even the number of confidential events can be told
from it. Only :attr:`ZoneLedger.shared` is ever handed to a peer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from jilog_ledger.catalog import Finding
from jilog_ledger.disk import Disk
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.frontier import Frontier
from jilog_ledger.identifiers import new_epoch
from jilog_ledger.keys import SigningKey
from jilog_ledger.store import ZoneStore
from jilog_ledger.times import now_ns


class ZoneLedger:
    """The shared and the local store of one zone."""

    def __init__(self, root: Path, zone: str, shared: ZoneStore, local: ZoneStore) -> None:
        self.root = root
        self.zone = zone
        self.shared = shared
        self.local = local

    @classmethod
    def open(
        cls,
        root: Path,
        zone: str,
        *,
        source: str,
        key: SigningKey,
        disk: Disk | None = None,
        clock: Callable[[], int] = now_ns,
        epochs: Callable[[], str] = new_epoch,
    ) -> ZoneLedger:
        """Open or make a zone under ``root``; see :meth:`ZoneStore.open` for arguments and errors."""

        def store(at: Path, *, local: bool) -> ZoneStore:
            return ZoneStore.open(
                at, zone, source=source, key=key, disk=disk, clock=clock, epochs=epochs, local=local
            )

        return cls(root, zone, store(root, local=False), store(root / "local", local=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of memory. Nothing waits to be written."""
        self.shared.close()
        self.local.close()

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Append events durably, each to the store its tier asks for; the result has the drafts' order.

        A call that mixes confidential and other events makes two durable batches, the confidential first.
        """
        local = iter(self.local.append([draft for draft in drafts if draft.confidential]))
        shared = iter(self.shared.append([draft for draft in drafts if not draft.confidential]))
        return [next(local if draft.confidential else shared) for draft in drafts]

    def frontier(self) -> Frontier:
        """Say what is held of every writer that may travel."""
        return self.shared.frontier()

    def root_hash(self) -> bytes:
        """Give the zone's fleet root."""
        return self.shared.frontier().root()

    @property
    def findings(self) -> list[Finding]:
        """What recovery and verification found since the zone was opened."""
        return self.shared.findings + self.local.findings
