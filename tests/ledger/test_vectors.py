"""The golden vectors: what ``docs/format.md`` says is what both readers find."""

from __future__ import annotations

import importlib.util
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import pytest

from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.event import StoredEvent
from jilog_ledger.frontier import Frontier, FrontierEntry, Span
from jilog_ledger.head import Head, RecordedHead, SignedHead, decode_head_file
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import Manifest, Quarantined, Sealed, SegmentInfo, WriterSeen, encode_entry
from jilog_ledger.segment import (
    BLOCK,
    check_seal_signature,
    decode_header,
    encode_frame,
    encode_header,
    encode_seal,
    read_block,
    read_frames,
    read_segment,
)
from jilog_ledger.testing import MemoryDisk

VECTORS = Path(__file__).parents[1] / "vectors"
INDEX: dict[str, Any] = json.loads((VECTORS / "segment" / "index.json").read_text(encoding="utf-8"))
WRITER = Writer("host-1", "0123456789abcdef")


def vector(name: str) -> bytes:
    return (VECTORS / "segment" / f"{name}.seg").read_bytes()


def events_of(data: bytes) -> list[StoredEvent]:
    header, offset = decode_header(data)
    events: list[StoredEvent] = []
    for frame in read_frames(data, offset):
        if frame.kind == BLOCK:
            events += read_block(data, frame, header.first_sequence + len(events))
    return events


@pytest.mark.parametrize("name", INDEX["good"])
def test_good_vector_is_read_as_the_index_says(name: str) -> None:
    expected, data = INDEX["good"][name], vector(name)

    reader = read_segment(data)
    check_seal_signature(reader)

    header = reader.header
    assert (header.zone, *header.writer) == (expected["zone"], expected["source"], expected["epoch"])
    assert (header.number, header.first_sequence) == (expected["number"], expected["first_sequence"])
    assert (header.local, header.public_key.hex()) == (expected["local"], INDEX["public_key"])
    assert (reader.seal is not None, reader.blocks) == (expected["sealed"], expected["blocks"])
    assert reader.content_length == expected["content_length"]
    assert (reader.sha256.hex(), reader.xxh3.hex()) == (expected["sha256"], expected["xxh3"])
    assert [as_json(event) for event in events_of(data)] == expected["events"]


def as_json(event: StoredEvent) -> dict[str, object]:
    return {
        "sequence": event.sequence,
        "event_id": event.event_id.hex(),
        "timestamp_ns": event.timestamp_ns,
        "event_class": event.event_class,
        "tier": event.tier,
        "payload": msgspec.msgpack.decode(event.payload),
        "object_ref": event.object_ref,
        "actor_ref": event.actor_ref,
        "correlation_id": event.correlation_id.hex() if event.correlation_id else None,
        "causation_id": event.causation_id.hex() if event.causation_id else None,
    }


@pytest.mark.parametrize("name", INDEX["good"])
def test_good_vector_read_with_the_independent_library_is_the_same(name: str) -> None:
    expected, data = INDEX["good"][name], vector(name)
    (length,) = struct.unpack_from("<I", data, 12)
    rows: list[list[Any]] = []
    offset = 16 + length + 4

    while offset < len(data):
        kind, size, crc = struct.unpack_from("<B3xII", data, offset)
        body = data[offset + 12 : offset + 12 + size]
        assert zlib.crc32(data[offset : offset + 8] + body) == crc
        if kind == BLOCK:
            rows += msgpack.unpackb(body, raw=False, strict_map_key=False)
        offset += 12 + size

    assert [row[0] for row in rows] == [event["sequence"] for event in expected["events"]]
    assert [row[5] for row in rows] == [event["payload"] for event in expected["events"]]


@pytest.mark.parametrize("name", [name for name in INDEX["good"] if not name.startswith("newer")])
def test_good_vector_when_written_again_is_the_same_to_the_byte(name: str) -> None:
    data = vector(name)
    header, offset = decode_header(data)
    written = encode_header(header)
    for frame in read_frames(data, offset):
        if frame.kind == BLOCK:
            written += encode_frame(BLOCK, data[frame.body_start : frame.end])
    seal = read_segment(data).seal

    written += encode_seal(seal) if seal else b""

    assert written == data


@pytest.mark.parametrize("name", INDEX["bad"])
def test_bad_vector_is_refused_at_the_byte_the_index_says(name: str) -> None:
    expected = INDEX["bad"][name]

    with pytest.raises(SegmentDamaged) as caught:
        read_segment(vector(name))

    assert (caught.value.offset, caught.value.torn) == (expected["offset"], expected["torn"])


@pytest.mark.parametrize("name", INDEX["forged"])
def test_forged_vector_passes_every_check_but_the_signature(name: str) -> None:
    reader = read_segment(vector(name))

    with pytest.raises(IntegrityError, match="signature"):
        check_seal_signature(reader)


@pytest.mark.parametrize("expected", INDEX["heads"], ids=lambda expected: str(expected["length"]))
def test_head_message_signature_and_file_are_as_the_vectors_say(expected: dict[str, Any]) -> None:
    head = Head(
        "main",
        WRITER,
        1,
        expected["length"],
        expected["last_sequence"],
        bytes.fromhex(expected["sha256"]),
        expected["sealed"],
    )
    signature = bytes.fromhex(expected["signature"])
    file = bytes.fromhex(expected["head_file"])

    SignedHead(head, signature).verify(bytes.fromhex(INDEX["public_key"]))

    assert head.message().hex() == expected["message"]
    assert decode_head_file(file, "main", WRITER) == RecordedHead(expected["counter"], head, signature)
    assert RecordedHead(7, head, signature).encode() == file[512:]
    assert RecordedHead(6, head, signature).encode() == file[:512]


@pytest.mark.parametrize("expected", INDEX["frontiers"], ids=lambda expected: str(len(expected["entries"])))
def test_fleet_root_is_as_the_vectors_say(expected: dict[str, Any]) -> None:
    entries = tuple(
        FrontierEntry(
            Writer(source, epoch),
            sequence,
            number,
            length,
            bytes.fromhex(sha256),
            sealed,
            tuple(Span(first, last, 0, sequence, bytes.fromhex(sha)) for first, last, sequence, sha in above),
        )
        for source, epoch, sequence, number, length, sha256, sealed, above in expected["entries"]
    )

    assert Frontier("main", entries).root().hex() == expected["root"]


def test_manifest_is_read_and_written_as_the_vector_says() -> None:
    data = bytes.fromhex(INDEX["manifest"]["bytes"])
    disk = MemoryDisk()
    disk.create(Path("/manifest"), data)

    entries = list(Manifest(Path("/manifest"), disk).read_new())

    info = SegmentInfo.of(read_segment(vector(INDEX["manifest"]["segment"])))
    assert entries == [WriterSeen(WRITER, 1), Sealed(info), Quarantined(WRITER, 1)]
    assert b"JILOGMAN1\n" + b"".join(map(encode_entry, entries)) == data


def test_vectors_are_what_the_script_makes(tmp_path: Path) -> None:
    script = VECTORS / "make_vectors.py"
    spec = importlib.util.spec_from_file_location("make_vectors", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    module.main(tmp_path)

    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (VECTORS / "segment").iterdir()}
    assert made == kept
    assert "jilog" not in script.read_text(encoding="utf-8").split('"""', 2)[2].replace('b"jilog', "")
