"""Cut the power, or refuse service, at every elementary disk operation of an append, a seal and a sync.

The check is the first invariant: an acknowledged event is on stable storage and is never lost or altered.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jilog_ledger.errors import JilogError, StorageError
from jilog_ledger.event import StoredEvent
from jilog_ledger.identifiers import Writer
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut
from support.stores import Epochs, draft, held, open_store, pull_segment

ROOT = Path("/home/zone")
PEER = Path("/home/peer")


@dataclass
class Acknowledged:
    """What the store said is safe."""

    events: dict[Writer, dict[int, StoredEvent]] = field(default_factory=dict)

    def add(self, writer: Writer, events: list[StoredEvent]) -> None:
        self.events.setdefault(writer, {}).update({event.sequence: event for event in events})

    def missing(self, store: ZoneStore) -> list[str]:
        """Name what is acknowledged and not held exactly as it was."""
        present = {
            writer: {event.sequence: event for event in events} for writer, events in held(store).items()
        }
        return [
            f"{writer} {sequence}"
            for writer, events in self.events.items()
            for sequence, event in events.items()
            if present.get(writer, {}).get(sequence) != event
        ]


Scenario = Callable[[MemoryDisk, Acknowledged, Callable[[Exception], None]], None]


def append_and_seal(
    disk: MemoryDisk, acknowledged: Acknowledged, refused: Callable[[Exception], None]
) -> None:
    """One host's day: some appends, a seal, and appends again."""
    epochs = Epochs("alpha")
    store: ZoneStore | None = None
    for step in (1, 2, "seal", 3, 4, "seal", 5):
        try:
            store = store or open_store(ROOT, disk=disk, epochs=epochs)
            if step == "seal":
                store.seal()
            else:
                events = store.append([draft(int(step) * 10 + i, text="x" * 40) for i in range(2)])
                acknowledged.add(events[0].writer, [event.stored for event in events])
        except JilogError as exc:
            refused(exc)


def prepared_peer() -> ZoneStore:
    peer = open_store(PEER, "beta", disk=MemoryDisk(), epochs=Epochs("beta"))
    peer.append([draft(1, text="y" * 90)])
    peer.seal()
    peer.append([draft(2)])
    return peer


def receive(disk: MemoryDisk, acknowledged: Acknowledged, refused: Callable[[Exception], None]) -> None:
    """A follower takes a sealed segment, a tail, more of the tail, and the seal."""
    peer = prepared_peer()
    epochs = Epochs("alpha")
    store: ZoneStore | None = None
    writer = peer.own_writer
    for step in ("pull", "tail", "sealed"):
        if step == "tail":
            peer.append([draft(3, text="z" * 50)])
        if step == "sealed":
            peer.seal()
        expected = held(peer)[writer]
        for info in peer.segments(writer):
            try:
                store = store or open_store(ROOT, disk=disk, epochs=epochs)
                pull_segment(store, peer, writer, info.number, chunk_bytes=100)
                acknowledged.add(
                    writer, [e for e in expected if info.first_sequence <= e.sequence <= info.last_sequence]
                )
            except JilogError as exc:
                refused(exc)


SCENARIOS: list[Scenario] = [append_and_seal, receive]


def operations_of(scenario: Scenario, make_disk: Callable[[], MemoryDisk]) -> int:
    disk = make_disk()
    scenario(disk, Acknowledged(), _unexpected)
    return disk.operations


def _unexpected(exc: Exception) -> None:
    raise exc


def crash_losses(
    scenario: Scenario, aftermath: Aftermath, make_disk: Callable[[], MemoryDisk] = MemoryDisk
) -> list[str]:
    """Cut the power at each operation in turn, reopen, and say what was lost or does not work."""
    problems = []
    for cut_at in range(1, operations_of(scenario, make_disk) + 2):
        disk, acknowledged = make_disk(), Acknowledged()
        disk.cut_power_at(cut_at)
        with contextlib.suppress(PowerCut):
            scenario(disk, acknowledged, _unexpected)
        where = f"cut at {cut_at} ({disk.log[-1][0]} {disk.log[-1][1].name}), {aftermath.name}"
        disk.crash(aftermath)
        problems += [f"{where}: {problem}" for problem in problems_after(disk, acknowledged)]
    return problems


