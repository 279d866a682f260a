"""Reading a transcript file in bounded pieces of whole lines.

A file of any size is read PIECE_BYTES at a time; a piece ends at a line's end. A last line without its
newline is taken only when it is complete JSON (an object cut short never is); otherwise it is left for the
next time.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import msgspec
from msgspec import structs

from jilog_review import limits
from jilog_review.cursor import Cursor, continues, marks_of
from jilog_review.regular_file import open_regular
from jilog_review.repair import is_utf8, repair_text, split_values
from jilog_review.transcript import AnyEntry, Coverage, ToolCall, ToolResult

T = TypeVar("T")

_SKIP_BYTES = limits.MIB
_RUN_LINES = 32
"""Lines that are decoded together where not all of a piece can be: what a bad one costs its neighbours."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a file: ``data`` begins at byte ``start``, which is in line ``line`` (from 1).

    What lies before ``new_offset`` was read before. ``end`` and ``end_line`` are where the next piece begins.
    ``starts`` are the places in ``data`` where its lines begin, empty lines among them.
    """

    data: bytes
    start: int
    line: int
    new_offset: int
    end: int
    end_line: int
    long_lines: int
    torn_lines: int
    more: bool
    device: int
    inode: int
    size: int
    marks: str
    starts: list[int]
    previous: Cursor | None = None

    def stop(self, index: int) -> int:
        """Give the place in ``data`` where a line ends, its newline included."""
        return self.starts[index + 1] if index + 1 < len(self.starts) else len(self.data)

    def coverage(self, lines: int) -> Coverage:
        """Count what was read, given the number of new lines in it; the file counts with its last piece."""
        return Coverage(
            files=0 if self.more else 1,
            lines=lines,
            bytes=self.end - self.new_offset,
            long_lines=self.long_lines,
            torn_lines=self.torn_lines,
        )

    def cursor(self, entries: Sequence[AnyEntry]) -> Cursor:
        """Make the cursor for the next piece, with context reaching back over the last of ``entries``."""
        if self.previous is not None and self.end == self.new_offset:
            return structs.replace(self.previous, size=self.size)
        context_offset, context_line = _context_of(entries, self.end, self.end_line)
        return Cursor(
            device=self.device,
            inode=self.inode,
            size=self.size,
            offset=self.end,
            line=self.end_line,
            context_offset=context_offset,
            context_line=context_line,
            marks=self.marks,
        )

    def new_from(self, entries: Sequence[AnyEntry]) -> int:
        """Give the index of the first entry that was not read before."""
        return bisect_left(entries, self.new_offset, key=lambda entry: entry.offset)


def read_piece(path: Path, cursor: Cursor | None) -> Piece:
    """Read the piece after ``cursor``; from the start without one, or when the file is not the one it
    describes.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with open_regular(path) as file:
        if cursor is not None and not continues(cursor, file):
            cursor = None
        if cursor is None:
            return _read_from(file, start=0, line=1, new_offset=0)
        if os.fstat(file.fileno()).st_size == cursor.offset:
            # Nothing was appended, so no rule needs the context.
            piece = _read_from(file, start=cursor.offset, line=cursor.line, new_offset=cursor.offset)
        else:
            piece = _read_from(
                file, start=cursor.context_offset, line=cursor.context_line, new_offset=cursor.offset
            )
        return replace(piece, previous=cursor)


def _read_from(file: BinaryIO, *, start: int, line: int, new_offset: int) -> Piece:
    status = os.fstat(file.fileno())
    # One byte more than the file has tells its end; a whole piece asked of a small file costs its memory.
    wanted = min(new_offset - start + limits.PIECE_BYTES, max(0, status.st_size - start) + 1)
    file.seek(start)
    data = file.read(wanted)
    at_end = len(data) < wanted
    cut = data.rfind(b"\n") + 1
    long_lines = torn_lines = 0
    if not at_end and start + cut <= new_offset:
        data, cut, at_end, long_lines = _read_long_line(file, data, cut)
    end = start + cut
    if long_lines:
        end = file.tell()
        at_end = end >= status.st_size
    elif at_end and cut < len(data) and data[cut:].strip():
        if _is_complete(data[cut:]):
            end = start + len(data)
        else:
            torn_lines = 1
    if not long_lines:
        cut = end - start
    if cut < len(data):
        data = data[:cut]
    starts = line_starts(data)
    return Piece(
        data=data,
        start=start,
        line=line,
        new_offset=new_offset,
        end=max(end, new_offset),
        end_line=line_after(line, data, starts) + long_lines,
        long_lines=long_lines,
        torn_lines=torn_lines,
        more=not at_end,
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        marks=marks_of(file, max(end, new_offset)),
        starts=starts,
    )


def _read_long_line(file: BinaryIO, data: bytes, cut: int) -> tuple[bytes, int, bool, int]:
    """Read on to the end of a line that fills the whole piece; pass over it when it is longer than allowed.

    Gives the data, where its last whole line ends, whether the file ended, and the number of lines passed
    over.
    """
    while len(data) - cut <= limits.LINE_BYTES_MAX:
        more = file.read(limits.PIECE_BYTES)
        if not more:
            return data, cut, True, 0
        newline = more.rfind(b"\n")
        data += more
        if newline >= 0:
            return data, len(data) - len(more) + newline + 1, False, 0
    while chunk := file.read(_SKIP_BYTES):
        newline = chunk.find(b"\n")
        if newline >= 0:
            file.seek(newline + 1 - len(chunk), os.SEEK_CUR)
            break
    return data[:cut], cut, False, 1


