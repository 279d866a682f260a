"""Bringing a projection up to what the segments say, in transactions that carry their own checkpoint."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from jilog_ledger.event import StoredEvent
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.projection import schema
from jilog_ledger.projection.facets import SIGNAL_CLASS, facets_of
from jilog_ledger.projection.rows import EventRow, event_row, texts_of_rows
from jilog_ledger.store import Position, ZoneStore

COMMIT_EVENTS = 50_000
"""Events in one transaction: bounds the write-ahead log, and what a crash makes us do again."""

_INSERT_EVENT = schema.insert_statement(schema.events)
_INSERT_FACET = schema.insert_statement(schema.facets)
_INSERT_FILE = schema.insert_statement(schema.file_refs)
_INSERT_TEXT = "INSERT INTO events_text (rowid, text) VALUES (?, ?)"
_PUT_SEGMENT = (
    "INSERT INTO segments (writer_id, number, length, first_sequence, last_sequence) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (writer_id, number) DO UPDATE SET length = excluded.length, "
    "last_sequence = excluded.last_sequence"
)
_BULK_ROWS = 2_000


@dataclass(slots=True)
class AppliedSegment:
    """One row of the segments table."""

    length: int
    first_sequence: int
    last_sequence: int


@dataclass(slots=True)
class _Bulk:
    """Rows on their way into the database."""

    events: list[EventRow] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    facets: list[tuple[str, str, int]] = field(default_factory=list)
    files: list[tuple[str, str, int]] = field(default_factory=list)


class Applier:
    """Apply segments to one open database; it begins and commits its own transactions."""

    def __init__(self, connection: sqlite3.Connection, progress: Callable[[int], None] | None = None) -> None:
        self._connection = connection
        self._progress = progress
        self._writers: dict[tuple[str, str, int], int] = {}
        self._classes: dict[str, int] = {}
        self._next_row = 1
        self._pending = 0

    def _load(self) -> None:
        """Read the numbers given so far; inside the transaction, for other processes give them as well."""
        rows = self._connection.execute("SELECT id, source, epoch, local FROM writers")
        self._writers = {(source, epoch, local): writer_id for writer_id, source, epoch, local in rows}
        classes = self._connection.execute("SELECT id, name FROM classes")
        self._classes = {name: class_id for class_id, name in classes}
        last = self._connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()[0]
        self._next_row = last + 1

    def apply(self, store: ZoneStore, *, local: bool) -> int:
        """Bring in what a store has and the projection has not; give the number of events added.

        Events of segments that the store no longer holds, because they went to quarantine, are taken out.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._load()
            self._note_branches(store, int(local))
            added = sum(self._apply_writer(store, writer, int(local)) for writer in store.writers())
            self._connection.execute("COMMIT")
        except BaseException:
            # A crash here, or an error, leaves the last commit: rows and checkpoint agree in it.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return added

    def _note_branches(self, store: ZoneStore, local: int) -> None:
        """Take out what a branch that is new here may have displaced under related names."""
        writers = store.writers()
        for writer in writers:
            branch = store.branch(writer)
            if branch is None or (writer.source, writer.epoch, local) in self._writers:
                continue
            self._writer_id(writer, local)
            for relative in writers:
                if store.origin(relative) == branch.origin:
                    self._take_out_from(self._writer_id(relative, local), branch.number)

    def _take_out_from(self, writer_id: int, number: int) -> None:
        for applied_number, applied in self._applied(writer_id).items():
            if applied_number >= number:
                self._take_out(writer_id, applied_number, applied)

    def _apply_writer(self, store: ZoneStore, writer: Writer, local: int) -> int:
        writer_id = self._writer_id(writer, local)
        applied = self._applied(writer_id)
        held = {info.number: info for info in store.segments(writer)}
        for number in applied.keys() - held.keys():
            self._take_out(writer_id, number, applied[number])
        added = 0
        for number, info in sorted(held.items()):
            known = applied.get(number)
            if known is not None and known.length > info.content_length:
                # The segment was cut to a shorter, older state; what came after it is gone.
                self._take_out(writer_id, number, known)
                known = None
            if known is None or known.length < info.content_length:
                fresh = self._apply_segment(store, info, writer_id, known)
                added += fresh
                if self._progress is not None:
                    self._progress(fresh)
        return added

    def _apply_segment(
        self, store: ZoneStore, info: SegmentInfo, writer_id: int, known: AppliedSegment | None
    ) -> int:
        position = Position(info.number, known.length, known.last_sequence) if known else None
        added = 0
        bulk = _Bulk()
        for batch in store.segment_events(info, position):
            self._collect(bulk, writer_id, batch.events)
            added += len(batch.events)
            if len(bulk.events) >= _BULK_ROWS:
                self._flush(bulk)
            end = batch.position
        if added:
            self._flush(bulk)
            span = (writer_id, info.number, end.length, info.first_sequence, end.sequence)
            self._connection.execute(_PUT_SEGMENT, span)
            self._pending += added
            if self._pending >= COMMIT_EVENTS:
                self._connection.execute("COMMIT")
                self._connection.execute("BEGIN IMMEDIATE")
                self._pending = 0
        return added

    def _collect(self, bulk: _Bulk, writer_id: int, events: list[StoredEvent]) -> None:
        row_id = self._next_row
        for event in events:
            class_id = self._classes.get(event.event_class) or self._class_id(event.event_class)
            row, text, payload = event_row(row_id, writer_id, class_id, event)
            bulk.events.append(row)
            if text:
                bulk.texts.append((row_id, text))
            if isinstance(payload, dict) and ("record" in payload or event.event_class == SIGNAL_CLASS):
                facets = facets_of(event, payload)
                bulk.facets.extend((name, value, row_id) for name, value in facets.values)
                bulk.files.extend((ref.repository, ref.path, row_id) for ref in facets.files)
            row_id += 1
        self._next_row = row_id

    def _flush(self, bulk: _Bulk) -> None:
        self._connection.executemany(_INSERT_EVENT, bulk.events)
        self._connection.executemany(_INSERT_TEXT, bulk.texts)
        self._connection.executemany(_INSERT_FACET, bulk.facets)
        self._connection.executemany(_INSERT_FILE, bulk.files)
        for rows in (bulk.events, bulk.texts, bulk.facets, bulk.files):
            rows.clear()

    def _take_out(self, writer_id: int, number: int, applied: AppliedSegment) -> None:
        span = (writer_id, applied.first_sequence, applied.last_sequence)
        where = "WHERE writer_id = ? AND sequence BETWEEN ? AND ?"
        rows = self._connection.execute(
            f"SELECT id, payload, object_ref, actor_ref FROM events {where}",  # noqa: S608 -- constant text
            span,
        ).fetchall()
        # A contentless table forgets a row only when it is told the text that was put in.
        self._connection.executemany(
            "INSERT INTO events_text (events_text, rowid, text) VALUES ('delete', ?, ?)",
            [(row_id, text) for row_id, text in texts_of_rows(rows) if text],
        )
        for table in ("facets", "file_refs"):
            # One pass over a narrow table: quarantine is rare, and an index by event would cost each insert.
            self._connection.execute(
                f"DELETE FROM {table} WHERE event IN (SELECT id FROM events {where})",  # noqa: S608 -- constant
                span,
            )
        self._connection.execute(f"DELETE FROM events {where}", span)  # noqa: S608 -- constant text
        self._connection.execute(
            "DELETE FROM segments WHERE writer_id = ? AND number = ?", (writer_id, number)
        )

    def _applied(self, writer_id: int) -> dict[int, AppliedSegment]:
        rows = self._connection.execute(
            "SELECT number, length, first_sequence, last_sequence FROM segments WHERE writer_id = ?",
            (writer_id,),
        )
        return {number: AppliedSegment(*rest) for number, *rest in rows}

    def _writer_id(self, writer: Writer, local: int) -> int:
        key = (writer.source, writer.epoch, local)
        if key not in self._writers:
            cursor = self._connection.execute(
                "INSERT INTO writers (source, epoch, local) VALUES (?, ?, ?)", key
            )
            self._writers[key] = cursor.lastrowid or 0
        return self._writers[key]

    def _class_id(self, name: str) -> int:
        cursor = self._connection.execute("INSERT INTO classes (name) VALUES (?)", (name,))
        self._classes[name] = cursor.lastrowid or 0
        return self._classes[name]
