"""Power cuts while another history is taken in, with all that a disk may keep or lose by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_ledger.branch import part
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut
from jilog_spool.testing import MemoryReplica
from support.spool_fleet import drafts, held_bytes, key_of, memory_replica, root_of, sync

ROOT = Path("/zone")


def _open(disk: MemoryDisk) -> ZoneStore:
    return ZoneStore.open(ROOT, "main", source="b", key=key_of("b"), disk=disk)


def _two_histories() -> tuple[MemoryReplica, MemoryReplica]:
    """Make two histories of one writer, such that the first one has to give its name to the second."""
    histories = memory_replica("a"), memory_replica("a")
    for history in histories:
        for _ in range(2):
            history.append(drafts(2))
            history.seal()
        history.append(drafts(1))
    starts = [history.read(history.own_writer, 1, 0, 10**6) for history in histories]
    parting = part(*starts)
    assert parting is not None
    return histories if parting.theirs < parting.ours else histories[::-1]


@pytest.mark.parametrize("aftermath", list(Aftermath))
def test_power_cut_while_a_branch_is_taken_loses_no_event_of_either(aftermath: Aftermath) -> None:
    operation = 1
    interrupted = True
    while interrupted:
        disk = MemoryDisk()
        first, second = _two_histories()
        expected = set(first.contents().values()) | set(second.contents().values())
        sync(_open(disk), first)
        disk.cut_power_at(disk.operations + operation)
        interrupted = False
        try:
            sync(_open(disk), second)
        except PowerCut:
            interrupted = True
        disk.crash(aftermath)
        store = _open(disk)

        for _ in range(2):
            sync(store, first)
            sync(store, second)

        kept = held_bytes(store)
        assert expected <= set(kept.values()), f"power cut at operation {operation}"
        assert root_of(store) == root_of(second), f"power cut at operation {operation}"
        assert store.verify().findings == []
        operation += 2
    assert operation > 30
