"""Conditions on what the vocabularies say: facets, files, links between entries, and each event once."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, tuple_

from jilog_ledger.decision import FileRef, FileScope
from jilog_ledger.projection.schema import events, facets, file_refs, writers


def has_facet(name: str, value: str) -> ColumnElement[bool]:
    """Ask for events that a vocabulary gave this value."""
    found = select(facets.c.event).where(facets.c.name == name, facets.c.value == value)
    return events.c.id.in_(found)


def concerns(scopes: tuple[FileScope, ...]) -> ColumnElement[bool]:
    """Ask for events that speak of one of these files, or of one below one of these folders."""
    conditions = [_at_or_below(name) for scope in scopes for name in scope.names]
    return events.c.id.in_(select(file_refs.c.event).where(or_(false(), *conditions)))


def _at_or_below(name: FileRef) -> ColumnElement[bool]:
    same = file_refs.c.repository == name.repository
    if not name.path:
        return same
    # '0' is the character after '/': the index gives everything below a folder as one range.
    below = and_(file_refs.c.path >= f"{name.path}/", file_refs.c.path < f"{name.path}0")
    return and_(same, or_(file_refs.c.path == name.path, below))


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


def first_of_its_id() -> ColumnElement[bool]:
    """Ask for the first event of each id in the fleet's total order.

    Two hosts that import the same entries append the same ids under two writers; a reader wants one of each.
    """
    other, writer = events.alias(), writers.alias()
    earlier = tuple_(other.c.timestamp_ns, writer.c.source, writer.c.epoch, other.c.sequence) < tuple_(
        events.c.timestamp_ns, writers.c.source, writers.c.epoch, events.c.sequence
    )
    return ~exists(
        select(other.c.id)
        .join(writer, writer.c.id == other.c.writer_id)
        # The inequality comes first: nearly always an id stands once, and that ends the look-up.
        .where(other.c.event_id == events.c.event_id, other.c.id != events.c.id, earlier)
    ).correlate(events, writers)
