"""Exposure: in how many sessions a tool was used at all, without which a count of failures says little.

A scan's event carries sessions as short keys, so that counts of several scans and hosts can be joined
without counting a session twice, and so that the event stays small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from jilog_review import limits
from jilog_review.fingerprint import canonical_tool
from jilog_review.transcript import ToolCall, ToolResult, Transcript

_KEY_DIGITS = 12
"""48 bits: among 100,000 sessions two with one key are a chance of 1 in 50,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSessions:
    """A tool by its one name for all harnesses, and the keys of the root sessions that used it.

    ``more`` counts the sessions that an event had no room for.
    """

    tool: str
    sessions: tuple[str, ...] = ()
    more: int = 0


def session_key(root_session: str) -> str:
    """Give 12 hex digits that stand for a root session."""
    return hashlib.sha256(root_session.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]


def tools_used(transcript: Transcript) -> list[str]:
    """Name the tools of a transcript's new calls and results; some harnesses record only the latter."""
    names = {entry.tool for entry in transcript.new_entries() if isinstance(entry, ToolCall | ToolResult)}
    return sorted({canonical_tool(name)[: limits.NAME_CHARS_MAX] for name in names})


@dataclass(slots=True)
class ToolUse:
    """Which root sessions used which tool. Adding one session twice changes nothing."""

    sessions: dict[str, set[str]] = field(default_factory=dict)
    more: dict[str, int] = field(default_factory=dict)

    def add(self, root_session: str, tools: Iterable[str]) -> None:
        """Take the tools that a session used."""
        key = session_key(root_session)
        for tool in tools:
            self.sessions.setdefault(canonical_tool(tool), set()).add(key)

    def merge(self, recorded: Iterable[ToolSessions]) -> None:
        """Take what a scan recorded."""
        for used in recorded:
            self.sessions.setdefault(used.tool, set()).update(used.sessions)
            self.more[used.tool] = self.more.get(used.tool, 0) + used.more

    def record(self) -> tuple[ToolSessions, ...]:
        """Give what a scan's event says: tools and keys sorted, at most TOOL_SESSIONS_MAX keys in all.

        The rarest tools come whole, since their few sessions matter most; of the others the rest is counted.
        """
        room = limits.TOOL_SESSIONS_MAX
        kept: list[ToolSessions] = []
        for tool in sorted(self.sessions, key=lambda tool: (len(self.sessions[tool]), tool))[
            : limits.TOOLS_MAX
        ]:
            keys = sorted(self.sessions[tool])
            more = max(0, len(keys) - room) + self.more.get(tool, 0)
            kept.append(ToolSessions(tool=tool, sessions=tuple(keys[:room]), more=more))
            room -= min(room, len(keys))
        return tuple(sorted(kept, key=lambda used: used.tool))

    def using(self, tools: Collection[str]) -> int:
        """Count the sessions that used one of the tools."""
        names = {canonical_tool(tool) for tool in tools}
        keys = set().union(*(self.sessions.get(name, ()) for name in names))
        return len(keys) + sum(self.more.get(name, 0) for name in names)

    def share(self, tool: str, failing: Iterable[str]) -> Share:
        """Give in how many of the sessions that used a tool it failed; ``failing`` are root sessions."""
        name = canonical_tool(tool)
        failed = {session_key(session) for session in failing}
        return Share(len(failed), len(self.sessions.get(name, set()) | failed) + self.more.get(name, 0))


@dataclass(frozen=True, slots=True)
class Share:
    """Failing sessions of using sessions; those that failed used the tool, seen or not."""

    failing: int
    using: int

    @property
    def rate(self) -> float:
        """Between 0 and 1; 0 where nobody used the tool."""
        return self.failing / self.using if self.using else 0.0

    def __str__(self) -> str:
        """Write ``6 of 48 sessions``."""
        return f"{self.failing} of {self.using} sessions"
