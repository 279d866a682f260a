"""The layouts of lists, sessions and search results. Pure functions from entries to text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jilog_agent.decisions.entry import Entry
from jilog_agent.decisions.lookup import FoundEntry, FoundSession
from jilog_agent.decisions.text import clock, excerpt, indented, json_text, marked, one_line
from jilog_ledger.times import format_time

BOLD, PLAIN = "\x1b[1m", "\x1b[0m"
SESSION_CHARS = 8


def list_line(entry: Entry) -> str:
    """Write an entry as ``time [type] (session) title``."""
    session = one_line(entry.session)[:SESSION_CHARS]
    return f"{clock(entry.timestamp_ns)} [{entry.kind}] ({session}) {one_line(entry.title)}"


def entry_list(entries: Sequence[Entry], *, verbose: bool) -> Iterator[str]:
    """Write a list; with ``verbose`` each body stands below its entry, indented by 4."""
    for entry in entries:
        yield list_line(entry)
        if verbose and entry.body:
            yield indented(entry.body, 4)


def search_results(entries: Sequence[Entry], text: str, *, color: bool) -> Iterator[str]:
    """Write what a search found, with the words in bold when ``color`` is wanted."""
    if not entries:
        yield "No results found."
        return
    words = text.split()
    for entry in entries:
        title = one_line(entry.title)
        if color:
            title = marked(title, words, BOLD, PLAIN)
        session = one_line(entry.session)[:SESSION_CHARS]
        yield f"{clock(entry.timestamp_ns)}  {entry.kind:<16}  {session}  {title}"
        if entry.body:
            yield f"    {excerpt(entry.body, words)}"
    yield ""
    yield f"{len(entries)} result(s)"


def session_page(found: FoundSession) -> Iterator[str]:
    """Write a session and its entries in the order in which they came."""
    yield f"Session: {one_line(found.session)}"
    yield f"Started: {clock(found.entries[0].timestamp_ns) if found.entries else 'N/A'}"
    yield f"Entries: {len(found.entries)}"
    for entry in found.entries:
        yield ""
        yield from _entry_block(entry)


def entry_page(found: FoundEntry) -> Iterator[str]:
    """Write one entry with all that is known of it."""
    entry = found.entry
    yield f"Entry: {one_line(entry.id)}"
    yield f"Session: {one_line(entry.session)}"
    yield f"Host: {entry.event.writer.source}"
    if entry.decision is not None and entry.decision.place is not None:
        place = entry.decision.place
        where = place.repository or "no repository"
        yield f"Place: {one_line(f'{place.host}:{place.folder} ({where})')}"
    yield ""
    yield from _entry_block(entry)
    yield from _links("Resolved by", found.resolved_by)
    yield from _links("Superseded by", found.superseded_by)
    if entry.decision is None:
        yield json_text(entry.event.to_json())


def _entry_block(entry: Entry) -> Iterator[str]:
    yield f"{clock(entry.timestamp_ns)} [{entry.kind}] {one_line(entry.title)}"
    if entry.body:
        yield indented(entry.body, 2)
    if entry.tags:
        yield f"  Tags: {one_line(', '.join(entry.tags))}"
    if entry.paths:
        yield f"  Files: {one_line(', '.join(entry.paths))}"
    if entry.decision is None:
        return
    for label, values in (
        ("Alternatives", entry.decision.alternatives),
        ("Outcome", (entry.decision.outcome,) if entry.decision.outcome else ()),
        ("Resolves", entry.decision.resolves),
        ("Supersedes", entry.decision.supersedes),
    ):
        if values:
            yield f"  {label}: {one_line(', '.join(values))}"


def _links(label: str, entries: Sequence[Entry]) -> Iterator[str]:
    for entry in entries:
        yield f"  {label}: {entry.id} {format_time(entry.timestamp_ns)} {one_line(entry.title)}"
