"""What the scan and its worker processes say to each other: msgpack frames with their length before them."""

from __future__ import annotations

from typing import IO

import msgspec

from jilog_review.cursor import Cursor
from jilog_review.reader import Source
from jilog_review.source_scan import SourceScan

FRAME_BYTES_MAX = 256 * 1024 * 1024
"""No message is longer; one that says so is not from a worker of ours."""
_LENGTH_BYTES = 4


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One source to scan: ``number`` orders the tasks, ``reader`` is the reader's place in the list."""

    number: int
    reader: int
    key: str
    source: Source
    cursor: Cursor | None = None

    @property
    def unread_bytes(self) -> int:
        """How much of the source is new, as far as its size is known."""
        offset = self.cursor.offset if self.cursor is not None else 0
        return max(0, (self.source.size_bytes or 0) - offset)


class ReaderRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """A reader's config table, or None for a reader that only its maker can make."""

    type: str
    options: dict[str, object]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker must know before its first task.

    ``readers`` are in the scan's order; ``emails``, ``home_paths`` and ``patterns`` are the redaction
    policy's. ``rule_folders`` are those of the profile.
    """

    host: str
    review_date: str
    profile: str
    readers: list[ReaderRecipe | None]
    environment: dict[str, str]
    emails: bool
    home_paths: bool
    patterns: list[str]
    rule_folders: list[str] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a task gave."""

    number: int
    found: SourceScan


ORDER_DECODER = msgspec.msgpack.Decoder(Order)
TASKS_DECODER = msgspec.msgpack.Decoder(list[Task])
RESULT_DECODER = msgspec.msgpack.Decoder(Result)
_ENCODER = msgspec.msgpack.Encoder()


def write_frame(stream: IO[bytes], message: Order | list[Task] | Result) -> None:
    """Write one message and flush it.

    Raises:
        OSError: nobody reads any more.
        UnicodeEncodeError: a text in it is no text.
    """
    data = _ENCODER.encode(message)
    stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes | None:
    """Read one message; None at the end of the stream, or when it ends or goes wrong within a message."""
    head = stream.read(_LENGTH_BYTES)
    length = int.from_bytes(head, "big")
    if len(head) < _LENGTH_BYTES or length > FRAME_BYTES_MAX:
        return None
    data = stream.read(length)
    return data if len(data) == length else None
