"""The manifest: a journal of what was sealed and what was quarantined.

It spares the store from listing and reading all segments when it opens. It is never the truth: when it is
missing or damaged it is made again from the segment files. A record is appended durably after the segment it
speaks of, so a crash between the two leaves a sealed segment that is not in the journal; opening the store
finds that one as the active segment, sees its seal, and adds the record.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_ledger.checksum import crc32
from jilog_ledger.disk import Disk
from jilog_ledger.errors import IntegrityError, StorageError
from jilog_ledger.identifiers import Writer
from jilog_ledger.segment import SegmentReader

MAGIC = b"JILOGMAN1\n"
_FRAME = struct.Struct("<II")
_RECORD_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class SegmentInfo:
    """What the store knows of one segment without reading it.

    ``length`` counts the whole file, ``content_length`` the bytes before the seal, which ``xxh3`` and
    ``sha256`` cover. ``signature`` is the seal's, empty while the segment is active.
    """

    writer: Writer
    number: int
    first_sequence: int
    last_sequence: int
    first_time_ns: int
    last_time_ns: int
    events: int
    length: int
    content_length: int
    xxh3: bytes
    sha256: bytes
    signature: bytes
    public_key: bytes
    sealed: bool

    @classmethod
    def of(cls, reader: SegmentReader, writer: Writer | None = None) -> SegmentInfo:
        """Describe what a reader has read; ``writer`` is the name of a branch that it belongs to."""
        header = reader.header
        return cls(
            writer or header.writer,
            header.number,
            header.first_sequence,
            reader.last_sequence,
            reader.first_time_ns,
            reader.last_time_ns,
            reader.events,
            reader.length,
            reader.content_length,
            reader.xxh3,
            reader.sha256,
            reader.seal.signature if reader.seal else b"",
            header.public_key,
            reader.seal is not None,
        )


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """``kind``: w writer first seen, s segment sealed, q segment taken away to quarantine, c stream cut."""

    kind: str
    source: str
    epoch: str
    number: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    first_time_ns: int = 0
    last_time_ns: int = 0
    events: int = 0
    length: int = 0
    content_length: int = 0
    xxh3: bytes = b""
    sha256: bytes = b""
    signature: bytes = b""
    public_key: bytes = b""


@dataclass(frozen=True, slots=True)
class WriterSeen:
    """A writer has a directory in this zone; its active segment has ``active_number`` or a later one."""

    writer: Writer
    active_number: int = 1


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment is complete."""

    info: SegmentInfo


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A segment was moved away because it is damaged."""

    writer: Writer
    number: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The segments from ``number`` on went to a branch; the stream goes on there with other ones."""

    writer: Writer
    number: int


Entry = WriterSeen | Sealed | Quarantined | Cut


def encode_entry(entry: Entry) -> bytes:
    """Encode one record with its length and CRC-32."""
    match entry:
        case WriterSeen(writer, number):
            record = _Record("w", *writer, number)
        case Quarantined(writer, number):
            record = _Record("q", *writer, number)
        case Cut(writer, number):
            record = _Record("c", *writer, number)
        case Sealed(info):
            record = _Record(
                "s",
                *info.writer,
                info.number,
                info.first_sequence,
                info.last_sequence,
                info.first_time_ns,
                info.last_time_ns,
                info.events,
                info.length,
                info.content_length,
                info.xxh3,
                info.sha256,
                info.signature,
                info.public_key,
            )
    body = msgspec.msgpack.encode(record)
    return _FRAME.pack(len(body), crc32(body)) + body


def _decode_entry(body: bytes) -> Entry:
    record = msgspec.msgpack.decode(body, type=_Record)
    writer = Writer(record.source, record.epoch)
    if record.kind == "w":
        return WriterSeen(writer, record.number)
    if record.kind == "q":
        return Quarantined(writer, record.number)
    if record.kind == "c":
        return Cut(writer, record.number)
    return Sealed(
        SegmentInfo(
            writer,
            record.number,
            record.first_sequence,
            record.last_sequence,
            record.first_time_ns,
            record.last_time_ns,
            record.events,
            record.length,
            record.content_length,
            record.xxh3,
            record.sha256,
            record.signature,
            record.public_key,
            sealed=True,
        )
    )


class Manifest:
    """The journal file. The caller holds the zone's lock for every method that writes."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._length = 0
        self._doubtful = False

    def exists(self) -> bool:
        """Tell whether there is a journal."""
        return self._disk.size(self._path) is not None

    def read_new(self) -> Iterator[Entry]:
        """Give the records added since the last call, by this process or another.

        Raises:
            IntegrityError: the journal is damaged, torn by a crash, or shorter than it was; it has to be
                rebuilt. Guessing what a torn record said could hide a writer, and rebuilding costs seconds.
        """
        if self._doubtful:
            raise IntegrityError(
                f"manifest {self._path} has a record that could not be written or taken back"
            )
        size = self._disk.size(self._path) or 0
        if size < self._length:
            raise IntegrityError(f"manifest {self._path} shrank from {self._length} to {size} bytes")
        if size == self._length and size:
            return
        data = self._disk.read(self._path, self._length)
        offset = 0
        if self._length == 0:
            if not data.startswith(MAGIC):
                raise IntegrityError(f"manifest {self._path} does not start with {MAGIC!r}")
            offset = len(MAGIC)
            self._sync(size)
        base = self._length
        self._length = base + offset
        while (end := _record_end(data, offset)) is not None:
            try:
                entry = _decode_entry(data[offset + _FRAME.size : end])
            except msgspec.DecodeError as exc:
                raise IntegrityError(f"manifest {self._path} is malformed: {exc}") from exc
            offset = end
            self._length = base + offset
            yield entry
        if offset < len(data):
            raise IntegrityError(f"manifest {self._path} is damaged at byte {base + offset}")

    def _sync(self, size: int) -> None:
        """Sync what is there: who wrote the last record may have been killed before, and nothing that is
        built on it from now on must outlive it. On a read-only file system nothing will be.
        """
        try:
            self._disk.append(self._path, size, b"")
        except StorageError as exc:
            if not (isinstance(exc.__cause__, OSError) and exc.__cause__.errno == errno.EROFS):
                raise

    def add(self, *entries: Entry) -> None:
        """Append records durably. A crash before it returns leaves nothing, some, or a torn tail."""
        data = b"".join(map(encode_entry, entries))
        try:
            self._disk.append(self._path, self._length, data)
        except StorageError:
            self._take_back()
            raise
        self._length += len(data)

    def _take_back(self) -> None:
        """Cut off a record that may be readable and yet not on stable storage."""
        try:
            self._disk.truncate(self._path, self._length)
        except StorageError:
            self._doubtful = True

    def rewrite(self, entries: list[Entry]) -> None:
        """Make the whole journal anew; a crash leaves the old one or the new one."""
        data = MAGIC + b"".join(encode_entry(entry) for entry in entries)
        self._disk.replace(self._path, data)
        self._length = len(data)
        self._doubtful = False


def _record_end(data: bytes, offset: int) -> int | None:
    """Give the end of the whole record at ``offset``, None when there is none."""
    start = offset + _FRAME.size
    if start > len(data):
        return None
    length, crc = _FRAME.unpack_from(data, offset)
    end = start + length
    if length > _RECORD_BYTES_MAX or end > len(data) or crc32(data[start:end]) != crc:
        return None
    return int(end)
