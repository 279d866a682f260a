"""Repair: what this host lost to rot is fetched again from whoever has it, and reported as healed.

A damaged segment goes to quarantine when it is found, which leaves a gap; any exchange with a peer that has
the segment fills it. This module says which segments are gone, asks open sessions for them at once, and tells
afterwards what came back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from jilog_ledger.catalog import Finding
from jilog_ledger.identifiers import Writer
from jilog_ledger.verify import VerifyReport
from jilog_spool.replica import Replica
from jilog_spool.session import Session


class Lost(NamedTuple):
    """A segment that is not held here and once was, or that must exist because later ones do."""

    zone: str
    writer: Writer
    number: int

    def __str__(self) -> str:
        return f"{self.zone}: {self.writer} segment {self.number}"


class Verifiable(Replica, Protocol):
    """A zone store: a replica that can read itself again."""

    @property
    def findings(self) -> Sequence[Finding]:
        """What recovery and verification found since the store was opened."""

    def verify(self, *, repair: bool = True) -> VerifyReport:
        """Read everything; what is damaged goes to quarantine."""

    def quarantined(self) -> set[tuple[Writer, int]]:
        """Name the segments of which a damaged copy was put away, now or long ago."""


@dataclass(frozen=True, slots=True)
class RepairReport:
    """How a repair went. ``findings`` is what verification found, ``lost`` what had to be fetched."""

    findings: Sequence[Finding]
    lost: Sequence[Lost]
    healed: Sequence[Lost]

    @property
    def missing(self) -> list[Lost]:
        """What nobody had who was asked."""
        return [lost for lost in self.lost if lost not in self.healed]


class Repair:
    """One repair of some zones: begin it, run sessions with peers, and finish it."""

    def __init__(self, replicas: Mapping[str, Replica], findings: Sequence[Finding], lost: set[Lost]) -> None:
        self._replicas = replicas
        self._findings = findings
        self.lost = sorted(lost)

    @classmethod
    def begin(cls, stores: Mapping[str, Verifiable]) -> Repair:
        """Verify the stores and note what is gone; reads every byte they hold.

        Raises:
            StorageError: the disk refused.
        """
        findings: list[Finding] = []
        lost: set[Lost] = set()
        for zone, store in stores.items():
            before = _numbers(store)
            store.verify()
            # What opening the store had found before counts as well.
            found = store.findings
            findings += found
            lost |= {Lost(zone, *key) for key in store.quarantined()}
            lost |= {Lost(zone, writer, number) for writer, number in before - _numbers(store)}
            lost |= {Lost(zone, finding.writer, finding.number) for finding in found if finding.number}
        lost |= set(gaps(stores))
        held = {Lost(zone, *key) for zone, store in stores.items() for key in _numbers(store)}
        return cls(stores, findings, lost - held)

    def ask(self, session: Session) -> int:
        """Ask the peer of an open session for all that is still gone; give how many segments that are."""
        healed = self.healed()
        return sum(session.request(*lost) for lost in self.lost if lost not in healed)

    def healed(self) -> list[Lost]:
        """Name what came back so far."""
        held = {zone: _numbers(replica) for zone, replica in self._replicas.items()}
        return [lost for lost in self.lost if (lost.writer, lost.number) in held[lost.zone]]

    def finish(self) -> RepairReport:
        """Say what came back."""
        return RepairReport(self._findings, self.lost, self.healed())


def gaps(replicas: Mapping[str, Replica]) -> list[Lost]:
    """Name the segments that are missing below ones that are held."""
    found: list[Lost] = []
    for zone, replica in replicas.items():
        for entry in replica.frontier().entries:
            next_number = entry.number + 1
            for span in entry.above:
                found += [Lost(zone, entry.writer, n) for n in range(next_number, span.first_number)]
                next_number = span.last_number + 1
    return found


def _numbers(replica: Replica) -> set[tuple[Writer, int]]:
    return {
        (entry.writer, info.number)
        for entry in replica.frontier().entries
        for info in replica.segments(entry.writer)
    }
