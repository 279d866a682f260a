"""How a tool call of Codex ended: its rollouts have no flag for it, only the text that the model read."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from jilog_review.transcript import Denial, content_text

_HEAD_BYTES = 600
_TAIL_BYTES = 300
_STATUS_HEAD = re.compile(
    rb'\A(?:\[\s*\{[^{}"]*"type"\s*:\s*"[a-z_]+"\s*,\s*"text"\s*:\s*)?"'
    rb"(?:(?:Chunk ID|Wall time|Total output lines): [^\\]{0,80}\\n)*"
    rb"(?:Process exited with code|Exit code:) (-?\d{1,6})\\n"
)
"""The newer shapes: lines of facts, one of them the status, before ``Output:``. What follows is the command's
own words and may quote anything, so nothing after that line counts."""

_STATUS_TAIL = re.compile(
    rb'\\"metadata\\"\s*:\s*\{[^{}]{0,100}\\"exit_code\\"\s*:\s*(-?\d{1,6})[^{}]{0,100}\}[^{}]*\}\s*"\Z'
)
"""The oldest shape: a JSON object in a string, with metadata at its end."""

_FAILURE = re.compile(
    r"\A(?:apply_patch (?:verification failed|handler received)|write_stdin failed|exec_command failed|"
    r"failed to parse (?:function|exec_command) arguments|unsupported (?:custom tool )?call|execution error|"
    r"unified exec failed|failed in sandbox|sandbox error|[Uu]nknown process id|tool call error|"
    r"tool .{1,80} invoked with incompatible payload)",
)
_ABORTED = re.compile(r"\A(?:command |tool call )?aborted(?: by (?:the )?user)?\b", re.IGNORECASE)
_REFUSED_BY_USER = re.compile(
    r"rejected by (?:the )?user(?! approval settings)|user (?:rejected|cancelled) MCP tool call"
)
_REFUSED_BY_POLICY = re.compile(
    r"rejected by user approval settings|rejected: blocked by policy|rejected by policy|"
    r"blocked by (?:execution )?policy|approval policy is Never|approval required by policy"
)
_REFUSED_BY_HOOK = re.compile(r"\A(?:Command|Tool call|Tool) blocked by \w+ hook", re.IGNORECASE)
_REFUSAL_CHARS = 400
"""A refusal is all of an output, or stands at its start."""


class Outcome(NamedTuple):
    """Whether a call failed, with which status, and why it was not carried out."""

    failed: bool | None = None
    exit_status: int | None = None
    denial: Denial | None = None


def outcome_of(output: msgspec.Raw) -> Outcome:
    """Read how a call ended from its output's JSON text, of which only the ends are looked at.

    ``failed`` is None wherever the text does not say: a status other than zero is no failure by itself.
    """
    raw = memoryview(output)
    head = bytes(raw[:_HEAD_BYTES])
    match = _STATUS_HEAD.match(head)
    if match is None and head[:4] in (b'"{\\"', b'"{ \\'):
        match = _STATUS_TAIL.search(bytes(raw[-_TAIL_BYTES:]))
    if match is not None:
        return Outcome(exit_status=int(match[1]))
    if len(raw) > 16 * _HEAD_BYTES:
        return Outcome()
    return _outcome_of_words(content_text(output)[:_REFUSAL_CHARS])


def _outcome_of_words(text: str) -> Outcome:
    if _ABORTED.match(text):
        return Outcome(failed=True, denial=Denial.ABORTED)
    if _REFUSED_BY_HOOK.match(text):
        return Outcome(failed=True, denial=Denial.HOOK)
    said_by_codex = text.startswith(("exec", "patch", "rejected", "user ", "writing ")) or "Rejected(" in text
    if said_by_codex and _REFUSED_BY_POLICY.search(text):
        return Outcome(failed=True, denial=Denial.POLICY)
    if said_by_codex and _REFUSED_BY_USER.search(text):
        return Outcome(failed=True, denial=Denial.USER)
    return Outcome(failed=True) if _FAILURE.match(text) else Outcome()
