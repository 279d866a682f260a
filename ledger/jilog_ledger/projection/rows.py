"""From stored events to rows: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

from jilog_ledger.event import JsonValue, StoredEvent

SUBSYSTEM_PREFIX = "subsystem:"
SEARCH_CHARS_MAX = 65_536
"""Text of one event that full-text search sees; a transcript pasted into a body is cut here."""

EventRow: TypeAlias = tuple[int, int, int, int, int, int, bytearray, str, str, str, bytearray, bytearray, str]
"""The columns of the events table, in order."""

_NO_ID = bytearray()
_decode_payload = msgspec.msgpack.Decoder().decode
_encode_json = msgspec.json.Encoder().encode


def event_row(
    row_id: int, writer_id: int, class_id: int, event: StoredEvent
) -> tuple[EventRow, str, JsonValue]:
    """Give the row of an event, the text that full-text search should find it by, and the payload."""
    payload: JsonValue = _decode_payload(event.payload)
    object_ref = event.object_ref or ""
    row = (
        row_id,
        writer_id,
        event.sequence,
        event.timestamp_ns,
        class_id,
        event.tier,
        bytearray(event.event_id),
        subsystem_of(payload, object_ref),
        object_ref,
        event.actor_ref or "",
        bytearray(event.correlation_id) if event.correlation_id else _NO_ID,
        bytearray(event.causation_id) if event.causation_id else _NO_ID,
        _encode_json(payload).decode(),
    )
    return row, search_text(payload, object_ref, event.actor_ref or ""), payload


def subsystem_of(payload: JsonValue, object_ref: str) -> str:
    """Give an event's subsystem: the payload's own word for it, else what its object says."""
    if isinstance(payload, dict):
        subsystem = payload.get("subsystem")
        if isinstance(subsystem, str):
            return subsystem
    if object_ref.startswith(SUBSYSTEM_PREFIX):
        return object_ref[len(SUBSYSTEM_PREFIX) :]
    return ""


def search_text(payload: JsonValue, *references: str) -> str:
    """Join all text in a payload, and the references, for full-text search.

    Where a record was written is left out: a host's name would find everything that was written there.
    """
    texts = [text for text in references if text]
    if isinstance(payload, dict) and "place" in payload:
        payload = {key: value for key, value in payload.items() if key != "place"}
    texts.extend(_texts(payload))
    return "\n".join(texts)[:SEARCH_CHARS_MAX]


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def match_expression(text: str, *, any_word: bool = False) -> str | None:
    """Turn what a person typed into an FTS5 query that cannot be a syntax error.

    Each word becomes a quoted phrase, so ``my-project`` means these two words side by side, and ``don't``
    and ``C++`` are what they are. All words must be found, or one of them with ``any_word``. None when there
    is no word in the text.
    """
    words = [word for word in text.split() if any(c.isalnum() or c in "+#" for c in word)]
    between = " OR " if any_word else " "
    return between.join('"' + word.replace('"', '""') + '"' for word in words) or None


def payload_from_json(text: str) -> msgspec.Raw:
    """Give a row's payload back as the msgpack that a stored event carries."""
    return msgspec.Raw(msgspec.msgpack.encode(msgspec.json.decode(text)))


def texts_of_rows(rows: Iterable[tuple[int, str, str, str]]) -> Iterator[tuple[int, str]]:
    """Give (row id, search text) of rows of (id, payload, object_ref, actor_ref)."""
    for row_id, payload, object_ref, actor_ref in rows:
        yield row_id, search_text(msgspec.json.decode(payload), object_ref, actor_ref)
