"""The projection's tables, indexes and full-text table.

Bulk inserts bind no NULL and no ``bytes``: Python's sqlite3 looks both up in its adapter table, at three
times the cost of an int or a bytearray (measured in ``docs/performance.md``). Absent text is ``''`` and an
absent id is an empty blob; neither can be a value of its own.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMA_VERSION = 5
"""A projection of another version is rebuilt, never migrated."""

metadata = MetaData()

meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

writers = Table(
    "writers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("epoch", Text, nullable=False),
    Column("local", Integer, nullable=False),
)

classes = Table(
    "classes", metadata, Column("id", Integer, primary_key=True), Column("name", Text, nullable=False)
)

segments = Table(
    "segments",
    metadata,
    Column("writer_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("length", Integer, nullable=False),
    Column("first_sequence", Integer, nullable=False),
    Column("last_sequence", Integer, nullable=False),
)
"""What was applied: of each segment how many bytes, and which events that gave."""

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("writer_id", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("timestamp_ns", Integer, nullable=False),
    Column("class_id", Integer, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("event_id", LargeBinary, nullable=False),
    Column("subsystem", Text, nullable=False),
    Column("object_ref", Text, nullable=False),
    Column("actor_ref", Text, nullable=False),
    Column("correlation_id", LargeBinary, nullable=False),
    Column("causation_id", LargeBinary, nullable=False),
    Column("payload", Text, nullable=False),
)

facets = Table(
    "facets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("event", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""What the vocabularies let events be found by: type, session, tag, …; ``event`` is a row of events."""

file_refs = Table(
    "file_refs",
    metadata,
    Column("repository", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("event", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""Files that events speak of. Paths sort so that all below one folder stand together."""

indexes = (
    Index("events_time", events.c.timestamp_ns),
    Index("events_event_id", events.c.event_id),
    Index("events_object", events.c.object_ref, sqlite_where=events.c.object_ref != ""),
    Index("events_correlation", events.c.correlation_id, sqlite_where=text("correlation_id != x''")),
)
"""Only what a query needs: time windows, one event by id, all of one object, all of one night or run."""

FULL_TEXT_TABLE = (
    # Contentless: the text is in the events table already. '+' and '#' belong to words, for C++ and F#.
    "CREATE VIRTUAL TABLE events_text USING fts5(text, content='', "
    "tokenize=\"unicode61 remove_diacritics 2 tokenchars '+#'\")"
)


def table_statements() -> list[str]:
    """Give the DDL of all tables."""
    dialect = sqlite.dialect()
    tables = (meta, writers, classes, segments, events, facets, file_refs)
    return [str(CreateTable(table).compile(dialect=dialect)) for table in tables] + [FULL_TEXT_TABLE]


def index_statements() -> list[str]:
    """Give the DDL of all indexes, run after a bulk load."""
    return [str(CreateIndex(index).compile(dialect=sqlite.dialect())) for index in indexes]


def insert_statement(table: Table) -> str:
    """Give an INSERT of all columns with positional parameters, for the driver's executemany."""
    columns = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 -- names of our own tables
