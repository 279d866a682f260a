"""The command that worked in the end, after one of its kind had failed: often a failure's whole lesson."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from jilog_review.fingerprint import canonical_tool
from jilog_review.shell import parse_command
from jilog_review.transcript import AnyEntry, ToolResult

_NEAR_CALLS = 12
_LIKENESS_MIN = 0.6


def later_success(failed: ToolResult, family: str, after: Sequence[AnyEntry]) -> str | None:
    """Give the first later command of the same family that worked; for a file tool, the file that was there.

    A misspelt program has no family that works: the next commands are then compared by their words.
    """
    tool = canonical_tool(failed.tool)
    worked = (entry for entry in after if isinstance(entry, ToolResult) and _worked(entry, failed, tool))
    if failed.command is None:
        return _later_path(failed, worked)
    program = family.split(" ", 1)[0]
    near: list[ToolResult] = []
    for entry in worked:
        if len(near) < _NEAR_CALLS:
            near.append(entry)
        command = entry.command or ""
        if program in command and any(part.family == family for part in parse_command(command)):
            return command
    return _alike(failed.command, near)


def action_of(result: ToolResult) -> str | None:
    """Say what a call did: its command, or the file tool and its first file; None when neither is known."""
    if result.command is not None:
        return result.command
    return f"{result.tool} {result.paths[0]}" if result.paths else None


def _worked(entry: ToolResult, failed: ToolResult, tool: str) -> bool:
    if entry.failed or entry.exit_status or entry.denial is not None:
        return False
    if canonical_tool(entry.tool) != tool:
        return False
    return failed.command is None or entry.command != failed.command


def _later_path(failed: ToolResult, worked: Iterable[ToolResult]) -> str | None:
    names = {path.rsplit("/", 1)[-1] for path in failed.paths}
    for entry in worked:
        for path in entry.paths:
            if path.rsplit("/", 1)[-1] in names:
                return f"{entry.tool} {path}"
    return None


def _alike(command: str, worked: Sequence[ToolResult]) -> str | None:
    """Give the near command that is most like the failed one in its words, the program's name apart."""
    words = command.split()[1:]
    for entry in worked:
        other = (entry.command or "").split()
        if words and difflib.SequenceMatcher(None, words, other[1:]).ratio() >= _LIKENESS_MIN:
            return entry.command
    return None
