"""The reading of a file of Claude Code's lines, whichever reader found it."""

from __future__ import annotations

from jilog_review.piece import Lines, Piece
from jilog_review.reader import Reading, Source
from jilog_review.readers.claude_format import Line
from jilog_review.readers.claude_lines import LineSorter
from jilog_review.repair import printable
from jilog_review.transcript import Transcript


def claude_reading(
    name: str, source: Source, piece: Piece, lines: Lines[Line], sorter: LineSorter
) -> Reading:
    """Make the reading of a piece whose ``lines`` are in ``sorter``."""
    entries = sorter.entries
    transcript = Transcript(
        reader=name,
        session_id=source.session_id,
        root_session=_root_session(source, sorter.root_session),
        source_file=printable(source.key),
        entries=tuple(entries),
        new_from=piece.new_from(entries),
        is_subagent=source.is_subagent,
        persona=source.persona,
        channel=source.channel,
        seat=source.seat,
        project=sorter.project,
        model=sorter.model,
        usage=sorter.usage,
        bills=tuple(sorter.bills),
        coverage=lines.coverage(piece, sorter.unknown),
    )
    return Reading(transcript, piece.cursor(entries), piece.more)


def _root_session(source: Source, named: str | None) -> str:
    """Give the session a person started; older sub-agent files only name it in their lines."""
    if source.is_subagent and source.root_session == source.session_id and named is not None:
        return named
    return source.root_session
