"""What to offer a peer: pure functions from two frontiers to segments.

A frontier entry describes a writer's tip: how much of which segment is held before the first gap, and the
hash of these bytes. Whoever is ahead offers; whoever can see that two histories differ says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from jilog_ledger.frontier import Frontier, FrontierEntry, Span, segment_hash
from jilog_ledger.identifiers import Writer
from jilog_ledger.manifest import SegmentInfo


class Relation(Enum):
    """How our copy of a segment stands to the peer's tip in that same segment."""

    BEHIND = auto()
    SAME = auto()
    AHEAD_UNSEALED = auto()
    """Same bytes, but only ours has its seal."""
    LONGER = auto()
    """Ours has more bytes; whether it starts with theirs takes a look at the bytes."""
    FORKED = auto()


@dataclass(frozen=True, slots=True)
class ForkSeen:
    """The peer holds another history of a writer than we do; they differ in segment ``number``."""

    zone: str
    writer: Writer
    number: int


@dataclass(frozen=True, slots=True)
class WriterPlan:
    """A writer of whom we may hold more than the peer; look at our segments from ``first_number`` on."""

    writer: Writer
    first_number: int
    theirs: FrontierEntry | None
    verified: bool = False
    """Whether what the peer holds is known to be the start of what we hold."""


def plan_offers(mine: Frontier, theirs: Iterable[FrontierEntry]) -> list[WriterPlan]:
    """Find the writers of whom the peer may lack something, or may hold something else."""
    known = {entry.writer: entry for entry in theirs}
    plans = (plan_writer(entry, known.get(entry.writer)) for entry in mine.entries)
    return [plan for plan in plans if plan is not None]


def plan_writer(mine: FrontierEntry, theirs: FrontierEntry | None) -> WriterPlan | None:
    """Plan one writer; None when the peer holds all that we hold."""
    top = mine.above[-1].last_number if mine.above else mine.number
    if theirs is None or theirs.number == 0:
        return WriterPlan(mine.writer, 1, theirs) if top else None
    if top < theirs.number or (not mine.above and same_tip(mine, theirs)):
        return None
    return WriterPlan(mine.writer, theirs.number, theirs)


def same_tip(mine: FrontierEntry, theirs: FrontierEntry) -> bool:
    """Tell whether two entries end in the same byte of the same history."""
    place = (mine.number, mine.length, mine.sealed)
    return place == (theirs.number, theirs.length, theirs.sealed) and same_hash(mine.sha256, theirs.sha256)


def same_hash(mine: bytes, theirs: bytes) -> bool:
    """Compare a hash with one that the peer may have told in part."""
    return bool(mine) == bool(theirs) and mine.startswith(theirs)


def relate(info: SegmentInfo, theirs: FrontierEntry) -> Relation:
    """Compare our copy of the segment in which the peer's tip stands with what the peer says of it."""
    assert info.number == theirs.number
    if info.content_length == theirs.length:
        if not same_hash(info.sha256, theirs.sha256):
            return Relation.FORKED
        if info.sealed and not theirs.sealed:
            return Relation.AHEAD_UNSEALED
        return Relation.SAME if info.sealed == theirs.sealed else Relation.BEHIND
    if info.content_length < theirs.length:
        # A sealed segment is all there is of it; nobody can honestly hold more.
        return Relation.FORKED if info.sealed else Relation.BEHIND
    return Relation.FORKED if theirs.sealed else Relation.LONGER


def missing_above(segments: Iterable[SegmentInfo], theirs: FrontierEntry | None) -> Iterator[SegmentInfo]:
    """Pick those of our segments that lie past the peer's tip and outside what it holds above a gap."""
    tip = theirs.number if theirs else 0
    spans = theirs.above if theirs else ()
    for info in segments:
        if info.number > tip and not any(_covers(span, info) for span in spans):
            yield info


def _covers(span: Span, info: SegmentInfo) -> bool:
    if not span.first_number <= info.number <= span.last_number:
        return False
    # The last segment of a span may be one that the peer holds in part; where nothing is said, it is whole.
    if info.number < span.last_number or not span.sha256:
        return True
    return same_hash(segment_hash(info.sha256, sealed=info.sealed), span.sha256)


def events_new_to(theirs: FrontierEntry | None, info: SegmentInfo) -> int:
    """Give the sequence after which the events of ``info`` are new to a holder of ``theirs``."""
    if theirs is not None and theirs.number == info.number:
        return max(theirs.sequence, info.first_sequence - 1)
    return info.first_sequence - 1
