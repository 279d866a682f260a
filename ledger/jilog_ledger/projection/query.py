"""Queries over the projection. Every filter is SQL, so nothing is hidden behind a window."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Row,
    Select,
    and_,
    column,
    func,
    literal_column,
    select,
    text,
)

from jilog_ledger.decision import FileScope
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, StoredEvent
from jilog_ledger.identifiers import Writer
from jilog_ledger.projection.rows import match_expression, payload_from_json
from jilog_ledger.projection.schema import classes, events, facets, writers
from jilog_ledger.projection.selection import (
    concerns,
    first_of_its_id,
    has_facet,
    id_between,
    not_linked,
)

LIMIT_DEFAULT = 100
NO_MATCH = '""'
"""What FTS5 finds nothing by: a phrase without a word."""

_INTEGER_MAX = 2**63 - 1
_REFERENCES_PER_QUERY = 500
"""References in one statement: SQLite takes 999 parameters in its oldest form still met."""
"""SQLite's integers end here; whoever asks for more events than that gets all."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events to give; all filters that are set must hold.

    Times are Unix nanoseconds, ``since_ns`` inclusive and ``until_ns`` exclusive. ``subsystems`` are globs
    (``review-*``), any of which may match. ``text`` is what a person types into a search field; all its words
    must be found unless ``any_word``. ``limit`` of None gives all. The newest come first unless
    ``oldest_first``, or the best matches of ``text`` with ``best_first``.

    ``facets`` are (name, value) pairs of the vocabularies, all of which must hold; ``files`` are files or
    folders, one of which must be spoken of; ``not_linked`` names facets by which no other event may point to
    this one. ``event_ids`` asks for these ids, ``event_id_range`` for all between two, both included.
    ``distinct`` gives an id once, whoever appended it.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    classes: tuple[str, ...] = ()
    subsystems: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    object_ref: str | None = None
    correlation_id: bytes | None = None
    text: str | None = None
    limit: int | None = LIMIT_DEFAULT
    offset: int = 0
    oldest_first: bool = False
    best_first: bool = False
    any_word: bool = False
    shared_only: bool = False
    facets: tuple[tuple[str, str], ...] = ()
    files: tuple[FileScope, ...] = ()
    not_linked: tuple[str, ...] = ()
    event_ids: tuple[bytes, ...] = ()
    event_id_range: tuple[bytes, bytes] | None = None
    distinct: bool = False


def run_query(connection: Connection, zone: str, query: EventQuery) -> Iterator[Event]:
    """Give the events that match, in the fleet's total order or its reverse.

    Raises:
        InputError: limit or offset is negative.
    """
    if query.offset < 0 or (query.limit is not None and query.limit < 0):
        raise InputError("limit and offset cannot be negative")
    for row in connection.execute(_page(query)):
        yield _event(zone, row)


def _page(query: EventQuery) -> Select[tuple[object, ...]]:
    """Select the rows of a page. Row numbers are chosen first: sorting payloads would cost ten times more."""
    if query.limit is None and not query.offset:
        return _filtered(query, _joined(*_COLUMNS)).order_by(*_order(query))
    rank: ColumnElement[Any] = literal_column("matching.rank" if _by_rank(query) else "0").label("rank")
    chosen = (
        _filtered(query, _joined(events.c.id, rank))
        .order_by(*_order(query))
        .offset(min(query.offset, _INTEGER_MAX))
    )
    if query.limit is not None:
        chosen = chosen.limit(min(query.limit, _INTEGER_MAX))
    page = chosen.subquery("page")
    rows = _joined(*_COLUMNS).join(page, page.c.id == events.c.id)
    return rows.order_by(page.c.rank, *_order(replace(query, best_first=False)))


def _clamped(time_ns: int) -> int:
    """Bring a time into what SQLite can hold; events are all well inside, whatever a clock says."""
    return max(-_INTEGER_MAX, min(time_ns, _INTEGER_MAX))


def _by_rank(query: EventQuery) -> bool:
    return query.best_first and query.text is not None


def facet_values(connection: Connection, name: str, prefix: str, limit: int | None) -> list[str]:
    """Give the values of a facet that begin with ``prefix``, sorted; ``limit`` at most unless it is None."""
    # The last character of Unicode bounds everything that begins with the prefix.
    begins = and_(facets.c.value >= prefix, facets.c.value <= prefix + "\U0010ffff")
    statement = select(facets.c.value).distinct().where(facets.c.name == name, begins)
    return list(connection.execute(statement.order_by(facets.c.value).limit(limit)).scalars())


