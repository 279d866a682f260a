"""Every way in which a harness records that something failed or was stopped, and what comes of it.

One row a shape: the lines that the harness writes, read from a file by its reader and judged by the precise
rules. What the rules say of a row's text is not the point here; that the failure is seen for what it was is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.transcript import Marker, Transcript
from support.recorded import (
    CODEX_PATCH,
    FAILED,
    NOT_FOUND,
    PI_CALL,
    REFUSED,
    Shape,
    amplifier,
    amplifier_events,
    answered,
    claude,
    claude_call,
    claude_gave,
    claude_result,
    codex,
    codex_event,
    codex_gave,
    codex_item,
    codex_text,
    copilot,
    copilot_gave,
    gemini,
    gemini_document,
    opencode,
    opencode_tool,
    pi,
    pi_gave,
    spoken,
)

MISSING = "A:friction.command-not-found"
CLAUDE: dict[str, tuple[Shape, list[str]]] = {
    "exit code before the output": (claude_gave(f"Exit code 127\n{NOT_FOUND}"), [MISSING]),
    "content in blocks": (claude_gave([{"type": "text", "text": f"Exit code 127\n{NOT_FOUND}"}]), [MISSING]),
    "error text beside the result": (
        claude_gave(f"Exit code 127\n{NOT_FOUND}", toolUseResult=f"Error: Exit code 127\n{NOT_FOUND}"),
        [MISSING],
    ),
    "error of a tool in tags": (
        claude(
            claude_call("Read", file_path="/w/app/a.py"),
            claude_result("<tool_use_error>File does not exist.</tool_use_error>"),
        ),
        ["A:friction.missing-file"],
    ),
    "flag absent, failure behind a pipe": (
        claude(
            claude_call(command="pytst -q | tail -3"),
            claude_result(NOT_FOUND, is_error=None),
        ),
        ["B:dev_loop.masked-failure"],
    ),
    "refused with words": (
        claude_gave(f"{REFUSED} To tell you how to proceed, the user said:\nuse uv, do not edit a.py"),
        ["A:rejected-with-text"],
    ),
    "refused without a word": (claude_gave(REFUSED, toolUseResult="User rejected tool use"), ["rejection"]),
    "refused, told by its kind": (claude_gave("No.", toolDenialKind="user-rejected"), ["rejection"]),
    "denied by a rule": (
        claude_gave("Permission to use Bash with command pytst has been denied."),
        ["B:policy_deny.denied"],
    ),
    "denied for this action": (
        claude_gave("Permission for this action has been denied. Reason: pushes need a person."),
        ["B:policy_deny.denied"],
    ),
    "denied, told by its kind": (
        claude_gave("Not now.", toolDenialKind="permission-rule"),
        ["B:policy_deny.denied"],
    ),
    "denied by the automatic mode": (
        claude_gave("The mode is unavailable.", toolDenialKind="automode-unavailable"),
        ["B:policy_deny.denied"],
    ),
    "cancelled with its batch": (
        claude_gave("<tool_use_error>Sibling tool call errored</tool_use_error>"),
        [],
    ),
    "interrupted, then put right": (
        claude(
            spoken("assistant", [{"type": "text", "text": "I am rewriting the tests."}]),
            spoken("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
            spoken("user", "only the fast ones"),
        ),
        ["A:after-interrupt", "interrupt"],
    ),
    "interrupted in a call": (
        claude(
            claude_call(),
            spoken("user", [{"type": "text", "text": "[Request interrupted by user for tool use]"}]),
        ),
        ["interrupt"],
    ),
    "typed while the agent worked": (
        claude(
            spoken("assistant", [{"type": "text", "text": "I am rewriting the tests."}]),
            {
                "type": "attachment",
                "attachment": {
                    "type": "queued_command",
                    "prompt": "no, that is the wrong file",
                    "commandMode": "prompt",
                },
            },
        ),
        ["A:opens-with-no"],
    ),
    "the service failed": (
        claude({"type": "system", "subtype": "api_error", "error": {"status": 529}, "level": "error"}),
        ["api_error"],
    ),
    "the service failed, as a message": (
        claude(
            spoken(
                "assistant",
                [{"type": "text", "text": "API Error: 500 overloaded"}],
                isApiErrorMessage=True,
                error="server_error",
            )
        ),
        ["api_error"],
    ),
    "context compacted": (
        claude(
            {
                "type": "system",
                "subtype": "compact_boundary",
                "compactMetadata": {"trigger": "auto", "preTokens": 150_000},
            }
        ),
        ["compaction"],
    ),
    "a hook's words": (claude(spoken("user", "Stop hook feedback:\n[./check.sh]: no, that is wrong")), []),
    "stopped by a hook": (claude(spoken("user", "Operation stopped by hook: no, that is wrong")), []),
}

CODEX: dict[str, tuple[Shape, list[str]]] = {
    "status in the text": (codex_gave(codex_text(127, NOT_FOUND)), [MISSING]),
    "status in the text, in blocks": (
        codex_gave([{"type": "input_text", "text": codex_text(127, NOT_FOUND)}]),
        [MISSING],
    ),
    "status of an older version": (
        codex_gave(json.dumps({"output": NOT_FOUND, "metadata": {"exit_code": 127}})),
        [MISSING],
    ),
    "status of a patch": (
        codex(
            CODEX_PATCH, codex_item("custom_tool_call_output", output="Exit code: 1\nOutput:\nno such file")
        ),
        ["A:friction.tool-failed"],
    ),
    "patch that does not fit": (
        codex(
            CODEX_PATCH,
            codex_item(
                "custom_tool_call_output",
                output="apply_patch verification failed: Failed to find expected lines in /w/a.py:\nx",
            ),
        ),
        ["A:friction.tool-failed"],
    ),
    "patch whose event says so": (
        codex(
            CODEX_PATCH,
            codex_event("patch_apply_end", call_id="c1", success=False, stderr="could not write a.py"),
            codex_item("custom_tool_call_output", output="could not write a.py"),
        ),
        ["A:friction.tool-failed"],
    ),
    "call of a server whose event says so": (
        codex(
            codex_item("function_call", name="lookup", arguments="{}"),
            codex_event("mcp_tool_call_end", call_id="c1", result={"Err": "the server went away"}),
            codex_item("function_call_output", output="the server went away"),
        ),
        ["A:friction.tool-failed"],
    ),
    "writing to a program that is gone": (
        codex(
            codex_item("function_call", name="write_stdin", arguments='{"session_id": 5, "chars": ""}'),
            codex_item("function_call_output", output="write_stdin failed: stdin is closed for this session"),
        ),
        [],
    ),
    "aborted by the user": (codex_gave("aborted by user after 3.1s"), []),
    "turn aborted": (codex(codex_event("turn_aborted", reason="interrupted")), ["interrupt"]),
    "context compacted": (codex(("compacted", {"message": "summary"})), ["compaction"]),
}

COPILOT: dict[str, tuple[Shape, list[str]]] = {
    "a status in a successful call's trailer": (
        copilot_gave(
            success=True, result={"content": f"{NOT_FOUND}\n<shellId: 0 completed with exit code 127>"}
        ),
        [MISSING],
    ),
    "the trailer of an older version": (
        copilot_gave(success=True, result={"content": f"{NOT_FOUND}\n<exited with exit code 127>"}),
        [MISSING],
    ),
    "a failure with a code": (
        copilot_gave("view", success=False, error={"message": "Path does not exist", "code": "failure"}),
        ["A:friction.missing-file"],
    ),
    "denied": (
        copilot_gave(success=False, error={"message": "Permission denied by a rule", "code": "denied"}),
        ["B:policy_deny.denied"],
    ),
    "refused": (
        copilot_gave(success=False, error={"message": "The user rejected this call", "code": "rejected"}),
        ["rejection"],
    ),
    "aborted": (copilot(("abort", {"reason": "user initiated"})), ["interrupt"]),
    "context compacted": (copilot(("session.compaction_complete", {"success": True})), ["compaction"]),
}

AMPLIFIER: dict[str, tuple[Shape, list[str]]] = {
    "an envelope in the messages": (
        amplifier(
            "transcript.jsonl",
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "tool": "bash", "arguments": {"command": "pytst"}}],
            },
            {"role": "tool", "name": "bash", "tool_call_id": "c1", "content": json.dumps(FAILED)},
        ),
        [MISSING],
    ),
    "a result in the events": (amplifier_events("ts"), [MISSING]),
    "a result in the events of an older version": (amplifier_events("timestamp"), [MISSING]),
}

PI: dict[str, tuple[Shape, list[str]]] = {
    "a flag and the status in the text": (
        pi(PI_CALL, pi_gave(f"{NOT_FOUND}\n\nCommand exited with code 127", isError=True)),
        [MISSING],
    ),
    "the same in a list of version 1": (
        pi(PI_CALL, pi_gave(f"{NOT_FOUND}\n\nCommand exited with code 127", isError=True), version=None),
        [MISSING],
    ),
    "a command of the person's own": (
        pi({"role": "bashExecution", "command": "pytst", "output": NOT_FOUND, "exitCode": 127}),
        [],
    ),
    "the service failed": (
        pi({"role": "assistant", "content": [], "stopReason": "error", "errorMessage": "overloaded"}),
        ["api_error"],
    ),
    "aborted": (pi({"role": "assistant", "content": [], "stopReason": "aborted"}), ["interrupt"]),
    "context compacted": (
        pi({"type": "compaction", "summary": "…", "firstKeptEntryId": "1", "tokensBefore": 90_000}),
        ["compaction"],
    ),
    "a branch that was left": (
        pi(
            {"role": "user", "content": "try a"},
            {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
            {"type": "message", "parentId": "00000001", "message": {"role": "user", "content": "try b"}},
        ),
        ["branch"],
    ),
}

GEMINI: dict[str, tuple[Shape, list[str]]] = {
    "a status of the call": (gemini(status="error", result=answered(error=NOT_FOUND)), [MISSING]),
    "nothing but the exit code": (gemini(status="error", result=answered(error="Exit Code: 127")), [MISSING]),
    "the exit code of a successful call": (
        gemini(status="success", result=answered(output=f"Output: {NOT_FOUND}\nExit Code: 127")),
        [MISSING],
    ),
    "a document of an older version": (
        gemini_document(status="error", result=answered(error=NOT_FOUND)),
        [MISSING],
    ),
    "cancelled": (
        gemini(
            status="cancelled",
            result=answered(error="[Operation Cancelled] Reason: User cancelled the operation."),
        ),
        [],
    ),
}

OPENCODE: dict[str, tuple[Shape, list[str]]] = {
    "a status of the part": (
        opencode_tool("read", status="error", error="File not found: /w/app/a.py"),
        ["A:friction.missing-file"],
    ),
    "the exit status of a completed shell": (
        opencode_tool("bash", status="completed", output=NOT_FOUND, metadata={"exit": 127}),
        [MISSING],
    ),
    "a call that no tool understood": (
        opencode_tool("invalid", status="completed", output="The arguments are invalid: missing filePath"),
        ["A:friction.tool-failed"],
    ),
    "aborted": (
        opencode({"error": {"name": "MessageAbortedError", "data": {"message": "aborted"}}}),
        ["interrupt"],
    ),
    "the service failed": (
        opencode({"error": {"name": "APIError", "data": {"message": "overloaded"}}}),
        ["api_error"],
    ),
}

HARNESSES = {
    "claude-code": CLAUDE,
    "codex": CODEX,
    "copilot": COPILOT,
    "amplifier": AMPLIFIER,
    "pi": PI,
    "gemini": GEMINI,
    "opencode": OPENCODE,
}
ROWS = [
    pytest.param(shape, expected, id=f"{harness}: {name}")
    for harness, rows in HARNESSES.items()
    for name, (shape, expected) in rows.items()
]


def seen(transcript: Transcript) -> list[str]:
    """Name what was found, with tier and rule, and what else is known to have happened."""
    found = [
        f"{finding.tier.value}:{finding.rule}"
        for detector in precise_detectors()
        for finding in detector.detect(transcript)
    ]
    return found + [entry.kind.value for entry in transcript.entries if isinstance(entry, Marker)]


@pytest.mark.parametrize(("shape", "expected"), ROWS)
def test_failure_is_seen_for_what_it_was(shape: Shape, expected: Sequence[str], tmp_path: Path) -> None:
    transcript = shape(tmp_path)

    assert seen(transcript) == expected
    assert transcript.coverage.unknown == {}
    assert transcript.coverage.bad_lines == 0
