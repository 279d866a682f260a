"""Where OpenCode keeps its sessions: a database, or in older versions a folder of small files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_review import limits
from jilog_review.reader import Problem
from jilog_review.readers.opencode_format import MESSAGE_NUMBERS, SESSION_DECODER, Row, SessionInfo
from jilog_review.readers.opencode_rows import is_complete
from jilog_review.readers.sqlite_file import open_read_only
from jilog_review.regular_file import open_regular

_MILLISECOND_NS = 1_000_000
_FILE_NUMBERS = 10_000
"""Numbers for one message's parts, where files have none: more than a message ever has."""

_SESSIONS = "SELECT id, parent_id, directory, time_updated FROM session WHERE time_updated >= ? ORDER BY id"
_ROWS = f"""
WITH known AS (
    SELECT id, rowid AS number, time_updated, data,
        CASE WHEN json_valid(data) THEN json_extract(data, '$.role') END AS role,
        CASE WHEN json_valid(data) THEN json_extract(data, '$.time.completed') END AS completed,
        CASE WHEN json_valid(data) THEN json_extract(data, '$.error') END AS error
    FROM message WHERE session_id = :session
), complete AS (
    SELECT * FROM known
    WHERE role IS NOT 'assistant' OR completed IS NOT NULL OR error IS NOT NULL
), final AS (
    SELECT CASE WHEN m.role = 'assistant' THEN max(p.time_updated, m.time_updated) ELSE p.time_updated END
        AS moment, p.rowid AS number, m.id AS message_id, m.data AS message, p.id AS part_id, p.data AS part
    FROM complete AS m JOIN part AS p ON p.message_id = m.id
    UNION ALL
    SELECT m.time_updated, m.number + {MESSAGE_NUMBERS}, m.id, m.data, NULL, NULL
    FROM complete AS m WHERE m.role = 'assistant'
)
SELECT moment, number, message_id, CAST(message AS BLOB), part_id, CAST(part AS BLOB) FROM final
"""  # noqa: S608 (the only value put in is a number of our own)
_AFTER = _ROWS + "WHERE (moment, number) > (:moment, :number) ORDER BY moment, number LIMIT :count"
_BEFORE = (
    _ROWS + "WHERE (moment, number) <= (:moment, :number) ORDER BY moment DESC, number DESC LIMIT :count"
)


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session in a store; ``modified_ns`` is Unix time in nanoseconds."""

    session_id: str
    parent_id: str | None
    directory: str | None
    modified_ns: int


def database_sessions(database: Path, since_ns: int) -> list[StoredSession]:
    """Find the sessions of a database that were touched at or after ``since_ns``.

    Raises:
        OSError: the database cannot be read, or has another shape.
    """
    with open_read_only(database) as connection:
        rows = connection.execute(_SESSIONS, (since_ns // _MILLISECOND_NS,)).fetchall()
    return [
        StoredSession(str(session_id), parent_id, directory, int(updated) * _MILLISECOND_NS)
        for session_id, parent_id, directory, updated in rows
    ]


def database_rows(
    database: Path, session_id: str, moment: int, number: int, count: int
) -> tuple[list[Row], list[Row]]:
    """Give some rows up to a place as context, and at most ``count`` after it.

    Raises:
        OSError: the database cannot be read, or has another shape.
    """
    place: dict[str, str | int] = {"session": session_id, "moment": moment, "number": number}
    with open_read_only(database) as connection:
        after = _fetch(connection, _AFTER, {**place, "count": count})
        before = _fetch(connection, _BEFORE, {**place, "count": limits.CONTEXT_ENTRIES}) if after else []
    return before[::-1], after


def _fetch(connection: sqlite3.Connection, query: str, place: dict[str, str | int]) -> list[Row]:
    return [Row(*row) for row in connection.execute(query, place)]


def file_sessions(storage: Path, problems: list[Problem]) -> Iterator[tuple[Path, StoredSession]]:
    """Find the sessions of a folder of files, each with the path of its own file."""
    for path in sorted(storage.glob("session/*/*.json")):
        info = _session_info(path)
        if info is None:
            problems.append(Problem(str(path), "is no session of a known shape"))
            continue
        files = [path, *storage.glob(f"message/{_literal(path.stem)}/*.json")]
        modified_ns = max((_modified_ns(file) for file in files), default=0)
        yield path, StoredSession(path.stem, info.parent_id, info.directory, modified_ns)


def file_rows(path: Path, moment: int, number: int, count: int) -> tuple[list[Row], list[Row]]:
    """Give the same of a folder of files, given the path of the session's own file.

    Raises:
        OSError: a file cannot be read now.
    """
    storage, session_id = path.parents[2], path.stem
    rows = sorted(_all_file_rows(storage, session_id), key=lambda row: (row.moment, row.number))
    after = [row for row in rows if (row.moment, row.number) > (moment, number)]
    before = rows[: len(rows) - len(after)]
    return before[-limits.CONTEXT_ENTRIES :], after[:count]


def _all_file_rows(storage: Path, session_id: str) -> Iterator[Row]:
    for place, path in enumerate(sorted(storage.glob(f"message/{_literal(session_id)}/*.json")), start=1):
        message, written = _read(path), _modified_ns(path)
        if not is_complete(message):
            continue
        number = place * _FILE_NUMBERS
        by_model = b'"assistant"' in message
        parts = sorted(storage.glob(f"part/{_literal(path.stem)}/*.json"))
        for offset, part in enumerate(parts):
            moment = max(_modified_ns(part), written if by_model else 0)
            yield Row(moment, number + offset, path.stem, message, part.stem, _read(part))
        if by_model:
            yield Row(written, number + MESSAGE_NUMBERS, path.stem, message)


def _read(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(limits.LINE_BYTES_MAX)


def _session_info(path: Path) -> SessionInfo | None:
    try:
        return SESSION_DECODER.decode(_read(path))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _literal(name: str) -> str:
    """Keep a name from being taken for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
