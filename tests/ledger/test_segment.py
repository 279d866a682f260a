"""The segment format: round trips, and detection of any bit flip and any truncation."""

from __future__ import annotations

import itertools

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger import limits
from jilog_ledger.errors import IntegrityError, JilogError, SegmentDamaged
from jilog_ledger.event import EventDraft, decode_events, encode_events
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.segment import (
    BLOCK,
    FRAME_BYTES,
    SEAL,
    SegmentHeader,
    SegmentReader,
    check_seal_signature,
    decode_header,
    encode_frame,
    encode_header,
    encode_seal,
    read_frames,
    read_segment,
)
from support.segments import drafts, segment_bytes
from support.stores import NOON_NS, flip_bit, key_of

KEY = key_of("beta")
WRITER = Writer("beta", "00112233445566ff")
HEADER = SegmentHeader("main", WRITER, 1, 1, bytes(32), KEY.public_key, NOON_NS)

SEALED, SEALED_HEAD = segment_bytes(blocks=3, sealed=True)
ACTIVE, ACTIVE_HEAD = segment_bytes(blocks=3, sealed=False)


def accepted(data: bytes) -> bool:
    """Tell whether the bytes pass as a sealed segment by their own content."""
    try:
        reader = read_segment(data)
        check_seal_signature(reader)
    except IntegrityError:
        return False
    return reader.seal is not None


def vouched_for(data: bytes, head: SignedHead) -> bool:
    """Tell whether the bytes are what the head says."""
    try:
        return read_segment(data).head() == head.head
    except IntegrityError:
        return False


def test_segment_as_written_is_accepted() -> None:
    """The positive control of the flips below."""
    assert accepted(SEALED)
    assert vouched_for(SEALED, SEALED_HEAD)
    assert vouched_for(ACTIVE, ACTIVE_HEAD)


def test_any_single_bit_flip_of_a_sealed_segment_is_detected_by_its_content() -> None:
    undetected = [bit for bit in range(8 * len(SEALED)) if accepted(flip_bit(SEALED, bit))]

    assert undetected == []


def test_any_truncation_of_a_sealed_segment_is_detected_by_its_content() -> None:
    undetected = [length for length in range(len(SEALED)) if accepted(SEALED[:length])]

    assert undetected == []


def test_any_single_bit_flip_of_an_active_segment_is_detected_by_its_head() -> None:
    undetected = [bit for bit in range(8 * len(ACTIVE)) if vouched_for(flip_bit(ACTIVE, bit), ACTIVE_HEAD)]

    assert undetected == []


def test_any_truncation_of_an_active_segment_is_detected_by_its_head() -> None:
    undetected = [length for length in range(len(ACTIVE)) if vouched_for(ACTIVE[:length], ACTIVE_HEAD)]

    assert undetected == []


@given(
    batches=st.lists(st.lists(drafts, min_size=1, max_size=4), min_size=1, max_size=4),
    position=st.floats(0, 1, exclude_max=True),
    sealed=st.booleans(),
    data=st.data(),
)
def test_damage_anywhere_in_a_segment_of_any_events_is_detected(
    batches: list[list[EventDraft]], position: float, sealed: bool, data: st.DataObject
) -> None:
    whole, head = made_of(batches, sealed=sealed)
    place = int(position * len(whole))
    kind = data.draw(st.sampled_from(["flip", "cut", "overwrite", "insert", "delete"]))
    noise = data.draw(st.binary(min_size=1, max_size=20))
    damaged = {
        "flip": flip_bit(whole, 8 * place + noise[0] % 8),
        "cut": whole[:place],
        "overwrite": whole[:place] + noise + whole[place + len(noise) :],
        "insert": whole[:place] + noise + whole[place:],
        "delete": whole[:place] + whole[place + len(noise) :],
    }[kind]

    detected = not vouched_for(damaged, head)

    assert detected or damaged == whole
    if sealed:
        assert not accepted(damaged) or damaged == whole


def made_of(batches: list[list[EventDraft]], *, sealed: bool) -> tuple[bytes, SignedHead]:
    data = encode_header(HEADER)
    reader = SegmentReader(HEADER, data)
    sequence = 1
    for batch in batches:
        events = [draft.stored(sequence + i) for i, draft in enumerate(batch)]
        sequence += len(events)
        frame = encode_frame(BLOCK, encode_events(events))
        reader.feed(frame)
        data += frame
    if sealed:
        import dataclasses

        message = dataclasses.replace(reader.head(), sealed=True).message()
        frame = encode_seal(reader.make_seal(KEY.sign(message)))
        reader.feed(frame)
        data += frame
        signed = reader.signed_seal()
        assert signed is not None
        return data, signed
    return data, SignedHead(reader.head(), KEY.sign(reader.head().message()))


@given(st.lists(drafts, min_size=1, max_size=8))
def test_events_when_encoded_and_decoded_are_the_same(batch: list[EventDraft]) -> None:
    events = [draft.stored(i + 1) for i, draft in enumerate(batch)]

    body = encode_events(events)

    assert decode_events(body) == events
    assert [msgspec.msgpack.decode(event.payload) for event in decode_events(body)] == [
        d.payload for d in batch
    ]


