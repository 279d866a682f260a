"""Transcripts that a harness compressed: read as a stream, in pieces, within limits.

A compressed file is written once. Its cursor counts bytes of the unfolded text, and a file that changed in
any way is read again from the start; what it says twice has the same ids.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from jilog_review import limits
from jilog_review.cursor import Cursor, marks_of
from jilog_review.piece import Piece, line_after, line_starts, read_piece
from jilog_review.regular_file import open_regular

COMPRESSED_SUFFIXES = (".gz", ".zst")
_STEP_BYTES = limits.MIB


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


@dataclass(slots=True)
class Unfolding:
    """The unfolded bytes of a compressed file, read once from the start to the end.

    ``position`` counts them. Where the stream breaks off or is damaged it ends, and ``broken`` is true.
    """

    stream: _Readable
    position: int = 0
    broken: bool = False

    def read(self, wanted: int) -> bytes:
        """Read up to ``wanted`` bytes; fewer only at the end.

        Raises:
            OSError: the text is longer than DECOMPRESSED_BYTES_MAX.
        """
        parts: list[bytes] = []
        missing = wanted
        while missing > 0 and (part := self._step(min(missing, _STEP_BYTES))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Pass over ``count`` bytes without keeping them."""
        while count > 0 and (part := self._step(min(count, _STEP_BYTES))):
            count -= len(part)

    def _step(self, wanted: int) -> bytes:
        if self.position >= limits.DECOMPRESSED_BYTES_MAX:
            raise OSError(f"unfolds to more than {limits.DECOMPRESSED_BYTES_MAX} bytes")
        try:
            part = self.stream.read(wanted)
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError):
            self.broken = True
            return b""
        self.position += len(part)
        return part


def is_compressed(path: Path) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.name.endswith(COMPRESSED_SUFFIXES)


@contextmanager
def open_unfolding(path: Path) -> Iterator[tuple[BinaryIO, Unfolding]]:
    """Open a compressed file, and the stream of what is in it.

    Raises:
        OSError: the file cannot be opened.
    """
    with open_regular(path) as file:
        if path.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=file) as stream:
                yield file, Unfolding(stream)
        else:
            decompressor = zstandard.ZstdDecompressor(max_window_size=limits.ZSTD_WINDOW_BYTES_MAX)
            with decompressor.stream_reader(file, read_across_frames=True, closefd=False) as reader:
                yield file, Unfolding(reader)


def read_any_piece(path: Path, cursor: Cursor | None) -> Piece:
    """Read the piece after ``cursor`` of a plain or a compressed file.

    Raises:
        OSError: the file cannot be opened or read, or nothing of it can be unfolded.
    """
    if not is_compressed(path):
        return read_piece(path, cursor)
    with open_unfolding(path) as (file, text):
        status = os.fstat(file.fileno())
        marks = marks_of(file, status.st_size)
        if cursor is not None and not _is_same(cursor, status, marks):
            cursor = None
        begin = Piece(
            data=b"",
            start=cursor.context_offset if cursor else 0,
            line=cursor.context_line if cursor else 1,
            new_offset=cursor.offset if cursor else 0,
            end=cursor.offset if cursor else 0,
            end_line=cursor.line if cursor else 1,
            long_lines=0,
            torn_lines=0,
            more=False,
            device=status.st_dev,
            inode=status.st_ino,
            size=status.st_size,
            marks=marks,
            starts=[],
        )
        text.skip(begin.start)
        return _fill(begin, text)


def _fill(begin: Piece, text: Unfolding) -> Piece:
    """Read whole lines: at least one new one, if there is any."""
    context_bytes = begin.new_offset - begin.start
    data = text.read(context_bytes + limits.PIECE_BYTES)
    if text.broken and text.position == 0:
        raise OSError("cannot be unfolded")
    at_end = len(data) < context_bytes + limits.PIECE_BYTES
    while not at_end and data.rfind(b"\n") < context_bytes:
        if len(data) > context_bytes + limits.LINE_BYTES_MAX:
            return _pass_over_line(replace(begin, data=data[:context_bytes]), text)
        part = text.read(limits.PIECE_BYTES)
        data += part
        at_end = not part
    cut = data.rfind(b"\n") + 1
    torn = at_end and text.broken and cut < len(data)
    if at_end and not text.broken:
        cut = len(data)
    end = max(begin.start + cut, begin.new_offset)
    if cut < len(data):
        data = data[:cut]
    starts = line_starts(data)
    return replace(
        begin,
        data=data,
        starts=starts,
        end=end,
        end_line=line_after(begin.line, data, starts),
        torn_lines=int(torn),
        more=not at_end,
    )


def _pass_over_line(piece: Piece, text: Unfolding) -> Piece:
    """Skip the rest of a line that is longer than allowed."""
    starts = line_starts(piece.data)
    piece = replace(piece, starts=starts)
    end, end_line = text.position, line_after(piece.line, piece.data, starts) + 1
    while part := text.read(_STEP_BYTES):
        newline = part.find(b"\n")
        if newline >= 0:
            return replace(piece, end=end + newline + 1, end_line=end_line, long_lines=1, more=True)
        end += len(part)
    return replace(piece, end=end, end_line=end_line, long_lines=1)


def _is_same(cursor: Cursor, status: os.stat_result, marks: str) -> bool:
    now = (status.st_dev, status.st_ino, status.st_size, marks)
    return now == (cursor.device, cursor.inode, cursor.size, cursor.marks)
