"""Fetch from peers what this host has lost, and say what came back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jilog_agent.replication import replicas_of
from jilog_agent.syncing import run_sync
from jilog_agent.workspace import Workspace
from jilog_ledger.catalog import Finding
from jilog_ledger.ledger import ZoneLedger
from jilog_spool.peers import Peer
from jilog_spool.repair import Repair, RepairReport
from jilog_spool.sync import PeerResult

ROUNDS_MAX = 2
"""A peer may find its own copy damaged while it serves it; the second round asks the others for that one."""


@dataclass(frozen=True, slots=True)
class Healed:
    """How a repair went. ``local`` are findings in streams that no peer has, by zone."""

    report: RepairReport
    local: Mapping[str, Sequence[Finding]]
    results: Sequence[PeerResult]

    @property
    def whole(self) -> bool:
        """Whether everything that was lost is back."""
        return not self.report.missing and not any(self.local.values())


def heal(workspace: Workspace, ledgers: Sequence[ZoneLedger], peers: Sequence[Peer], source: str) -> Healed:
    """Verify every zone, then fetch what is damaged or missing from whichever of the peers has it.

    A crash at any moment leaves what has come so far; the next repair goes on from there.

    Raises:
        StorageError: the disk refused.
    """
    local = {}
    for ledger in ledgers:
        ledger.local.verify()
        local[ledger.zone] = ledger.local.findings
    # Comparing frontiers brings every hole to light, so a common exchange is all that is needed.
    repair = Repair.begin({ledger.zone: ledger.shared for ledger in ledgers})
    results: list[PeerResult] = []
    for _ in range(ROUNDS_MAX):
        if len(repair.healed()) == len(repair.lost):
            break
        results = run_sync(workspace, peers, replicas_of(ledgers), source)
    return Healed(repair.finish(), local, results)
