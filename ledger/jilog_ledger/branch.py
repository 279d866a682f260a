"""Branches: how two histories of one writer are told apart and named, the same on every node.

A clone, or a host restored from an old copy that went on, writes other events under a writer that others
know. Both histories are kept. They agree up to some frame of some segment; from there on one goes by the
writer's own name and the other by a name of its own, an *alias*: the same source, and an epoch derived from
the branch's bytes up to its first frame of its own. Which of the two keeps the name is decided by the same
hash (the smaller one), so it depends on the bytes alone and not on who saw which first.
``docs/adr/0002-forks.md`` has the reasons.
"""

from __future__ import annotations

import enum
import hashlib
import json
from dataclasses import dataclass

import msgspec

from jilog_ledger.errors import IntegrityError
from jilog_ledger.identifiers import EPOCH_PATTERN, Writer
from jilog_ledger.segment import decode_header, read_frames

_CONTEXT = b"jilog branch 1\n"


class BranchTaken(enum.Enum):
    """What became of a segment of another history."""

    TAKEN = "taken"
    KNOWN = "known"
    DEEPER = "deeper"
    """The histories part in an earlier segment; that one is needed first."""


@dataclass(frozen=True, slots=True)
class BranchPoint:
    """Where a branch begins: in segment ``number`` of ``origin``, with the frame at byte ``start``.

    Events before that byte are those of the writer it branches from.
    """

    origin: Writer
    number: int
    start: int

    def encode(self) -> bytes:
        """Give the small file that stands beside a branch's segments."""
        note = {"epoch": self.origin.epoch, "number": self.number, "start": self.start}
        return json.dumps(note).encode() + b"\n"


class _Note(msgspec.Struct, frozen=True):
    epoch: str
    number: int
    start: int


def decode_point(source: str, data: bytes) -> BranchPoint:
    """Read the file of :meth:`BranchPoint.encode`; IntegrityError when it is something else."""
    try:
        note = msgspec.json.decode(data, type=_Note)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise IntegrityError(f"a branch of {source} has a malformed note: {exc}") from exc
    if not EPOCH_PATTERN.match(note.epoch):
        raise IntegrityError(f"a branch of {source} names epoch {note.epoch!r}")
    return BranchPoint(Writer(source, note.epoch), note.number, note.start)


@dataclass(frozen=True, slots=True)
class Parting:
    """Two copies of one segment that agree up to byte ``start``, and the keys of their next frames."""

    start: int
    ours: bytes
    theirs: bytes


def part(ours: bytes, theirs: bytes) -> Parting | None:
    """Find where two copies of a segment part; None when one is the start of the other.

    Both are whole frames after a header. A seal is a frame, too: whoever sealed parts from whoever went on.
    """
    start = 0
    for our_end, their_end in zip(frame_ends(ours), frame_ends(theirs), strict=False):
        if ours[start:our_end] != theirs[start:their_end]:
            return Parting(start, _digest(ours[:our_end]), _digest(theirs[:their_end]))
        start = our_end
    return None


def frame_ends(data: bytes) -> list[int]:
    """Give the byte after the header, and after each frame."""
    _, end = decode_header(data)
    return [end, *(frame.end for frame in read_frames(data, end))]


def alias_of(zone: str, origin: Writer, number: int, key: bytes) -> Writer:
    """Name a branch: by the writer its bytes name, the segment, and the hash up to its first own frame."""
    body = msgspec.msgpack.encode([zone, origin.source, bytes.fromhex(origin.epoch), number, key])
    return Writer(origin.source, hashlib.sha256(_CONTEXT + body).digest()[:8].hex())


def find_point(zone: str, origin: Writer, alias: Writer, number: int, data: bytes) -> BranchPoint | None:
    """Find the frame that gives a branch its name, so that nobody has to be believed about it."""
    digest = hashlib.sha256()
    start = 0
    for end in frame_ends(data):
        digest.update(data[start:end])
        if alias_of(zone, origin, number, digest.digest()) == alias:
            return BranchPoint(origin, number, start)
        start = end
    return None


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
