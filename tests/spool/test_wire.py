"""The wire format against its vectors, read by another msgpack library and zlib's CRC."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.errors import PeerError
from jilog_spool import wire
from jilog_spool.compression import Compressor, decompress
from jilog_spool.errors import ProtocolError, one_line
from support.spool_fleet import memory_replica, session

VECTORS = Path(__file__).parents[1] / "vectors" / "protocol"
GOOD = json.loads((VECTORS / "good.json").read_text())["frames"]
BAD = json.loads((VECTORS / "bad.json").read_text())["streams"]


def _plain(value: Any) -> Any:
    """Turn the vectors' ``{"hex": ...}`` into bytes."""
    if isinstance(value, dict):
        if set(value) == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["name"])
def test_good_vector_is_what_an_independent_reader_sees(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["frame"])

    length, crc = struct.unpack(">II", frame[:8])

    assert length == len(frame) - 8
    assert crc == zlib.crc32(frame[8:])
    assert msgpack.unpackb(frame[8:]) == _plain(vector["body"])


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["name"])
def test_good_vector_is_read_and_written_back_the_same(vector: dict[str, Any]) -> None:
    frame = bytes.fromhex(vector["frame"])

    (message,) = wire.FrameReader().feed(wire.MAGIC + frame)

    assert wire.encode(message) == frame


def test_vectors_cover_every_message_type() -> None:
    assert {vector["body"][0] for vector in GOOD} == set(wire.MESSAGE_TYPES)


@pytest.mark.parametrize("vector", BAD, ids=lambda vector: vector["name"])
def test_bad_vector_is_refused_with_its_reason(vector: dict[str, Any]) -> None:
    def receive_all() -> None:
        mine = session(memory_replica("b"))
        mine.receive_data(bytes.fromhex(vector["bytes"]))
        mine.receive_eof()

    with pytest.raises(PeerError) as caught:
        receive_all()

    assert vector["error"] in caught.value.message


@given(st.lists(st.sampled_from([bytes.fromhex(vector["frame"]) for vector in GOOD]), max_size=8), st.data())
def test_frames_are_found_wherever_the_stream_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = wire.MAGIC + b"".join(frames)
    reader = wire.FrameReader()
    found: list[wire.Message] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]

    assert [wire.encode(message) for message in found] == frames


def test_keys_and_types_of_newer_versions_are_passed_over() -> None:
    bodies = [[11, {"later": [1, {"deep": None}]}], [99, {"x": 1}], [3, {}]]
    packed = [msgpack.packb(body) for body in bodies]
    stream = b"".join(struct.pack(">II", len(body), zlib.crc32(body)) + body for body in packed)

    messages = list(wire.FrameReader().feed(wire.MAGIC + stream))

    assert messages == [wire.Ping(), wire.Offered()]


@given(st.binary(min_size=1, max_size=5000))
def test_compressed_chunk_comes_back(chunk: bytes) -> None:
    packed = Compressor().compress(chunk)

    assert packed is None or (len(packed) < len(chunk) and decompress(packed) == chunk)


@given(st.binary(max_size=300))
def test_bytes_that_are_not_a_chunk_are_a_protocol_error(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        decompress(payload)


def test_text_from_a_peer_is_shown_on_one_printable_line() -> None:
    assert one_line("a\x1b[31m\nb\t c" + "x" * 9999).startswith("a [31m b cxxx")
    assert len(one_line("y" * 9999)) == 500


def test_document_names_every_message_with_its_type_and_keys() -> None:
    document = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()

    for code, kind in wire.MESSAGE_TYPES.items():
        name = "FRONTIER" if kind is wire.FrontierPart else kind.__name__.upper()
        start = document.index(f"| {code} | {name} |")
        rows = document[start : document.find(f"| {code + 1} | ", start)]
        for key in kind.__struct_encode_fields__:
            assert f"`{key}`" in rows, f"{name} {key}"


def test_documents_example_is_the_hello_of_this_version() -> None:
    hello = wire.MAGIC + wire.encode(wire.Hello((1, 2), "laptop", {"main": bytes(32)}, ["zstd"]))

    assert len(hello) == 79
    assert hello[4:8] == bytes.fromhex("00000043")
    assert hello[12:26].hex(" ") == "92 00 84 a1 76 92 01 02 a1 73 a6 6c 61 70"
