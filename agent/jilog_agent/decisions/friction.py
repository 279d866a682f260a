"""What went wrong where somebody works: signals about a file or a topic, without those that people muted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from jilog_agent.decisions.entry import Entry, tell
from jilog_agent.decisions.text import day
from jilog_agent.decisions.touching import Touched
from jilog_agent.decisions.zones import OpenZone, find_events
from jilog_ledger.decision import FileScope
from jilog_ledger.event import Event
from jilog_ledger.projection import EventQuery
from jilog_ledger.times import parse_rfc3339
from jilog_review.detector import Kind, Tier
from jilog_review.labels import SUBSYSTEM, LabelBook, Verdict, read_labels
from jilog_review.signal import Signal, signal_from_payload

CANDIDATES_MAX = 2_000
"""Signals that are looked at: the newest that contain the words of a path."""

SESSIONS_MIN = 2
"""A failure is worth warning of when it came in another session again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Signals of one fingerprint, the newest first."""

    signals: tuple[tuple[Event, Signal], ...]

    @property
    def sessions(self) -> int:
        """In how many sessions it was seen; a sub-agent counts as the session that began it."""
        return len({signal.root_session for _, signal in self.signals})

    def entry(self) -> Entry:
        """Tell it as one entry: its newest signal, and how often it came."""
        event, signal = self.signals[0]
        hosts = len({signal.host for _, signal in self.signals})
        last = day(moment_of(signal, event))
        body = [f"Seen in {self.sessions} session(s) on {hosts} host(s), last {last}."]
        later = next((signal.later_command for _, signal in self.signals if signal.later_command), None)
        if later:
            body.append(f"What worked afterwards: {later}")
        return replace(tell(event), body="\n".join(body))


def friction_about(zones: Sequence[OpenZone], scope: FileScope, *, limit: int | None = None) -> list[Entry]:
    """Give the signals that touch a file, or anything below a folder, the newest first."""
    found = [tell(event) for event, _ in _about(zones, [scope], _labels(zones))]
    return found[:limit]


def problems(zones: Sequence[OpenZone], scopes: Sequence[FileScope], topic: str) -> list[Problem]:
    """Give the corrections and recurring errors of files and a topic, those of most sessions first.

    Only what can be trusted is told to an agent: tier A, or what a person said is right.
    """
    if not find_events(zones, EventQuery(classes=("learning",), limit=1)):
        # On most hosts of a fleet nothing was learned yet, and a session waits for this.
        return []
    labels = _labels(zones)
    found = {event.stored.event_id: (event, signal) for event, signal in _about(zones, scopes, labels)}
    if topic.strip():
        events = find_events(zones, _learned(topic))
        found |= {event.stored.event_id: (event, signal) for event, signal in _standing(events, labels)}
    alike: dict[str, list[tuple[Event, Signal]]] = {}
    for event, signal in sorted(found.values(), key=lambda item: item[0].order, reverse=True):
        if signal.tier is Tier.A or labels.verdict(signal.id) is Verdict.RIGHT:
            alike.setdefault(signal.fingerprint, []).append((event, signal))
    grouped = [Problem(tuple(signals)) for signals in alike.values()]
    # The sort is stable: of as many sessions the newest comes first.
    return sorted(filter(_worth_telling, grouped), key=lambda problem: -problem.sessions)


def _worth_telling(problem: Problem) -> bool:
    kind = problem.signals[0][1].kind
    return kind is Kind.CORRECTION or (kind is Kind.ERROR and problem.sessions >= SESSIONS_MIN)


def moment_of(signal: Signal, event: Event) -> int:
    """Give a signal's moment in Unix nanoseconds: the transcript's, else when it was recorded."""
    try:
        return parse_rfc3339(signal.timestamp or "")
    except ValueError:
        return event.stored.timestamp_ns


def _labels(zones: Sequence[OpenZone]) -> LabelBook:
    query = EventQuery(
        classes=("review",), subsystems=(SUBSYSTEM,), limit=None, oldest_first=True, distinct=True
    )
    return read_labels(find_events(zones, query))


def _about(
    zones: Sequence[OpenZone], scopes: Iterable[FileScope], labels: LabelBook
) -> Iterator[tuple[Event, Signal]]:
    wanted = [Touched.of(scope) for scope in scopes]
    texts = dict.fromkeys(text for touched in wanted for text in touched.search_texts())
    if not texts:
        return
    # No text has a space in it: each is a phrase of its own, and one of them is enough.
    for event, signal in _standing(find_events(zones, _learned(" ".join(texts), any_word=True)), labels):
        if any(touched.touched_by(signal) for touched in wanted):
            yield event, signal


def _learned(text: str, *, any_word: bool = False) -> EventQuery:
    return EventQuery(
        text=text, any_word=any_word, classes=("learning",), limit=CANDIDATES_MAX, distinct=True
    )


def _standing(events: Iterable[Event], labels: LabelBook) -> Iterator[tuple[Event, Signal]]:
    """Leave out what people said is wrong, or not worth a word."""
    for event in events:
        signal = signal_from_payload(event.payload())
        if signal is not None and signal.fingerprint not in labels.mutes:
            yield event, signal
