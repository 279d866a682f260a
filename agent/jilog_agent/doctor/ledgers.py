"""The ledgers: whether each can be opened, what is damaged in it, and why its peers stand as they do."""

from __future__ import annotations

from collections.abc import Iterator

from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.inspection import ZoneStatus, inspect_zone
from jilog_agent.reasons import Reason, worst
from jilog_agent.standing import verdicts_by_peer
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import JilogError
from jilog_ledger.ledger import ZoneLedger

_IN_ORDER = frozenset({Reason.IN_SYNC, Reason.BEHIND, Reason.PAUSED})


def check_ledgers(patient: Patient) -> Iterator[Finding]:
    """Every zone opens, holds nothing damaged, and travels to its peers.

    One check and not three: a ledger is opened once, and what opening it mends is mended as by any command.
    """
    if not patient.home.initialised():
        yield Finding(
            "ledgers", Level.ERROR, f"{patient.home.root} is not set up", "nothing is recorded", "jilog init"
        )
        return
    workspace = Workspace(patient.config, patient.home, lambda _line: None, patient.disk)
    identity = workspace.identity()
    ledgers: list[ZoneLedger] = []
    try:
        for zone in patient.config.zones:
            try:
                ledgers.append(workspace.open_zone(zone, identity))
            except JilogError as error:
                yield _closed(zone.id, error)
        for ledger in ledgers:
            yield from _contents(inspect_zone(ledger, patient.disk), patient.now_ns)
        yield from _peers(workspace, ledgers, patient.now_ns)
    finally:
        for ledger in ledgers:
            ledger.close()


def _closed(zone: str, error: JilogError) -> Finding:
    return Finding(
        "ledgers",
        Level.ERROR,
        f"zone {zone} cannot be opened: {error.message}",
        "its events can be neither recorded nor read",
        error.hint or "jilog verify",
    )


def _contents(status: ZoneStatus, now_ns: int) -> Iterator[Finding]:
    if status.quarantined:
        yield Finding(
            "quarantine",
            Level.ERROR,
            f"zone {status.zone} holds {status.quarantined} damaged segments in quarantine",
            "their events are missing here until a peer sends them again",
            "jilog spool repair",
        )
    for finding in status.findings:
        yield Finding(
            "ledgers",
            Level.WARNING,
            f"zone {status.zone}: {finding}",
            "a crash or a fault of the disk left this; what could be mended was",
            f"jilog verify --zone {status.zone}",
        )
    if status.own.last_time_ns > now_ns:
        yield Finding(
            "clock",
            Level.ERROR,
            f"the newest event of this host in zone {status.zone} is later than its clock",
            "the clock was set back: new events sort before older ones",
            "date -u; timedatectl",
        )


def _peers(workspace: Workspace, ledgers: list[ZoneLedger], now_ns: int) -> Iterator[Finding]:
    for name, verdicts in sorted(verdicts_by_peer(workspace, ledgers, now_ns).items()):
        verdict = worst(verdicts)
        if verdict is None or verdict.reason in _IN_ORDER:
            continue
        level = Level.NOTE if verdict.reason is Reason.NEVER_SYNCED else Level.WARNING
        yield Finding(
            "peers",
            level,
            f"peer {name}: {verdict.detail} ({verdict.reason.value})",
            f"zone {verdict.zone} is not the same on both hosts",
            verdict.next_step or f"jilog spool sync {name}",
        )
