"""One host's own stream: appending, rotation, recovery, several threads and processes."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jilog_ledger import disk as disk_module
from jilog_ledger import limits
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import BusyError, InputError, StorageError
from jilog_ledger.event import EventDraft
from jilog_ledger.segment import decode_header, read_segment
from jilog_ledger.testing import Aftermath, MemoryDisk
from support.stores import Clock, Epochs, draft, held, key_of, numbers, open_store

ROOT = Path("/zone")


def test_appended_events_when_reopened_are_there_in_order(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        first = store.append([draft(1), draft(2)])
        second = store.append([draft(3)])

    reopened = open_store(tmp_path)

    assert [event.sequence for event in first + second] == [1, 2, 3]
    assert held(reopened) == {reopened.own_writer: [event.stored for event in first + second]}
    assert reopened.own_writer == first[0].writer
    assert reopened.findings == []


def test_empty_append_writes_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    assert store.append([]) == []
    assert held(store) == {}
    assert store.frontier().entries == ()


def test_append_of_one_bad_draft_among_good_ones_writes_none(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    with pytest.raises(InputError):
        store.append([draft(1), EventDraft("stat_change")])

    assert held(store) == {}


def test_one_append_is_one_block(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    store.append([draft(i) for i in range(100)])

    [info] = store.segments(store.own_writer)
    assert read_segment(store.read(store.own_writer, 1, 0, info.length)).blocks == 1


@pytest.mark.parametrize(
    "drafts",
    [
        [draft(i) for i in range(limits.BLOCK_EVENTS_MAX + 1)],
        [draft(i, text="x" * 1_900_000) for i in range(3)],
    ],
    ids=["too many", "too large"],
)
def test_batch_past_the_limit_is_refused_with_a_hint(tmp_path: Path, drafts: list[EventDraft]) -> None:
    store = open_store(tmp_path)

    with pytest.raises(InputError, match="do not fit one durable batch") as caught:
        store.append(drafts)

    assert caught.value.hint == "append them in several calls"
    assert held(store) == {}


def test_largest_batch_is_accepted_and_read_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    store.append([draft(i, text="x" * 2_000_000) for i in range(2)])
    store.append([draft(i) for i in range(limits.BLOCK_EVENTS_MAX)])

    assert len(held(open_store(tmp_path))[store.own_writer]) == limits.BLOCK_EVENTS_MAX + 2


def test_files_of_a_store_are_private(tmp_path: Path) -> None:
    store = open_store(tmp_path / "zone")
    store.append([draft(1)])

    modes = {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "zone").rglob("*") if path.is_file()}
    directories = {
        oct(path.stat().st_mode & 0o777) for path in (tmp_path / "zone").rglob("*") if path.is_dir()
    }

    assert modes == {"0o600"}
    assert directories == {"0o700"}


@pytest.mark.parametrize(
    ("zone", "source"), [("../up", "a"), ("", "a"), ("main", "a/b"), ("main", ".hidden")]
)
def test_name_that_is_not_safe_as_a_file_name_is_refused(tmp_path: Path, zone: str, source: str) -> None:
    with pytest.raises(InputError, match=r"invalid (zone|source) name"):
        open_store(tmp_path / "zone", source, zone=zone)

    assert list(tmp_path.iterdir()) == []


# Rotation.


def test_segment_that_reached_its_size_is_sealed_by_the_next_append(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for number in range(3):
        store.append([draft(number, text="x" * 1_500_000)])

    store.append([draft(3)])

    first, second = store.segments(store.own_writer)
    assert (first.sealed, first.events, first.first_sequence, first.last_sequence) == (True, 3, 1, 3)
    assert (second.sealed, second.events, second.first_sequence) == (False, 1, 4)
    assert limits.SEGMENT_BYTES_TARGET <= first.length <= limits.SEGMENT_BYTES_MAX


def test_segment_that_reached_its_age_is_sealed_by_the_next_append(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path, clock=clock)
    store.append([draft(1)])
    clock.advance(limits.SEGMENT_AGE_SECONDS_MAX - 1)
    store.append([draft(2)])

    clock.advance(1)
    store.append([draft(3)])

    assert [(info.sealed, info.events) for info in store.segments(store.own_writer)] == [
        (True, 2),
        (False, 1),
    ]


def test_segment_when_sealed_on_demand_is_followed_by_one_that_names_its_hash(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append([draft(1)])

    sealed = store.seal()
    again = store.seal()
    store.append([draft(2)])

    first, second = store.segments(store.own_writer)
    header = read_segment(store.read(store.own_writer, 2, 0, second.length)).header
    assert (sealed, again) == (True, False)
    assert header.previous_sha256 == first.sha256
    assert header.first_sequence == 2


def test_clock_that_jumps_back_seals_nothing_and_loses_nothing(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path, clock=clock)
    store.append([draft(1)])
    clock.advance(-10 * limits.SEGMENT_AGE_SECONDS_MAX)

    store.append([draft(2)])

    assert [info.events for info in store.segments(store.own_writer)] == [2]


# Recovery.


def test_torn_tail_when_reopened_is_cut_to_the_last_whole_record(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append([draft(1)])
    path = store.layout.segment(store.own_writer, 1)
    whole = path.read_bytes()
    store.append([draft(2)])
    block = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + block + block[:20])

    reopened = open_store(tmp_path)

    assert numbers(reopened) == [1, 2]
    assert path.read_bytes() == whole + block
    [finding] = reopened.findings
    assert "torn tail of 20 bytes" in str(finding)


def test_first_block_when_torn_takes_its_whole_file_with_it(tmp_path: Path) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    store.append([draft(1)])
    path = store.layout.segment(store.own_writer, 1)
    path.write_bytes(path.read_bytes()[:30])
    store.layout.head(store.own_writer).unlink()

    reopened = open_store(tmp_path)
    reopened.append([draft(2)])

    assert numbers(reopened) == [2]
    assert reopened.own_writer == store.own_writer


@pytest.mark.parametrize("extra", [0, 5, 40])
def test_header_without_a_whole_block_is_not_a_segment(tmp_path: Path, extra: int) -> None:
    store = open_store(tmp_path)
    store.append([draft(1)])
    path = store.layout.segment(store.own_writer, 1)
    _, start = decode_header(path.read_bytes())
    path.write_bytes(path.read_bytes()[: start + extra])
    store.layout.head(store.own_writer).unlink()

    reopened = open_store(tmp_path)

    assert reopened.frontier().entries == ()
    assert reopened.seal() is False
    assert not path.exists()


def test_head_that_lags_behind_after_a_power_cut_is_brought_up_to_the_data(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append([draft(1)])
    head = store.layout.head(store.own_writer).read_bytes()
    store.append([draft(2)])
    store.layout.head(store.own_writer).write_bytes(head)

    reopened = open_store(tmp_path)

    assert numbers(reopened) == [1, 2]
    assert reopened.frontier() == store.frontier()
    assert reopened.findings == []


def test_damage_in_acknowledged_own_bytes_ends_the_epoch_and_keeps_the_file(tmp_path: Path) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    store.append([draft(1)])
    store.append([draft(2)])
    path = store.layout.segment(store.own_writer, 1)
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)

    reopened = open_store(tmp_path, epochs=Epochs("alpha again"))
    [event] = reopened.append([draft(3)])

    assert event.writer != store.own_writer
    assert event.sequence == 1
    assert numbers(reopened) == [3]
    [kept] = (tmp_path / "quarantine").glob("*.seg")
    assert kept.read_bytes() == bytes(data)
    note = json.loads(kept.with_suffix(".json").read_bytes())
    assert (note["source"], note["epoch"], note["number"]) == (*store.own_writer, 1)
    assert "no whole frame at byte" in note["reason"]


def test_own_segment_that_is_gone_is_reported_once_and_claimed_no_longer(tmp_path: Path) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    store.append([draft(1)])
    store.layout.segment(store.own_writer, 1).unlink()

    reopened = open_store(tmp_path, epochs=Epochs("alpha again"))
    for _ in range(3):
        reopened.segments(store.own_writer)
        reopened.verify()

    assert len(reopened.findings) == 1
    assert "segment is gone" in str(reopened.findings[0])
    assert reopened.frontier().entries == ()
    assert reopened.own_writer != store.own_writer


def test_own_damage_that_is_found_while_open_changes_the_epoch_at_once(tmp_path: Path) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    store.append([draft(1)])
    writer = store.own_writer
    path = store.layout.segment(writer, 1)
    path.write_bytes(path.read_bytes()[:-1])

    segments = store.segments(writer)

    assert segments == []
    assert store.own_writer != writer
    assert store.frontier().entries == ()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b'{"source": 1}', b'{"source": "alpha"}', b"\xff\xfe"]
)
def test_garbage_in_the_writer_file_begins_a_new_epoch_and_loses_nothing(
    tmp_path: Path, content: bytes
) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    store.append([draft(1)])
    store.layout.writer_file.write_bytes(content)
    store.layout.head(store.own_writer).unlink()

    reopened = open_store(tmp_path, epochs=Epochs("alpha again"))
    reopened.append([draft(2)])

    assert sorted(numbers(reopened)) == [1, 2]
    assert reopened.own_writer != store.own_writer


def test_epoch_in_the_writer_file_that_is_no_epoch_begins_a_new_one(tmp_path: Path) -> None:
    store = open_store(tmp_path, epochs=Epochs("alpha"))
    note = json.loads(store.layout.writer_file.read_bytes())
    store.layout.writer_file.write_text(json.dumps({**note, "epoch": "../../outside"}))

    reopened = open_store(tmp_path, epochs=Epochs("alpha again"))
    reopened.append([draft(1)])

    assert reopened.own_writer.epoch == Epochs("alpha again")()


def test_other_source_or_other_key_begins_a_new_epoch(tmp_path: Path) -> None:
    open_store(tmp_path, "alpha").append([draft(1)])

    renamed = open_store(tmp_path, "beta")
    renamed.append([draft(2)])
    rekeyed = open_store(tmp_path, "beta", key=key_of("another"))
    rekeyed.append([draft(3)])

    assert renamed.own_writer.source == "beta"
    assert rekeyed.own_writer.epoch != renamed.own_writer.epoch
    assert sorted(numbers(rekeyed)) == [1, 2, 3]


def test_head_file_when_damaged_or_missing_is_not_needed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append([draft(1)])
    head = store.layout.head(store.own_writer)
    for content in (b"", b"\0" * 1024, b"x" * 700):
        head.write_bytes(content)

        reopened = open_store(tmp_path)

        assert numbers(reopened) == [1]
        assert reopened.findings == []


# Refusals.


def test_full_disk_is_refused_with_a_hint_and_the_next_append_works() -> None:
    disk = MemoryDisk()
    store = open_store(ROOT, disk=disk)
    store.append([draft(1)])
    disk.fail_at(disk.operations + 1, errno.ENOSPC)

    with pytest.raises(StorageError, match="No space left"):
        store.append([draft(2)])
    store.append([draft(3)])

    assert numbers(store) == [1, 3]
    assert [event.sequence for event in held(store)[store.own_writer]] == [1, 2]


def test_head_that_cannot_be_written_takes_nothing_back() -> None:
    """The block is on stable storage by then; refusing it would make the caller append it twice."""
    disk = MemoryDisk()
    store = open_store(ROOT, disk=disk)
    store.append([draft(1)])
    disk.fail_at(disk.operations + 3, errno.ENOSPC)

    store.append([draft(2)])
    disk.crash(Aftermath.LOST)

    assert numbers(open_store(ROOT, disk=disk)) == [1, 2]


def test_failed_sync_stops_the_zone_in_this_process_and_a_new_one_goes_on() -> None:
    disk = MemoryDisk()
    store = open_store(ROOT, disk=disk)
    store.append([draft(1)])
    disk.fail_at(disk.operations + 2)

    with pytest.raises(StorageError, match="cannot sync"):
        store.append([draft(2)])
    with pytest.raises(StorageError, match="takes no more events in this process"):
        store.append([draft(3)])
    other = open_store(ROOT, disk=disk)
    other.append([draft(4)])
    disk.crash(Aftermath.LOST)

    assert numbers(open_store(ROOT, disk=disk)) == [1, 4]


def test_lock_held_by_another_makes_the_append_busy_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_module, "LOCK_WAIT_SECONDS", 0.01)
    store = open_store(tmp_path)

    with RealDisk().lock(store.layout.lock), pytest.raises(BusyError) as caught:
        store.append([draft(1)])
    store.append([draft(2)])

    assert caught.value.hint is not None
    assert numbers(store) == [2]


# Threads and processes.


def test_appends_of_many_threads_are_each_acknowledged_once_and_share_blocks(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    barrier = threading.Barrier(16)
    acknowledged: dict[int, list[int]] = {}

    def work(thread: int) -> None:
        barrier.wait()
        acknowledged[thread] = [
            event.sequence
            for step in range(8)
            for event in store.append([draft(thread * 100 + step * 2 + i) for i in range(2)])
        ]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    sequences = sorted(sequence for found in acknowledged.values() for sequence in found)
    assert sequences == list(range(1, 257))
    assert all(found == sorted(found) for found in acknowledged.values())
    by_sequence = {event.sequence: event for event in held(open_store(tmp_path))[store.own_writer]}
    for thread, found in acknowledged.items():
        wanted = [draft(thread * 100 + i).event_id for i in range(16)]
        assert [by_sequence[sequence].event_id for sequence in found] == wanted


def test_refused_batch_of_threads_fails_each_of_them_and_no_other() -> None:
    """No caller may take another's failure for its own success, nor wait for ever."""
    disk = MemoryDisk()
    store = open_store(ROOT, disk=disk)
    acknowledged: set[bytes] = set()
    refused: list[str] = []
    barrier = threading.Barrier(8)

    def work(thread: int) -> None:
        barrier.wait()
        for step in range(5):
            try:
                acknowledged.update(
                    event.stored.event_id for event in store.append([draft(thread * 10 + step)])
                )
            except StorageError as exc:
                refused.append(exc.message)

    # Three in a row: whichever operation of a batch the first one meets, one of them refuses its block.
    for later in (10, 11, 12):
        disk.fail_at(disk.operations + later, errno.ENOSPC)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(acknowledged) + len(refused) == 40
    assert acknowledged <= {event.event_id for event in held(open_store(ROOT, disk=disk))[store.own_writer]}
    assert refused


WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support.stores import draft, open_store
store = open_store(Path(sys.argv[1]), clock=None)
for step in range(int(sys.argv[4])):
    [event] = store.append([draft(int(sys.argv[2]) * 1000 + step)])
    print(event.sequence, event.stored.event_id.hex())
    if step % 5 == int(sys.argv[2]) % 5:
        store.seal()
"""


def test_several_processes_that_append_and_seal_at_once_lose_nothing(tmp_path: Path) -> None:
    tests = str(Path(__file__).parents[1])

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(number), tests, "12"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 8
    acknowledged = {int(line.split()[0]): line.split()[1] for text in outputs for line in text.splitlines()}
    store = open_store(tmp_path)
    [events] = held(store).values()
    assert sorted(acknowledged) == list(range(1, 97))
    assert {event.sequence: event.event_id.hex() for event in events} == acknowledged
    assert store.verify().findings == []


def test_two_stores_of_one_process_see_each_others_events(tmp_path: Path) -> None:
    one, two = open_store(tmp_path), open_store(tmp_path)

    one.append([draft(1)])
    two.append([draft(2)])
    one.seal()
    two.append([draft(3)])

    assert numbers(one) == numbers(two) == [1, 2, 3]
    assert one.frontier() == two.frontier()


# Reading on.


def test_events_after_a_position_are_only_the_new_ones(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.append([draft(1), draft(2)])
    store.append([draft(3)])
    batches = list(store.events_after(store.own_writer))
    store.seal()
    store.append([draft(4)])
    store.append([draft(5)])

    first_block = batches[0].position
    last_block = batches[-1].position

    def after(position: object) -> list[int]:
        found = store.events_after(store.own_writer, position)  # type: ignore[arg-type]
        return [event.sequence for batch in found for event in batch.events]

    assert after(None) == [1, 2, 3, 4, 5]
    assert after(first_block) == [3, 4, 5]
    assert after(last_block) == [4, 5]
    assert after(list(store.events_after(store.own_writer))[-1].position) == []


def test_events_of_an_earlier_epoch_are_in_the_frontier_after_a_power_cut_took_their_head() -> None:
    disk, epochs = MemoryDisk(), Epochs("alpha")
    store = open_store(Path("/zone"), disk=disk, epochs=epochs)
    store.append([draft(1), draft(2)])
    before, writer = store.frontier(), store.own_writer
    store._appender.begin_epoch()

    disk.crash(Aftermath.LOST)
    reopened = open_store(Path("/zone"), disk=disk, epochs=epochs)

    assert disk.size(reopened.layout.head(writer)) is None
    assert reopened.frontier() == before
    assert reopened.own_writer != writer
