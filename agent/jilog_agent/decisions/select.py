"""Choosing entries: filters that all combine, whatever command they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.friction import friction_about
from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_ledger.decision import FileScope
from jilog_ledger.projection import EventQuery


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries to give; everything that is set must hold.

    Times are Unix nanoseconds, ``since_ns`` inclusive and ``until_ns`` exclusive. All ``tags`` must be there,
    one of ``files`` must be spoken of. ``unanswered`` leaves out what another entry resolves.
    ``all_records`` gives events of every vocabulary. A ``limit`` of None gives all.
    """

    type: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    files: tuple[FileScope, ...] = ()
    text: str | None = None
    unanswered: bool = False
    all_records: bool = False
    shared_only: bool = False

    def query(self, *, limit: int | None, offset: int = 0, oldest_first: bool = False) -> EventQuery:
        """Say it as a query of the projection; with a text the best matches come first."""
        return EventQuery(
            since_ns=self.since_ns,
            until_ns=self.until_ns,
            text=self.text,
            facets=tuple(self._facets()),
            files=self.files,
            not_linked=("resolves",) if self.unanswered else (),
            limit=limit,
            offset=offset,
            oldest_first=oldest_first,
            best_first=self.text is not None,
            shared_only=self.shared_only,
            distinct=True,
        )

    def _facets(self) -> list[tuple[str, str]]:
        facets = [("tag", tag) for tag in self.tags]
        if self.type is not None:
            facets.append(("type", self.type))
        if self.session is not None:
            facets.append(("session", self.session))
        if not self.all_records:
            facets.append(("record", "decision"))
        return facets


def select_entries(
    zones: Sequence[OpenZone],
    wanted: EntryFilter,
    *,
    limit: int | None,
    offset: int = 0,
    oldest_first: bool = False,
) -> list[Entry]:
    """Give the entries that pass a filter: the newest first, or the best matches when there is a text."""
    query = wanted.query(limit=limit, offset=offset, oldest_first=oldest_first)
    return [tell(event) for event in find_events(zones, query)]


def about_files(zones: Sequence[OpenZone], scope: FileScope, *, limit: int | None = None) -> list[Entry]:
    """Tell the story of a file or folder, the newest first: every vocabulary, and friction."""
    written = select_entries(zones, EntryFilter(files=(scope,), all_records=True), limit=limit)
    story = [*written, *friction_about(zones, scope, limit=limit)]
    story.sort(key=lambda entry: entry.event.order, reverse=True)
    return story[:limit]
