"""Signals: identity, redaction, and the way into and out of the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from jilog_ledger.event import Event
from jilog_ledger.identifiers import Writer
from jilog_review.detector import Finding, Kind
from jilog_review.redact import redact
from jilog_review.signal import Signal, Stamp, make_signal, night_id, signal_from_payload
from jilog_review.transcript import Message, Provenance, Transcript

NIGHT = date(2026, 5, 9)


class Rule:
    """A detector in name only."""

    def __init__(self, name: str = "test.rule", version: int = 1) -> None:
        self.name = name
        self.version = version

    def detect(self, transcript: Transcript) -> list[Finding]:
        return []


def transcript(session: str = "s1", source_file: str = "/home/alex/t/s1.jsonl") -> Transcript:
    return Transcript(reader="generic", session_id=session, root_session=session, source_file=source_file)


def finding(text: str, line: int = 3, message_id: str | None = None) -> Finding:
    entry = Message(
        line=line, offset=0, role="user", text=text, provenance=Provenance.HUMAN, message_id=message_id
    )
    return Finding(entry=entry, kind=Kind.CORRECTION, rule="window", excerpt=text)


def stamp(host: str = "alpha", night: date = NIGHT) -> Stamp:
    return Stamp(host=host, profile="seed", review_date=night, redactor=redact)


def signal(text: str = "no, the other file", **changes: object) -> Signal:
    found = finding(text, **{k: v for k, v in changes.items() if k in ("line", "message_id")})
    return make_signal(found, transcript(), Rule(), stamp())


def test_one_fact_when_found_on_two_hosts_and_nights_has_one_id() -> None:
    first = make_signal(finding("no, the other file"), transcript(), Rule(), stamp())
    again = make_signal(
        finding("no, the other file"),
        transcript(source_file="/Users/sam/t/s1.jsonl"),
        Rule(version=2),
        stamp("beta", date(2026, 5, 10)),
    )

    assert first.id == again.id
    assert first.host != again.host


def test_message_with_an_id_when_repeated_in_another_file_has_one_id() -> None:
    first = make_signal(finding("stop that", message_id="m-1"), transcript("s1"), Rule(), stamp())
    replay = make_signal(finding("stop that", 90, "m-1"), transcript("s2"), Rule(), stamp())

    assert first.id == replay.id


def test_different_facts_have_different_ids() -> None:
    signals = [
        signal(line=3),
        signal(line=4),
        signal("something else"),
        make_signal(finding("no, the other file"), transcript("s2"), Rule(), stamp()),
        make_signal(finding("no, the other file"), transcript(), Rule("test.other"), stamp()),
    ]

    assert len({s.id for s in signals}) == len(signals)


def test_signal_when_appended_and_read_back_is_the_same() -> None:
    made = signal("mail me@example.org about it", message_id="m-1")
    draft = made.to_draft(1_000)
    event = Event("ops", Writer("alpha", "0" * 16), draft.stored(1))

    assert signal_from_payload(event.payload()) == made
    assert event.stored.event_class == "learning"
    assert event.stored.object_ref == f"signal:{made.id}"
    assert event.stored.correlation_id == night_id("2026-05-09")


def test_signals_event_carries_subsystem_and_summary_for_queries() -> None:
    payload = signal("no,\nthe other").to_draft(1).payload

    assert isinstance(payload, dict)
    assert payload["subsystem"] == "review-correction"
    assert payload["summary"] == "no, the other"


def test_event_id_of_one_fact_is_the_same_on_two_hosts() -> None:
    first = make_signal(finding("no, not that one"), transcript(), Rule(), stamp("alpha"))
    second = make_signal(finding("no, not that one"), transcript(), Rule(), stamp("beta"))

    assert first.to_draft(1).event_id == second.to_draft(2).event_id


def test_learning_event_of_another_maker_is_no_signal() -> None:
    assert signal_from_payload({"subsystem": "review-x", "note": "hello"}) is None
    assert signal_from_payload({"schema": 1, "id": 5}) is None
    assert signal_from_payload("text") is None


def test_texts_of_a_signal_are_redacted_and_counted() -> None:
    found = finding("wrong: write to sam@example.org, key AKIAABCDEFGHIJKLMNOP")
    made = make_signal(replace(found, command="cat /home/alex/notes"), transcript(), Rule(), stamp())

    assert made.excerpt == "wrong: write to [email], key [aws key]"
    assert made.command == "cat ~/notes"
    assert made.source_file == "~/t/s1.jsonl"
    assert made.redactions == 3


def test_order_of_signals_is_reader_host_file_place() -> None:
    late = make_signal(finding("no, second one", line=9), transcript(), Rule(), stamp())
    early = make_signal(finding("no, first one", line=2), transcript(), Rule(), stamp())
    other = make_signal(
        finding("no, third one"), transcript(source_file="/home/alex/u/s9.jsonl"), Rule(), stamp()
    )

    assert sorted([other, late, early], key=lambda s: s.order) == [early, late, other]
