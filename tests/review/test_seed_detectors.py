"""The seed's rules: what fires, what does not, and with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jilog_review.detector import Finding
from jilog_review.detectors.seed import seed_detectors
from jilog_review.envelope import error_text, failed_flag
from jilog_review.transcript import (
    AnyEntry,
    Denial,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
    Transcript,
    raw_json,
)
from support.review_night import generic, say, write_lines


def findings(tmp_path: Path, *records: object) -> list[Finding]:
    """Run all of the seed's rules over one generic transcript."""
    path = write_lines(tmp_path / "t/s.jsonl", *records)
    reader = generic(path.parent)
    (source,) = reader.discover(0).sources
    transcript = reader.read(source, None).transcript
    return [found for detector in seed_detectors() for found in detector.detect(transcript)]


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind.value for finding in found]


@pytest.mark.parametrize(
    ("text", "fires"),
    [
        ("no, you misunderstood the goal here", True),
        ("yes - clean it up please", True),
        ("just a short", False),
        ("x" * 14, False),
        ("x" * 15, True),
        ("é" * 200, True),
        ("x" * 201, False),
        ("   no, stop   ", False),
        ("x" * 190 + " " * 11, False),
    ],
)
def test_correction_is_a_short_message_between_two_of_the_assistant(
    tmp_path: Path, text: str, fires: bool
) -> None:
    found = findings(tmp_path, say("assistant", "a"), say("user", text), say("assistant", "b"))

    assert [finding.excerpt for finding in found] == ([text] if fires else [])


@pytest.mark.parametrize(
    "roles",
    [
        ("user", "user", "assistant"),
        ("assistant", "user", "user"),
        ("assistant", "user"),
        ("assistant", "tool", "user", "assistant"),
        ("assistant", "system", "user", "assistant"),
    ],
)
def test_message_without_the_assistant_on_both_sides_is_no_correction(
    tmp_path: Path, roles: tuple[str, ...]
) -> None:
    assert findings(tmp_path, *[say(role, "this is long enough") for role in roles]) == []


def test_tool_result_sent_back_under_the_users_role_is_no_correction(tmp_path: Path) -> None:
    block = {"type": "tool_result", "tool_use_id": "t", "content": "this is long enough"}

    assert findings(tmp_path, say("assistant", "a"), say("user", [block]), say("assistant", "b")) == []


def at(line: int) -> dict[str, int]:
    return {"line": line, "offset": line * 100}


def test_injected_text_and_calls_between_messages_are_no_correction() -> None:
    def spoken(line: int, role: str, provenance: Provenance) -> Message:
        return Message(**at(line), role=role, text="this is long enough", provenance=provenance)

    entries: tuple[AnyEntry, ...] = (
        spoken(1, "assistant", Provenance.ASSISTANT),
        ToolCall(**at(2), call_id="c", tool="Bash"),
        spoken(3, "user", Provenance.INJECTED),
        spoken(4, "assistant", Provenance.ASSISTANT),
        ToolCall(**at(5), call_id="d", tool="Bash"),
        spoken(6, "user", Provenance.HUMAN),
        spoken(7, "assistant", Provenance.ASSISTANT),
    )
    transcript = Transcript("x", "s", "s", "/s", entries)

    found = [f for detector in seed_detectors() for f in detector.detect(transcript)]

    assert [f.entry.line for f in found] == [6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"success": False, "error": "boom"}, "boom"),
        ({"success": False, "error": ["first issue", "second issue"]}, "first issue"),
        ({"success": False, "error": {"message": "b", "code": 1}}, '{"code":1,"message":"b"}'),
        ({"success": False, "error": None, "info": "x"}, '{"error":null,"info":"x","success":false}'),
        ({"success": False, "error": []}, '{"error":[],"success":false}'),
        ({"success": False, "output": "only"}, '{"output":"only","success":false}'),
    ],
)
def test_failed_envelope_gives_its_message(tmp_path: Path, content: object, message: str) -> None:
    as_text = findings(tmp_path, say("tool", json.dumps(content), "bash"))
    as_object = findings(tmp_path, say("tool", content, "bash"))

    assert [finding.excerpt for finding in as_text] == [message]
    assert [finding.excerpt for finding in as_object] == [message]


@pytest.mark.parametrize(
    "content",
    ['{"success": true}', '{"success": "false"}', '{"ok": false}', "success false", '["success", false]', ""],
)
def test_anything_else_is_no_error(tmp_path: Path, content: str) -> None:
    assert findings(tmp_path, say("tool", content, "bash")) == []


def test_timeout_of_the_shell_is_an_error_here(tmp_path: Path) -> None:
    """Later versions of the seed leave it out; its published example is built on it."""
    message = "Command timed out after 30 seconds"
    found = findings(tmp_path, say("tool", {"success": False, "error": {"message": message}}, "bash"))

    assert kinds(found) == ["error"]


def test_tool_without_a_name_is_called_unknown(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, say("tool", {"success": False, "error": "boom"}))

    assert found.tool == "unknown"


def test_flagged_result_is_an_error_unless_the_call_was_refused() -> None:
    def result(line: int, denial: Denial | None, failed: bool | None) -> ToolResult:
        body = raw_json(f"Exit code {line}")
        return ToolResult(**at(line), call_id="c", tool="Bash", body=body, failed=failed, denial=denial)

    entries = (
        result(1, None, True),
        result(2, Denial.USER, True),
        result(3, None, None),
        result(4, None, False),
    )
    transcript = Transcript("x", "s", "s", "/s", entries)

    found = [f for detector in seed_detectors() for f in detector.detect(transcript)]

    assert [(f.entry.line, f.excerpt) for f in found] == [(1, "Exit code 1")]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Using a hardcoded value for now until config is wired.", "for now"),
        ("TODO: refactor this hack workaround later.", "workaround"),
        ("a todo list", "TODO"),
        ("FIXME soon", "FIXME"),
        ("A Quick Fix", "quick fix"),
        ("nothing to see", None),
    ],
)
def test_workaround_is_the_first_phrase_of_the_list(tmp_path: Path, text: str, label: str | None) -> None:
    found = findings(tmp_path, say("assistant", text), say("user", text))

    assert [(finding.kind.value, finding.label) for finding in found] == (
        [("workaround", label)] if label else []
    )


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I'll come back to this", "come back to"),
        ("Deferring until later", "defer"),
        ("Let's punt on it", "punt on"),
        ("leave for later", "leave for later"),
        ("skipping for now", "skipping for now"),
        ("we park for now", "park for now"),
        ("in the next session", "next session"),
        ("circle back", "circle back"),
    ],
)
def test_deferral_is_the_first_phrase_of_the_list(tmp_path: Path, text: str, label: str) -> None:
    found = [f for f in findings(tmp_path, say("assistant", text)) if f.kind.value == "deferral"]

    assert [finding.label for finding in found] == [label]


def test_texts_in_blocks_are_read_and_calls_in_them_are_not(tmp_path: Path) -> None:
    blocks = [
        {"type": "text", "text": "All is well."},
        {"type": "tool_use", "id": "t", "name": "Write", "input": {"content": "TODO"}},
        {"type": "text", "text": "It is hardcoded."},
    ]

    (found,) = findings(tmp_path, say("assistant", blocks))

    assert (found.label, found.excerpt) == ("hardcoded", "All is well.\nIt is hardcoded.")


def test_envelope_that_is_none_is_left_as_it_is() -> None:
    assert error_text("plain words") == "plain words"
    assert error_text("[1]") == "[1]"
    assert failed_flag('{"success": 5}') is None
