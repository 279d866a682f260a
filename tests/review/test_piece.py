"""Reading in pieces: whole lines only, every kind of bad line, cursors that notice a changed file."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jilog_review import limits, piece
from jilog_review.cursor import Cursor, cursor_key, decode_book, encode_book
from jilog_review.reader import Source
from jilog_review.repair import printable, repair_text
from jilog_review.transcript import Coverage, Message, Transcript
from support.review_night import append_lines, generic, say, write_lines

READER = generic(Path("/nowhere"))


def read_all(path: Path, cursor: Cursor | None = None) -> tuple[list[Transcript], Cursor]:
    """Read a file to its end."""
    source = Source(str(path), "s", "s", 0)
    found: list[Transcript] = []
    more = True
    while more:
        reading = READER.read(source, cursor)
        found.append(reading.transcript)
        cursor, more = reading.cursor, reading.more
    assert cursor is not None
    return found, cursor


def new_texts(transcripts: list[Transcript]) -> list[tuple[int, str]]:
    return [(e.line, e.text) for t in transcripts for e in t.new_entries() if isinstance(e, Message)]


def coverage_of(transcripts: list[Transcript]) -> Coverage:
    return sum((transcript.coverage for transcript in transcripts), Coverage())


def test_bad_lines_are_counted_and_cost_only_themselves(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "s.jsonl",
        say("user", "first"),
        "{not json",
        b'{"role": "user", "content": "caf\xe9 au lait", "name": "caf\xe9"}',
        "[1, 2]",
        '{"role": 7}',
        "",
        '{"role": "user", "content": "half \\ud83d of a pair"}',
        '{"role": "user", "content": "whole \\ud83d\\ude00 pair"}',
        "[" * 5000,
        say("user", "last"),
    )

    found, _ = read_all(path)

    assert new_texts(found) == [
        (1, "first"),
        (3, "caf\ufffd au lait"),
        (7, "half \ufffd of a pair"),
        (8, "whole \U0001f600 pair"),
        (10, "last"),
    ]
    coverage = coverage_of(found)
    assert (coverage.files, coverage.lines, coverage.bad_lines, coverage.bad_utf8) == (1, 9, 4, 1)
    assert coverage.bytes == path.stat().st_size


def test_torn_last_line_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", say("user", "first"))
    with path.open("ab") as file:
        file.write(b'{"role": "user", "content": "sec')
    found, cursor = read_all(path)
    assert new_texts(found) == [(1, "first")]
    assert coverage_of(found).torn_lines == 1

    with path.open("ab") as file:
        file.write(b'ond"}\n')
    found, _ = read_all(path, cursor)

    assert new_texts(found) == [(2, "second")]


def test_whole_last_line_without_newline_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"role": "user", "content": "only"}')
    found, cursor = read_all(path)
    assert new_texts(found) == [(1, "only")]

    with path.open("ab") as file:
        file.write(b'\n{"role": "user", "content": "next"}\n')
    found, _ = read_all(path, cursor)

    assert new_texts(found) == [(2, "next")]


def test_line_over_the_limit_is_passed_over_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PIECE_BYTES", 1000)
    monkeypatch.setattr(limits, "LINE_BYTES_MAX", 5000)
    path = write_lines(
        tmp_path / "s.jsonl",
        say("user", "before"),
        say("user", "x" * 4500),
        say("user", "y" * 3_000_000),
        say("user", "after"),
    )

    found, cursor = read_all(path)

    assert [(line, text[:6]) for line, text in new_texts(found)] == [
        (1, "before"),
        (2, "xxxxxx"),
        (4, "after"),
    ]
    assert coverage_of(found).long_lines == 1
    assert coverage_of(found).files == 1
    assert cursor.offset == path.stat().st_size


def test_hundred_megabyte_line_is_passed_over_in_little_memory(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", say("user", "before"))
    with path.open("ab") as file:
        for _ in range(100):
            file.write(b"z" * 1_000_000)
        file.write(b"\n")
    append_lines(path, say("user", "after"))

    found, _ = read_all(path)

    assert new_texts(found) == [(1, "before"), (3, "after")]
    assert coverage_of(found).long_lines == 1


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.text(max_size=60), max_size=30),
    piece_bytes=st.integers(40, 600),
    cuts=st.lists(st.integers(0, 30), max_size=4),
)
def test_reading_in_any_pieces_and_stages_gives_what_reading_at_once_gives(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], piece_bytes: int, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("t") / "s.jsonl"
    records = [say("user", text) for text in texts]
    expected = list(enumerate(texts, start=1))
    path.touch()
    seen: list[tuple[int, str]] = []
    cursor: Cursor | None = None
    stages = sorted({0, *(min(cut, len(texts)) for cut in cuts), len(texts)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PIECE_BYTES", piece_bytes)
        for start, stop in pairwise(stages):
            append_lines(path, *records[start:stop])
            found, cursor = read_all(path, cursor)
            seen += new_texts(found)

    assert seen == expected


@pytest.mark.parametrize("change", ["replaced", "shrunk", "rewritten"])
def test_file_that_is_not_what_it_was_is_read_from_the_start(tmp_path: Path, change: str) -> None:
    path = write_lines(tmp_path / "s.jsonl", say("user", "one"), say("user", "two"))
    _, cursor = read_all(path)

    if change == "replaced":
        write_lines(tmp_path / "new", say("user", "one"), say("user", "two"), say("user", "3"))
        (tmp_path / "new").replace(path)
    elif change == "shrunk":
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    else:
        path.write_bytes(path.read_bytes().replace(b"one", b"uno"))
    found, _ = read_all(path, cursor)

    assert new_texts(found)[0][0] == 1
    assert coverage_of(found).lines >= 1


def test_context_before_the_cursor_is_given_but_not_as_new(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", *[say("user", f"m{n}") for n in range(40)])
    _, cursor = read_all(path)
    append_lines(path, say("user", "m40"))

    (transcript,), _ = read_all(path, cursor)

    assert [entry.line for entry in transcript.new_entries()] == [41]
    assert transcript.new_from == limits.CONTEXT_ENTRIES
    assert transcript.coverage.lines == 1


def test_unchanged_file_keeps_its_context_for_the_next_reading(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", *[say("user", f"m{n}") for n in range(40)])
    _, cursor = read_all(path)

    (transcript,), again = read_all(path, cursor)

    assert transcript.entries == ()
    assert again == cursor


def test_persona_in_the_first_line_is_known_in_later_readings(tmp_path: Path) -> None:
    header = {"_jilog": {"persona": " Ada ", "channel": ""}}
    path = write_lines(tmp_path / "s.jsonl", header, *[say("user", f"m{n}") for n in range(40)])
    (first,), cursor = read_all(path)
    append_lines(path, say("user", "late"))

    (second,), _ = read_all(path, cursor)

    assert (first.persona, first.channel) == ("Ada", None)
    assert (second.persona, second.channel) == ("Ada", None)
    assert first.coverage.unknown == {}


def test_book_of_cursors_survives_its_file_whatever_the_names(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.jsonl", say("user", "one"))
    _, cursor = read_all(path)
    book = {cursor_key("seed", "generic", "/t/caf\udce9.jsonl"): cursor}

    assert decode_book(encode_book(book)) == book
    assert printable("caf\udce9\n") == "caf\\xe9?"


def test_half_a_surrogate_after_an_escaped_backslash_is_found() -> None:
    assert repair_text(rb'"\\\ud800"') == rb'"\\\ufffd"'
    assert repair_text(rb'"\\ud800"') == rb'"\\ud800"'
    assert piece.repair_text is repair_text
