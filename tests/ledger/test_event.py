"""What may be appended: every refusal names the field and says what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from jilog_ledger import limits
from jilog_ledger.errors import InputError
from jilog_ledger.event import EVENT_CLASSES, Event, EventDraft, encode_payload, tier_name, valid_class
from jilog_ledger.identifiers import Writer
from support.segments import drafts
from support.stores import NOON_NS

GOOD = EventDraft("decision", {"title": "x"}, timestamp_ns=NOON_NS)
WRITER = Writer("alpha", "0" * 16)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_class": "desicion"}, "unknown event class 'desicion'"),
        ({"event_class": ""}, "unknown event class"),
        ({"tier": "secret"}, "unknown payload tier 'secret'"),
        ({"timestamp_ns": -1}, "outside 1970 to 2262"),
        ({"timestamp_ns": 2**63}, "outside 1970 to 2262"),
        ({"event_id": b"short"}, "event_id has 5 bytes instead of 16"),
        ({"correlation_id": b""}, "correlation_id has 0 bytes"),
        ({"causation_id": bytes(17)}, "causation_id has 17 bytes"),
        ({"object_ref": ""}, "object_ref must have 1 to"),
        ({"object_ref": "x" * 1025}, "object_ref must have 1 to"),
        ({"actor_ref": "a\nb"}, "actor_ref must have .* no control characters"),
        ({"actor_ref": "\ud800"}, "actor_ref is not valid UTF-8"),
        ({"payload": float("nan")}, "JSON cannot carry: nan"),
        ({"payload": {"a": [float("inf")]}}, "JSON cannot carry: inf"),
        ({"payload": {1: 2}}, "key that is not text: 1"),
        ({"payload": {"a": b"bytes"}}, "JSON cannot carry: bytes"),
        ({"payload": 2**64}, "integer outside 64 bits"),
        ({"payload": -(2**63) - 1}, "integer outside 64 bits"),
        ({"payload": "\udcff"}, "payload cannot be stored"),
        ({"payload": {"\udcff": 1}}, "payload cannot be stored"),
        ({"payload": nested(limits.PAYLOAD_DEPTH_MAX + 1)}, "nested deeper than"),
        ({"payload": nested(100_000)}, "nested deeper than"),
        ({"payload": "x" * limits.EVENT_BYTES_MAX}, "larger than the limit"),
    ],
)
def test_bad_draft_is_refused_with_one_clear_line(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        replace(GOOD, **change).stored(1)  # type: ignore[arg-type]

    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_misspelt_class_is_told_the_nearest_and_a_strange_one_all() -> None:
    for given_class, hint in (("reveiw", "did you mean 'review'?"), ("zzz", "use one of ingest, route")):
        with pytest.raises(InputError) as caught:
            replace(GOOD, event_class=given_class).stored(1)

        assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp_ns": 0},
        {"timestamp_ns": 2**63 - 1},
        {"object_ref": "x" * 1024},
        {"payload": nested(limits.PAYLOAD_DEPTH_MAX)},
        {"payload": 2**64 - 1},
        {"payload": -(2**63)},
        {"payload": "x" * (limits.EVENT_BYTES_MAX - 5)},
        {"payload": None},
    ],
)
def test_draft_at_its_limits_is_accepted(change: dict[str, object]) -> None:
    stored = replace(GOOD, **change).stored(7)  # type: ignore[arg-type]

    assert stored.sequence == 7


@given(drafts)
def test_any_good_draft_when_read_back_is_what_was_given(draft: EventDraft) -> None:
    event = Event("main", WRITER, draft.stored(3))

    assert event.payload() == draft.payload
    assert (event.sequence, event.stored.event_id, event.stored.object_ref) == (
        3,
        draft.event_id,
        draft.object_ref,
    )
    assert tier_name(event.stored.tier) == draft.tier
    assert draft.confidential == (draft.tier == "confidential")
    assert json.loads(json.dumps(event.to_json()))["payload"] == draft.payload


def test_event_as_json_has_the_twelve_keys_and_the_epoch() -> None:
    event = Event("main", WRITER, replace(GOOD, correlation_id=bytes(15) + b"\1").stored(5))

    shown = event.to_json()

    assert list(shown) == [
        "event_id", "zone", "source", "epoch", "source_seq", "timestamp", "correlation_id", "causation_id",
        "actor_ref", "object_ref", "event_class", "payload_tier", "payload",
    ]  # fmt: skip
    assert shown["timestamp"] == "2026-05-09T12:00:00Z"
    assert shown["correlation_id"] == "00000000-0000-0000-0000-000000000001"
    assert shown["causation_id"] is None
    assert (shown["source_seq"], shown["payload_tier"]) == (5, "structured")


def test_order_is_by_time_then_source_epoch_and_sequence() -> None:
    def event(time: int, source: str, epoch: str, sequence: int) -> Event:
        return Event("main", Writer(source, epoch), replace(GOOD, timestamp_ns=time).stored(sequence))

    ordered = [
        event(1, "b", "f" * 16, 9),
        event(2, "a", "0" * 16, 2),
        event(2, "a", "1" * 16, 1),
        event(2, "b", "0" * 16, 1),
        event(2, "b", "0" * 16, 2),
    ]

    assert sorted(ordered, key=lambda item: item.order) == ordered


def test_classes_of_newer_peers_have_the_form_of_one() -> None:
    assert all(valid_class(name) for name in (*EVENT_CLASSES, "dream", "a_1"))
    assert not any(valid_class(name) for name in ("", "A", "1a", "a-b", "a" * 65, "a\n"))


def test_tier_of_a_newer_peer_keeps_its_number() -> None:
    assert [tier_name(number) for number in (0, 1, 2, 7, -1)] == [
        "metadata_only", "structured", "confidential", "tier-7", "tier--1"
    ]  # fmt: skip


def test_tuple_is_stored_as_a_list() -> None:
    assert encode_payload((1, 2)) == encode_payload([1, 2])  # type: ignore[arg-type]