def _is_complete(tail: bytes) -> bool:
    try:
        msgspec.json.decode(tail, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def line_starts(data: bytes) -> list[int]:
    """Give the place where every line begins, empty ones too; one pass serves numbers and offsets."""
    starts: list[int] = []
    find, append, position = data.find, starts.append, 0
    while newline := find(b"\n", position) + 1:
        append(position)
        position = newline
    if position < len(data):
        append(position)
    return starts


def line_after(line: int, data: bytes, starts: list[int]) -> int:
    """Give the number of the line that stands at the end of ``data``, which begins in line ``line``.

    A last line without its newline may go on there.
    """
    return line + len(starts) - (bool(data) and not data.endswith(b"\n"))


@dataclass(slots=True)
class Lines(Generic[T]):
    """The decoded lines of a piece: parallel sequences of line numbers, byte offsets and records.

    ``glued`` counts the values that followed another one on the same line.
    """

    numbers: Sequence[int]
    offsets: list[int]
    records: list[T]
    bad_lines: int = 0
    bad_utf8: int = 0
    glued: int = 0

    def __iter__(self) -> Iterator[tuple[int, int, T]]:
        """Give line number, byte offset and record, in file order."""
        return zip(self.numbers, self.offsets, self.records, strict=True)

    def coverage(self, piece: Piece, unknown: dict[str, int]) -> Coverage:
        """Count what was read of ``piece``, with the unknown types that its reader met."""
        new_lines = len(self.offsets) - bisect_left(self.offsets, piece.new_offset) - self.glued
        return replace(
            piece.coverage(new_lines + self.bad_lines),
            bad_lines=self.bad_lines,
            bad_utf8=self.bad_utf8,
            unknown=unknown,
        )


def decode_piece(piece: Piece, decoder: msgspec.json.Decoder[T]) -> Lines[T]:
    """Decode every line: all at once where that works, else in runs of lines, one by one where one is bad.

    Bad lines that were already read before (the context) are not counted again. Fields that a reader decodes
    later are not checked to be UTF-8 here; :func:`jilog_review.transcript.content_text` repairs them.
    """
    starts = piece.starts
    records = _decode_run(piece.data, decoder, len(starts))
    if records is not None:
        offsets = starts if piece.start == 0 else [piece.start + start for start in starts]
        return Lines(range(piece.line, piece.line + len(records)), offsets, records)
    numbers: list[int] = []
    lines: Lines[T] = Lines(numbers, [], [])
    for first in range(0, len(starts), _RUN_LINES):
        run = range(first, min(first + _RUN_LINES, len(starts)))
        records = _decode_run(piece.data[starts[first] : piece.stop(run[-1])], decoder, len(run))
        if records is None:
            numbers.extend(_decode_one_by_one(piece, run, decoder, lines))
            continue
        numbers.extend(range(piece.line + run.start, piece.line + run.stop))
        lines.offsets.extend(piece.start + starts[index] for index in run)
        lines.records.extend(records)
    return lines


def _decode_run(data: bytes, decoder: msgspec.json.Decoder[T], count: int) -> list[T] | None:
    """Decode ``count`` lines at once; None when one is bad or empty, or holds more or less than a value."""
    try:
        records = decoder.decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return records if len(records) == count else None


def _decode_one_by_one(
    piece: Piece, run: range, decoder: msgspec.json.Decoder[T], lines: Lines[T]
) -> Iterator[int]:
    """Decode the lines ``run`` of a piece, add them to ``lines``, and give the number of each record's."""
    for index in run:
        number, start = piece.line + index, piece.starts[index]
        text = piece.data[start : piece.stop(index)].removesuffix(b"\n")
        if not text.strip():
            continue
        is_new = piece.start + start >= piece.new_offset
        records, broken = _decode_line(text, decoder)
        if is_new:
            lines.bad_utf8 += broken
            lines.bad_lines += not records
            lines.glued += max(0, len(records) - 1)
        for record in records:
            yield number
            lines.offsets.append(piece.start + start)
            lines.records.append(record)


def _decode_line(text: bytes, decoder: msgspec.json.Decoder[T]) -> tuple[list[T], bool]:
    """Decode one line, if need be with what is not UTF-8 replaced; tell whether bytes were not UTF-8.

    The list is empty when the line cannot be decoded at all.
    """
    try:
        return [decoder.decode(text)], False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repaired, broken = repair_text(text), not is_utf8(text)
    try:
        return [decoder.decode(repaired)], broken
    except msgspec.ValidationError:
        return [], broken
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return [decoder.decode(value) for value in split_values(repaired)], broken
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [], broken


def _context_of(entries: Sequence[AnyEntry], end: int, end_line: int) -> tuple[int, int]:
    """Choose where the next reading begins: some entries back, or at the first call without a result.

    Without this a rule about neighbours would miss what stands across two readings, and a result would not
    know the command of its call.
    """
    if not entries:
        return end, end_line
    # Nothing older than this may be context, and a result stands after its call.
    first = bisect_left(entries, end - limits.CONTEXT_BYTES_MAX, key=lambda entry: entry.offset)
    near = entries[first:]
    answered = {entry.call_id for entry in near if isinstance(entry, ToolResult)}
    recent = len(near) - min(limits.CONTEXT_ENTRIES, len(near))
    for index, entry in enumerate(near):
        unanswered = isinstance(entry, ToolCall) and entry.call_id not in answered
        if index >= recent or unanswered:
            return entry.offset, entry.line
    return end, end_line
