"""Synthetic agent sessions for the demo, in the line format of Claude Code.

A session is a list of turns; writing them down as turns keeps them readable, and :func:`lines` makes of them
what the agent would have left on disk.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Says:
    """A text of the human or the assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Runs:
    """A tool call and what came back; ``failed`` is the agent's own flag."""

    tool: str
    arguments: dict[str, str]
    result: str
    failed: bool = False


Turn: TypeAlias = Says | Runs

MISSING_RUNNER = "Exit code 127\nbash: pytst: command not found"

SESSIONS: dict[str, dict[str, list[Turn]]] = {
    "alpha": {
        "7b1f0c52-6d0e-4f6a-9a3b-0c5f4e1d2a01": [
            Says("user", "Please run the unit tests of the importer and tell me what is red."),
            Says("assistant", "I will run the importer's tests."),
            Runs("Bash", {"command": "pytst -q tests/importer"}, MISSING_RUNNER, failed=True),
            Says("assistant", "The runner is not installed, so I will edit the importer first."),
            Says("user", "no, don't touch the importer, use uv run pytest for the tests"),
            Runs("Bash", {"command": "uv run pytest -q tests/importer"}, "41 passed in 3.20s"),
            Says("assistant", "All 41 tests pass."),
        ],
        "7b1f0c52-6d0e-4f6a-9a3b-0c5f4e1d2a02": [
            Says("user", "Wire the retry count of the uploader."),
            Runs(
                "Edit",
                {
                    "file_path": "/home/alpha/app/uploader.py",
                    "old_string": "retries = settings.retries\n",
                    "new_string": "retries = 3  # TODO read it from the settings again\n",
                },
                "The file has been updated.",
            ),
            Says("assistant", "Hardcoding the retry count to 3 for now until the settings are wired."),
            Says("user", "You forgot the settings file, that was the whole point of the change."),
            Runs("Bash", {"command": "pytst -q"}, MISSING_RUNNER, failed=True),
            Says("assistant", "The change is in.\n\n## Follow-ups\n- read the retry count from the settings"),
        ],
    },
    "bravo": {
        "c2a9d3e4-18b7-4d55-8e0f-5a6b7c8d9e01": [
            Says("user", "Run the whole suite before we tag the release."),
            Runs("Bash", {"command": "pytst"}, MISSING_RUNNER, failed=True),
            Runs(
                "Read",
                {"file_path": "/home/bravo/app/RELEASE.md"},
                "File does not exist.",
                failed=True,
            ),
            Says("assistant", "Neither the runner nor the release notes are where I looked."),
            Says("user", "thanks, that is enough for today"),
        ],
    },
    "charlie": {},
}
"""Sessions by host and session id. Only all hosts together show that three sessions lack one runner."""


def write_sessions(host: str, folder: Path, started: datetime) -> int:
    """Write a host's sessions below ``folder`` as the agent would; give how many."""
    for number, (session_id, turns) in enumerate(SESSIONS[host].items()):
        path = folder / f"-home-{host}-app" / f"{session_id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        moment = started + timedelta(minutes=10 * number)
        path.write_text("".join(lines(host, session_id, turns, moment)), encoding="utf-8")
    return len(SESSIONS[host])


def lines(host: str, session_id: str, turns: list[Turn], started: datetime) -> list[str]:
    """Give a session's lines; ids follow from the session and the place, so that each run writes the same."""
    written: list[str] = []
    parent: str | None = None
    for number, record in enumerate(_records(session_id, turns)):
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{session_id}/{number}"))
        moment = (started + timedelta(seconds=20 * number)).astimezone(UTC)
        line = {
            "parentUuid": parent,
            "uuid": identity,
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "isSidechain": False,
            "cwd": f"/home/{host}/app",
            "sessionId": session_id,
            "version": "2.1.200",
            "gitBranch": "main",
            **record,
        }
        written.append(json.dumps(line) + "\n")
        parent = identity
    return written


def _records(session_id: str, turns: list[Turn]) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for number, turn in enumerate(turns):
        message_id = f"msg_{session_id[:8]}_{number}"
        match turn:
            case Says("user", text):
                records.append({"type": "user", "message": {"role": "user", "content": text}})
            case Says(_, text):
                records.append(_assistant(message_id, {"type": "text", "text": text}))
            case Runs(tool, arguments, result, failed):
                call_id = f"toolu_{session_id[:8]}_{number}"
                call: dict[str, object] = {
                    "type": "tool_use",
                    "id": call_id,
                    "name": tool,
                    "input": arguments,
                }
                records.append(_assistant(message_id, call))
                back = {
                    "type": "tool_result",
                    "tool_use_id": call_id,
                    "content": result,
                    "is_error": failed,
                }
                records.append({"type": "user", "message": {"role": "user", "content": [back]}})
    return records


def _assistant(message_id: str, block: dict[str, object]) -> dict[str, object]:
    usage = {"input_tokens": 900, "output_tokens": 60}
    message = {"id": message_id, "type": "message", "role": "assistant", "model": "demo", "usage": usage}
    return {"type": "assistant", "message": {**message, "content": [block]}}
