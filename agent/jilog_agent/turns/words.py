"""Records of turns in words: lines of lists, verifications, squeezed summaries. Pure functions."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from jilog_ledger.turn import Record, Session, SessionEnd, Turn, Verification

SUGGESTED_CHARS = 120
HASH_CHARS = 12


def event_line(record: Record) -> str:
    """Write a record as a line of ``jilog turn log``."""
    if isinstance(record, Session):
        return f"session {record.id} ticket={record.ticket or 'none'} goal={record.goal}"
    if isinstance(record, SessionEnd):
        return f"end {record.session} summary={_line(record.summary)}"
    return (
        f"turn {record.id} session={record.session} model={record.model or 'unknown'}"
        f" summary={_line(record.summary)}"
    )


def turn_lines(turn: Turn) -> Iterator[str]:
    """Say what a turn changed and how it was checked, each in a line."""
    if turn.vcs.changed_files:
        more = turn.vcs.changed_files_left_out
        yield f"changed: {', '.join(turn.vcs.changed_files)}{f' and {more} more' if more else ''}"
    for item in turn.verification:
        yield f"{item.kind}: {verification_text(item)}"
    commits = turn.commits or tuple(filter(None, (turn.vcs.git_head or turn.vcs.jj_commit,)))
    if commits:
        yield f"{'commits' if turn.commits else 'at commit'}: {', '.join(commits)}"


def command_text(item: Verification) -> str:
    """Write the command of evidence as it was typed."""
    return item.command[0] if item.shell and item.command else shlex.join(item.command)


def verification_text(item: Verification) -> str:
    """Write a verification in one line: a claim as it was made, evidence with what was measured."""
    if item.kind != "evidence":
        return item.text
    end = "timed out" if item.timed_out else f"exit {item.exit_status}"
    seconds = f"{item.duration_seconds:g} s" if item.duration_seconds is not None else "no time"
    return f"{command_text(item)} ({end}, {seconds}, output sha256:{item.output_sha256[:HASH_CHARS]})"


def suggested_summary(text: str) -> str:
    """Squeeze what an agent said into one line of at most 120 characters."""
    line = " ".join(text.split())
    return line if len(line) <= SUGGESTED_CHARS else line[: SUGGESTED_CHARS - 1].rstrip() + "…"


def _line(text: str) -> str:
    return " ".join(text.split())
