"""Conditions on what the vocabularies say: facets, files, links between entries, and each event once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, select, tuple_, union_all

from jilog_ledger.decision import FileRef, FileScope
from jilog_ledger.projection.schema import events, facets, file_refs, writers

_Part = Callable[[int], ColumnElement[Any]]
"""Gives one part of a listed name: its repository, and a path or both ends of a range."""


def has_facet(name: str, value: str) -> ColumnElement[bool]:
    """Ask for events that a vocabulary gave this value."""
    found = select(facets.c.event).where(facets.c.name == name, facets.c.value == value)
    return events.c.id.in_(found)


def concerns(scopes: tuple[FileScope, ...]) -> ColumnElement[bool]:
    """Ask for events that speak of one of these files, or of one below one of these folders.

    The names are one parameter: the statement is the same for any number of files, so that it is compiled
    once, and no deeper than SQLite takes (1,000 levels).
    """
    names = sorted({name for scope in scopes for name in scope.names}, key=_name_key)
    same = json.dumps([_name_key(name) for name in names])
    # '0' is the character after '/': the index gives everything below a folder as one range.
    below = json.dumps(
        [
            (name.repository, f"{name.path}/", f"{name.path}0") if name.path else (name.repository, "", None)
            for name in names
        ]
    )
    return events.c.id.in_(union_all(_spoken_of(same, _is), _spoken_of(below, _is_within)))


def _name_key(name: FileRef) -> tuple[str, str]:
    return name.repository, name.path


def _spoken_of(listed: str, condition: Callable[[_Part], ColumnElement[bool]]) -> Select[tuple[int]]:
    each = func.json_each(listed).table_valued("value")

    def part(number: int) -> ColumnElement[Any]:
        return func.json_extract(each.c.value, literal_column(f"'$[{number}]'"))

    named = and_(file_refs.c.repository == part(0), condition(part))
    return select(file_refs.c.event).select_from(each.join(file_refs, named))


def _is(part: _Part) -> ColumnElement[bool]:
    return file_refs.c.path == part(1)


def _is_within(part: _Part) -> ColumnElement[bool]:
    # A range without an end has everything: in SQLite each text is smaller than each blob.
    end = func.coalesce(part(2), literal_column("x''"))
    return and_(file_refs.c.path >= part(1), file_refs.c.path < end)


def not_linked(name: str) -> ColumnElement[bool]:
    """Ask for events whose id no other event names in this facet: questions that nothing resolves."""
    identity, link = facets.alias(), facets.alias()
    linked = (
        select(identity.c.event)
        .join(link, and_(link.c.name == name, link.c.value == identity.c.value))
        .where(identity.c.name == "id")
    )
    return events.c.id.not_in(linked)


def id_between(first: bytes, last: bytes) -> ColumnElement[bool]:
    """Ask for events whose id lies in a range: all that begin with the same digits."""
    return and_(events.c.event_id >= first, events.c.event_id <= last)


def first_of_its_id(*, shared_only: bool) -> ColumnElement[bool]:
    """Ask for the first event of each id in the fleet's total order.

    Two hosts that import the same entries append the same ids under two writers; a reader wants one of each.
    With ``shared_only`` it is the first of those that every host can see.
    """
    other, writer = events.alias(), writers.alias()
    earlier = tuple_(other.c.timestamp_ns, writer.c.source, writer.c.epoch, other.c.sequence) < tuple_(
        events.c.timestamp_ns, writers.c.source, writers.c.epoch, events.c.sequence
    )
    among = [writer.c.local == 0] if shared_only else []
    return ~exists(
        select(other.c.id)
        .join(writer, writer.c.id == other.c.writer_id)
        # The inequality comes first: nearly always an id stands once, and that ends the look-up.
        .where(other.c.event_id == events.c.event_id, other.c.id != events.c.id, earlier, *among)
    ).correlate(events, writers)
