"""What opening a segment after a crash, a full disk or bit rot does.

The rule has one line: bytes that were acknowledged are kept or reported, bytes that were not may go. A head
says how much was acknowledged. The host's own head file is not synced with each batch, so after a power cut
it may lag behind the data; it never runs ahead of it.
"""

from __future__ import annotations

from dataclasses import replace

from jilog_ledger.catalog import Catalog, Finding
from jilog_ledger.errors import IntegrityError, SegmentDamaged
from jilog_ledger.limits import HEADER_BYTES_MAX
from jilog_ledger.segment import SegmentReader, check_seal_signature
from jilog_ledger.stream import Stream


def open_active(catalog: Catalog, stream: Stream, *, own: bool) -> SegmentReader | None:
    """Give the reader of a stream's active segment, from memory when the file is as it was.

    ``own`` says that this host writes the stream now. Damage sends the segment to quarantine and gives None,
    as does an active segment that has not been started.
    """
    size = catalog.disk.size(stream.path())
    if stream.active is not None and stream.active.length == size:
        return stream.active
    stream.forget()
    while True:
        number = stream.active_number
        try:
            reader = _load(catalog, stream, own=own)
        except IntegrityError as exc:
            catalog.quarantine(stream.writer, number, exc.message)
            if not own:
                stream.drop_head()
            return None
        if reader is None or reader.seal is None:
            stream.active = reader
            return reader
        # Sealed, and the crash came before the manifest said so; go on with the next number.
        catalog.note_sealed(stream.writer, reader)


def _load(catalog: Catalog, stream: Stream, *, own: bool) -> SegmentReader | None:
    recorded = stream.recorded_head()
    if own or (_written_here(catalog, stream) if recorded is None else not recorded.signature):
        return _load_own(catalog, stream)
    return _load_followed(catalog, stream)


def _written_here(catalog: Catalog, stream: Stream) -> bool:
    """Tell whether this host wrote the segment, in an earlier epoch whose head a power cut took."""
    if not catalog.disk.size(stream.path()):
        return False
    reader, _ = stream.read_active(catalog.disk.read(stream.path(), 0, HEADER_BYTES_MAX))
    return reader is not None and reader.header.public_key == catalog.own_public_key


def _load_own(catalog: Catalog, stream: Stream) -> SegmentReader | None:
    acknowledged = stream.acknowledged_length()
    path = stream.path()
    if catalog.disk.size(path) is None:
        if acknowledged:
            raise SegmentDamaged(f"segment is gone; {acknowledged} bytes were acknowledged", offset=0)
        return None
    data = catalog.disk.read(path)
    reader, damage = stream.read_active(data)
    whole = reader.length if reader else 0
    if damage is not None and (not damage.torn or damage.offset < acknowledged):
        raise damage
    if whole < acknowledged:
        raise SegmentDamaged(f"segment ends at byte {whole}; {acknowledged} were acknowledged", offset=whole)
    if reader is not None and not reader.events:
        # A header alone is the rest of a first block that was torn; the next append begins anew.
        reader, whole = None, 0
    if damage is not None or not whole:
        _cut_torn_tail(catalog, stream, whole, len(data))
    if reader is not None and whole > acknowledged:
        _adopt_tail(catalog, stream, reader, data[acknowledged:whole], acknowledged)
    return reader


def _cut_torn_tail(catalog: Catalog, stream: Stream, whole: int, size: int) -> None:
    if whole:
        catalog.disk.truncate(stream.path(), whole)
    else:
        catalog.disk.remove(stream.path())
    problem = f"torn tail of {size - whole} bytes after byte {whole}, never acknowledged"
    catalog.findings.append(Finding(stream.writer, stream.active_number, problem, "cut off"))


def _adopt_tail(catalog: Catalog, stream: Stream, reader: SegmentReader, tail: bytes, offset: int) -> None:
    """Make whole blocks past the recorded head certain to be on stable storage.

    They may stem from a batch whose sync failed: then the page cache shows bytes that the disk never got, and
    syncing again would not bring them there. Writing them again does.
    """
    if offset:
        catalog.disk.append(stream.path(), offset, tail)
    else:
        # The file is new, and its name may be as uncertain as its bytes.
        catalog.disk.replace(stream.path(), tail)
    if reader.seal is None:
        stream.record_head(reader.head(), b"", durable=False)


def _load_followed(catalog: Catalog, stream: Stream) -> SegmentReader | None:
    acknowledged = stream.acknowledged_length()
    if catalog.disk.size(stream.path()) is None:
        if acknowledged:
            raise SegmentDamaged(f"segment is gone; {acknowledged} bytes were held", offset=0)
        return None
    data = catalog.disk.read(stream.path())
    whole, damage = stream.read_active(data)
    if damage is None and whole is not None and whole.seal is not None:
        check_seal_signature(whole)
        # The crash may have come before the sync; what goes on record now has to be on stable storage.
        catalog.disk.replace(stream.path(), data)
        return whole
    if not acknowledged:
        # A crash before the first head was written; nothing of it was acknowledged to the peer.
        return None
    reader, damage = stream.read_active(data[:acknowledged])
    recorded = stream.recorded_head()
    if damage is not None:
        raise damage
    if (
        reader is None
        or recorded is None
        or replace(reader.head(), sealed=recorded.head.sealed) != recorded.head
    ):
        raise SegmentDamaged("segment differs from the head that vouches for it", offset=0)
    return reader
