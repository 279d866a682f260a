"""Cut the power, or refuse service, at every disk operation of an emit and an ingest."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest

from jilog_ledger.errors import JilogError
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_survey import Member
from jilog_spool.directory_testing import MemoryShelf
from support.spool_directory import START_NS
from support.stores import Epochs, draft, held, key_of, open_store

SHARED = Path("/shared")
NAMES = ("alpha", "beta")


class Hosts:
    """Two hosts, and the directory they share, on one simulated disk."""

    def __init__(self, disk: MemoryDisk, life: str) -> None:
        self.disk = disk
        disk.make_directory(SHARED)
        trusted = frozenset(key_of(name).public_key for name in NAMES)
        self.stores: dict[str, ZoneStore] = {}
        self.places: dict[str, SpoolDirectory] = {}
        for name in NAMES:
            disk.make_directory(Path("/homes"))
            store = open_store(Path("/homes") / name, name, disk=disk, epochs=Epochs(f"{name} {life}"))
            shelf = MemoryShelf(SHARED, Path("/homes") / name / "directory.lock", disk)
            host = Member(name, key_of(name), b"one", trusted)
            self.stores[name] = store
            self.places[name] = SpoolDirectory(
                shelf, host, {"main": store}, keep_seconds=0, clock=lambda: START_NS
            )

    def pass_on(self) -> None:
        for place in self.places.values():
            place.emit()
            place.ingest()


def exchange(disk: MemoryDisk, appended: dict[str, int]) -> None:
    """A day of two hosts: appends, seals, tails that grow, and pruning; notes what was acknowledged."""
    hosts = Hosts(disk, "first")
    alpha, beta = hosts.stores.values()
    for step in range(3):
        for store in (alpha, beta):
            store.append([draft(step * 2 + 100 * (store is beta), text="x" * 40)])
            source = store.own_writer.source
            appended[source] = appended.get(source, 0) + 1
        if step == 1:
            alpha.seal()
        with contextlib.suppress(JilogError):
            hosts.pass_on()
    with contextlib.suppress(JilogError):
        hosts.pass_on()


def problems_after(disk: MemoryDisk, appended: dict[str, int]) -> list[str]:
    """Go on after the crash: nothing may be lost, and both must come to hold the same."""
    hosts = Hosts(disk, "second")
    for _ in range(4):
        hosts.pass_on()
    alpha, beta = hosts.stores.values()
    problems = []
    if alpha.frontier() != beta.frontier():
        problems.append("the hosts do not hold the same")
    for source, count in appended.items():
        found = sum(len(events) for writer, events in held(alpha).items() if writer.source == source)
        if found < count:
            problems.append(f"{count - found} events of {source} are lost")
    for store in (alpha, beta):
        problems += [str(f) for f in store.verify().findings if f.action == "moved to quarantine"]
    left = [name for folder in disk.list_directory(SHARED) for name in disk.list_directory(SHARED / folder)]
    problems += [f"{name} was left behind" for name in left if name.endswith(".tmp")]
    return problems


def operations() -> int:
    disk = MemoryDisk()
    exchange(disk, {})
    return disk.operations


@pytest.mark.parametrize(
    "aftermath", [Aftermath.LOST, Aftermath.TORN, Aftermath.ZEROED], ids=lambda item: item.name.lower()
)
def test_power_cut_at_any_operation_of_a_pass_loses_nothing(aftermath: Aftermath) -> None:
    problems = []
    for cut_at in range(1, operations() + 1, 2 if aftermath is Aftermath.LOST else 5):
        disk, appended = MemoryDisk(), dict[str, int]()
        disk.cut_power_at(cut_at)
        with contextlib.suppress(PowerCut):
            exchange(disk, appended)
        disk.crash(aftermath)
        where = f"cut at {cut_at}"
        problems += [f"{where}: {problem}" for problem in problems_after(disk, appended)]

    assert problems == []


def test_refusal_of_any_operation_of_a_pass_loses_nothing() -> None:
    problems = []
    for fail_at in range(1, operations() + 1, 3):
        disk, appended = MemoryDisk(), dict[str, int]()
        disk.fail_at(fail_at, errno.ENOSPC if fail_at % 2 else errno.EIO)
        with contextlib.suppress(JilogError):
            exchange(disk, appended)
        disk.restart_process()
        problems += [f"refused {fail_at}: {problem}" for problem in problems_after(disk, appended)]

    assert problems == []


def test_half_a_file_that_a_crash_left_under_its_name_is_written_again() -> None:
    """The planted fault that the checks above must be able to heal: a rename that outlived its bytes."""
    disk = MemoryDisk()
    exchange(disk, {})
    hosts = Hosts(disk, "second")
    alpha = hosts.stores["alpha"]
    alpha.append([draft(50)])
    alpha.seal()
    hosts.places["alpha"].emit()
    (folder,) = [name for name in disk.list_directory(SHARED) if "alpha" in name]
    path = next(SHARED / folder / name for name in disk.list_directory(SHARED / folder) if ".seg" in name)
    disk.alter(path, bytes(disk.size(path) or 0))

    torn = hosts.places["beta"].ingest()
    for _ in range(3):
        hosts.pass_on()

    assert torn.unreadable
    assert alpha.frontier() == hosts.stores["beta"].frontier()
