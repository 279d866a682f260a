"""What could not be read or judged waits: it is tried again, whatever its age, and holds no file back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jilog_review import limits
from jilog_review.cursor import Cursor, decode_book, encode_book, prune
from jilog_review.detectors import seed
from jilog_review.detectors.seed import SeedError
from jilog_review.reader import Discovery, Reader, Reading, Source
from jilog_review.transcript import Transcript
from support.review_night import Host, append_lines, failure, generic, say, write_lines

CURSOR = Cursor(
    device=1, inode=2, size=3, offset=3, line=2, context_offset=0, context_line=1, marks="m", modified_ns=5
)
DAY_NS = 86_400 * 10**9
LONG_AGO_NS = -40 * DAY_NS


def fail_on(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Let the seed's rule for errors raise on transcripts that hold a word."""
    judge = seed.SeedError.detect

    def detect(self: SeedError, transcript: Transcript) -> Iterator[object]:
        if any(word in getattr(entry, "text", "") for entry in transcript.entries):
            raise ZeroDivisionError(word)
        return judge(self, transcript)

    monkeypatch.setattr(SeedError, "detect", detect)


@dataclass
class Fragile:
    """A reader that raises for as long as it is told to."""

    inner: Reader
    error: Exception | None = None

    @property
    def name(self) -> str:
        return self.inner.name

    def discover(self, since_ns: int) -> Discovery:
        return self.inner.discover(since_ns)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        if self.error is not None and (cursor is None or not cursor.offset):
            raise self.error
        return self.inner.read(source, cursor)


def kinds(host: Host) -> list[str]:
    return sorted(signal.kind.value for signal in host.review().summary.signals)


def messages(host: Host) -> list[str]:
    return [problem.message for problem in host.review().scan.problems]


def test_rule_that_failed_when_it_is_mended_finds_what_it_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "t/s.jsonl", failure("bash", "boom"), say("assistant", "hardcoded"))
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    with monkeypatch.context() as broken:
        fail_on(broken, "boom")
        assert kinds(host) == ["workaround"]

    assert kinds(host) == ["error", "workaround"]
    assert host.review().scan.problems == []


def test_piece_that_failed_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_lines(tmp_path / "t/s.jsonl", failure("bash", "boom"), say("assistant", "hardcoded"))
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    with monkeypatch.context() as broken:
        fail_on(broken, "boom")
        first = host.review()
    second = host.review()

    assert (first.scan.coverage.lines, second.scan.coverage.lines) == (0, 2)


def test_piece_that_fails_each_time_is_left_behind_and_what_follows_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "t/s.jsonl", failure("bash", "poison"))
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    fail_on(monkeypatch, "poison")
    monkeypatch.setattr(limits, "CONTEXT_ENTRIES", 0)

    said = [messages(host) for _ in range(limits.ATTEMPTS_MAX)]
    append_lines(path, failure("bash", "fit"))

    tail = "detector seed.error failed: ZeroDivisionError: poison; "
    assert said == [
        [tail + "tried again at the next review"],
        [tail + "tried again at the next review"],
        [tail + "the piece is left behind, judged by the other rules only"],
    ]
    assert kinds(host) == ["error"]


