"""The other hosts: which versions of jilog they run, as their last sessions told."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.replication import SyncHistory, peer_table


def check_versions(patient: Patient) -> Iterator[Finding]:
    """Every known peer runs the version that this host runs.

    A note, for versions that differ work together; one that is too old is a reason of its peer's.
    """
    own = version("jilog")
    history = SyncHistory(patient.home, patient.disk).load()
    known = (peer.name for peer in peer_table(patient.config, patient.home, patient.disk).peers())
    told = {name: history[name].software for name in sorted(known) if name in history}
    others = [f"{name} {software}" for name, software in told.items() if software and software != own]
    if others:
        yield Finding(
            "versions",
            Level.NOTE,
            f"this host runs jilog {own}, and of its peers {', '.join(others)}",
            "they work together while their protocols are at most two versions apart",
            "upgrade the older ones: pip install --upgrade jilog there, then restart their agents",
        )