def problems_after(disk: MemoryDisk, acknowledged: Acknowledged) -> list[str]:
    """Reopen; everything acknowledged must be there, nothing quarantined, and appends must work."""
    store = open_store(ROOT, disk=disk, epochs=Epochs("alpha-later"))
    problems = [f"lost {name}" for name in acknowledged.missing(store)]
    new = store.append([draft(99)])
    acknowledged.add(new[0].writer, [event.stored for event in new])
    report = store.verify()
    problems += [str(finding) for finding in report.findings if finding.action == "moved to quarantine"]
    again = open_store(ROOT, disk=disk, epochs=Epochs("alpha-again"))
    problems += [f"lost later {name}" for name in acknowledged.missing(again)]
    if again.frontier() != store.frontier():
        problems.append("frontier differs after reopening")
    return problems


@pytest.mark.parametrize("aftermath", list(Aftermath), ids=lambda aftermath: aftermath.name.lower())
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_af32_power_cut_at_any_disk_operation_loses_nothing_acknowledged(
    scenario: Scenario, aftermath: Aftermath
) -> None:
    """Invariant 1, on a disk that keeps its promises and nothing more."""
    assert crash_losses(scenario, aftermath) == []


class HastyDisk(MemoryDisk):
    """The planted bug: an append that is acknowledged before it is synced."""

    def append(self, path: Path, offset: int, data: bytes) -> None:
        self.extend(path, offset, data)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_acknowledging_before_the_sync_is_caught_by_the_same_check(scenario: Scenario) -> None:
    losses = crash_losses(scenario, Aftermath.LOST, HastyDisk)

    assert any("lost" in problem for problem in losses)


def test_acknowledging_before_the_sync_is_invisible_without_a_power_cut() -> None:
    """A process that is killed loses nothing the kernel has; only a power cut finds this bug."""
    assert crash_losses(append_and_seal, Aftermath.KEPT, HastyDisk) == []


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["eio", "enospc"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_refusal_of_any_disk_operation_loses_nothing_acknowledged(scenario: Scenario, error: int) -> None:
    """The process goes on after the refusal; then the power fails as well."""
    problems = []
    for fail_at in range(1, operations_of(scenario, MemoryDisk) + 1):
        disk, acknowledged = MemoryDisk(), Acknowledged()
        refusals: list[Exception] = []
        disk.fail_at(fail_at, error)
        scenario(disk, acknowledged, refusals.append)
        where = f"refused {disk.log[fail_at - 1][0]} {disk.log[fail_at - 1][1].name} ({fail_at})"
        problems += [f"{where}: {type(exc)}" for exc in refusals if not isinstance(exc, StorageError)]
        disk.crash(Aftermath.LOST)
        problems += [f"{where}: {problem}" for problem in problems_after(disk, acknowledged)]

    assert problems == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_kill_at_any_disk_operation_and_a_power_cut_later_lose_nothing_acknowledged(
    scenario: Scenario,
) -> None:
    """The next process sees what the killed one wrote and did not sync; it must not build on sand."""
    problems = []
    for cut_at in range(1, operations_of(scenario, MemoryDisk) + 1):
        disk, acknowledged = MemoryDisk(), Acknowledged()
        disk.cut_power_at(cut_at)
        with contextlib.suppress(PowerCut):
            scenario(disk, acknowledged, _unexpected)
        where = f"killed at {cut_at} ({disk.log[-1][0]} {disk.log[-1][1].name})"
        disk.restart_process()
        scenario(disk, acknowledged, _unexpected)
        disk.crash(Aftermath.LOST)
        problems += [f"{where}: {problem}" for problem in problems_after(disk, acknowledged)]

    assert problems == []
