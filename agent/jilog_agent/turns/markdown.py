"""Records as Markdown for people: one page per session and turn, and the report of a session."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from jilog_agent.decisions.text import visible
from jilog_agent.turns.documents import Dated, vcs_document
from jilog_agent.turns.words import verification_text
from jilog_ledger.times import format_time
from jilog_ledger.turn import Session, SessionEnd, Turn, Vcs

BREAK = "  "
"""Two spaces at a line's end break it in Markdown."""


def session_page(dated: Dated, ended: Dated | None = None) -> str:
    """Write a session's page."""
    assert isinstance(dated.record, Session)
    return "\n".join(_session(dated.record, dated.timestamp_ns, ended)) + "\n"


def turn_page(dated: Dated) -> str:
    """Write a turn's page."""
    turn = dated.record
    assert isinstance(turn, Turn)
    lines = [
        f"# Turn {turn.id}",
        "",
        f"Session: {turn.session}{BREAK}",
        *_turn_head(turn, dated.timestamp_ns),
        "",
        "## Verification",
        "",
        *_checks(turn),
        "",
        "## Attachments",
        "",
        *_attachments(turn),
        "",
        "## VCS",
        "",
        *_fenced(turn.vcs),
    ]
    return "\n".join(lines) + "\n"


def rollup(session: Dated, turns: Sequence[Dated], ended: Dated | None = None) -> str:
    """Write a session with all its turns, the oldest first."""
    assert isinstance(session.record, Session)
    lines = [*_session(session.record, session.timestamp_ns, ended), "", "## Turns", ""]
    if not turns:
        lines.append("No turns recorded.")
    for dated in turns:
        assert isinstance(dated.record, Turn)
        lines += [*_turn_section(dated.record, dated.timestamp_ns), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _session(session: Session, timestamp_ns: int, ended: Dated | None) -> Iterator[str]:
    yield f"# Session {session.id}"
    yield ""
    yield f"Ticket: {visible(session.ticket) or 'none'}{BREAK}"
    yield f"Goal: {visible(session.goal)}{BREAK}"
    if session.agent:
        yield f"Agent: {visible(session.agent)}{BREAK}"
    if session.parent:
        yield f"Parent: {session.parent}{BREAK}"
    yield f"Created: {format_time(timestamp_ns)}{BREAK}"
    if ended is not None and isinstance(ended.record, SessionEnd):
        summary = f" ({visible(_line(ended.record.summary))})" if ended.record.summary else ""
        yield f"Ended: {format_time(ended.timestamp_ns)}{summary}{BREAK}"
    yield f"Repo: {visible(session.place.folder) if session.place else 'unknown'}{BREAK}"
    yield ""
    yield "## VCS at start"
    yield ""
    yield from _fenced(session.vcs_start)


def _turn_head(turn: Turn, timestamp_ns: int) -> Iterator[str]:
    yield f"Model: {visible(turn.model) or 'unknown'}{BREAK}"
    yield f"Summary: {visible(_line(turn.summary)) or 'none'}{BREAK}"
    if turn.agent:
        yield f"Agent: {visible(turn.agent)}{BREAK}"
    yield f"Created: {format_time(timestamp_ns)}{BREAK}"


def _turn_section(turn: Turn, timestamp_ns: int) -> Iterator[str]:
    yield f"### {turn.id}"
    yield ""
    yield from _turn_head(turn, timestamp_ns)
    for heading, lines in (
        ("Verification:", list(_checks(turn))),
        ("Attachments:", list(_attachments(turn))),
        ("Changed files:", list(_changed(turn.vcs))),
        ("Commits:", [f"- `{commit}`" for commit in turn.commits]),
    ):
        if lines:
            yield ""
            yield heading
            yield ""
            yield from lines


def _checks(turn: Turn) -> Iterator[str]:
    for item in turn.verification:
        label = "" if item.kind == "claim" else "evidence: "
        yield f"- {label}{_code(verification_text(item))}"
    if not turn.verification:
        yield "- none"


def _attachments(turn: Turn) -> Iterator[str]:
    for item in turn.attachments:
        yield f"- {item.kind.capitalize()}: {_code(item.path)}"
    if not turn.attachments:
        yield "- none"


def _changed(vcs: Vcs) -> Iterator[str]:
    for path in vcs.changed_files:
        yield f"- {_code(path)}"
    if vcs.changed_files_left_out:
        yield f"- and {vcs.changed_files_left_out} more"
    if not vcs.changed_files:
        yield "- none"


def _code(text: str) -> str:
    """Put text into backticks, more of them than it holds itself (CommonMark, code spans)."""
    line = visible(text.replace("\n", "\\n"))
    marks = "`"
    while marks in line:
        marks += "`"
    space = " " if "`" in line else ""
    return f"{marks}{space}{line}{space}{marks}"


def _fenced(vcs: Vcs) -> list[str]:
    text = json.dumps(vcs_document(vcs), indent=2, ensure_ascii=False)
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}json", visible(text), fence]


def _line(text: str) -> str:
    return " ".join(text.split())
