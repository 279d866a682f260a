"""Patterns: the shape of a session rather than a word in it.

Compactions or resumes that crowd together, a call repeated without end, a long run of calls without a
person's word, and one file edited again and again while something fails in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jilog_review.detector import Finding, Kind, Tier
from jilog_review.detectors.precise.edits import is_edit
from jilog_review.detectors.precise.outcome import POLLING_TOOLS
from jilog_review.transcript import AnyEntry, Marker, MarkerKind, Message, ToolCall, ToolResult, Transcript

MINUTE_NS = 60 * 1_000_000_000
COMPACTIONS_MIN = 3
COMPACTIONS_WITHIN_NS = 10 * MINUTE_NS
RESUMES_MIN = 3
RESUMES_WITHIN_NS = 30 * MINUTE_NS
IDENTICAL_CALLS_MIN = 4
CALLS_WITHOUT_WORD_MIN = 150
CHURN_EDITS_MIN = 5
CHURN_CALLS = 10
"""So many edits of one file within so many calls; three in ten is ordinary work (measured)."""


@dataclass(frozen=True, slots=True)
class PatternDetector:
    """Finds sessions that go round in circles."""

    name: str = "precise.pattern"
    version: int = 1

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at the whole piece; a pattern is reported when it ends in what is new."""
        entries = transcript.main_thread
        new_offset = _new_offset(transcript)
        markers = [entry for entry in entries if isinstance(entry, Marker)]
        found = [
            *_crowds(markers, MarkerKind.COMPACTION, COMPACTIONS_MIN, COMPACTIONS_WITHIN_NS),
            *_stuck_loops(transcript.main_calls),
            *_crowds(markers, MarkerKind.RESUME, RESUMES_MIN, RESUMES_WITHIN_NS),
            *([] if transcript.is_subagent else _runaways(entries)),
            *_churns(transcript.main_calls, entries),
        ]
        return iter([finding for finding, last in found if last.offset >= new_offset])


_Found = tuple[Finding, AnyEntry]


def _new_offset(transcript: Transcript) -> int:
    new = transcript.entries[transcript.new_from :]
    return new[0].offset if new else (transcript.entries[-1].offset + 1 if transcript.entries else 0)


def _crowds(entries: Sequence[Marker], kind: MarkerKind, count: int, within_ns: int) -> Iterator[_Found]:
    """Give the densest cluster of a marker, the first of equals."""
    markers = [
        (entry.timestamp_ns, entry)
        for entry in entries
        if entry.kind is kind and entry.timestamp_ns is not None
    ]
    best: list[tuple[int, Marker]] = []
    for start in range(len(markers)):
        cluster = [pair for pair in markers[start:] if pair[0] - markers[start][0] <= within_ns]
        if len(cluster) > len(best):
            best = cluster
    if len(best) >= count:
        evidence = f"{len(best)} {kind.value}s {_span(best[0][1], best[-1][1])}"
        yield _finding(best[0][1], f"{kind.value}-storm", evidence, kind.value), best[-1][1]


def _stuck_loops(calls: Sequence[ToolCall]) -> Iterator[_Found]:
    """Give the runs of one call with the same arguments; those that wait for something do so on purpose."""
    run: list[ToolCall] = []
    for entry in (*calls, None):
        if run and (entry is None or not _are_same(entry, run[0])):
            if len(run) >= IDENTICAL_CALLS_MIN and not _waits(run[0]):
                evidence = f"`{run[0].tool}` x{len(run)} identical arguments {_span(run[0], run[-1])}"
                yield _finding(run[0], "stuck-loop", evidence, run[0].tool), run[-1]
            run = []
        if entry is not None:
            run.append(entry)


def _are_same(call: ToolCall, other: ToolCall) -> bool:
    return call.tool == other.tool and memoryview(call.arguments) == memoryview(other.arguments)


def _waits(call: ToolCall) -> bool:
    if call.tool in POLLING_TOOLS:
        return True
    command = (call.command or "").strip()
    return command.startswith("sleep") or " watch" in command


def _runaways(entries: Sequence[AnyEntry]) -> Iterator[_Found]:
    """Give the longest stretch of calls without a person's word."""
    longest: list[ToolCall] = []
    stretch: list[ToolCall] = []
    for entry in entries:
        if isinstance(entry, ToolCall):
            if entry.tool not in POLLING_TOOLS:
                stretch.append(entry)
                if len(stretch) > len(longest):
                    longest = stretch
        elif isinstance(entry, Message) and entry.is_human:
            stretch = []
    if len(longest) >= CALLS_WITHOUT_WORD_MIN:
        evidence = f"{len(longest)} tool calls without a user message {_span(longest[0], longest[-1])}"
        yield _finding(longest[0], "iteration-runaway", evidence, "calls", Tier.B), longest[-1]


def _churns(calls: Sequence[ToolCall], entries: Sequence[AnyEntry]) -> Iterator[_Found]:
    """Give the files edited CHURN_EDITS_MIN times within CHURN_CALLS calls while something failed."""
    if len(calls) < CHURN_EDITS_MIN:
        return
    failures = {entry.call_id for entry in entries if isinstance(entry, ToolResult) and _failed(entry)}
    if not failures:
        return
    given: set[str] = set()
    for index, call in enumerate(calls):
        path = call.paths[0] if call.paths and is_edit(call) else None
        if path is None or path in given:
            continue
        window = calls[index : index + CHURN_CALLS]
        edits = [other for other in window if is_edit(other) and other.paths[:1] == (path,)]
        between = window[: window.index(edits[-1]) + 1]
        if len(edits) >= CHURN_EDITS_MIN and any(other.call_id in failures for other in between):
            given.add(path)
            name = path.rsplit("/", 1)[-1]
            evidence = f"{name} edited {len(edits)} times in {len(between)} calls {_span(call, edits[-1])}"
            yield _finding(call, "edit-churn", evidence, name.replace(".", " "), Tier.B), edits[-1]


def _failed(result: ToolResult) -> bool:
    return bool(result.failed or result.exit_status) and result.denial is None


def _finding(entry: AnyEntry, rule: str, evidence: str, subject: str, tier: Tier = Tier.A) -> Finding:
    return Finding(
        entry=entry,
        kind=Kind.PATTERN,
        rule=rule,
        excerpt=evidence,
        label=rule,
        tier=tier,
        tool=entry.tool if isinstance(entry, ToolCall) else None,
        signature=f"{rule} {subject}",
    )


def _span(first: AnyEntry, last: AnyEntry) -> str:
    """Write when something began and ended, in UTC."""
    moments = [entry.timestamp_ns for entry in (first, last)]
    times = [
        datetime.fromtimestamp(moment // 1_000_000_000, UTC).strftime("%H:%M")
        for moment in moments
        if moment is not None
    ]
    return "-".join(times) if times else ""
