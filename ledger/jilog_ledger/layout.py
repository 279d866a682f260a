"""Where a zone keeps its files.

::

    <zone>/lock                                        one durable operation at a time, between processes
    <zone>/writer.json                                 which epoch this host writes in
    <zone>/manifest                                    journal of sealed segments; rebuilt when missing
    <zone>/segments/<source>/<epoch>/<number>.seg      the truth
    <zone>/segments/<source>/<epoch>/head              how much of the active segment is acknowledged
    <zone>/incoming/                                   transfers in progress; may be deleted at any time
    <zone>/segments/<source>/<epoch>/branch            where a branch parts from the writer its bytes name
    <zone>/quarantine/                                 damaged segments, each with its reason beside it
    <zone>/forks/                                      proofs that a writer has two histories
    <zone>/local/                                      the same again for events that never leave the host
    <zone>/projection.sqlite                           rebuilt from the segments at any time
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from jilog_ledger.identifiers import Writer

_SEGMENT_NAME = re.compile(r"([0-9]{8,})\.seg\Z")
_QUARANTINED_NAME = re.compile(r"(.+)\.([0-9a-f]{16})\.([0-9]{8,})\.[0-9]+\.seg\Z")
_PART_NAME = re.compile(r"(.+)\.([0-9a-f]{16})\.([0-9]{8,})\.([0-9]+)\.part\Z")


class ZoneLayout:
    """The paths of one zone store, joined once: joining them anew would cost as much as a write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = root / "lock"
        self.writer_file = root / "writer.json"
        self.manifest = root / "manifest"
        self.segments = root / "segments"
        self.incoming = root / "incoming"
        self.quarantine = root / "quarantine"
        self.forks = root / "forks"

    def directory(self, writer: Writer) -> Path:
        """Give the directory of one writer's segments."""
        return self.segments / writer.source / writer.epoch

    def segment(self, writer: Writer, number: int) -> Path:
        """Give a segment's path; numbers have eight digits so that names sort, and may grow past that."""
        return self.directory(writer) / f"{number:08d}.seg"

    def head(self, writer: Writer) -> Path:
        """Give the head file of one writer."""
        return self.directory(writer) / "head"

    def branch(self, writer: Writer) -> Path:
        """Give the file that says where a branch begins; only branches have one."""
        return self.directory(writer) / "branch"

    def part(self, writer: Writer, number: int, base: int) -> Path:
        """Give the file that collects a transfer of segment ``number`` from byte ``base`` on."""
        return self.incoming / f"{writer.source}.{writer.epoch}.{number:08d}.{base}.part"

    def quarantined(self, writer: Writer, number: int, attempt: int) -> Path:
        """Give the place of a damaged segment; ``attempt`` counts those of the same name."""
        return self.quarantine / f"{writer.source}.{writer.epoch}.{number:08d}.{attempt}.seg"


def segment_number(name: str) -> int | None:
    """Read the number from a segment's file name; None for any other name."""
    match = _SEGMENT_NAME.match(name)
    return int(match[1]) if match else None


def parse_quarantined_name(name: str) -> tuple[Writer, int] | None:
    """Read the writer and the segment number from the name of a file in quarantine; None for any other."""
    match = _QUARANTINED_NAME.match(name)
    return (Writer(match[1], match[2]), int(match[3])) if match else None


class PartName(NamedTuple):
    """What the name of a transfer's part file says: bytes of segment ``number`` from byte ``base`` on."""

    writer: Writer
    number: int
    base: int


def parse_part_name(name: str) -> PartName | None:
    """Read the name of a part file; None for any other name."""
    match = _PART_NAME.match(name)
    return PartName(Writer(match[1], match[2]), int(match[3]), int(match[4])) if match else None
