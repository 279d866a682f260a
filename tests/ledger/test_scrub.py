"""The scrub: rot is found within a budget, and the next step goes on where the last one stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.scrub import ScrubCursor, scrub
from jilog_ledger.store import ZoneStore

SEGMENTS = 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ZoneStore]:
    with ZoneStore.open(tmp_path, "main", source="alpha", key=SigningKey.generate()) as opened:
        for number in range(SEGMENTS):
            opened.append([EventDraft("health", {"n": number})])
            opened.seal()
        opened.append([EventDraft("health", {"n": "active"})])
        yield opened


def rot(store: ZoneStore, number: int) -> None:
    path = store.layout.segment(store.own_writer, number)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))


def test_a_whole_round_reads_every_sealed_segment_and_starts_over(store: ZoneStore) -> None:
    step = scrub(store, ScrubCursor(), 1 << 30)

    assert (step.segments, step.complete, step.cursor, step.findings) == (SEGMENTS, True, ScrubCursor(), [])
    assert step.bytes_read == sum(info.length for info in store.segments(store.own_writer) if info.sealed)


def test_a_small_budget_still_comes_around_in_steps_of_one_segment(store: ZoneStore) -> None:
    cursor, numbers = ScrubCursor(), []
    while True:
        step = scrub(store, cursor, 1)
        cursor = step.cursor
        numbers.append(cursor.number)
        if step.complete:
            break

    assert numbers == [1, 2, 3, 4, 0]


def test_rot_is_found_quarantined_and_does_not_end_the_round(store: ZoneStore) -> None:
    rot(store, 2)

    step = scrub(store, ScrubCursor(), 1 << 30)

    assert [finding.number for finding in step.findings] == [2]
    assert step.complete
    assert len(list(store.layout.quarantine.glob("*.seg"))) == 1
    assert scrub(store, ScrubCursor(), 1 << 30).findings == []


def test_a_cursor_at_a_segment_that_is_gone_goes_on_with_the_next(store: ZoneStore) -> None:
    rot(store, 3)
    scrub(store, ScrubCursor(), 1 << 30)

    step = scrub(store, ScrubCursor(store.own_writer, 3), 1 << 30)

    assert (step.segments, step.complete) == (2, True)
