"""What the next session should know: decisions that concern the files at hand, and what went wrong there,
ranked, within a budget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.friction import problems
from jilog_agent.decisions.select import EntryFilter
from jilog_agent.decisions.text import first_sentence, one_line, seconds, visible
from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_ledger.decision import FileScope
from jilog_ledger.errors import InputError
from jilog_ledger.projection import EventQuery

LIMIT_DEFAULT = 10
FRICTION_SHARE = 3
"""One part in so many is kept for corrections and recurring errors, when there are any."""

CHARS_PER_TOKEN = 4
"""What a token of English and code comes to, roughly; a budget needs no more."""

IDS_MAX = 1_000
"""Ids in one query: far below what SQLite takes as parameters (32,766)."""

CANDIDATES_MAX = 1_000
"""Entries that are ranked for the files, and for the topic: the newest and the best of them."""


@dataclass(frozen=True, slots=True)
class ContextQuery:
    """What is at hand. ``budget_tokens`` of None means that only ``limit`` counts.

    With ``friction`` up to a third of what is given are corrections and recurring errors.
    """

    files: tuple[FileScope, ...] = ()
    topic: str = ""
    limit: int = LIMIT_DEFAULT
    budget_tokens: int | None = None
    friction: bool = True


@dataclass(slots=True)
class _Candidate:
    """An entry and what speaks for it: files of the query that it names, its place among topic hits."""

    entry: Entry
    files: int = 0
    topic_rank: int | None = None
    superseded: bool = False

    def key(self) -> tuple[bool, int, bool, int, int]:
        """Sort what still holds first, then by files at hand, topic, and recency."""
        by_topic = self.topic_rank if self.topic_rank is not None and not self.files else 0
        return (self.superseded, -self.files, self.topic_rank is None, by_topic, -self.entry.timestamp_ns)


def relevant(zones: Sequence[OpenZone], query: ContextQuery) -> list[Entry]:
    """Give the entries worth reading, the most relevant first, each once; decisions before friction.

    Raises:
        InputError: neither files nor a topic were given, or a number is out of range.
    """
    if not query.files and not query.topic.strip():
        raise InputError(
            "at least one of files or topic is required", hint="jilog context --files README.md --topic login"
        )
    if query.limit < 1 or (query.budget_tokens is not None and query.budget_tokens < 1):
        raise InputError("limit and budget must be at least 1")
    candidates = sorted(_candidates(zones, query).values(), key=_Candidate.key)
    entries = [candidate.entry for candidate in candidates[: query.limit]]
    friction = _friction(zones, query, query.limit - len(entries)) if query.friction else []
    entries = entries[: query.limit - len(friction)]
    if query.budget_tokens is None:
        return [*entries, *friction]
    chars = query.budget_tokens * CHARS_PER_TOKEN
    # What went wrong takes its share first: many long decisions would leave it no room.
    told = list(_within(FRICTION_HEADING, friction, chars // FRICTION_SHARE if entries else chars))
    return [*_within(HEADING, entries, chars - _size(FRICTION_HEADING, told)), *told]


def _friction(zones: Sequence[OpenZone], query: ContextQuery, free: int) -> list[Entry]:
    """Give what went wrong: as much as decisions leave free, and a third of the limit in any case."""
    most = max(free, query.limit // FRICTION_SHARE)
    return [problem.entry() for problem in problems(zones, query.files, query.topic)[:most]]


def _candidates(zones: Sequence[OpenZone], query: ContextQuery) -> dict[bytes, _Candidate]:
    found: dict[bytes, _Candidate] = {}
    if query.files:
        for entry in _ask(zones, EntryFilter(files=query.files).query(limit=CANDIDATES_MAX)):
            named = sum(_speaks_of(entry, scope) for scope in query.files)
            found[entry.event.stored.event_id] = _Candidate(entry, files=named)
    if query.topic.strip():
        wanted = replace(EntryFilter(text=query.topic).query(limit=CANDIDATES_MAX), any_word=True)
        for rank, entry in enumerate(_ask(zones, wanted)):
            found.setdefault(entry.event.stored.event_id, _Candidate(entry)).topic_rank = rank
    _mark_superseded(zones, found)
    return found


def _speaks_of(entry: Entry, scope: FileScope) -> bool:
    """Tell whether an entry names a file, or one below a folder."""
    refs = entry.decision.files if entry.decision else ()
    return any(
        ref.repository == name.repository and (not name.path or f"{ref.path}/".startswith(f"{name.path}/"))
        for ref in refs
        for name in scope.names
    )


def _mark_superseded(zones: Sequence[OpenZone], found: dict[bytes, _Candidate]) -> None:
    """Find out what a later entry took the place of; it is told last."""
    ids = list(found)
    holds: set[bytes] = set()
    for start in range(0, len(ids), IDS_MAX):
        chunk = tuple(ids[start : start + IDS_MAX])
        standing = EventQuery(event_ids=chunk, not_linked=("supersedes",), limit=None, distinct=True)
        holds.update(event.stored.event_id for event in find_events(zones, standing))
    for event_id, candidate in found.items():
        candidate.superseded = event_id not in holds


def _ask(zones: Sequence[OpenZone], query: EventQuery) -> list[Entry]:
    return [tell(event) for event in find_events(zones, query)]


def _within(heading: str, entries: Sequence[Entry], chars: int) -> Iterator[Entry]:
    """Give whole entries while they fit, then the first sentences of what still fits."""
    room = chars - len(heading) - 2
    for entry in entries:
        short = replace(entry, body=first_sentence(entry.body))
        for version in (entry, short):
            size = len(_section(version)) + 2
            if size <= room:
                room -= size
                yield version
                break


def _size(heading: str, entries: Sequence[Entry]) -> int:
    """Count the characters of a part of the text."""
    return len(heading) + 2 + sum(len(_section(entry)) + 2 for entry in entries) if entries else 0


HEADING = "# Relevant decisions"
FRICTION_HEADING = "# Corrections and recurring errors"
NOTHING = "No relevant decisions found."


def context_text(entries: Sequence[Entry]) -> str:
    """Write entries for an agent to read."""
    if not entries:
        return NOTHING
    decisions = [_section(entry) for entry in entries if entry.decision is not None]
    friction = [_section(entry) for entry in entries if entry.decision is None]
    parts = [[HEADING, *decisions] if decisions else [], [FRICTION_HEADING, *friction] if friction else []]
    return "\n\n".join(section for part in parts for section in part) + "\n"


def _section(entry: Entry) -> str:
    lines = [f"## [{entry.kind}] {one_line(entry.title)} ({seconds(entry.timestamp_ns)})"]
    if entry.body:
        lines.append(visible(entry.body))
    if entry.paths:
        lines.append(f"Files: {one_line(', '.join(entry.paths))}")
    if entry.tags:
        lines.append(f"Tags: {one_line(', '.join(entry.tags))}")
    return "\n".join(lines)
