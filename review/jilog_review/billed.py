"""Which responses of models were counted in the spend of earlier reviews.

A harness repeats responses: a resumed or forked session begins with a copy of the one before, and a file that
was replaced is read again from its start. Each response counts once, whatever night its copy is read on.

What a review counts is saved before its event is appended, under that event's id. Dying before the append
leaves an id that the ledger does not hold, so the next review forgets what belongs to it and counts it;
dying after leaves one that the ledger holds, and reading the same lines again counts nothing twice. The file
is a hint like the cursors: without it, copies of older responses are counted once more.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date

import msgspec

from jilog_ledger.errors import InputError
from jilog_review import limits
from jilog_review.log import LearningLog

_KEY_BYTES = 8
_VERSION = 1


def response_key(profile: str, reader: str, bill_key: str) -> int:
    """Give the number by which a response is remembered: 64 bits, so that 500,000 of them stay apart.

    What one profile counted another did not.
    """
    text = f"{profile}\n{reader}\n{bill_key}".encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=_KEY_BYTES).digest(), "little")


def _no_keys() -> array[int]:
    return array("Q")


@dataclass(frozen=True, slots=True)
class Billed:
    """Sorted keys of responses that were counted: two generations, so that the oldest can be forgotten.

    ``pending`` are those of the last review, whose event has the id ``event_id`` and the date
    ``review_date``; :meth:`settled` tells whether they count.
    """

    older: array[int] = field(default_factory=_no_keys)
    newer: array[int] = field(default_factory=_no_keys)
    pending: array[int] = field(default_factory=_no_keys)
    event_id: bytes = b""
    review_date: str = ""

    @property
    def is_empty(self) -> bool:
        """Tell whether no response is remembered."""
        return not self.newer and not self.older

    def __contains__(self, key: int) -> bool:
        """Tell whether a response was counted by an earlier review."""
        return _holds(self.newer, key) or _holds(self.older, key)

    def settled(self, log: LearningLog) -> Billed:
        """Take what the last review counted for counted if the ledger holds its event, else forget it."""
        if not self.pending:
            return self
        day = date.fromisoformat(self.review_date)
        held = any(event.stored.event_id == self.event_id for event in log.events(day, day))
        kept = replace(self, pending=_no_keys(), event_id=b"", review_date="")
        return kept._with_newer(self.pending) if held else kept

    def awaiting(self, event_id: bytes, review_date: date, keys: Iterable[int]) -> Billed:
        """Note what a review counted whose event is about to be appended; what is known is left out."""
        pending = array("Q", sorted(key for key in keys if key not in self))
        return replace(self, pending=pending, event_id=event_id, review_date=review_date.isoformat())

    def _with_newer(self, keys: array[int]) -> Billed:
        """Add keys; when a generation is full, the one before is forgotten."""
        # Two sorted runs without a key in common: sorting them is one merge.
        newer = array("Q", sorted([*self.newer, *keys]))
        if len(newer) < limits.BILLED_GENERATION_MAX:
            return replace(self, newer=newer)
        return replace(self, older=newer[: limits.BILLED_GENERATION_MAX], newer=_no_keys())


NOTHING_BILLED = Billed()


def _holds(keys: array[int], key: int) -> bool:
    place = bisect_left(keys, key)
    return place < len(keys) and keys[place] == key


class _File(msgspec.Struct, frozen=True):
    version: int
    ledger: str
    older: bytes
    newer: bytes
    pending: bytes
    event_id: bytes
    review_date: str


_DECODER = msgspec.msgpack.Decoder(_File)


def encode_billed(billed: Billed, ledger: str) -> bytes:
    """Encode for the file; ``ledger`` names the ledger that holds the events in which they were counted."""
    return msgspec.msgpack.encode(
        _File(
            _VERSION,
            ledger,
            _bytes_of(billed.older),
            _bytes_of(billed.newer),
            _bytes_of(billed.pending),
            billed.event_id,
            billed.review_date,
        )
    )


def decode_billed(data: bytes, ledger: str) -> Billed:
    """Decode the file; one of another version or of another ledger is taken as empty.

    Raises:
        InputError: the bytes are something else. The caller says so and goes on with nothing remembered.
    """
    try:
        found = _DECODER.decode(data)
        if found.version != _VERSION or found.ledger != ledger:
            return Billed()
        if found.pending:
            date.fromisoformat(found.review_date)
        older, newer, pending = map(_keys_of, (found.older, found.newer, found.pending))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
        raise InputError(f"the file of counted responses cannot be read: {exc}") from exc
    return Billed(older, newer, pending, found.event_id, found.review_date)


def _bytes_of(keys: array[int]) -> bytes:
    if sys.byteorder == "little":
        return keys.tobytes()
    swapped = array("Q", keys)
    swapped.byteswap()
    return swapped.tobytes()


def _keys_of(data: bytes) -> array[int]:
    keys = array("Q")
    keys.frombytes(data)
    if sys.byteorder != "little":
        keys.byteswap()
    return keys
