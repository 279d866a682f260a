"""Entries: what is accepted, in which form it is stored, and what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger import decision as vocabulary
from jilog_ledger.decision import Decision, FileRef, Place, checked, decision_draft, read_decision
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event
from jilog_ledger.identifiers import Writer, derived_event_id, format_uuid, new_event_id

SESSION = "5f0c7e6a-1111-4222-8333-944455556666"


def minimal(**changes: object) -> Decision:
    fields: dict[str, object] = {"type": "decision", "title": "Use SQLite", "session_id": SESSION, **changes}
    return Decision(**fields)  # type: ignore[arg-type] # names and values come from the test


def stored(decision: Decision) -> Event:
    """Give the entry as it would come out of a ledger."""
    event_id = vocabulary.entry_event_id(decision.id) if decision.id else new_event_id()
    draft = decision_draft(checked(decision), timestamp_ns=1, event_id=event_id)
    return Event("main", Writer("alpha", "0" * 16), draft.stored(1))


@pytest.mark.parametrize("entry_type", vocabulary.TYPES)
def test_af6_each_type_when_stored_comes_back(entry_type: str) -> None:
    event = stored(minimal(type=entry_type))

    assert read_decision(event.payload()) == minimal(type=entry_type)


def test_af6_unknown_type_is_refused_with_the_list_and_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        checked(minimal(type="atempt-failed"))

    assert caught.value.message == (
        'invalid type "atempt-failed": must be one of '
        "decision, attempt_failed, deferred, assumption, question"
    )
    assert caught.value.hint == "did you mean 'attempt_failed'?"


@pytest.mark.parametrize("title", ["", "  ", "\n\n"])
def test_af6_empty_title_is_refused(title: str) -> None:
    with pytest.raises(InputError, match="title must not be empty"):
        checked(minimal(title=title))


def test_af7_tags_said_twice_are_stored_once_in_their_order() -> None:
    decision = checked(minimal(tags=(" b", "a", "", "b ", "x")))

    assert decision.tags == ("b", "a", "x")


def test_af12_minimal_entry_has_no_optional_keys() -> None:
    payload = stored(minimal()).payload()

    assert payload == {
        "record": "decision",
        "subsystem": "decision",
        "summary": "[decision] Use SQLite",
        "type": "decision",
        "title": "Use SQLite",
        "session_id": SESSION,
    }


@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".hidden", "a..b", "x" * 129, "a\n", "naïve", "a b"])
def test_af13_ids_that_could_leave_a_folder_are_refused(bad: str) -> None:
    for changes in ({"session_id": bad}, {"id": bad}, {"resolves": (bad,)}, {"supersedes": (bad,)}):
        with pytest.raises(InputError, match="invalid"):
            checked(minimal(**changes))


def test_af31_body_of_a_megabyte_is_kept_whole_and_a_larger_one_refused_by_name() -> None:
    body = "ä" * (vocabulary.BODY_BYTES_MAX // 2)

    event = stored(minimal(body=body))

    read = read_decision(event.payload())
    assert read is not None
    assert read.body == body
    with pytest.raises(InputError, match=r"body of 1048577 bytes is larger than the limit of 1048576"):
        checked(minimal(body=body + "x"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tags": tuple(map(str, range(10_000)))}, "10000 tags are more than the limit of 256"),
        ({"tags": ("t" * 201,)}, "an entry of tags of 201 characters"),
        ({"files": tuple(FileRef("r", str(i)) for i in range(2_001))}, "2001 files are more than the limit"),
        ({"files": (FileRef("r", "p" * 4_097),)}, "a file's path of 4098 characters"),
        ({"title": "t" * 1_001}, "title of 1001 characters is longer than the limit of 1000"),
        ({"resolves": tuple(f"e{i}" for i in range(101))}, "101 resolves are more than the limit of 100"),
    ],
)
def test_af31_what_is_past_a_limit_is_refused_by_its_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(minimal(**changes))


def test_bytes_that_are_no_utf8_become_visible_and_can_be_stored() -> None:
    name = b"caf\xe9,\n.txt".decode("utf-8", "surrogateescape")

    event = stored(minimal(title=f"about {name}", body="\ud800", files=(FileRef("r", name),)))

    read = read_decision(event.payload())
    assert read is not None
    assert read.title == "about caf\\xe9, .txt"
    assert read.body == "\\ud800"
    assert read.files == (FileRef("r", "caf\\xe9,\n.txt"),)


def test_af9_client_id_that_is_a_uuid_is_the_event_id_and_another_one_is_kept() -> None:
    raw = new_event_id()
    uuid_entry = stored(minimal(id=format_uuid(raw)))
    named_entry = stored(minimal(id="adr-7"))

    assert uuid_entry.stored.event_id == raw
    assert vocabulary.entry_id(raw, read_decision(uuid_entry.payload())) == format_uuid(raw)
    assert named_entry.stored.event_id == derived_event_id("decision", "adr-7")
    read = read_decision(named_entry.payload())
    assert vocabulary.entry_id(named_entry.stored.event_id, read) == "adr-7"


def test_keys_of_a_newer_version_are_passed_over_and_other_shapes_are_no_entry() -> None:
    payload = stored(minimal()).payload()
    assert isinstance(payload, dict)

    assert read_decision({**payload, "mood": "sunny"}) == minimal()
    assert read_decision({**payload, "tags": "not a list"}) is None
    assert read_decision({**payload, "record": "turn"}) is None
    assert read_decision(["record", "decision"]) is None


texts = st.text(max_size=40)


drafts = st.builds(
    minimal,
    type=st.sampled_from(vocabulary.TYPES),
    title=texts,
    tags=st.lists(texts, max_size=4).map(tuple),
    files=st.lists(st.builds(FileRef, texts, texts), max_size=4).map(tuple),
    alternatives=st.lists(texts, max_size=3).map(tuple),
    outcome=texts,
    body=texts,
    place=st.none() | st.builds(Place, texts, texts, texts),
)


@given(draft=drafts)
def test_any_entry_that_is_accepted_round_trips(draft: Decision) -> None:
    try:
        decision = checked(draft)
    except InputError as refused:
        assert refused.message == "title must not be empty"  # noqa: PT017 -- other refusals are failures
        return

    assert checked(decision) == decision
    assert read_decision(stored(decision).payload()) == decision
