"""The precise rules on harnesses' own lines: one mishap has one fingerprint, whoever recorded it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest

from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.issue_text import title_of
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.redact import redact
from jilog_review.signal import Signal, Stamp, make_signal
from support.transcripts import write_lines

STAMP = Stamp("alpha", "precise", date(2026, 5, 9), redact)
SESSION = "11111111-2222-4333-8444-555555555555"
NOT_FOUND = "bash: pytst: command not found"
Record = Mapping[str, object]


def signals(kind: str, root: Path, name: str, records: Sequence[Record]) -> list[Signal]:
    """Write one session file, read it with its reader, and judge it."""
    write_lines(root / name, records)
    reader = make_reader(ReaderConfig(kind, {"path": str(root)}))
    (source,) = reader.discover(0).sources
    transcript = reader.read(source, None).transcript
    return [
        make_signal(found, transcript, detector, STAMP)
        for detector in precise_detectors()
        for found in detector.detect(transcript)
    ]


def claude_line(number: int, kind: str, content: object, **fields: object) -> Record:
    return {
        "type": kind,
        "uuid": f"u{number}",
        "sessionId": SESSION,
        "timestamp": f"2026-11-01T09:00:{number:02}.000Z",
        "message": {"role": kind, "content": content},
        **fields,
    }


def use(call_id: str, tool: str, **arguments: object) -> list[Record]:
    return [{"type": "tool_use", "id": call_id, "name": tool, "input": arguments}]


def gave(call_id: str, text: str, *, is_error: bool | None = None) -> list[Record]:
    return [{"type": "tool_result", "tool_use_id": call_id, "content": text, "is_error": is_error}]


def claude(root: Path, *lines: Record) -> list[Signal]:
    return signals("claude-code", root, f"-w-app/{SESSION}.jsonl", lines)


def claude_not_found(root: Path) -> list[Signal]:
    return claude(
        root,
        claude_line(1, "user", "run the tests"),
        claude_line(2, "assistant", use("t1", "Bash", command="pytst -q")),
        claude_line(3, "user", gave("t1", f"Exit code 127\n{NOT_FOUND}", is_error=True)),
    )


def codex_line(second: int, kind: str, **payload: object) -> Record:
    return {"timestamp": f"2026-11-01T09:00:{second:02}.000Z", "type": kind, "payload": payload}


def codex_not_found(root: Path) -> list[Signal]:
    output = f"Chunk ID: a1\nWall time: 0.1 seconds\nProcess exited with code 127\nOutput:\n{NOT_FOUND}\n"
    arguments = json.dumps({"cmd": "pytst -q", "workdir": "/w/app"})
    lines = (
        codex_line(0, "session_meta", id=SESSION, cwd="/w/app"),
        codex_line(1, "event_msg", type="user_message", message="run the tests"),
        codex_line(
            2, "response_item", type="function_call", name="exec_command", arguments=arguments, call_id="c1"
        ),
        codex_line(3, "response_item", type="function_call_output", call_id="c1", output=output),
    )
    return signals("codex", root, f"2026/11/01/rollout-2026-11-01T09-00-00-{SESSION}.jsonl", lines)


def copilot_event(number: int, kind: str, **data: object) -> Record:
    moment = f"2026-11-01T09:00:{number:02}.000Z"
    return {"type": kind, "data": data, "id": f"e{number}", "timestamp": moment, "parentId": None}


def copilot_not_found(root: Path) -> list[Signal]:
    text = f"{NOT_FOUND}\n<shellId: 0 completed with exit code 127>"
    lines = (
        copilot_event(0, "session.start", sessionId=SESSION, version=1, context={"cwd": "/w/app"}),
        copilot_event(1, "user.message", content="run the tests"),
        copilot_event(
            2, "tool.execution_start", toolCallId="t1", toolName="bash", arguments={"command": "pytst -q"}
        ),
        copilot_event(3, "tool.execution_complete", toolCallId="t1", success=True, result={"content": text}),
    )
    return signals("copilot", root, f"{SESSION}/events.jsonl", lines)


def pi_not_found(root: Path) -> list[Signal]:
    call = {"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": "pytst -q"}}
    text = [{"type": "text", "text": f"{NOT_FOUND}\n\nCommand exited with code 127"}]
    answer = {"role": "toolResult", "toolCallId": "c1", "toolName": "bash", "content": text, "isError": True}
    head = {
        "type": "session",
        "version": 3,
        "id": SESSION,
        "timestamp": "2026-11-01T09:00:00.000Z",
        "cwd": "/w",
    }
    lines: list[Record] = [head]
    for number, message in enumerate(({"role": "assistant", "content": [call]}, answer), start=1):
        parent = f"{number - 1:08x}" if number > 1 else None
        moment = f"2026-11-01T09:00:{number:02}.000Z"
        line = {"type": "message", "id": f"{number:08x}", "parentId": parent, "timestamp": moment}
        lines.append({**line, "message": message})
    return signals("pi", root, f"--w-app--/2026-11-01T09-00-00-000Z_{SESSION}.jsonl", lines)


def amplifier_not_found(root: Path) -> list[Signal]:
    call = {"id": "c1", "tool": "bash", "arguments": {"command": "pytst -q"}}
    envelope = {"success": False, "output": None, "error": {"message": NOT_FOUND}}
    lines = (
        {"role": "user", "content": "run the tests"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "name": "bash", "tool_call_id": "c1", "content": json.dumps(envelope)},
    )
    return signals("amplifier", root, f"app/sessions/{SESSION}/transcript.jsonl", lines)


def generic_not_found(root: Path) -> list[Signal]:
    envelope = json.dumps({"success": False, "error": NOT_FOUND})
    write_lines(root / SESSION / "log.jsonl", [{"role": "tool", "name": "bash", "content": envelope}])
    reader = make_reader(ReaderConfig("generic", {"path": str(root / "*" / "log.jsonl")}))
    (source,) = reader.discover(0).sources
    transcript = reader.read(source, None).transcript
    return [
        make_signal(found, transcript, detector, STAMP)
        for detector in precise_detectors()
        for found in detector.detect(transcript)
    ]


@pytest.mark.parametrize("record", [amplifier_not_found, generic_not_found])
def test_failure_in_an_envelope_is_told_by_its_message(record: object, tmp_path: Path) -> None:
    assert callable(record)
    (signal,) = record(tmp_path)

    assert (signal.rule, signal.tier.value) == ("friction.command-not-found", "A")
    assert signal.excerpt == NOT_FOUND
    assert title_of(signal) == "[jilog/error] bash: command not found: pytst"


@pytest.mark.parametrize("record", [claude_not_found, codex_not_found, copilot_not_found, pi_not_found])
def test_misspelt_command_is_friction_in_every_harness(record: object, tmp_path: Path) -> None:
    assert callable(record)
    (signal,) = record(tmp_path)

    assert (signal.rule, signal.tier.value) == ("friction.command-not-found", "A")
    assert signal.command == "pytst -q"


def test_misspelt_command_has_one_fingerprint_in_every_harness(tmp_path: Path) -> None:
    makers = (
        claude_not_found,
        codex_not_found,
        copilot_not_found,
        pi_not_found,
        amplifier_not_found,
        generic_not_found,
    )
    prints = {maker(tmp_path / maker.__name__)[0].fingerprint for maker in makers}

    assert len(prints) == 1


def test_words_typed_while_refusing_a_call_are_a_correction_and_no_error(tmp_path: Path) -> None:
    refusal = (
        "The user doesn't want to proceed with this tool use. The tool use was rejected. "
        "To tell you how to proceed, the user said:\nuse uv run pytest, do not edit a.py"
    )
    found = claude(
        tmp_path,
        claude_line(1, "user", "fix the parser"),
        claude_line(2, "assistant", use("t1", "Edit", file_path="a.py", old_string="a", new_string="b")),
        claude_line(3, "user", gave("t1", refusal, is_error=True), toolDenialKind="user-rejected"),
    )

    assert [(signal.kind.value, signal.rule) for signal in found] == [("correction", "rejected-with-text")]
    assert found[0].excerpt == "use uv run pytest, do not edit a.py"


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("The user doesn't want to proceed with this tool use. The tool use was rejected.", {}),
        ("<tool_use_error>Sibling tool call errored</tool_use_error>", {}),
        ("Sibling tool call errored", {}),
        ("[Request interrupted by user for tool use]", {}),
    ],
)
def test_call_that_was_stopped_leaves_no_signal(text: str, fields: dict[str, object], tmp_path: Path) -> None:
    found = claude(
        tmp_path,
        claude_line(1, "user", "fix the parser"),
        claude_line(2, "assistant", use("t1", "Bash", command="make")),
        claude_line(3, "user", gave("t1", text, is_error=True), **fields),
    )

    assert found == []


def test_refusal_by_a_rule_is_only_listed(tmp_path: Path) -> None:
    found = claude(
        tmp_path,
        claude_line(1, "assistant", use("t1", "Bash", command="rm -rf build")),
        claude_line(2, "user", gave("t1", "Permission to use Bash with command rm denied.", is_error=True)),
    )

    assert [(signal.rule, signal.tier.value) for signal in found] == [("policy_deny.denied", "B")]


def test_message_after_an_interrupt_is_a_correction_and_harness_text_is_not(tmp_path: Path) -> None:
    found = claude(
        tmp_path,
        claude_line(1, "user", "write the page"),
        claude_line(2, "assistant", [{"type": "text", "text": "Writing it."}]),
        claude_line(3, "user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        claude_line(4, "user", "the table goes before the text"),
        claude_line(5, "user", "<task-notification>no, wrong, you forgot</task-notification>"),
        claude_line(6, "user", "no, wrong, you forgot", isMeta=True),
        claude_line(
            7, "user", "This session is being continued: you forgot the table", isCompactSummary=True
        ),
    )

    assert [(signal.rule, signal.line) for signal in found] == [("after-interrupt", 4)]


def test_prompt_queued_in_the_middle_of_a_turn_is_judged(tmp_path: Path) -> None:
    queued = {"type": "queued_command", "prompt": "no, not that branch", "commandMode": "prompt"}
    found = claude(
        tmp_path,
        claude_line(1, "user", "merge it"),
        claude_line(2, "assistant", use("t1", "Bash", command="git merge main")),
        {"type": "attachment", "uuid": "u3", "sessionId": SESSION, "attachment": queued},
    )

    assert [signal.rule for signal in found] == ["opens-with-no"]


def test_mark_added_by_a_patch_of_codex_is_a_workaround(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Update File: a.ts\n@@\n-let a = b;\n+let a = b as any;\n*** End Patch"
    lines = (
        codex_line(0, "session_meta", id=SESSION, cwd="/w/app"),
        codex_line(
            1, "response_item", type="custom_tool_call", name="apply_patch", input=patch, call_id="c1"
        ),
        codex_line(
            2,
            "response_item",
            type="custom_tool_call_output",
            call_id="c1",
            output="Exit code: 0\nOutput:\nok",
        ),
    )
    found = signals("codex", tmp_path, f"2026/11/01/rollout-2026-11-01T09-00-00-{SESSION}.jsonl", lines)

    assert [(signal.rule, signal.excerpt) for signal in found] == [
        ("type-suppression", "a.ts: let a = b as any;")
    ]


def test_session_read_in_two_pieces_gives_what_it_gives_in_one(tmp_path: Path) -> None:
    lines = [
        claude_line(1, "user", "run the tests"),
        claude_line(2, "assistant", use("t1", "Bash", command="pytst -q")),
        claude_line(3, "user", gave("t1", f"Exit code 127\n{NOT_FOUND}", is_error=True)),
        claude_line(4, "assistant", [{"type": "text", "text": "It is missing."}]),
        claude_line(5, "user", "no, you forgot the venv"),
    ]
    whole = {signal.id for signal in claude(tmp_path / "whole", *lines)}
    path = write_lines(tmp_path / f"parts/-w-app/{SESSION}.jsonl", lines[:3])
    reader = make_reader(ReaderConfig("claude-code", {"path": str(tmp_path / "parts")}))
    (source,) = reader.discover(0).sources
    first = reader.read(source, None)
    write_lines(tmp_path / "rest.jsonl", lines[3:])
    with path.open("ab") as file:
        file.write((tmp_path / "rest.jsonl").read_bytes())
    second = reader.read(source, first.cursor)
    parts = {
        make_signal(found, reading.transcript, detector, STAMP).id
        for reading in (first, second)
        for detector in precise_detectors()
        for found in detector.detect(reading.transcript)
    }

    assert parts == whole
