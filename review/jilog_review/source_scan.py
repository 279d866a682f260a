"""Scanning one source: what its new pieces give, as values that a worker process can send home.

A piece on which a rule or a reader raised is not passed over: the source's cursor stays before it and the
source waits for the next review. A piece that fails each time would hold back whatever is written after it,
so at attempt ATTEMPTS_MAX it is left behind, and the review says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from msgspec import structs

from jilog_review import limits
from jilog_review.cursor import BEGINNING, Cursor
from jilog_review.detector import Detector
from jilog_review.exposure import tools_used
from jilog_review.piece import read_piece
from jilog_review.reader import Problem, Reader, Reading, Source
from jilog_review.repair import printable
from jilog_review.signal import Signal, Stamp, make_signal
from jilog_review.transcript import Bill, Coverage, Message, ToolCall, Transcript, Usage

_LINES_SUFFIX = ".jsonl"


class PieceScan(msgspec.Struct, frozen=True, kw_only=True):
    """What one piece of a source gave; the counts are of what was new in it."""

    reader: str
    session_id: str
    source_file: str
    is_subagent: bool = False
    persona: str | None = None
    channel: str | None = None
    model: str | None = None
    coverage: Coverage = msgspec.field(default_factory=Coverage)
    usage: Usage = msgspec.field(default_factory=Usage)
    bills: tuple[Bill, ...] = ()
    human_messages: int = 0
    tool_calls: int = 0
    root_session: str = ""
    tools: list[str] = []
    signals: list[Signal] = []


class SourceScan(msgspec.Struct, kw_only=True):
    """What one source gave: its pieces in order, what went wrong, and the cursor to keep.

    ``unchanged``: nothing was new, and the source was not even opened.
    """

    cursor: Cursor | None = None
    pieces: list[PieceScan] = []
    problems: list[Problem] = []
    unreadable: bool = False
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class SourceScanner:
    """Reads and judges sources, one at a time."""

    detectors: tuple[Detector, ...]
    stamp: Stamp

    def scan(self, reader: Reader, source: Source, cursor: Cursor | None) -> SourceScan:
        """Read and judge what is new in a source, piece by piece. Never raises for what a file holds."""
        if cursor is not None and cursor.covers(source.size_bytes, source.modified_ns):
            return SourceScan(cursor=cursor, unchanged=True)
        found = SourceScan(cursor=cursor)
        signals = 0
        while self._take_piece(found, reader, source):
            signals += len(found.pieces[-1].signals) if found.pieces else 0
            if signals >= limits.SOURCE_SIGNALS_MAX:
                _leave_rest(found, source, signals)
                break
        return found

    def _take_piece(self, found: SourceScan, reader: Reader, source: Source) -> bool:
        """Take the next piece; tell whether there is another one after it."""
        start = found.cursor if found.cursor is not None and not found.cursor.is_beginning else None
        try:
            reading = reader.read(source, start)
            reading = replace(reading, transcript=self.stamp.cleaned(reading.transcript))
        except OSError as exc:
            _wait(found, source, f"cannot be read: {one_line(exc)}")
            found.unreadable = True
            return False
        except Exception as exc:
            return _reader_failed(found, source, f"reader {reader.name} failed: {one_line(exc)}")
        transcript = reading.transcript
        signals, failures = self._judge(transcript)
        if failures and not _detectors_failed(found, source, reading, signals, failures):
            return False
        found.pieces.append(_piece_scan(transcript, signals, self.stamp))
        found.cursor = structs.replace(
            reading.cursor, modified_ns=source.modified_ns, waiting=False, failures=0
        )
        # A reader that promises more without getting further would be asked for ever.
        return reading.more and _place(found.cursor) != _place(start)

    def _judge(self, transcript: Transcript) -> tuple[list[Signal], list[str]]:
        """Let every rule look at a piece; give the signals, and what to say of each rule that raised."""
        signals: list[Signal] = []
        failures: list[str] = []
        for detector in self.detectors if transcript.coverage.lines else ():
            try:
                signals.extend(
                    make_signal(finding, transcript, detector, self.stamp)
                    for finding in detector.detect(transcript)
                )
            except Exception as exc:
                failures.append(f"detector {detector.name} failed: {one_line(exc)}")
        return signals, failures


def _detectors_failed(
    found: SourceScan, source: Source, reading: Reading, signals: list[Signal], failures: list[str]
) -> bool:
    """Decide about a piece that not every rule could judge; tell whether it is left behind."""
    transcript = reading.transcript
    is_last = _failures(found) + 1 >= limits.ATTEMPTS_MAX
    if is_last:
        where = printable(source.key)
        message = "; the piece is left behind, judged by the other rules only"
        found.problems.extend(Problem(where, failure + message) for failure in failures)
        return True
    for failure in failures:
        _wait(found, source, f"{failure}; tried again at the next review", count=failure is failures[0])
    # What the other rules saw is known by its ids when the piece is judged again; lines, messages and tokens
    # are counted then.
    found.pieces.append(
        PieceScan(
            reader=transcript.reader,
            session_id=transcript.session_id,
            source_file=transcript.source_file,
            signals=signals,
        )
    )
    return False


def _reader_failed(found: SourceScan, source: Source, message: str) -> bool:
    """Wait for the next review, or at the last attempt pass over the piece; tell whether to read on."""
    passed = _pass_over(source, found.cursor) if _failures(found) + 1 >= limits.ATTEMPTS_MAX else None
    found.unreadable = True
    if passed is None:
        _wait(found, source, f"{message}; tried again at the next review")
        return False
    start = found.cursor.offset if found.cursor is not None else 0
    message = f"{message}; bytes {start} to {passed.offset} are left out"
    found.problems.append(Problem(printable(source.key), message))
    found.cursor = passed
    return passed.offset < passed.size


def _pass_over(source: Source, cursor: Cursor | None) -> Cursor | None:
    """Give the cursor after the next piece of a file of lines; None where a source is something else."""
    # Cursors of compressed files, documents and databases do not count the file's bytes.
    if not source.key.endswith(_LINES_SUFFIX):
        return None
    try:
        passed = read_piece(Path(source.key), cursor).cursor(())
    except (OSError, ValueError):
        return None
    is_further = passed.offset > (cursor.offset if cursor is not None else 0)
    return structs.replace(passed, modified_ns=source.modified_ns) if is_further else None


def _leave_rest(found: SourceScan, source: Source, signals: int) -> None:
    message = f"gave {signals} signals; the rest of it is left for the next review"
    found.problems.append(Problem(printable(source.key), message))
    if found.cursor is not None:
        found.cursor = structs.replace(found.cursor, waiting=True)


def _place(cursor: Cursor | None) -> tuple[int, int, int, int, str] | None:
    if cursor is None:
        return None
    return cursor.device, cursor.inode, cursor.offset, cursor.line, cursor.marks


def _wait(found: SourceScan, source: Source, message: str, *, count: bool = True) -> None:
    """Leave the cursor where it is and remember that the source waits."""
    found.problems.append(Problem(printable(source.key), message))
    before = found.cursor or BEGINNING
    failures = before.failures + count
    found.cursor = structs.replace(
        before, modified_ns=source.modified_ns, waiting=failures <= limits.RETRIES_MAX, failures=failures
    )


def _failures(found: SourceScan) -> int:
    return found.cursor.failures if found.cursor is not None else 0


def _piece_scan(transcript: Transcript, signals: list[Signal], stamp: Stamp) -> PieceScan:
    human_messages = tool_calls = 0
    for entry in transcript.new_entries():
        if isinstance(entry, ToolCall):
            tool_calls += 1
        elif isinstance(entry, Message) and entry.is_human:
            human_messages += 1
    return PieceScan(
        reader=transcript.reader,
        session_id=transcript.session_id,
        source_file=transcript.source_file,
        is_subagent=transcript.is_subagent,
        persona=transcript.persona,
        channel=transcript.channel,
        model=transcript.model,
        coverage=transcript.coverage,
        usage=transcript.usage,
        bills=transcript.bills,
        human_messages=human_messages,
        tool_calls=tool_calls,
        root_session=transcript.root_session,
        tools=sorted({stamp.name(tool) for tool in tools_used(transcript)}),
        signals=signals,
    )


def one_line(error: Exception) -> str:
    """Say what an error is in one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
