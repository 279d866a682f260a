"""Sessions as the harnesses write them, from a few lines each: written to a file and read by its reader."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.transcript import Transcript
from support.transcripts import write_lines

SESSION = "11111111-2222-4333-8444-555555555555"
NOT_FOUND = "bash: pytst: command not found"
Record = Mapping[str, object]
Shape = Callable[[Path], Transcript]
"""Writes one session below a folder and reads it."""


def read(kind: str, root: Path, **options: object) -> Transcript:
    """Read the one session below ``root``."""
    reader = make_reader(ReaderConfig(kind, {"path": str(root), **options}, {"HOME": str(root)}))
    (source,) = reader.discover(0).sources
    return reader.read(source, None).transcript


def moment(number: int) -> str:
    return f"2026-11-01T09:00:{number:02}.000Z"


# Claude Code


def claude(*records: Record) -> Shape:
    def shape(root: Path) -> Transcript:
        lines = [
            {"uuid": f"u{number}", "sessionId": SESSION, "timestamp": moment(number), **record}
            for number, record in enumerate(records)
        ]
        write_lines(root / f"-w-app/{SESSION}.jsonl", lines)
        return read("claude-code", root)

    return shape


def spoken(role: str, content: object, **fields: object) -> Record:
    return {"type": role, "message": {"role": role, "content": content}, **fields}


def claude_call(tool: str = "Bash", **arguments: object) -> Record:
    block = {"type": "tool_use", "id": "t1", "name": tool, "input": arguments or {"command": "pytst -q"}}
    return spoken("assistant", [block])


def claude_result(content: object, *, is_error: bool | None = True, **fields: object) -> Record:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": is_error}
    return spoken("user", [block], **fields)


def claude_gave(content: object, **fields: object) -> Shape:
    return claude(claude_call(), claude_result(content, **fields))  # type: ignore[arg-type] # mixed fields


REFUSED = "The user doesn't want to proceed with this tool use. The tool use was rejected."


# Codex


def codex(*payloads: tuple[str, Record]) -> Shape:
    def shape(root: Path) -> Transcript:
        head = ("session_meta", {"id": SESSION, "cwd": "/w/app"})
        lines = [
            {"timestamp": moment(number), "type": kind, "payload": payload}
            for number, (kind, payload) in enumerate((head, *payloads))
        ]
        write_lines(root / f"2026/11/01/rollout-2026-11-01T09-00-00-{SESSION}.jsonl", lines)
        return read("codex", root)

    return shape


def codex_item(kind: str, **payload: object) -> tuple[str, Record]:
    return "response_item", {"type": kind, "call_id": "c1", **payload}


def codex_event(kind: str, **payload: object) -> tuple[str, Record]:
    return "event_msg", {"type": kind, **payload}


CODEX_CALL = codex_item("function_call", name="exec_command", arguments='{"cmd": "pytst -q"}')
CODEX_PATCH = codex_item(
    "custom_tool_call", name="apply_patch", input="*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n"
)


def codex_gave(output: object) -> Shape:
    return codex(CODEX_CALL, codex_item("function_call_output", output=output))


def codex_text(status: int, text: str) -> str:
    return f"Chunk ID: a1\nWall time: 0.1 seconds\nProcess exited with code {status}\nOutput:\n{text}\n"


# GitHub Copilot CLI


def copilot(*events: tuple[str, Record]) -> Shape:
    def shape(root: Path) -> Transcript:
        head = ("session.start", {"sessionId": SESSION, "version": 1, "context": {"cwd": "/w/app"}})
        lines = [
            {"type": kind, "data": data, "id": f"e{number}", "timestamp": moment(number), "parentId": None}
            for number, (kind, data) in enumerate((head, *events))
        ]
        write_lines(root / f"{SESSION}/events.jsonl", lines)
        return read("copilot", root)

    return shape


def copilot_gave(tool: str = "bash", **data: object) -> Shape:
    arguments = {"command": "pytst -q"} if tool == "bash" else {"path": "/w/app/a.py"}
    return copilot(
        ("tool.execution_start", {"toolCallId": "t1", "toolName": tool, "arguments": arguments}),
        ("tool.execution_complete", {"toolCallId": "t1", **data}),
    )


# Amplifier


def amplifier(name: str, *records: Record) -> Shape:
    def shape(root: Path) -> Transcript:
        write_lines(root / f"app/sessions/{SESSION}/{name}", records)
        return read("amplifier", root)

    return shape


def amplifier_event(number: int, event: str, clock: str = "ts", **data: object) -> Record:
    schema = {"name": "amplifier.log", "ver": "1.0.0"}
    return {
        clock: moment(number),
        "lvl": "INFO",
        "schema": schema,
        "event": event,
        "session_id": SESSION,
        "data": data,
    }


FAILED = {"success": False, "output": None, "error": {"message": NOT_FOUND}}


def amplifier_events(clock: str) -> Shape:
    call = {"tool_name": "bash", "tool_call_id": "c1"}
    return amplifier(
        "events.jsonl",
        amplifier_event(0, "session:start", clock, parent_id=None),
        amplifier_event(1, "tool:pre", clock, tool_input={"command": "pytst -q"}, **call),
        amplifier_event(2, "tool:post", clock, result=FAILED, **call),
    )


# pi


def pi(*messages: Record, version: int | None = 3) -> Shape:
    def shape(root: Path) -> Transcript:
        lines: list[Record] = [
            {"type": "session", "id": SESSION, "timestamp": moment(0), "cwd": "/w"}
            | ({} if version is None else {"version": version})
        ]
        for number, message in enumerate(messages, start=1):
            ids = {"id": f"{number:08x}", "parentId": f"{number - 1:08x}" if number > 1 else None}
            placed = {"type": "message", "timestamp": moment(number), **({} if version is None else ids)}
            lines.append({**placed, **(message if "type" in message else {"message": message})})
        write_lines(root / f"--w--/2026-11-01T09-00-00-000Z_{SESSION}.jsonl", lines)
        return read("pi", root)

    return shape


PI_CALL: Record = {
    "role": "assistant",
    "content": [{"type": "toolCall", "id": "c1", "name": "bash", "arguments": {"command": "pytst -q"}}],
}


def pi_gave(text: str, **more: object) -> Record:
    content = [{"type": "text", "text": text}]
    return {"role": "toolResult", "toolCallId": "c1", "toolName": "bash", "content": content, **more}


# Gemini CLI


def gemini(**call: object) -> Shape:
    def shape(root: Path) -> Transcript:
        made = {"id": "c1", "name": "run_shell_command", "args": {"command": "pytst -q"}, **call}
        head = {"sessionId": SESSION, "projectHash": "f00d", "startTime": moment(0), "kind": "main"}
        said = {"id": "2", "timestamp": moment(2), "type": "gemini", "content": "", "toolCalls": [made]}
        write_lines(root / "f00d/chats/session-1.jsonl", [head, said, {"$set": {"lastUpdated": moment(3)}}])
        return read("gemini", root)

    return shape


def gemini_document(**call: object) -> Shape:
    def shape(root: Path) -> Transcript:
        made = {"id": "c1", "name": "run_shell_command", "args": {"command": "pytst -q"}, **call}
        said = {"id": "2", "timestamp": moment(2), "type": "gemini", "content": "", "toolCalls": [made]}
        document = {"sessionId": SESSION, "projectHash": "f00d", "startTime": moment(0), "messages": [said]}
        path = root / "f00d/chats/session-1.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(document))
        return read("gemini", root)

    return shape


def answered(**response: object) -> list[Record]:
    return [{"functionResponse": {"id": "c1", "name": "run_shell_command", "response": response}}]


# OpenCode


def opencode(info: Record, part: Record | None = None) -> Shape:
    def shape(root: Path) -> Transcript:
        message = {"role": "assistant", "time": {"created": 1, "completed": 2}, **info}
        with closing(sqlite3.connect(root / "opencode.db")) as database:
            database.executescript(
                "CREATE TABLE session (id, parent_id, directory, time_updated);"
                "CREATE TABLE message (id, session_id, time_updated, data);"
                "CREATE TABLE part (id, message_id, time_updated, data);"
            )
            database.execute("INSERT INTO session VALUES ('ses_1', NULL, '/w/app', 1)")
            database.execute("INSERT INTO message VALUES ('msg_1', 'ses_1', 2, ?)", [json.dumps(message)])
            if part is not None:
                database.execute("INSERT INTO part VALUES ('prt_1', 'msg_1', 2, ?)", [json.dumps(part)])
            database.commit()
        return read("opencode", root)

    return shape


def opencode_tool(tool: str, **state: object) -> Shape:
    command = {"command": "pytst -q"} if tool == "bash" else {"filePath": "/w/app/a.py"}
    return opencode({}, {"type": "tool", "tool": tool, "callID": "c1", "state": {"input": command, **state}})