def known_objects(connection: Connection, references: Collection[str], classes_: tuple[str, ...]) -> set[str]:
    """Give those of ``references`` that shared events of some classes speak of."""
    wanted = sorted(references)
    found: set[str] = set()
    for start in range(0, len(wanted), _REFERENCES_PER_QUERY):
        statement = (
            _joined(events.c.object_ref)
            .distinct()
            .where(
                events.c.object_ref.in_(wanted[start : start + _REFERENCES_PER_QUERY]),
                events.c.object_ref != literal_column("''"),
                classes.c.name.in_(classes_),
                writers.c.local == 0,
            )
        )
        found.update(str(row[0]) for row in connection.execute(statement))
    return found


def _order(query: EventQuery) -> list[ColumnElement[object]]:
    order: list[ColumnElement[object]] = [
        events.c.timestamp_ns,
        writers.c.source,
        writers.c.epoch,
        events.c.sequence,
    ]
    if not query.oldest_first:
        order = [column.desc() for column in order]
    if _by_rank(query):
        # BM25 as FTS5 computes it; the smaller, the better.
        order.insert(0, literal_column("matching.rank"))
    return order


def count(connection: Connection, query: EventQuery) -> int:
    """Count the events that match, whatever limit and offset say."""
    matching = _filtered(query, _joined(events.c.id)).subquery()
    return int(connection.execute(select(func.count()).select_from(matching)).scalar_one())


_COLUMNS = (
    writers.c.source,
    writers.c.epoch,
    classes.c.name.label("event_class"),
    events.c.sequence,
    events.c.event_id,
    events.c.timestamp_ns,
    events.c.tier,
    events.c.payload,
    events.c.object_ref,
    events.c.actor_ref,
    events.c.correlation_id,
    events.c.causation_id,
)


def _joined(*columns: ColumnElement[Any]) -> Select[tuple[object, ...]]:
    return (
        select(*columns)
        .select_from(events)
        .join(writers, writers.c.id == events.c.writer_id)
        .join(classes, classes.c.id == events.c.class_id)
    )


def _filtered(query: EventQuery, statement: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    if query.text is not None:
        expression = match_expression(query.text, any_word=query.any_word)
        if expression is None:
            expression = NO_MATCH
        matching = (
            text("SELECT rowid AS id, rank FROM events_text WHERE events_text MATCH :match")
            .bindparams(match=expression)
            .columns(column("id", Integer), column("rank", Float))
            .subquery("matching")
        )
        statement = statement.join(matching, matching.c.id == events.c.id)
    for condition in _conditions(query):
        statement = statement.where(condition)
    return statement


def _conditions(query: EventQuery) -> Iterator[ColumnElement[bool]]:
    if query.since_ns is not None:
        yield events.c.timestamp_ns >= _clamped(query.since_ns)
    if query.until_ns is not None:
        yield events.c.timestamp_ns < _clamped(query.until_ns)
    if query.classes:
        yield classes.c.name.in_(query.classes)
    if query.sources:
        yield writers.c.source.in_(query.sources)
    if query.object_ref is not None:
        yield events.c.object_ref == query.object_ref
        if query.object_ref:
            # Its index leaves out the empty ones; SQLite uses it only where a query says so, too.
            yield events.c.object_ref != literal_column("''")
    if query.correlation_id is not None:
        yield events.c.correlation_id == query.correlation_id
        # As above: the index has only those events that belong to something larger.
        yield events.c.correlation_id != literal_column("x''")
    if query.shared_only:
        yield writers.c.local == 0
    yield from _vocabulary_conditions(query)
    if query.subsystems:
        globs = [events.c.subsystem.op("GLOB")(pattern) for pattern in query.subsystems]
        matches: ColumnElement[bool] = globs[0]
        for glob in globs[1:]:
            matches = matches | glob
        yield (events.c.subsystem != "") & matches


def _vocabulary_conditions(query: EventQuery) -> Iterator[ColumnElement[bool]]:
    for name, value in query.facets:
        yield has_facet(name, value)
    if query.files:
        yield concerns(query.files)
    for name in query.not_linked:
        yield not_linked(name)
    if query.event_ids:
        yield events.c.event_id.in_(query.event_ids)
    if query.event_id_range is not None:
        yield id_between(*query.event_id_range)
    if query.distinct:
        yield first_of_its_id(shared_only=query.shared_only)


def _event(zone: str, row: Row[tuple[object, ...]]) -> Event:
    stored = StoredEvent(
        sequence=row.sequence,
        event_id=row.event_id,
        timestamp_ns=row.timestamp_ns,
        event_class=row.event_class,
        tier=row.tier,
        payload=payload_from_json(row.payload),
        object_ref=row.object_ref or None,
        actor_ref=row.actor_ref or None,
        correlation_id=row.correlation_id or None,
        causation_id=row.causation_id or None,
    )
    return Event(zone, Writer(row.source, row.epoch), stored)
