"""The first line of a transcript: what it says of the whole session must be known at every later reading."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from jilog_review import limits
from jilog_review.piece import Lines, Piece
from jilog_review.readers.compressed import is_compressed, open_unfolding
from jilog_review.regular_file import open_regular
from jilog_review.repair import repair_text

T = TypeVar("T")


def first_record(lines: Lines[T], piece: Piece, path: Path, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Give the decoded first line: from the piece where that holds it, else from the file.

    None when it is not there, too long, or cannot be decoded.

    Raises:
        OSError: the file cannot be opened or read.
    """
    if piece.start == 0:
        return lines.records[0] if lines.records and lines.numbers[0] == 1 else None
    try:
        return decoder.decode(repair_text(first_line(path)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def first_line(path: Path) -> bytes:
    """Give the first line of a plain or compressed file, at most HEAD_LINE_BYTES_MAX bytes of it.

    Raises:
        OSError: the file cannot be opened or read.
    """
    if not is_compressed(path):
        with open_regular(path) as file:
            return file.readline(limits.HEAD_LINE_BYTES_MAX)
    with open_unfolding(path) as (_, text):
        return text.read(limits.HEAD_LINE_BYTES_MAX).split(b"\n", 1)[0]
