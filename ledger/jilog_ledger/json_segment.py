"""JSON segments: one pretty-printed file of events with a CRC-32, as jilog 0.8 (the Rust program) keeps them.

They are read to bring an older ledger in, and written for whoever still runs that program. The checksum
covers the compact form of the events array alone: keys in declared order, keys of payloads sorted, no spaces,
text unescaped but for quotes, backslashes and control characters, floats as serde_json writes them.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from jilog_ledger.errors import InputError, IntegrityError
from jilog_ledger.identifiers import check_name

SEGMENT_BYTES_MAX = 256 * 1024 * 1024
"""The largest file that is read. The Rust program sets no limit; one batch of it makes some kilobytes."""

CLASSES = frozenset(
    (
        "ingest",
        "route",
        "decision",
        "state_change",
        "claim",
        "delivery",
        "projection",
        "health",
        "approval",
        "note_meta",
    )
)
"""The classes that the Rust program reads; it refuses a segment with any other."""

_NAME = re.compile(r"(.+)-(\d{6,20})\.json\Z", re.DOTALL)
_STRING_OR_SPACE = re.compile(rb'"(?:[^"\\]|\\.)*"|[ \t\r\n]+', re.DOTALL)


class JsonEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, with its fields in the order in which they are written."""

    event_id: str
    zone: str
    source: str
    source_seq: int
    timestamp: str
    correlation_id: str | None = None
    causation_id: str | None = None
    actor_ref: str | None = None
    object_ref: str | None = None
    event_class: str
    payload_tier: str
    # Any JSON value: msgspec does not take the recursive JsonValue as a type.
    payload: Any = None


class JsonSegment(msgspec.Struct, frozen=True):
    """One file. ``source_seq`` counts the segments of a source from 1."""

    source: str
    source_seq: int
    checksum: int
    created_at: str
    events: tuple[JsonEvent, ...]


class _Frame(msgspec.Struct):
    """The file with its events as they stand there, so that the checksum sees each digit as written."""

    source: str
    source_seq: int
    checksum: int
    created_at: str
    events: msgspec.Raw


_decode_frame = msgspec.json.Decoder(_Frame).decode
_decode_events = msgspec.json.Decoder(tuple[JsonEvent, ...]).decode


def file_name(source: str, number: int) -> str:
    """Name a segment's file."""
    return f"{source}-{number:06}.json"


def parse_file_name(name: str) -> tuple[str, int] | None:
    """Read source and number from a file's name, split at the last hyphen; None when it is no segment's."""
    match = _NAME.match(name)
    return (match[1], int(match[2])) if match else None


def read_json_segment(data: bytes) -> JsonSegment:
    """Read a file and check it.

    Raises:
        InputError: it is no JSON segment.
        IntegrityError: the events are not what the checksum says.
    """
    if len(data) > SEGMENT_BYTES_MAX:
        raise InputError(f"segment of {len(data)} bytes is larger than the limit of {SEGMENT_BYTES_MAX}")
    try:
        frame = _decode_frame(data)
        events = _decode_events(frame.events)
    except (msgspec.DecodeError, RecursionError, ValueError) as exc:
        raise InputError(f"not a JSON segment: {exc}") from exc
    check_name("source", frame.source)
    found = zlib.crc32(_minified(bytes(frame.events)))
    if frame.checksum not in (found, events_checksum(events)):
        raise IntegrityError(f"checksum mismatch: the file says {frame.checksum}, its events give {found}")
    return JsonSegment(frame.source, frame.source_seq, frame.checksum, frame.created_at, events)


def _minified(data: bytes) -> bytes:
    """Take the white space between tokens out. Numbers stay as they were typed, whoever typed them."""
    return _STRING_OR_SPACE.sub(lambda match: match[0] if match[0][:1] == b'"' else b"", data)


def write_json_segment(source: str, number: int, created_at: str, events: Iterable[JsonEvent]) -> bytes:
    """Write a sealed segment file, byte for byte as the Rust program does: no line feed at the end."""
    events = tuple(events)
    frame = [
        ("source", source),
        ("source_seq", number),
        ("checksum", events_checksum(events)),
        ("created_at", created_at),
        ("events", [_fields(event) for event in events]),
    ]
    return _object(frame, 0).encode()


def events_checksum(events: Iterable[JsonEvent]) -> int:
    """Give the CRC-32 (zlib's polynomial) of the compact form of the events array."""
    return zlib.crc32(_dump([_fields(event) for event in events], None).encode())


class _Fields(list[tuple[str, object]]):
    """An object whose keys keep their order."""


def _fields(event: JsonEvent) -> _Fields:
    return _Fields((name, getattr(event, name)) for name in event.__struct_fields__)


def _dump(value: object, depth: int | None) -> str:
    """Write a value; ``depth`` of None means compact, otherwise it is the level of indentation."""
    if isinstance(value, _Fields):
        return _object(value, depth)
    if isinstance(value, dict):
        return _object(sorted(value.items()), depth)
    if isinstance(value, list | tuple):
        return _bracketed("[]", [_dump(item, _deeper(depth)) for item in value], depth)
    if isinstance(value, float):
        return format_float(value)
    return json.dumps(value, ensure_ascii=False)


def _object(items: Iterable[tuple[str, object]], depth: int | None) -> str:
    colon = ":" if depth is None else ": "
    parts = [json.dumps(key, ensure_ascii=False) + colon + _dump(item, _deeper(depth)) for key, item in items]
    return _bracketed("{}", parts, depth)


def _bracketed(brackets: str, parts: list[str], depth: int | None) -> str:
    if not parts:
        return brackets
    if depth is None:
        return brackets[0] + ",".join(parts) + brackets[1]
    inner = "\n" + "  " * (depth + 1)
    return brackets[0] + inner + ("," + inner).join(parts) + "\n" + "  " * depth + brackets[1]


def _deeper(depth: int | None) -> int | None:
    return None if depth is None else depth + 1


def format_float(value: float) -> str:
    """Write a float as serde_json 1.0.149 does: the shortest digits, an exponent outside 1e-5 to 1e16."""
    if value == 0:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    minus = "-" if sign else ""
    text = "".join(map(str, digits))
    power = len(text) + exponent - 1
    if -5 <= power < 16:
        whole = format(Decimal((0, digits, exponent)), "f")
        return minus + (whole if "." in whole else whole + ".0")
    mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
    return f"{minus}{mantissa}e{power:+d}"
