"""A second reader of segment files, written from ``docs/format.md`` with the ``msgpack`` package.

It shares no code with the ledger's own reader, on purpose: a format that only one library can read is
defined by that library's mistakes. It looks at one file, checks the checksums, and gives what it sees.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgpack

from jilog_ledger.errors import SegmentDamaged

MAGIC = b"JILOGSEG"
HEADER_START = struct.Struct("<8sHHI")
FRAME_START = struct.Struct("<B3xII")
HEADER_BODY_MAX = 4096
FRAME_BODY_MAX = 4 * 1024 * 1024
FRAME_NAMES = {1: "block", 2: "seal"}


@dataclass(frozen=True, slots=True)
class RawPart:
    """The header (at offset 0), a block or the seal: its place in bytes, and its decoded body."""

    kind: str
    offset: int
    length: int
    body: object


def read_raw(data: bytes) -> Iterator[RawPart]:
    """Give the parts of a segment in order.

    Raises:
        SegmentDamaged: with the byte where something is not what the format says.
    """
    header = _read_header(data)
    yield header
    offset = header.length
    while offset < len(data):
        part = _read_frame(data, offset)
        yield part
        offset += part.length


def _read_header(data: bytes) -> RawPart:
    if len(data) < HEADER_START.size or data[:8] != MAGIC:
        raise SegmentDamaged("file does not start with a segment header", offset=0)
    _, version, reserved, length = HEADER_START.unpack_from(data)
    end = HEADER_START.size + length
    if version != 1 or reserved or length > HEADER_BODY_MAX or len(data) < end + 4:
        raise SegmentDamaged(f"segment header of version {version} cannot be read", offset=8)
    if zlib.crc32(data[:end]) != int.from_bytes(data[end : end + 4], "little"):
        raise SegmentDamaged("segment header has a wrong checksum", offset=end)
    return RawPart("header", 0, end + 4, _decode(data[HEADER_START.size : end], 0))


def _read_frame(data: bytes, offset: int) -> RawPart:
    start = offset + FRAME_START.size
    if start > len(data):
        raise SegmentDamaged(f"segment ends inside a frame at byte {offset}", offset=offset, torn=True)
    kind, length, crc = FRAME_START.unpack_from(data, offset)
    body = data[start : start + length] if length <= FRAME_BODY_MAX else b""
    if kind not in FRAME_NAMES or len(body) != length:
        raise SegmentDamaged(f"segment has no whole frame at byte {offset}", offset=offset)
    if zlib.crc32(data[offset : offset + 8] + body) != crc:
        raise SegmentDamaged(f"frame at byte {offset} has a wrong checksum", offset=offset)
    return RawPart(FRAME_NAMES[kind], offset, FRAME_START.size + length, _decode(body, offset))


def _decode(body: bytes, offset: int) -> object:
    try:
        value: object = msgpack.unpackb(body, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as exc:
        raise SegmentDamaged(f"body at byte {offset} is no msgpack: {exc}", offset=offset) from exc
    return value
