"""The ``review`` event: what one host's scan read, so that coverage too is known from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

import msgspec

from jilog_ledger.event import Event, EventDraft, JsonValue
from jilog_review.exposure import ToolSessions, ToolUse
from jilog_review.money import money_text
from jilog_review.signal import night_id
from jilog_review.spend import SpendGroup
from jilog_review.transcript import Coverage, Usage

RUN_SCHEMA = 1
SUBSYSTEM = "review-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderCount:
    """What one reader gave in one scan; human messages, tool calls and signals are the new ones."""

    reader: str
    sessions: int = 0
    human_messages: int = 0
    tool_calls: int = 0
    signals: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One host's scan. ``frontier_root`` is the fleet root, in hex, that the host had reached.

    ``signals_new`` counts what this scan added to the ledger. ``cost_usd`` is decimal text, since a float
    cannot hold money. ``spend`` groups the sessions by persona, role and model. ``problems`` are one line
    each, redacted. ``tools`` tells which sessions used which tool; None in events of versions that did not.
    """

    host: str
    profile: str
    review_date: str
    readers: tuple[ReaderCount, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    signals_new: int = 0
    redactions: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: str | None = None
    frontier_root: str | None = None
    problems: tuple[str, ...] = ()
    spend: tuple[SpendGroup, ...] = ()
    tools: tuple[ToolSessions, ...] | None = None

    @property
    def sessions(self) -> int:
        """How many sessions had something new."""
        return sum(count.sessions for count in self.readers)

    def to_draft(self, timestamp_ns: int) -> EventDraft:
        """Make the ``review`` event of this scan."""
        run: dict[str, JsonValue] = msgspec.to_builtins(self)
        read = f"{self.sessions} sessions, {self.coverage.lines} lines"
        payload: dict[str, JsonValue] = {
            "subsystem": SUBSYSTEM,
            "summary": f"{self.host}: {read}, {self.signals_new} new signals",
            "schema": RUN_SCHEMA,
            **run,
        }
        return EventDraft(
            event_class="review",
            payload=payload,
            object_ref=f"review:{self.host}:{self.review_date}",
            correlation_id=night_id(self.review_date),
            timestamp_ns=timestamp_ns,
        )


def run_from_payload(payload: JsonValue) -> Run | None:
    """Read a ``review`` event's payload; None when it is not a scan's."""
    if not isinstance(payload, dict) or payload.get("subsystem") != SUBSYSTEM:
        return None
    if payload.get("schema") != RUN_SCHEMA:
        return None
    try:
        return msgspec.convert(payload, Run)
    except msgspec.ValidationError:
        return None


def runs_in(events: Iterable[Event]) -> Iterator[Run]:
    """Give the scans among events."""
    for event in events:
        run = run_from_payload(event.payload()) if event.stored.event_class == "review" else None
        if run is not None:
            yield run


def own_runs(events: Iterable[Event], host: str, profile: str, days: tuple[date, date]) -> Iterator[Run]:
    """Give one host's scans with a profile, from the first of ``days`` to the last, among events."""
    first, last = (day.isoformat() for day in days)
    for run in runs_in(events):
        if run.host == host and run.profile == profile and first <= run.review_date <= last:
            yield run


def tool_use_of(runs: Iterable[Run]) -> ToolUse | None:
    """Join what scans tell of tools; None where nothing was read, or a scan does not tell."""
    told = [run for run in runs if run.sessions]
    use = ToolUse()
    for run in told:
        if run.tools is None:
            return None
        use.merge(run.tools)
    return use if told else None


def usage_fields(usage: Usage) -> tuple[int, int, str | None]:
    """Give tokens in, tokens out, and the cost as decimal text."""
    return usage.input_tokens, usage.output_tokens, money_text(usage.cost)