def test_reader_that_fails_each_time_is_led_past_the_piece(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t/s.jsonl", failure("bash", "poison"))
    host = Host("alpha", Fragile(generic(tmp_path / "t"), ValueError("a bug")), folder=tmp_path)

    said = [messages(host) for _ in range(limits.ATTEMPTS_MAX)]
    append_lines(path, failure("bash", "fit"))

    size = path.stat().st_size - len(failure_line("fit"))
    assert said[0] == ["reader generic failed: ValueError: a bug; tried again at the next review"]
    assert said[-1] == [f"reader generic failed: ValueError: a bug; bytes 0 to {size} are left out"]
    assert kinds(host) == ["error"]


def failure_line(word: str) -> bytes:
    from support.review_night import as_line

    return as_line(failure("bash", word))


def test_file_that_could_not_be_opened_is_read_later_however_old_it_is(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "t/s.jsonl", failure("bash", "boom"))
    os.utime(path, ns=(10**9, 10**9))
    reader = Fragile(generic(tmp_path / "t"), PermissionError(13, "Permission denied"))
    host = Host("alpha", reader, folder=tmp_path)

    assert messages(host) == ["cannot be read: Permission denied"]
    reader.error = None

    assert kinds(host) == ["error"]
    assert not any(cursor.waiting for cursor in host.cursors.values())


def test_file_that_can_never_be_opened_is_not_looked_for_without_end(tmp_path: Path) -> None:
    write_lines(tmp_path / "t/s.jsonl", failure("bash", "boom"))
    reader = Fragile(generic(tmp_path / "t"), PermissionError(13, "Permission denied"))
    host = Host("alpha", reader, folder=tmp_path)

    for _ in range(limits.RETRIES_MAX + 1):
        host.review()

    assert [cursor.waiting for cursor in host.cursors.values()] == [False]


def test_review_with_too_many_signals_leaves_sources_that_the_next_one_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write_lines(tmp_path / f"t/s{number}.jsonl", failure("bash", f"boom {number}"))
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    monkeypatch.setattr(limits, "SCAN_SIGNALS_MAX", 2)

    first = host.review()
    second = host.review()

    assert len(first.new_signals) == len(second.new_signals) == 2
    assert [problem.message for problem in first.scan.problems] == [
        "2 sources wait for the next review: this one has 2 signals"
    ]
    assert second.scan.problems == []
    assert len(second.summary.signals) == 4


def test_source_with_too_many_signals_goes_on_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(tmp_path / "t/s.jsonl", *[failure("bash", f"boom {'x' * n}") for n in range(40)])
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)
    monkeypatch.setattr(limits, "SOURCE_SIGNALS_MAX", 10)
    monkeypatch.setattr(limits, "PIECE_BYTES", 400)

    first = host.review()
    while host.review().scan.problems:
        pass

    assert 0 < len(first.new_signals) < 40
    assert len(host.review().summary.signals) == 40


def test_source_of_the_same_size_and_age_is_not_opened(tmp_path: Path) -> None:
    write_lines(tmp_path / "t/s.jsonl", failure("bash", "boom"))
    reader = Fragile(generic(tmp_path / "t"))
    host = Host("alpha", reader, folder=tmp_path)
    host.review()
    reader.error = AssertionError("opened")

    result = host.review()

    assert result.scan.problems == []
    assert (result.scan.sources, result.scan.coverage.files) == (1, 1)


def test_cursors_of_another_ledger_are_not_used() -> None:
    data = encode_book({"k": CURSOR}, "alpha/1")

    assert decode_book(data, "alpha/1") == {"k": CURSOR}
    assert decode_book(data, "alpha/2") == {}


def test_cursors_of_an_older_form_are_not_used() -> None:
    assert decode_book(b'{"version":1,"cursors":{"k":{"device":"old"}}}') == {}


def test_cursor_of_a_source_that_did_not_change_for_long_is_forgotten() -> None:
    now_ns = (limits.CURSOR_DAYS_MAX + 1) * DAY_NS

    assert prune({"old": CURSOR}, now_ns) == {}
    assert prune({"old": CURSOR}, now_ns - 2 * DAY_NS) == {"old": CURSOR}


def test_two_values_on_one_line_are_both_read(tmp_path: Path) -> None:
    line = failure_line("one").strip() + b" " + failure_line("two").strip()
    write_lines(tmp_path / "t/s.jsonl", line, failure("bash", "three"), failure_line("x").strip() + b"{")
    host = Host("alpha", generic(tmp_path / "t"), folder=tmp_path)

    result = host.review()

    assert sorted(signal.excerpt for signal in result.summary.signals) == ["one", "three", "two"]
    assert (result.scan.coverage.lines, result.scan.coverage.bad_lines) == (3, 1)
