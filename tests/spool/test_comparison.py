"""Frontiers told in few bytes: what is found to differ, and what finding it out costs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_ledger.frontier import Frontier, FrontierEntry, Span
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import WRITERS_MAX
from jilog_spool import compact, limits, wire
from jilog_spool.comparison import Comparison
from jilog_spool.errors import ProtocolError
from jilog_spool.memory import Pipe
from jilog_spool.session import Session
from jilog_spool.wire_values import CompactEntry
from support.spool_fleet import drafts, held_bytes, memory_replica, session, sync


def _entry(name: str, sequence: int) -> FrontierEntry:
    hashed = (sequence.to_bytes(4, "big") + name.encode()).ljust(32, b"h")[:32]
    return FrontierEntry(Writer(name, "00000000000000aa"), sequence, 1, 100 + sequence, hashed, sealed=False)


def _frontier(entries: dict[str, int]) -> Frontier:
    return Frontier("main", tuple(_entry(name, sequence) for name, sequence in sorted(entries.items())))


def _compare(mine: Frontier, theirs: Frontier, *, differ: bool) -> tuple[Comparison, Comparison, int]:
    zones = {"differ": ["main"]} if differ else {"maybe": ["main"]}
    sides = [Comparison({"main": frontier}, **zones) for frontier in (mine, theirs)]  # type: ignore[arg-type]
    size = 0
    moved = True
    while moved:
        moved = False
        for side, other in (sides, sides[::-1]):
            while (message := side.next_message()) is not None:
                moved = True
                size += len(wire.encode(message))
                if isinstance(message, wire.Summary):
                    other.on_summary(message)
                else:
                    assert isinstance(message, wire.Entries)
                    other.on_entries(message)
    return *sides, size


names = st.dictionaries(st.sampled_from([f"w{i}" for i in range(40)]), st.integers(1, 3), max_size=40)


@settings(max_examples=200, deadline=None)
@given(mine=names, theirs=names, differ=st.booleans())
def test_each_side_learns_the_whole_frontier_of_the_other(
    mine: dict[str, int], theirs: dict[str, int], differ: bool
) -> None:
    left, right, _ = _compare(_frontier(mine), _frontier(theirs), differ=differ)

    for side, truth in ((left, theirs), (right, mine)):
        assert side.done
        learned = {entry.writer.source: entry.sequence for entry in side.results["main"]}
        assert learned == truth


def test_one_writer_of_sixty_four_that_differs_is_told_without_the_others() -> None:
    mine = {f"host-{index}": 5 for index in range(64)}

    _, _, size = _compare(_frontier(mine), _frontier({**mine, "host-7": 6}), differ=True)

    assert size < 1100


def test_hundred_thousand_writers_are_compared_in_a_bounded_summary() -> None:
    mine = {f"h{index}": 1 for index in range(WRITERS_MAX // 10)}

    left, _, size = _compare(_frontier(mine), _frontier({**mine, "h7": 2}), differ=False)

    assert size < 2 * (8 << limits.BUCKET_LEVEL_MAX) + 2000
    assert len(left.results["main"]) == len(mine)


def test_compact_entry_carries_gaps_in_a_few_bytes() -> None:
    spans = tuple(Span(10 * n, 10 * n + 8, 0, 0, b"" if n < 100 else b"t" * 16) for n in range(1, 101))
    entry = FrontierEntry(Writer("a", "00000000000000aa"), 7, 3, 99, b"x" * 16, sealed=True, above=spans)

    packed = CompactEntry.of(entry)

    assert packed.entry() == entry
    assert len(wire.encode(wire.Entries("main", [packed]))) < 300


def test_compact_entry_tells_whole_segments_right_after_one_that_is_held_in_part() -> None:
    above = (Span(4, 6, 0, 0, b"t" * 16),)
    entry = FrontierEntry(Writer("a", "00000000000000aa"), 7, 3, 99, b"x" * 16, sealed=False, above=above)

    (message,) = wire.FrameReader().feed(
        wire.MAGIC + wire.encode(wire.Entries("main", [CompactEntry.of(entry)]))
    )

    assert isinstance(message, wire.Entries)
    assert message.entries[0].entry() == entry


@pytest.mark.parametrize("runs", [[0, 1], [1, 0], [1, 1, 0, 1]])
def test_compact_entry_with_a_gap_that_is_none_is_refused(runs: list[int]) -> None:
    packed = CompactEntry("a", bytes(8), 7, 3, 99, b"x" * 16, sealed=True, runs=runs, tail=b"t" * 16)

    with pytest.raises(ProtocolError, match="no gap"):
        packed.entry()


@pytest.mark.parametrize("size", [0, 4, 24, 40])
def test_summary_of_a_wrong_size_is_refused(size: int) -> None:
    if size == 0:
        with pytest.raises(ProtocolError):
            wire.decode_body(wire.encode(wire.Summary("main", b""))[8:])
    else:
        with pytest.raises(ProtocolError):
            compact.unpack(bytes(size))


def test_entries_before_their_summary_are_refused() -> None:
    side = Comparison({"main": _frontier({"a": 1})}, differ=["main"])

    with pytest.raises(ProtocolError, match="not due"):
        side.on_entries(wire.Entries("main", []))
    with pytest.raises(ProtocolError, match="not due"):
        side.on_summary(wire.Summary("private", bytes(8)))


def test_hundred_random_gaps_among_a_million_events_cost_little_metadata() -> None:
    first, second = memory_replica("laptop"), memory_replica("attic")
    for _ in range(1000):
        first.append(drafts(1))
        first.seal()
    sync(first, second)
    lost = random.Random(4).sample(range(1, 1000), 100)
    for number in lost:
        second.drop(first.own_writer, number)
    pipe = Pipe(session(first), session(second))
    said: list[tuple[int, wire.Message | None]] = []
    for live in (pipe.first.session, pipe.second.session):
        _record(live, said)

    pipe.run()

    assert held_bytes(first) == held_bytes(second)
    metadata = sum(8 + size for size, message in said if not isinstance(message, wire.Data))
    assert metadata <= 1500


def _record(live: Session, said: list[tuple[int, wire.Message | None]]) -> None:
    """Keep each message that a session says, with the length of its body."""
    says = live._outbox._put

    def queue(message: wire.Message) -> None:
        said.append((len(wire.encode(message)) - 8, message))
        says(message)

    live._outbox._put = queue  # type: ignore[method-assign]
