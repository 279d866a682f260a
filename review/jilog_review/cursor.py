"""Cursors: how far each transcript file has been read, so that the next review reads only what was appended.

A cursor is a hint that saves time, never the record of what was found: signals have ids of their own, and the
ledger knows them. A lost or stale cursor only makes the next review read a file again.
"""

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO

import msgspec

from jilog_ledger.errors import InputError
from jilog_ledger.times import SECOND_NS
from jilog_review import limits


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one file at the end of the last reading.

    Reading goes on at byte ``offset``, which is in line ``line`` (from 1); entries from ``context_offset`` on
    are read again as context. ``marks`` is a hash of the file's first bytes and of those before ``offset``:
    with device, inode and size it tells a file that grew from one that was replaced.

    ``modified_ns`` is the source's age when it was met last, in Unix nanoseconds. ``waiting`` says that
    something of the source is still to be read, however old the source is by then; ``failures`` counts the
    reviews in a row in which reading on from here failed.
    """

    device: int
    inode: int
    size: int
    offset: int
    line: int
    context_offset: int
    context_line: int
    marks: str
    modified_ns: int = 0
    waiting: bool = False
    failures: int = 0

    @property
    def is_beginning(self) -> bool:
        """Tell whether nothing was read yet: the cursor only remembers that the source is waiting."""
        return not self.marks and self.offset == 0

    def covers(self, size_bytes: int | None, modified_ns: int) -> bool:
        """Tell whether a source of this size and age has nothing that was not read; unknown sizes may."""
        return size_bytes == self.size and modified_ns == self.modified_ns and not self.waiting


BEGINNING = Cursor(
    device=0, inode=0, size=0, offset=0, line=1, context_offset=0, context_line=1, marks="", waiting=True
)
"""The cursor of a source of which nothing could be read yet."""


def marks_of(file: BinaryIO, offset: int) -> str:
    """Hash the first HEAD_BYTES and the HEAD_BYTES before ``offset`` of an open file.

    Raises:
        OSError: the file cannot be read.
    """
    descriptor = file.fileno()
    digest = hashlib.sha256(os.pread(descriptor, min(limits.HEAD_BYTES, offset), 0))
    start = max(0, offset - limits.HEAD_BYTES)
    digest.update(os.pread(descriptor, offset - start, start))
    return digest.hexdigest()[:32]


def continues(cursor: Cursor, file: BinaryIO) -> bool:
    """Tell whether an open file is the one of ``cursor``, unchanged up to its offset.

    Raises:
        OSError: the file cannot be read.
    """
    status = os.fstat(file.fileno())
    return (
        (status.st_dev, status.st_ino) == (cursor.device, cursor.inode)
        and status.st_size >= cursor.size
        and marks_of(file, cursor.offset) == cursor.marks
    )


CursorBook = dict[str, Cursor]
"""Cursors by profile, reader and source key: see :func:`cursor_key`."""


def cursor_key(profile: str, reader: str, source_key: str) -> str:
    """Name a source's cursor in a book. What one profile has read another has not."""
    # A name that is not UTF-8 must not keep the book from being saved.
    key = source_key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"{profile}\n{reader}\n{key}"


def prune(book: CursorBook, now_ns: int) -> CursorBook:
    """Leave out the sources that did not change for CURSOR_DAYS_MAX days, so that a book has an end."""
    oldest_ns = now_ns - limits.CURSOR_DAYS_MAX * _DAY_NS
    return {key: cursor for key, cursor in book.items() if not 0 < cursor.modified_ns < oldest_ns}


class _Book(msgspec.Struct, frozen=True):
    version: int
    ledger: str
    cursors: CursorBook


_BOOK_VERSION = 2
_DAY_NS = 86_400 * SECOND_NS


class _Version(msgspec.Struct, frozen=True):
    version: int


_BOOK_DECODER = msgspec.json.Decoder(_Book)
_VERSION_DECODER = msgspec.json.Decoder(_Version)


def encode_book(book: CursorBook, ledger: str = "") -> bytes:
    """Encode a book of cursors for its file; ``ledger`` names the ledger that holds what was found."""
    return msgspec.json.encode(_Book(_BOOK_VERSION, ledger, dict(sorted(book.items()))))


def decode_book(data: bytes, ledger: str = "") -> CursorBook:
    """Decode a book of cursors; one of another version or another ledger is taken as empty.

    What another ledger holds this one does not: a host whose ledger was lost must read everything again.

    Raises:
        InputError: the bytes are no book. The caller says so and goes on with an empty one.
    """
    try:
        version = _VERSION_DECODER.decode(data).version
        if version != _BOOK_VERSION:
            return {}
        book = _BOOK_DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise InputError(f"the file of review cursors cannot be read: {exc}") from exc
    return book.cursors if book.ledger == ledger else {}
