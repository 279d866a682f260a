"""The names in a spool directory: parsed leniently, for file-sync tools and file systems change them.

::

    <host>+<id>/                                               one folder per host; nobody else writes there
        i+<counter>+<hash>.state                               what the host holds and vouches for
        s+<zone>+<source>+<epoch>+<number>+<hash>.seg          a sealed segment, byte for byte
        t+<zone>+<source>+<epoch>+<number>+<from>-<to>+<hash>.tail   bytes of an active segment

``+`` is in no name that jilog allows, and file systems from VFAT up allow it. Nothing depends on case, no
name begins like a device of Windows (``con``, ``nul``), and none is longer than 215 characters.
A name is a hint that spares a read; what counts is what the bytes prove.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey

HASH_DIGITS = 32
"""Of a SHA-256, in names: nobody makes two files that agree in 128 bits."""

_FOLDER = re.compile(r"h\+[a-z0-9][a-z0-9._-]{0,63}\+[0-9a-f]{16}\Z", re.IGNORECASE)
_STATE = re.compile(r"i\+(\d{1,20})\+([0-9a-f]{32})(.*)\.state\Z", re.IGNORECASE | re.DOTALL)
_WHAT = r"([a-z0-9][a-z0-9._-]{0,63})\+([a-z0-9][a-z0-9._-]{0,63})\+([0-9a-f]{16})\+(\d{8,19})"
_SEALED = re.compile(rf"s\+{_WHAT}\+([0-9a-f]{{32}})(.*)\.seg\Z", re.IGNORECASE | re.DOTALL)
_TAIL = re.compile(
    rf"t\+{_WHAT}\+(\d{{1,9}})-(\d{{1,9}})\+([0-9a-f]{{32}})(.*)\.tail\Z", re.IGNORECASE | re.DOTALL
)
_CONFLICT = re.compile(r"\.sync-conflict-|conflicted copy|\(\d+\)|case conflict", re.IGNORECASE)
_PARTIAL = re.compile(
    r"\.(tmp|part|partial|crdownload|filepart|!sync|bts)\Z|^\.syncthing\.|^~|^\.~", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a file's name says of it.

    ``start`` and ``end`` are bytes of an active segment, 0 and 0 when it is sealed.

    ``epoch`` is that of the writer the segment is held under, which is a branch's own. ``digest`` is the
    start of the SHA-256 of the segment's bytes up to ``end``, or up to its seal. ``copy`` is true when a
    file-sync tool has put something into the name.
    """

    zone: str
    writer: Writer
    number: int
    digest: str
    start: int = 0
    end: int = 0
    copy: bool = False

    @property
    def sealed(self) -> bool:
        """Whether the file is a whole sealed segment."""
        return not self.end

    @property
    def file_name(self) -> str:
        """The name under which it is emitted."""
        what = f"{self.zone}+{self.writer.source}+{self.writer.epoch}+{self.number:08d}"
        if self.sealed:
            return f"s+{what}+{self.digest}.seg"
        return f"t+{what}+{self.start}-{self.end}+{self.digest}.tail"

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is a piece of, in lower case: a file system that folds case must not hide equality."""
        return (self.zone.lower(), self.writer.source.lower(), self.writer.epoch, self.number)


@dataclass(frozen=True, slots=True)
class StateName:
    """The name of a host's statement; the highest ``counter`` is the newest."""

    counter: int
    digest: str
    copy: bool = False

    @property
    def file_name(self) -> str:
        """The name under which it is written."""
        return f"i+{self.counter}+{self.digest}.state"


def digest_text(sha256: bytes) -> str:
    """Give as much of a hash as names carry."""
    return sha256.hex()[:HASH_DIGITS]


def folder_name(source: str, key: SigningKey, instance: bytes) -> str:
    """Name the folder of one host.

    ``instance`` tells apart what shares a key: a clone on another machine, or in another home.
    """
    digest = hashlib.sha256(b"jilog directory host 1\n" + key.public_key + source.encode() + b"\n" + instance)
    return f"h+{source.lower()}+{digest.hexdigest()[:16]}"


def is_folder(name: str) -> bool:
    """Tell whether a name is that of a host's folder."""
    return _FOLDER.match(name) is not None


def parse_segment(name: str) -> SegmentName | None:
    """Read the name of a segment or a slice of one; None for any other name."""
    found = _SEALED.match(name)
    if found is not None:
        zone, source, epoch, number, digest, rest = found.groups()
        writer = Writer(source, epoch.lower())
        return SegmentName(zone, writer, int(number), digest.lower(), copy=bool(rest))
    found = _TAIL.match(name)
    if found is None:
        return None
    zone, source, epoch, number, start, end, digest, rest = found.groups()
    if int(start) >= int(end):
        return None
    writer = Writer(source, epoch.lower())
    return SegmentName(zone, writer, int(number), digest.lower(), int(start), int(end), copy=bool(rest))


def parse_state(name: str) -> StateName | None:
    """Read the name of a statement; None for any other name."""
    found = _STATE.match(name)
    return StateName(int(found[1]), found[2].lower(), bool(found[3])) if found else None


def is_partial(name: str) -> bool:
    """Tell whether a name is that of a file which some tool has not finished writing."""
    return _PARTIAL.search(name) is not None


def is_conflict(name: str) -> bool:
    """Tell whether a file-sync tool made this copy because it saw two versions."""
    return _CONFLICT.search(name) is not None
