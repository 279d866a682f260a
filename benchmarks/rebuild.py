"""Rebuilding the projection against a bare sqlite3 executemany of the same rows."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from benchmarks.append import draft
from benchmarks.timing import Timed, compare, table
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection import Projection
from jilog_ledger.projection.schema import events, insert_statement

EVENTS = 100_000
BATCH = 1_000


def bare_insert(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Insert ready-made rows into a table without index or search: what SQLite itself costs."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        columns = ", ".join(column.name for column in events.columns)
        connection.execute(f"CREATE TABLE events ({columns})")
        connection.execute("BEGIN")
        connection.executemany(insert_statement(events), rows)
        connection.execute("COMMIT")
    finally:
        connection.close()


def run() -> str:
    """Measure and give the table."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        root = Path(directory)
        ledger = ZoneLedger.open(root / "zone", "main", source="bench", key=SigningKey.generate())
        for _ in range(EVENTS // BATCH):
            ledger.append([draft(number) for number in range(BATCH)])
        with Projection.open(ledger) as projection:
            rows = _rows(root / "zone" / "projection.sqlite")
            figures = compare(
                Timed("bare executemany", EVENTS, lambda: bare_insert(root / "bare.sqlite", rows)),
                Timed("rebuild from segments", EVENTS, projection.rebuild),
                unit="events",
                rounds=3,
            )
    return table("projection rebuild (read, verify, decode, insert, index, full text)", figures)


def _rows(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT * FROM events").fetchall()
    finally:
        connection.close()
    return [tuple(bytearray(value) if isinstance(value, bytes) else value for value in row) for row in rows]
