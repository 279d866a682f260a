"""What the next session should know: decisions that concern the files at hand, and what went wrong there,
ranked, within a budget."""

from __future__ import annotations

from collections import defaultdict
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

    def key(self) -> tuple[int, bool, int, int]:
        """Sort by files at hand, then by topic, then by recency."""
        by_topic = self.topic_rank if self.topic_rank is not None and not self.files else 0
        return (-self.files, self.topic_rank is None, by_topic, -self.entry.timestamp_ns)


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
    entries = _best(zones, _candidates(zones, query), query.limit)
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


def _candidates(zones: Sequence[OpenZone], query: ContextQuery) -> list[_Candidate]:
    found: dict[bytes, _Candidate] = {}
    if query.files:
        at_hand = _AtHand(query.files)
        for entry in _ask(zones, EntryFilter(files=query.files).query(limit=CANDIDATES_MAX)):
            found[entry.event.stored.event_id] = _Candidate(entry, files=at_hand.named_by(entry))
    if query.topic.strip():
        wanted = replace(EntryFilter(text=query.topic).query(limit=CANDIDATES_MAX), any_word=True)
        for rank, entry in enumerate(_ask(zones, wanted)):
            found.setdefault(entry.event.stored.event_id, _Candidate(entry)).topic_rank = rank
    return list(found.values())


class _AtHand:
    """The files at hand, to be looked up by each name they go by: a folder is named by what is below it."""

    def __init__(self, scopes: Sequence[FileScope]) -> None:
        self._scopes: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        for number, scope in enumerate(scopes):
            for name in scope.names:
                self._scopes[name.repository, name.path].add(number)

    def named_by(self, entry: Entry) -> int:
        """Count the files and folders that an entry speaks of."""
        named: set[int] = set()
        for ref in entry.decision.files if entry.decision else ():
            for path in _with_folders(ref.path):
                named |= self._scopes.get((ref.repository, path), set())
        return len(named)


def _with_folders(path: str) -> Iterator[str]:
    """Give a path, the folders around it, and the root of its repository."""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield path


def _best(zones: Sequence[OpenZone], candidates: list[_Candidate], limit: int) -> list[Entry]:
    """Give the ``limit`` best; what a later entry took the place of comes last.

    Whether something still holds is asked of the best first, and of others only when these are too few.
    """
    ranked = [candidate.entry for candidate in sorted(candidates, key=_Candidate.key)]
    holding: list[Entry] = []
    superseded: list[Entry] = []
    start, size = 0, min(2 * limit, IDS_MAX)
    while start < len(ranked) and len(holding) < limit:
        some = ranked[start : start + size]
        holds = _holding(zones, some)
        holding += [entry for entry in some if entry.event.stored.event_id in holds]
        superseded += [entry for entry in some if entry.event.stored.event_id not in holds]
        start, size = start + size, min(2 * size, IDS_MAX)
    return [*holding, *superseded][:limit]


def _holding(zones: Sequence[OpenZone], entries: Sequence[Entry]) -> set[bytes]:
    """Give the ids of the events that no other event says to supersede."""
    ids = tuple(entry.event.stored.event_id for entry in entries)
    standing = EventQuery(event_ids=ids, not_linked=("supersedes",), limit=None, distinct=True)
    return {event.stored.event_id for event in find_events(zones, standing)}


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
