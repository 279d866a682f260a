"""Events: what a caller proposes (draft), what a segment stores, and what a reader sees.

The stored form is a msgpack array of ten fields (``docs/format.md``); zone, source and epoch stand once in
the segment's header. A payload is any JSON value, kept as msgpack bytes until somebody needs its content.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from jilog_ledger import limits
from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import Writer, format_uuid, new_event_id
from jilog_ledger.times import TIMESTAMP_NS_MAX, format_time, now_ns

JsonValue: TypeAlias = "None | bool | int | float | str | list[JsonValue] | dict[str, JsonValue]"
"""Anything JSON can carry."""

EVENT_CLASSES = (
    "ingest",
    "route",
    "decision",
    "state_change",
    "health",
    "delivery",
    "projection",
    "note_meta",
    "review",
    "learning",
    "claim",
    "approval",
)
"""The classes this version appends. Classes of newer peers are carried, never refused."""

TIERS = ("metadata_only", "structured", "confidential")
"""Payload tiers by their stored number. Confidential events never leave their host."""
CONFIDENTIAL = TIERS.index("confidential")

_CLASS_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class StoredEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event as a block holds it. Further array elements, from newer versions, are skipped."""

    sequence: int
    event_id: bytes
    timestamp_ns: int
    event_class: str
    tier: int
    payload: msgspec.Raw
    object_ref: str | None = None
    actor_ref: str | None = None
    correlation_id: bytes | None = None
    causation_id: bytes | None = None


_ENCODER = msgspec.msgpack.Encoder()
_EVENTS_DECODER = msgspec.msgpack.Decoder(list[StoredEvent])


def encode_events(events: list[StoredEvent]) -> bytes:
    """Encode the body of a block."""
    return _ENCODER.encode(events)


def decode_events(body: bytes | memoryview) -> list[StoredEvent]:
    """Decode the body of a block; payloads stay msgpack and share ``body``'s memory.

    Raises:
        msgspec.DecodeError: the bytes are not an array of events.
    """
    return _EVENTS_DECODER.decode(body)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event that a caller proposes; the store adds source, epoch and sequence.

    ``payload`` is any JSON value. ``timestamp_ns`` is Unix nanoseconds. Ids are 16 raw bytes.
    Drafts are checked by :meth:`stored`, once, when they are appended.
    """

    event_class: str
    payload: JsonValue = None
    tier: str = "structured"
    object_ref: str | None = None
    actor_ref: str | None = None
    correlation_id: bytes | None = None
    causation_id: bytes | None = None
    timestamp_ns: int = field(default_factory=now_ns)
    event_id: bytes = field(default_factory=new_event_id)

    @property
    def confidential(self) -> bool:
        """Tell whether this event must stay on its host."""
        return self.tier == TIERS[CONFIDENTIAL]

    def stored(self, sequence: int) -> StoredEvent:
        """Check the draft and give it its place in the writer's sequence.

        Raises:
            InputError: a field is outside its range; the message names the field.
        """
        _check_class(self.event_class)
        if self.tier not in TIERS:
            raise InputError(f"unknown payload tier {self.tier!r}", hint=f"use one of {', '.join(TIERS)}")
        if not 0 <= self.timestamp_ns <= TIMESTAMP_NS_MAX:
            raise InputError(
                f"timestamp {self.timestamp_ns} is outside 1970 to 2262",
                hint="look at this host's clock: date",
            )
        _check_id("event_id", self.event_id)
        if self.correlation_id is not None:
            _check_id("correlation_id", self.correlation_id)
        if self.causation_id is not None:
            _check_id("causation_id", self.causation_id)
        _check_reference("object_ref", self.object_ref)
        _check_reference("actor_ref", self.actor_ref)
        return StoredEvent(
            sequence=sequence,
            event_id=self.event_id,
            timestamp_ns=self.timestamp_ns,
            event_class=self.event_class,
            tier=TIERS.index(self.tier),
            payload=msgspec.Raw(encode_payload(self.payload)),
            object_ref=self.object_ref,
            actor_ref=self.actor_ref,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
        )


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it stands in the ledger."""

    zone: str
    writer: Writer
    stored: StoredEvent

    @property
    def sequence(self) -> int:
        """The event's place in its writer's stream, from 1."""
        return self.stored.sequence

    @property
    def order(self) -> tuple[int, str, str, int]:
        """The fleet's total order: time, source, epoch, sequence."""
        return (self.stored.timestamp_ns, self.writer.source, self.writer.epoch, self.stored.sequence)

    def payload(self) -> JsonValue:
        """Decode the payload."""
        value: JsonValue = msgspec.msgpack.decode(self.stored.payload)
        return value

    def to_json(self) -> dict[str, JsonValue]:
        """Give the event as JSON: the seed's twelve keys, and ``epoch``."""
        stored = self.stored
        return {
            "event_id": format_uuid(stored.event_id),
            "zone": self.zone,
            "source": self.writer.source,
            "epoch": self.writer.epoch,
            "source_seq": stored.sequence,
            "timestamp": format_time(stored.timestamp_ns),
            "correlation_id": format_uuid(stored.correlation_id) if stored.correlation_id else None,
            "causation_id": format_uuid(stored.causation_id) if stored.causation_id else None,
            "actor_ref": stored.actor_ref,
            "object_ref": stored.object_ref,
            "event_class": stored.event_class,
            "payload_tier": tier_name(stored.tier),
            "payload": self.payload(),
        }


