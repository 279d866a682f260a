"""The ``opencode`` reader: OpenCode's database, and the files that older versions wrote.

Options: ``path`` or ``paths``: OpenCode's data folder (``~/.local/share/opencode``, or below
``$XDG_DATA_HOME``), or a database. A session that is in the database is not read from the files it was moved
from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jilog_review import limits
from jilog_review.cursor import Cursor
from jilog_review.reader import (
    Discovery,
    Problem,
    ReaderConfig,
    Reading,
    Source,
    check_options,
)
from jilog_review.readers.entry_builder import EntryBuilder
from jilog_review.readers.opencode_format import Row
from jilog_review.readers.opencode_rows import RowSorter
from jilog_review.readers.opencode_store import (
    StoredSession,
    database_rows,
    database_sessions,
    file_rows,
    file_sessions,
)
from jilog_review.readers.roots import configured_paths
from jilog_review.transcript import Coverage, Transcript

_OPTIONS = ("path", "paths")
_DATABASES = "opencode*.db"
_STORAGE = "storage"
_SEPARATOR = "#"
_OLD = -1


@dataclass(frozen=True, slots=True)
class OpencodeReader:
    """Reads the sessions of some data folders or databases."""

    roots: tuple[Path, ...]
    name: str = "opencode"

    def discover(self, since_ns: int) -> Discovery:
        """Find the sessions touched at or after ``since_ns``."""
        problems: list[Problem] = []
        sources: list[Source] = []
        stored: set[str] = set()
        for database in self._databases():
            try:
                sessions = database_sessions(database, 0)
            except OSError as exc:
                problems.append(Problem(str(database), str(exc.strerror or exc)))
                continue
            stored.update(session.session_id for session in sessions)
            roots = {session.session_id: session.parent_id for session in sessions}
            sources.extend(
                _source(f"{database}{_SEPARATOR}{session.session_id}", session, roots) for session in sessions
            )
        sources.extend(self._file_sources(stored, problems))
        recent = (source for source in sources if source.modified_ns >= since_ns)
        return Discovery(tuple(sorted(recent, key=lambda source: source.key)), tuple(problems))

    def _databases(self) -> list[Path]:
        found = ([root] if root.is_file() else sorted(root.glob(_DATABASES)) for root in self.roots)
        return [database for databases in found for database in databases]

    def _file_sources(self, stored: set[str], problems: list[Problem]) -> Iterable[Source]:
        found = [item for root in self.roots for item in file_sessions(root / _STORAGE, problems)]
        roots = {session.session_id: session.parent_id for _, session in found}
        for path, session in found:
            if session.session_id not in stored:
                yield _source(str(path), session, roots)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read what became final after ``cursor``; a cursor counts moments and row numbers here."""
        moment, number = (cursor.offset, cursor.line) if cursor else (0, 0)
        database, separator, session_id = source.key.rpartition(_SEPARATOR)
        if separator:
            before, after = database_rows(Path(database), session_id, moment, number, limits.SQLITE_ROWS_MAX)
        else:
            before, after = file_rows(Path(source.key), moment, number, limits.SQLITE_ROWS_MAX)
        return self._reading(source, before, after, moment, number)

    def _reading(
        self, source: Source, before: list[Row], after: list[Row], moment: int, number: int
    ) -> Reading:
        builder = EntryBuilder(1 << 62, is_subagent=source.is_subagent)
        sorter = RowSorter(builder)
        for row in before:
            sorter.add(row)
        new_from, builder.new_offset = len(builder.entries), _OLD
        for row in after:
            sorter.add(row)
        coverage = Coverage(
            files=1,
            lines=len(after),
            bytes=sum(len(row.part or row.message) for row in after),
            bad_lines=sorter.bad_rows,
            unknown=builder.unknown,
        )
        transcript = Transcript(
            reader=self.name,
            session_id=source.session_id,
            root_session=source.root_session,
            source_file=source.key,
            entries=tuple(builder.entries),
            new_from=new_from,
            is_subagent=source.is_subagent,
            project=source.project,
            model=builder.model,
            usage=builder.usage,
            bills=tuple(builder.bills),
            coverage=coverage,
        )
        if after:
            moment, number = after[-1].moment, after[-1].number
        return Reading(transcript, _cursor(moment, number), len(after) == limits.SQLITE_ROWS_MAX)


def make_opencode_reader(config: ReaderConfig) -> OpencodeReader:
    """Make the reader of a ``[[reader]]`` table.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    data = config.environment.get("XDG_DATA_HOME") or "~/.local/share"
    return OpencodeReader(tuple(Path(path) for path in configured_paths(config, f"{data}/opencode")))


def _source(key: str, session: StoredSession, parents: dict[str, str | None]) -> Source:
    """Name a session; a sub-agent's root is found up its parents, however deep."""
    root, seen = session.session_id, {session.session_id}
    parent = session.parent_id
    while parent is not None and parent not in seen:
        root = parent
        seen.add(parent)
        parent = parents.get(parent)
    return Source(
        key,
        session.session_id,
        root,
        session.modified_ns,
        is_subagent=session.parent_id is not None,
        project=session.directory,
    )


def _cursor(moment: int, number: int) -> Cursor:
    return Cursor(
        device=0,
        inode=0,
        size=0,
        offset=moment,
        line=number,
        context_offset=moment,
        context_line=number,
        marks="",
    )