@given(st.lists(drafts, min_size=1, max_size=8))
def test_events_read_with_the_independent_library_are_the_same(batch: list[EventDraft]) -> None:
    events = [draft.stored(i + 1) for i, draft in enumerate(batch)]

    rows = msgpack.unpackb(encode_events(events), raw=False, strict_map_key=False)

    for row, event, draft in zip(rows, events, batch, strict=True):
        assert len(row) == 10
        assert (row[0], row[1], row[2], row[3]) == (
            event.sequence,
            event.event_id,
            event.timestamp_ns,
            event.event_class,
        )
        assert row[5] == draft.payload
        assert row[6:] == [event.object_ref, event.actor_ref, event.correlation_id, event.causation_id]


@given(st.binary(max_size=300))
def test_garbage_never_passes_and_never_raises_anything_but_our_error(data: bytes) -> None:
    for candidate in (data, b"JILOGSEG" + data, encode_header(HEADER) + data, ACTIVE + data):
        try:
            reader = read_segment(candidate)
        except JilogError:
            continue
        assert candidate == ACTIVE + data or reader.events == 0
        assert not data


@given(st.binary(max_size=200), st.sampled_from([BLOCK, SEAL]))
def test_garbage_with_a_right_checksum_is_damage_and_not_a_crash(body: bytes, kind: int) -> None:
    with pytest.raises(SegmentDamaged):
        read_segment(encode_header(HEADER) + encode_frame(kind, body))


def test_segment_that_goes_on_after_its_seal_is_damaged() -> None:
    with pytest.raises(SegmentDamaged, match="goes on after its seal") as caught:
        read_segment(SEALED + encode_frame(BLOCK, encode_events([EventDraft("health").stored(5)])))

    assert caught.value.offset == len(SEALED)


def test_frame_that_claims_more_than_any_block_may_hold_is_refused_before_it_is_read() -> None:
    import struct

    length = limits.BLOCK_BYTES_MAX + 1
    frame = struct.pack("<B3xII", BLOCK, length, 0)

    with pytest.raises(SegmentDamaged, match="no whole frame"):
        list(read_frames(frame + bytes(100), 0))


def test_header_that_claims_too_much_is_refused() -> None:
    import struct

    with pytest.raises(SegmentDamaged, match="too large"):
        decode_header(struct.pack("<8sHHI", b"JILOGSEG", 1, 0, limits.HEADER_BYTES_MAX + 1) + bytes(8192))


def test_torn_says_whether_anything_whole_follows() -> None:
    start = len(encode_header(read_segment(ACTIVE).header))
    frames = list(read_frames(ACTIVE, start))
    inside_last = ACTIVE[: frames[-1].end - 3]
    inside_first = flip_bit(ACTIVE, 8 * (frames[0].body_start + 2))

    with pytest.raises(SegmentDamaged) as torn:
        read_segment(inside_last)
    with pytest.raises(SegmentDamaged) as damaged:
        read_segment(inside_first)

    assert (torn.value.torn, torn.value.offset) == (True, frames[-1].offset)
    assert (damaged.value.torn, damaged.value.offset) == (False, frames[0].offset)


def test_bytes_full_of_frame_starts_are_searched_in_bounded_time() -> None:
    """Quadratic work on hostile bytes would be a denial of service; the careful answer is `not torn`."""
    hostile = (bytes([BLOCK, 0, 0, 0]) + (1 << 20).to_bytes(4, "little")) * 40_000

    with pytest.raises(SegmentDamaged):
        read_segment(encode_header(HEADER) + hostile)


@given(cuts=st.lists(st.integers(0, 5), max_size=4))
def test_segment_fed_frame_by_frame_is_read_like_the_whole(cuts: list[int]) -> None:
    start = len(encode_header(read_segment(SEALED).header))
    ends = [start] + [frame.end for frame in read_frames(SEALED, start)]
    places = sorted({ends[cut] for cut in cuts if cut < len(ends)} | {start, len(SEALED)})

    reader = SegmentReader.start(SEALED)
    for begin, end in itertools.pairwise(places):
        copy = reader.copy()
        copy.feed(SEALED[begin:end])
        reader.feed(SEALED[begin:end])
        assert copy.head() == reader.head()

    assert reader.head() == read_segment(SEALED).head()
    assert reader.seal == read_segment(SEALED).seal


def test_events_of_a_newer_version_with_more_fields_are_read() -> None:
    event = EventDraft("health", {"a": 1}).stored(1)
    row = [*msgpack.unpackb(encode_events([event]))[0], "later field", 7]
    data = encode_header(HEADER) + encode_frame(BLOCK, msgpack.packb([row]))

    reader = read_segment(data)

    assert reader.events == 1


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 2},
        {"event_id": b"short"},
        {"timestamp_ns": -1},
    ],
)
def test_event_out_of_place_in_a_block_is_damage(change: dict[str, object]) -> None:
    event = msgspec.structs.replace(EventDraft("health").stored(1), **change)

    with pytest.raises(SegmentDamaged):
        read_segment(encode_header(HEADER) + encode_frame(BLOCK, encode_events([event])))


@pytest.mark.parametrize("count", [0, limits.BLOCK_EVENTS_MAX + 1])
def test_block_with_no_event_or_too_many_is_damage(count: int) -> None:
    events = [EventDraft("health").stored(i + 1) for i in range(count)]

    with pytest.raises(SegmentDamaged, match=f"has {count} events"):
        read_segment(encode_header(HEADER) + encode_frame(BLOCK, encode_events(events)))


def test_frame_is_twelve_bytes() -> None:
    assert FRAME_BYTES == 12
