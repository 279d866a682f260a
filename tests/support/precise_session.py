"""Building sessions entry by entry for the tests of the precise rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from jilog_ledger.times import SECOND_NS, format_time
from jilog_review.detector import Detector, Finding, Tier
from jilog_review.transcript import (
    AnyEntry,
    Denial,
    Marker,
    MarkerKind,
    Message,
    Provenance,
    ToolCall,
    ToolResult,
    Transcript,
    raw_json,
)


class Place(TypedDict):
    """Where an entry stands, as the entries' own fields."""

    line: int
    offset: int
    timestamp: str


@dataclass
class Session:
    """A session in the making: each method adds an entry on a line and at a second of its own."""

    entries: list[AnyEntry] = field(default_factory=list)
    session_id: str = "s1"
    seconds_apart: int = 1

    @property
    def _place(self) -> Place:
        number = len(self.entries) + 1
        moment = format_time(number * self.seconds_apart * SECOND_NS)
        return {"line": number, "offset": number * 100, "timestamp": moment}

    def human(self, text: str, provenance: Provenance = Provenance.HUMAN) -> Session:
        self.entries.append(Message(**self._place, role="user", text=text, provenance=provenance))
        return self

    def agent(self, text: str = "Done.") -> Session:
        made = Message(**self._place, role="assistant", text=text, provenance=Provenance.ASSISTANT)
        self.entries.append(made)
        return self

    def mark(self, kind: MarkerKind) -> Session:
        self.entries.append(Marker(**self._place, kind=kind))
        return self

    def call(self, tool: str, call_id: str, *, paths: tuple[str, ...] = (), **arguments: object) -> Session:
        command = arguments.get("command")
        made = ToolCall(
            **self._place,
            call_id=call_id,
            tool=tool,
            command=command if isinstance(command, str) else None,
            paths=paths,
            arguments=raw_json(dict(arguments)),
        )
        self.entries.append(made)
        return self

    def result(
        self,
        tool: str,
        text: str,
        *,
        command: str | None = None,
        failed: bool | None = None,
        status: int | None = None,
        denial: Denial | None = None,
        paths: tuple[str, ...] = (),
        call_id: str = "c0",
    ) -> Session:
        made = ToolResult(
            **self._place,
            call_id=call_id,
            tool=tool,
            body=raw_json(text),
            command=command,
            paths=paths,
            failed=failed,
            exit_status=status,
            denial=denial,
        )
        self.entries.append(made)
        return self

    def shell(self, command: str, output: str = "", status: int | None = 0, tool: str = "Bash") -> Session:
        """Add a shell command's result; a failure has the flag and the wrapping of Claude Code."""
        if not status:
            return self.result(tool, output, command=command, failed=False)
        text = f"Exit code {status}\n{output}".rstrip()
        return self.result(tool, text, command=command, failed=True, status=status)

    def edit(self, path: str, old: str, new: str, call_id: str = "e1") -> Session:
        return self.call("Edit", call_id, paths=(path,), file_path=path, old_string=old, new_string=new)

    def write(self, path: str, content: str, call_id: str = "w1") -> Session:
        return self.call("Write", call_id, paths=(path,), file_path=path, content=content)

    def transcript(self, new_from: int = 0, *, is_subagent: bool = False) -> Transcript:
        return Transcript(
            reader="claude-code",
            session_id=self.session_id,
            root_session=self.session_id,
            source_file="s1.jsonl",
            entries=tuple(self.entries),
            new_from=new_from,
            is_subagent=is_subagent,
        )

    def findings(self, detector: Detector, new_from: int = 0) -> list[Finding]:
        return list(detector.detect(self.transcript(new_from)))


def rules(found: list[Finding]) -> list[str]:
    """Name the rules that fired, with their tiers: ``A:rule``."""
    return [f"{finding.tier.value}:{finding.rule}" for finding in found]


def fit_to_file(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.tier is Tier.A]
