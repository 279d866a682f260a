"""Bytes between the wire and the store: written once on a fast line, kept for later on a slow or cut one."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_ledger.errors import StorageError
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import MIB
from jilog_ledger.store import ZoneStore
from jilog_spool.limits import CHUNK_BYTES_MAX, HELD_BYTES_MAX, HELD_SECONDS_MAX
from jilog_spool.memory import Pipe
from jilog_spool.staging import Staging
from jilog_spool.testing import MemoryReplica
from jilog_spool.transfer import Transfer
from jilog_spool.wire import WireSegment
from support.spool_fleet import drafts, held_bytes, memory_replica, session, zone_store


@pytest.fixture
def replica() -> MemoryReplica:
    return memory_replica("b")


def transfer_of(replica: MemoryReplica, offer_id: int = 0) -> Transfer:
    writer = memory_replica("a").own_writer
    segment = WireSegment(offer_id + 1, 1, 9, 4 * MIB, sealed=True)
    return Transfer(offer_id, replica.zone, writer, segment, 0, writer)


def staged(replica: MemoryReplica, transfer: Transfer) -> int:
    return replica.resume_offset(transfer.writer, transfer.segment.number)


def test_bytes_that_come_within_a_second_are_given_back_whole_and_not_staged(replica: MemoryReplica) -> None:
    staging, transfer = Staging({"main": replica}), transfer_of(replica)
    staging.set_time(10.0)
    staging.add(transfer, 0, b"one ")
    staging.set_time(10.0 + HELD_SECONDS_MAX)
    staging.add(transfer, 4, b"two ")

    assert staging.take(transfer, 8, b"three") == (0, b"one two three")
    assert staged(replica, transfer) == 0


def test_bytes_of_a_slow_line_are_staged_as_time_passes(replica: MemoryReplica) -> None:
    staging, transfer = Staging({"main": replica}), transfer_of(replica)
    staging.set_time(10.0)
    staging.add(transfer, 0, b"slow")

    staging.set_time(10.1 + HELD_SECONDS_MAX)
    staging.stage_old()

    assert staged(replica, transfer) == 4
    assert staging.take(transfer, 4, b"rest") == (4, b"rest")


def test_transfers_that_come_all_at_once_are_staged_past_a_limit(replica: MemoryReplica) -> None:
    staging = Staging({"main": replica})
    transfers = [transfer_of(replica, offer_id) for offer_id in range(HELD_BYTES_MAX // MIB + 1)]

    for transfer in transfers:
        staging.add(transfer, 0, bytes(MIB))

    assert sum(staged(replica, transfer) for transfer in transfers) == len(transfers) * MIB


def test_bytes_that_the_store_does_not_take_fail_their_transfer_and_no_other(replica: MemoryReplica) -> None:
    staging, good, bad = Staging({"main": replica}), transfer_of(replica, 0), transfer_of(replica, 1)
    staging.add(bad, 7, b"past a hole")
    staging.add(good, 0, b"good")

    staging.set_time(100.0)
    staging.stage_old()

    assert "leave a hole" in bad.failure
    assert not good.failure
    assert staged(replica, good) == 4


def test_session_that_ends_keeps_what_has_arrived_even_when_the_disk_refuses_some(
    replica: MemoryReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging, kept, lost = Staging({"main": replica}), transfer_of(replica, 0), transfer_of(replica, 1)
    stage = MemoryReplica.stage

    def refusing(self: MemoryReplica, writer: Writer, number: int, offset: int, data: bytes) -> None:
        if number == lost.segment.number:
            raise StorageError("no space left on device")
        stage(self, writer, number, offset, data)

    monkeypatch.setattr(MemoryReplica, "stage", refusing)
    staging.add(lost, 0, b"lost")
    staging.add(kept, 0, b"kept")

    staging.close()

    assert staged(replica, kept) == 4
    assert staging.take(kept, 4, b"") == (4, b"")


def test_segment_on_a_fast_line_is_written_once_and_one_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = zone_store(tmp_path, "a"), zone_store(tmp_path, "b")
    for _ in range(3):
        a.append(drafts(10, size=60_000))
        a.seal()
    stages: list[int] = []
    stage = ZoneStore.stage

    def counting(self: ZoneStore, writer: Writer, number: int, offset: int, data: bytes) -> None:
        stages.append(len(data))
        stage(self, writer, number, offset, data)

    monkeypatch.setattr(ZoneStore, "stage", counting)
    cut = Pipe(session(a, zstd=False), session(b, zstd=False), cut_after_bytes=2 * CHUNK_BYTES_MAX + 2_000)
    cut.run()
    assert len(stages) == 1
    assert stages[0] % CHUNK_BYTES_MAX == 0

    again = Pipe(session(a, zstd=False), session(b, zstd=False))
    again.run()

    assert not again.failures
    assert len(stages) == 1
    assert held_bytes(a) == held_bytes(b)
    received = again.second.session.report.bytes_received
    assert received == sum(map(len, held_bytes(a).values())) - stages[0]