def tier_name(number: int) -> str:
    """Name a stored tier; one from a newer peer keeps its number."""
    return TIERS[number] if 0 <= number < len(TIERS) else f"tier-{number}"


def encode_payload(payload: JsonValue) -> bytes:
    """Encode a JSON value as msgpack after checking that it is one.

    Raises:
        InputError: a value JSON cannot carry, nesting past the limit, text that is not UTF-8, or too large.
    """
    _check_json(payload, depth=0)
    try:
        data = _ENCODER.encode(payload)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError) as exc:
        raise InputError(f"payload cannot be stored: {exc}") from exc
    if len(data) > limits.EVENT_BYTES_MAX:
        raise InputError(
            f"payload of {len(data)} bytes is larger than the limit of {limits.EVENT_BYTES_MAX} bytes",
            hint="store the content in a file and record its path and hash",
        )
    return data


def _check_json(value: object, *, depth: int) -> None:
    """Refuse what JSON cannot carry. Called for each value of each event, hence exact types first."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if isinstance(value, dict):
        _check_depth(depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"payload has a key that is not text: {key!r}")
            if type(item) is not str:
                _check_json(item, depth=depth + 1)
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        for item in value:
            if type(item) is not str:
                _check_json(item, depth=depth + 1)
    else:
        _check_number(value)


def _check_number(value: object) -> None:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise InputError(f"payload has an integer outside 64 bits: {value}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"payload has a number that JSON cannot carry: {value}")
    elif not isinstance(value, str):
        raise InputError(f"payload has a value that JSON cannot carry: {type(value).__name__}")


def _check_depth(depth: int) -> None:
    if depth >= limits.PAYLOAD_DEPTH_MAX:
        raise InputError(f"payload is nested deeper than {limits.PAYLOAD_DEPTH_MAX} levels")


def _check_class(event_class: str) -> None:
    if event_class in EVENT_CLASSES:
        return
    nearest = difflib.get_close_matches(event_class, EVENT_CLASSES, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(EVENT_CLASSES)}"
    raise InputError(f"unknown event class {event_class[:80]!r}", hint=hint)


def _check_id(name: str, value: bytes) -> None:
    if len(value) != 16:
        raise InputError(f"{name} has {len(value)} bytes instead of 16")


def _check_reference(name: str, value: str | None) -> None:
    if value is None:
        return
    if not value or len(value) > limits.REFERENCE_CHARS_MAX or _CONTROL.search(value):
        raise InputError(
            f"{name} must have 1 to {limits.REFERENCE_CHARS_MAX} characters and no control characters"
        )
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InputError(f"{name} is not valid UTF-8 text") from exc


def valid_class(event_class: str) -> bool:
    """Tell whether a class, known or from a newer peer, has the form of one."""
    return _CLASS_PATTERN.match(event_class) is not None
