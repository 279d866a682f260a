"""The turn vocabulary: what is stored, what is refused, what it is found by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.decision import FILES_MAX, FileRef, FileScope, Place
from jilog_ledger.errors import InputError
from jilog_ledger.event import JsonValue
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import EventQuery, Projection
from jilog_ledger.turn import (
    CHANGED_BYTES_MAX,
    SCHEMA_VERSION,
    Session,
    SessionEnd,
    Turn,
    Vcs,
    Verification,
    check_record_id,
    checked_end,
    checked_session,
    checked_turn,
    new_session_id,
    new_turn_id,
    read_record,
    record_draft,
    record_event_id,
    title_of,
    ulid,
)
from support.stores import NOON_NS, key_of

PLACE = Place("alpha", "/app", "example.org/app")
SESSION = checked_session(Session(id="sess_0001", goal="fix it", ticket="T-1", place=PLACE))
TURN = checked_turn(
    Turn(
        id="turn_0001",
        session="sess_0001",
        summary="did it",
        verification=(Verification(kind="claim", text="looked"),),
        commits=("c" * 40,),
        vcs=Vcs(kind="git", git_head="a" * 40, dirty=True, changed_files=("src/a.py", "b.md")),
        place=PLACE,
    )
)
END = checked_end(SessionEnd(session="sess_0001", summary="merged", place=PLACE))


def payload_of(record: Session | Turn | SessionEnd) -> dict[str, JsonValue]:
    payload = record_draft(record, timestamp_ns=NOON_NS).payload
    assert isinstance(payload, dict)
    return payload


@pytest.mark.parametrize("record", [SESSION, TURN, END])
def test_record_that_is_stored_is_read_back_the_same(record: Session | Turn | SessionEnd) -> None:
    stored = record_draft(record, timestamp_ns=NOON_NS).stored(1)

    assert read_record(msgspec.msgpack.decode(stored.payload)) == record


@given(number=st.integers(0, 2**128 - 1))
def test_ulid_writes_128_bits_and_sorts_as_they_do(number: int) -> None:
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    text = ulid(number.to_bytes(16, "big"))

    assert len(text) == 26
    value = 0
    for character in text:
        value = value * 32 + digits.index(character)
    assert value == number


def test_ids_begin_with_their_kind_and_sort_by_time() -> None:
    first, second = new_session_id(NOON_NS), new_session_id(NOON_NS + 5_000_000)

    assert first < second
    assert check_record_id("sess", first) == first
    assert new_turn_id(NOON_NS).startswith("turn_")


@pytest.mark.parametrize(
    "text", ["", "sess_", "turn_0001", "sess_../x", "sess_a/b", "sess_" + "0" * 50, "sess_0001\n"]
)
def test_id_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="invalid id"):
        check_record_id("sess", text)


def test_message_id_makes_the_same_event_and_other_turns_others() -> None:
    one = Turn(id="turn_0001", session="sess_0001", message_id="m")
    again = Turn(id="turn_0002", session="sess_0001", message_id="m")
    elsewhere = Turn(id="turn_0003", session="sess_0002", message_id="m")

    assert record_event_id(one) == record_event_id(again) != record_event_id(elsewhere)
    assert record_event_id(TURN) != record_event_id(one)


def test_changed_files_past_the_limits_are_left_out_and_counted() -> None:
    many = tuple(f"file-{number}" for number in range(FILES_MAX + 7))
    long = tuple(f"{number}" + "é" * 4_000 for number in range(200))

    counted = checked_turn(
        Turn(id="turn_0001", session="sess_0001", vcs=Vcs(kind="git", changed_files=many))
    ).vcs
    sized = checked_turn(
        Turn(id="turn_0001", session="sess_0001", vcs=Vcs(kind="git", changed_files=long))
    ).vcs

    assert (len(counted.changed_files), counted.changed_files_left_out) == (FILES_MAX, 7)
    assert sum(len(path.encode()) for path in sized.changed_files) <= CHANGED_BYTES_MAX
    assert len(sized.changed_files) + sized.changed_files_left_out == len(long)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"goal": " "}, "goal must not be empty"),
        ({"goal": "x" * 1_001}, "goal of 1001 characters"),
        ({"goal": "g", "ticket": "x" * 1_001}, "ticket of 1001 characters"),
        ({"goal": "g", "parent": "turn_0001"}, "invalid id"),
    ],
)
def test_session_that_cannot_be_stored_is_refused(fields: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_session(Session(id="sess_0001", **fields))


def test_payload_of_a_newer_version_or_another_shape_is_no_record() -> None:
    newer = {**payload_of(TURN), "schema_version": SCHEMA_VERSION + 1}
    torn = {**payload_of(TURN), "turn": {"id": 5}}

    assert [read_record(payload) for payload in (newer, torn, {}, None, {"record": "decision"})] == [None] * 5
    assert read_record({**payload_of(TURN), "turn": {**payload_of(TURN)["turn"], "later": 1}}) == TURN  # type: ignore[dict-item] # a document


def test_titles_say_what_happened() -> None:
    assert title_of(SESSION) == "session started: fix it (T-1)"
    assert title_of(TURN) == "turn: did it"
    assert title_of(msgspec.structs.replace(TURN, summary="")) == "turn: 2 changed file(s)"
    assert title_of(END) == "session ended: merged"


def test_records_are_found_by_ticket_session_commit_repository_and_file(tmp_path: Path) -> None:
    ledger = ZoneLedger.open(tmp_path, "main", source="alpha", key=key_of("alpha"))
    ledger.append([record_draft(record, timestamp_ns=NOON_NS) for record in (SESSION, TURN, END)])

    def found(**query: object) -> list[object]:
        events = projection.query(EventQuery(oldest_first=True, **query))  # type: ignore[arg-type] # of the test
        return [read_record(event.payload()) for event in events]

    with Projection.open(ledger) as projection:
        assert found(facets=(("ticket", "T-1"),)) == [SESSION]
        assert found(facets=(("session", "sess_0001"),)) == [SESSION, TURN, END]
        assert found(facets=(("commit", "c" * 40),)) == found(facets=(("commit", "a" * 40),)) == [TURN]
        assert found(facets=(("repository", "example.org/app"),)) == [SESSION, TURN]
        assert found(files=(FileScope((FileRef("example.org/app", "src"),)),)) == [TURN]
        assert found(text="looked") == [TURN]
        assert found(text="alpha") == []
    ledger.close()
