"""The precise rules on harnesses' own lines: one mishap has one fingerprint, whoever recorded it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.issue_text import title_of
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.redact import redact
from jilog_review.signal import Signal, Stamp, make_signal
from jilog_review.transcript import Transcript
from support.recorded import (
    NOT_FOUND,
    PI_CALL,
    SESSION,
    Record,
    Shape,
    amplifier,
    amplifier_events,
    answered,
    claude,
    claude_call,
    claude_gave,
    claude_result,
    codex,
    codex_gave,
    codex_item,
    codex_text,
    copilot_gave,
    gemini,
    pi,
    pi_gave,
    read,
    spoken,
)
from support.transcripts import write_lines

STAMP = Stamp("alpha", "precise", date(2026, 5, 9), redact)
ENVELOPE = {"success": False, "output": None, "error": {"message": NOT_FOUND}}


def generic(root: Path) -> Transcript:
    """Write and read a session of the generic format."""
    write_lines(
        root / SESSION / "log.jsonl", [{"role": "tool", "name": "bash", "content": json.dumps(ENVELOPE)}]
    )
    return read("generic", root / "*" / "log.jsonl")


IN_ENVELOPE: dict[str, Shape] = {
    "amplifier": amplifier(
        "transcript.jsonl",
        {"role": "user", "content": "run the tests"},
        {"role": "tool", "name": "bash", "tool_call_id": "c1", "content": json.dumps(ENVELOPE)},
    ),
    "generic": generic,
}
PLAIN: dict[str, Shape] = {
    "claude-code": claude_gave(f"Exit code 127\n{NOT_FOUND}"),
    "codex": codex_gave(codex_text(127, NOT_FOUND)),
    "copilot": copilot_gave(
        success=True, result={"content": f"{NOT_FOUND}\n<shellId: 0 completed with exit code 127>"}
    ),
    "pi": pi(PI_CALL, pi_gave(f"{NOT_FOUND}\n\nCommand exited with code 127", isError=True)),
    "amplifier": amplifier_events("ts"),
    "gemini": gemini(status="error", result=answered(error=NOT_FOUND)),
}


def signals(shape: Shape, root: Path) -> list[Signal]:
    """Judge one session."""
    return judged(shape(root))


def judged(transcript: Transcript) -> list[Signal]:
    return [
        make_signal(found, transcript, detector, STAMP)
        for detector in precise_detectors()
        for found in detector.detect(transcript)
    ]


@pytest.mark.parametrize("harness", IN_ENVELOPE)
def test_failure_in_an_envelope_is_told_by_its_message(harness: str, tmp_path: Path) -> None:
    (signal,) = signals(IN_ENVELOPE[harness], tmp_path)

    assert (signal.rule, signal.tier.value) == ("friction.command-not-found", "A")
    assert signal.excerpt == NOT_FOUND
    assert title_of(signal) == "[jilog/error] bash: command not found: pytst"


@pytest.mark.parametrize("harness", PLAIN)
def test_misspelt_command_is_friction_in_every_harness(harness: str, tmp_path: Path) -> None:
    (signal,) = signals(PLAIN[harness], tmp_path)

    assert (signal.rule, signal.tier.value) == ("friction.command-not-found", "A")
    assert signal.command == "pytst -q"


def test_misspelt_command_has_one_fingerprint_in_every_harness(tmp_path: Path) -> None:
    shapes = [*PLAIN.values(), *IN_ENVELOPE.values()]
    prints = {
        signal.fingerprint
        for number, shape in enumerate(shapes)
        for signal in signals(shape, tmp_path / str(number))
    }

    assert len(shapes) == 8
    assert len(prints) == 1


def test_two_harnesses_that_count_their_calls_alike_in_a_session_of_one_name_have_two_facts(
    tmp_path: Path,
) -> None:
    found = [signals(shape, tmp_path / harness)[0] for harness, shape in PLAIN.items()]

    assert {signal.session_id for signal in found} == {SESSION}
    assert len({signal.id for signal in found}) == len(PLAIN)


def test_words_typed_while_refusing_a_call_are_a_correction_and_no_error(tmp_path: Path) -> None:
    refusal = (
        "The user doesn't want to proceed with this tool use. The tool use was rejected. "
        "To tell you how to proceed, the user said:\nuse uv run pytest, do not edit a.py"
    )
    session = claude(
        spoken("user", "fix the parser"),
        claude_call("Edit", file_path="a.py", old_string="a", new_string="b"),
        claude_result(refusal, toolDenialKind="user-rejected"),
    )

    found = signals(session, tmp_path)

    assert [(signal.kind.value, signal.rule) for signal in found] == [("correction", "rejected-with-text")]
    assert found[0].excerpt == "use uv run pytest, do not edit a.py"


def test_message_after_an_interrupt_is_a_correction_and_harness_text_is_not(tmp_path: Path) -> None:
    session = claude(
        spoken("user", "write the page"),
        spoken("assistant", [{"type": "text", "text": "Writing it."}]),
        spoken("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        spoken("user", "the table goes before the text"),
        spoken("user", "<task-notification>no, wrong, you forgot</task-notification>"),
        spoken("user", "no, wrong, you forgot", isMeta=True),
        spoken("user", "This session is being continued: you forgot the table", isCompactSummary=True),
    )

    found = signals(session, tmp_path)

    assert [(signal.rule, signal.line) for signal in found] == [("after-interrupt", 4)]


def test_mark_added_by_a_patch_of_codex_is_a_workaround(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Update File: a.ts\n@@\n-let a = b;\n+let a = b as any;\n*** End Patch"
    session = codex(
        codex_item("custom_tool_call", name="apply_patch", input=patch),
        codex_item("custom_tool_call_output", output="Exit code: 0\nOutput:\nok"),
    )

    found = signals(session, tmp_path)

    assert [(signal.rule, signal.excerpt) for signal in found] == [
        ("type-suppression", "a.ts: let a = b as any;")
    ]


def test_session_read_in_two_pieces_gives_what_it_gives_in_one(tmp_path: Path) -> None:
    lines: list[Record] = [
        spoken("user", "run the tests"),
        claude_call(),
        claude_result(f"Exit code 127\n{NOT_FOUND}"),
        spoken("assistant", [{"type": "text", "text": "It is missing."}]),
        spoken("user", "no, you forgot the venv"),
    ]
    whole = {signal.id for signal in signals(claude(*lines), tmp_path)}
    (path,) = tmp_path.rglob("*.jsonl")
    written = path.read_bytes().splitlines(keepends=True)
    reader = make_reader(ReaderConfig("claude-code", {"path": str(tmp_path)}))
    path.write_bytes(b"".join(written[:3]))
    (source,) = reader.discover(0).sources
    first = reader.read(source, None)
    with path.open("ab") as file:
        file.write(b"".join(written[3:]))

    second = reader.read(source, first.cursor)

    parts = {signal.id for reading in (first, second) for signal in judged(reading.transcript)}
    assert len(whole) == 2
    assert parts == whole
