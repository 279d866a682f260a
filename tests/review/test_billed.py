"""Spend over several nights: a response counts once, whatever night its copy is read on and whoever dies."""

from __future__ import annotations

from array import array
from datetime import timedelta
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_ledger.event import EventDraft
from jilog_review import limits
from jilog_review.billed import Billed, decode_billed, encode_billed, response_key
from jilog_review.transcript import Usage
from support.learned import a_run
from support.review_night import NIGHT, Host, append_lines, claude, write_lines

NEXT = NIGHT + timedelta(days=1)


def response(message_id: str, uuid: str, tokens: int) -> dict[str, object]:
    message = {"role": "assistant", "id": message_id, "content": [{"type": "text", "text": "hm"}]}
    usage = {"input_tokens": tokens, "output_tokens": 1}
    return {
        "type": "assistant",
        "uuid": uuid,
        "timestamp": "2026-05-08T09:00:00.000Z",
        "message": {**message, "usage": usage},
    }


def spent(host: Host) -> Usage:
    """Add up what the host's recorded reviews say was consumed."""
    payloads = [event.payload() for event in host.log.events(NIGHT, NEXT)]
    runs = [payload for payload in payloads if payload["subsystem"] == "review-run"]  # type: ignore[index,call-overload] # objects
    return Usage(
        sum(run["input_tokens"] for run in runs),  # type: ignore[index,call-overload,misc] # as above
        sum(run["output_tokens"] for run in runs),  # type: ignore[index,call-overload,misc] # as above
    )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    write_lines(tmp_path / "p/first.jsonl", response("msg_1", "u1", 10), response("msg_2", "u2", 20))
    return Host("alpha", claude(tmp_path), folder=tmp_path)


def test_response_that_a_resumed_session_repeats_on_a_later_night_is_counted_once(
    host: Host, tmp_path: Path
) -> None:
    host.review()
    copied = [response("msg_1", "v1", 10), response("msg_2", "v2", 20), response("msg_3", "v3", 40)]
    write_lines(tmp_path / "p/second.jsonl", *copied)

    second = host.review(day=NEXT)

    assert second.scan.usage == Usage(40, 1)
    assert spent(host) == Usage(70, 3)


def test_file_that_was_replaced_by_a_longer_copy_of_itself_is_counted_once(
    host: Host, tmp_path: Path
) -> None:
    host.review()
    path = tmp_path / "p/first.jsonl"
    lines = path.read_bytes()
    path.unlink()
    path.write_bytes(lines)
    append_lines(path, response("msg_3", "u3", 40))

    host.review(day=NEXT)

    assert spent(host) == Usage(70, 3)


def test_lost_cursors_read_everything_again_and_count_no_response_again(host: Host) -> None:
    host.review()
    host.cursors = {}

    again = host.review(day=NEXT)

    assert again.scan.coverage.lines == 2
    assert spent(host) == Usage(30, 2)


def test_review_that_died_after_its_event_was_appended_has_counted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_cursors: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr(host, "_save", die)
        with pytest.raises(SystemExit):
            host.review()

    host.review()

    assert spent(host) == Usage(30, 2)


def test_review_that_died_before_its_event_was_appended_has_counted_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_drafts: list[EventDraft]) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr(host.log, "append", die)
        with pytest.raises(SystemExit):
            host.review()
    assert host.billed.pending

    host.review()

    assert spent(host) == Usage(30, 2)


def test_dry_run_shows_what_would_be_counted_and_remembers_nothing(host: Host) -> None:
    host.review()
    before = host.billed

    dry = host.review(day=NEXT, dry_run=True)

    assert dry.scan.usage == Usage()
    assert host.billed == before


def test_another_profile_counts_for_itself() -> None:
    assert response_key("seed", "codex", "k") != response_key("precise", "codex", "k")
    assert response_key("seed", "codex", "k") != response_key("seed", "pi", "k")


def test_oldest_are_forgotten_a_generation_at_a_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BILLED_GENERATION_MAX", 10)
    billed = Billed()
    for night in range(9):
        host.log.append([a_run().to_draft(night)])
        event_id = host.log.kept[-1].stored.event_id
        billed = billed.awaiting(event_id, NIGHT, range(night * 5, night * 5 + 5)).settled(host.log)
        assert len(billed.older) + len(billed.newer) <= 20

    assert [key for key in range(45) if key in billed] == list(range(30, 45))


def test_file_of_another_ledger_is_not_used() -> None:
    data = encode_billed(Billed(newer=array("Q", [1, 2, 2**64 - 1])), "alpha/1")

    assert list(decode_billed(data, "alpha/1").newer) == [1, 2, 2**64 - 1]
    assert decode_billed(data, "alpha/2").is_empty


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_file_that_is_damaged_is_told(cut: int) -> None:
    data = encode_billed(Billed().awaiting(b"x" * 16, NIGHT, [1, 2]), "alpha/1")

    with pytest.raises(InputError, match="cannot be read"):
        decode_billed(data[:cut], "alpha/1")
