"""JSON segments: the bytes that jilog 0.8 writes, and every way in which they can be wrong."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.errors import InputError, IntegrityError, JilogError
from jilog_ledger.json_segment import (
    JsonEvent,
    events_checksum,
    file_name,
    format_float,
    parse_file_name,
    read_json_segment,
    write_json_segment,
)

ID = "0193b2c4-5d6e-7f80-9102-a3b4c5d6e7f8"
CREATED = "2026-01-02T03:04:05.100Z"


def event(payload: object = None, **changes: object) -> JsonEvent:
    fields: dict[str, object] = {
        "event_id": ID,
        "zone": "main",
        "source": "alpha",
        "source_seq": 1,
        "timestamp": "2026-01-02T03:04:05Z",
        "event_class": "health",
        "payload_tier": "structured",
        "payload": payload,
        **changes,
    }
    return JsonEvent(**fields)  # type: ignore[arg-type] # names and values come from the test


def test_golden_segment_without_events() -> None:
    assert events_checksum([]) == 223132457
    assert write_json_segment("alpha", 7, CREATED, []) == (
        b'{\n  "source": "alpha",\n  "source_seq": 7,\n  "checksum": 223132457,\n'
        b'  "created_at": "2026-01-02T03:04:05.100Z",\n  "events": []\n}'
    )


def test_golden_segment_with_one_event() -> None:
    payload = {"z": [1, -2.5, True, None, {}, []], "a": 'q"\\\b\f\n\r\t\x01/\x7f\u2028<>&é'}
    compact = (
        f'[{{"event_id":"{ID}","zone":"main","source":"alpha","source_seq":1,'
        '"timestamp":"2026-01-02T03:04:05Z","correlation_id":null,"causation_id":null,"actor_ref":null,'
        '"object_ref":null,"event_class":"health","payload_tier":"structured",'
        '"payload":{"a":"q\\"\\\\\\b\\f\\n\\r\\t\\u0001/\x7f\u2028<>&é","z":[1,-2.5,true,null,{},[]]}}]'
    )

    data = write_json_segment("alpha", 1, CREATED, [event(payload)])

    assert events_checksum([event(payload)]) == zlib.crc32(compact.encode())
    assert data.decode().splitlines()[5:9] == [
        '  "events": [',
        "    {",
        f'      "event_id": "{ID}",',
        '      "zone": "main",',
    ]
    items = ("1", "-2.5", "true", "null", "{}", "[]")
    assert '"z": [\n          ' + ",\n          ".join(items) + "\n        ]" in data.decode()
    assert not data.endswith(b"\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00001, "0.00001"),
        (0.000009, "9e-6"),
        (1234567890123456.0, "1234567890123456.0"),
        (1e16, "1e+16"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (-0.0, "-0.0"),
        (0.0, "0.0"),
        (100.0, "100.0"),
        (-2.5, "-2.5"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (4481891198857450.0, "4481891198857450.0"),
        (-1.81996730402717e-179, "-1.81996730402717e-179"),
    ],
)
def test_golden_floats(value: float, text: str) -> None:
    assert format_float(value) == text
    assert float(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_is_read_back_as_it_was(value: float) -> None:
    text = format_float(value)

    assert float(text) == value
    assert json.loads(text) == value


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(payloads=st.lists(json_values, max_size=3))
def test_any_segment_round_trips(payloads: list[object]) -> None:
    events = tuple(event(payload) for payload in payloads)

    segment = read_json_segment(write_json_segment("alpha", 3, CREATED, events))

    assert (segment.source, segment.source_seq, segment.created_at) == ("alpha", 3, CREATED)
    assert segment.events == events


def test_checksum_holds_for_numbers_as_an_older_program_wrote_them() -> None:
    data = write_json_segment("alpha", 1, CREATED, [event({"x": 1e16})])
    old_events = json.dumps([{**json.loads(data)["events"][0], "payload": {"x": 0}}], separators=(",", ":"))
    checksum = zlib.crc32(old_events.replace('"x":0', '"x":1e16').encode())
    old = data.replace(b"1e+16", b"1e16")
    old = old.replace(str(json.loads(data)["checksum"]).encode(), str(checksum).encode())

    assert read_json_segment(old).events[0].payload == {"x": 1e16}


def test_white_space_and_escapes_of_another_writer_do_not_matter() -> None:
    data = write_json_segment("alpha", 1, CREATED, [event({"name": "é"})])

    rewritten = json.dumps(json.loads(data), indent=7, ensure_ascii=True).encode()

    assert read_json_segment(rewritten) == read_json_segment(data)


def test_every_change_of_the_events_is_noticed() -> None:
    data = write_json_segment("alpha", 1, CREATED, [event({"a": "xyz", "b": 12}), event({"c": True})])
    start = data.index(b'"events"') + 10

    for position in range(start, len(data)):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        try:
            segment = read_json_segment(changed)
        except JilogError:
            continue
        # Only white space may change unnoticed.
        assert data[position : position + 1].isspace() or segment == read_json_segment(data), position


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"source": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"source":"a","source_seq":1}',
    ],
)
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not a JSON segment"):
        read_json_segment(data)


def test_wrong_checksum_and_evil_source_are_refused() -> None:
    data = write_json_segment("alpha", 1, CREATED, [event()])

    with pytest.raises(IntegrityError, match="checksum mismatch: the file says 1, its events give"):
        read_json_segment(data.replace(str(events_checksum([event()])).encode(), b"1"))
    with pytest.raises(InputError, match="invalid source name"):
        read_json_segment(data.replace(b'"source": "alpha"', b'"source": "../evil"', 1))


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("macazbd-000001.json", ("macazbd", 1)),
        ("jibotmac-000042.json", ("jibotmac", 42)),
        ("host-with-dash-000007.json", ("host-with-dash", 7)),
        ("a-1000000.json", ("a", 1_000_000)),
        ("a-00001.json", None),
        ("a.json", None),
        ("a-000001.json.tmp", None),
    ],
)
def test_golden_file_names(name: str, parsed: tuple[str, int] | None) -> None:
    assert parse_file_name(name) == parsed
    if parsed:
        assert file_name(*parsed) == name
