"""Appending to the host's own stream: group commit, rotation, and one durable write per batch."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

import msgspec

from jilog_ledger import limits
from jilog_ledger.catalog import Catalog
from jilog_ledger.errors import BusyError, InputError, JilogError, StorageError, SyncFailed
from jilog_ledger.event import Event, EventDraft, StoredEvent, encode_events
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import EPOCH_PATTERN, Writer
from jilog_ledger.keys import SigningKey
from jilog_ledger.recovery import open_active
from jilog_ledger.segment import (
    BLOCK,
    NO_PREVIOUS,
    SegmentHeader,
    SegmentReader,
    encode_frame,
    encode_header,
    encode_seal,
)
from jilog_ledger.stream import Stream
from jilog_ledger.times import SECOND_NS


@dataclass(slots=True, eq=False)
class _Request:
    """One caller's events on their way to the disk.

    ``wake`` is held until the events are done, or until this caller is to lead the next batch.
    """

    events: list[StoredEvent]
    bytes_estimate: int
    leads: bool = False
    done: bool = False
    failure: JilogError | None = None
    result: list[Event] = field(default_factory=list)
    wake: threading.Lock = field(default_factory=threading.Lock)


class Appender:
    """Write the host's own stream in one zone.

    Threads that arrive while a batch is on its way to the disk wait together, and the next batch carries
    them all (group commit). Processes take turns under the zone's lock.
    """

    def __init__(
        self,
        catalog: Catalog,
        source: str,
        key: SigningKey,
        *,
        clock: Callable[[], int],
        new_epoch: Callable[[], str],
        local: bool,
        exclusive: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._catalog = catalog
        self._exclusive = exclusive
        self._source = source
        self._key = key
        self._clock = clock
        self._new_epoch = new_epoch
        self.local = local
        self._stopped: SyncFailed | None = None
        self._queue: list[_Request] = []
        self._queue_lock = threading.Lock()
        self._leading = False
        self.writer = Writer(source, "")

    def active_of(self, stream: Stream) -> SegmentReader | None:
        """Open any writer's active segment; when it is the own one and damaged, a new epoch begins."""
        if stream.writer != self.writer:
            return open_active(self._catalog, stream, own=False)
        active = self._own_active()
        return active if stream.writer == self.writer else None

    def open(self) -> None:
        """Find out, with the zone's lock held, in which epoch this host writes, and recover its stream."""
        writer = self._recorded_writer()
        if writer is None:
            self.begin_epoch()
            return
        self.writer = writer
        self._own_active()

    def begin_epoch(self) -> None:
        """Go on under a new epoch; what the old one holds stays as it is."""
        writer = Writer(self._source, self._new_epoch())
        note = {
            "source": writer.source,
            "epoch": writer.epoch,
            "public_key": self._key.public_key.hex(),
        }
        # A crash before this line leaves the old epoch in force, after it the new one; neither has events
        # of the other.
        self._catalog.disk.replace(self._catalog.layout.writer_file, json.dumps(note).encode() + b"\n")
        self.writer = writer

    def _recorded_writer(self) -> Writer | None:
        """Read writer.json; None when it is missing, damaged, or of another source or key."""
        note = self._writer_note()
        same_key = note.get("public_key") == self._key.public_key.hex()
        epoch = note.get("epoch", "")
        if note.get("source") != self._source or not same_key or not EPOCH_PATTERN.match(epoch):
            return None
        return Writer(self._source, epoch)

    def _writer_note(self) -> dict[str, str]:
        """Read writer.json; empty when it is missing or damaged."""
        path = self._catalog.layout.writer_file
        if not self._catalog.disk.size(path):
            return {}
        try:
            return msgspec.json.decode(self._catalog.disk.read(path), type=dict[str, str])
        except msgspec.DecodeError:
            return {}

    def _refuse_after_key_change(self) -> None:
        """Write nothing under a key that was replaced since this process read it.

        The old stream was sealed with that key for the last time; what came after could never be signed.
        """
        key = self._writer_note().get("public_key", self._key.public_key.hex())
        if key != self._key.public_key.hex():
            raise BusyError(
                f"this host got a new key while zone {self._catalog.zone} was open",
                hint="run the command again; an agent has to be restarted: jilog agent stop",
            )

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Append events; they are on stable storage when this returns.

        Up to BLOCK_EVENTS_MAX events of BLOCK_BYTES_MAX bytes together are all there after a crash or none.

        Raises:
            InputError: a draft is not valid; nothing was written.
            StorageError: the disk refused; nothing of this call was acknowledged.
            BusyError: another process holds the zone.
        """
        request = self._prepare(drafts)
        if not request.events:
            return []
        request.wake.acquire()
        try:
            if self._enqueue(request):
                # Until the request is done, or has to lead.
                request.wake.acquire()
            while not request.done:
                self._lead()
        except BaseException:
            self._withdraw(request)
            raise
        if request.failure is not None:
            raise request.failure
        return request.result

    def _prepare(self, drafts: Sequence[EventDraft]) -> _Request:
        if not self.local and any(draft.confidential for draft in drafts):
            raise InputError("a confidential event must not go into a stream that travels")
        events = [draft.stored(0) for draft in drafts]
        # What a block needs at most: payload, references, and 80 bytes for ids, numbers and class.
        size = sum(
            80 + len(event.event_class) + len(bytes(event.payload)) + 4 * _reference_chars(event)
            for event in events
        )
        if len(events) > limits.BLOCK_EVENTS_MAX or size > limits.BLOCK_BYTES_MAX:
            raise InputError(
                f"{len(events)} events of {size} bytes do not fit one durable batch of "
                f"{limits.BLOCK_EVENTS_MAX} events and {limits.BLOCK_BYTES_MAX} bytes",
                hint="append them in several calls",
            )
        return _Request(events, size)

    def _take_queue(self) -> list[_Request]:
        """Take as many waiting requests as one block may hold, at least one."""
        with self._queue_lock:
            events = bytes_total = count = 0
            for request in self._queue:
                events += len(request.events)
                bytes_total += request.bytes_estimate
                full = events > limits.BLOCK_EVENTS_MAX or bytes_total > limits.BLOCK_BYTES_MAX
                if count and full:
                    break
                count += 1
            batch, self._queue = self._queue[:count], self._queue[count:]
            return batch

    def _enqueue(self, request: _Request) -> bool:
        """Put a request into the queue; tell whether somebody else leads, else it is to lead."""
        with self._queue_lock:
            self._queue.append(request)
            follows = self._leading
            request.leads = not follows
            self._leading = True
        return follows

    def _withdraw(self, request: _Request) -> None:
        """Leave the queue on Ctrl-C, and hand the lead on: the others would sleep for ever."""
        with self._queue_lock:
            if request in self._queue:
                self._queue.remove(request)
                if request.leads:
                    self._appoint()

    def _appoint(self) -> None:
        """Wake the next in line to lead, with the queue's lock held; without one nobody leads."""
        self._leading = bool(self._queue)
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].wake.release()

    def _lead(self) -> None:
        """Commit one batch for all who are in it, then wake them and hand the lead to the next in line."""
        batch = self._take_queue()
        try:
            self._commit(batch)
        finally:
            with self._queue_lock:
                for request in batch:
                    if not request.leads:
                        request.wake.release()
                self._appoint()

    def _commit(self, batch: list[_Request]) -> None:
        """Write a batch; an error reaches each caller whose events were in it."""
        failure: JilogError | None = StorageError("the append was interrupted before it was acknowledged")
        results: list[Event] = []
        try:
            with self._exclusive():
                self._refuse_after_key_change()
                results = self._write_block([event for request in batch for event in request.events])
            failure = None
        except JilogError as exc:
            failure = exc
        finally:
            # Also on Ctrl-C in this thread: the others must not take silence for success.
            start = 0
            for request in batch:
                request.failure = failure
                request.result = results[start : start + len(request.events)]
                request.done = True
                start += len(request.events)

    def _write_block(self, events: list[StoredEvent]) -> list[Event]:
        if self._stopped is not None:
            raise StorageError(
                f"zone {self._catalog.zone} takes no more events in this process: {self._stopped.message}",
                hint=self._stopped.hint,
            )
        active = self._rotated(self._own_active())
        first = active.next_sequence if active else self._next_sequence()
        stored = [msgspec.structs.replace(event, sequence=first + i) for i, event in enumerate(events)]
        times = [event.timestamp_ns for event in stored]
        frame = encode_frame(BLOCK, encode_events(stored))
        stream = self._stream()
        with self._taken_back_if_refused(stream, active):
            active = self._extend(stream, active, frame)
        active.note_block(frame, len(stored), min(times), max(times))
        stream.active = active
        # Not synced: after a power cut an older head is as true as this one, it only vouches for less.
        # One that cannot be written takes nothing back either, for the events are on stable storage.
        with contextlib.suppress(StorageError):
            stream.record_head(active.head(), b"", durable=False)
        return [Event(self._catalog.zone, self.writer, event) for event in stored]

    def _extend(self, stream: Stream, active: SegmentReader | None, frame: bytes) -> SegmentReader:
        disk = self._catalog.disk
        if active is not None:
            # A crash inside this call leaves a torn tail; nobody was told that these events are safe.
            disk.append(stream.path(), active.length, frame)
            return active
        header = self._header(stream)
        data = encode_header(header)
        # A crash inside this call leaves a torn file or none; the next opening removes what is torn.
        disk.create(stream.path(), data + frame)
        return SegmentReader(header, data)

    def _header(self, stream: Stream) -> SegmentHeader:
        previous = stream.sealed.get(stream.active_number - 1)
        return SegmentHeader(
            self._catalog.zone,
            self.writer,
            stream.active_number,
            self._next_sequence(),
            previous.sha256 if previous else NO_PREVIOUS,
            self._key.public_key,
            self._clock(),
            self.local,
        )

    @contextlib.contextmanager
    def _taken_back_if_refused(self, stream: Stream, active: SegmentReader | None) -> Iterator[None]:
        """Undo a write that the disk refused; after a failed sync this process writes no more."""
        try:
            yield
        except StorageError as exc:
            self._undo(stream, active)
            if isinstance(exc, SyncFailed):
                self._stopped = exc
            raise

    def _undo(self, stream: Stream, active: SegmentReader | None) -> None:
        """Take a failed write back as far as the disk allows; what stays is cut when it is read again."""
        with contextlib.suppress(StorageError):
            if active is None:
                self._catalog.disk.remove(stream.path())
            else:
                self._catalog.disk.truncate(stream.path(), active.length)
        stream.forget()

    def _stream(self) -> Stream:
        return self._catalog.stream(self.writer)

    def _next_sequence(self) -> int:
        stream = self._stream()
        previous = stream.sealed.get(stream.active_number - 1)
        return previous.last_sequence + 1 if previous else 1

    def _own_active(self) -> SegmentReader | None:
        """Open the own active segment; a damaged one ends the epoch, since its last sequence is unknown."""
        stream = self._stream()
        findings = len(self._catalog.findings)
        active = open_active(self._catalog, stream, own=True)
        damaged = any(
            finding.writer == self.writer and finding.action == "moved to quarantine"
            for finding in self._catalog.findings[findings:]
        )
        previous_lost = stream.active_number > 1 and stream.active_number - 1 not in stream.sealed
        if damaged or (active is None and previous_lost):
            self.begin_epoch()
            # Only now: until a new epoch is in force, the head is what forbids to use its sequences again.
            stream.drop_head()
            return open_active(self._catalog, self._stream(), own=True)
        return active

    def _rotated(self, active: SegmentReader | None) -> SegmentReader | None:
        """Seal the active segment when it is large or old enough; then there is none."""
        if active is None:
            return None
        age_seconds = (self._clock() - active.header.created_ns) / SECOND_NS
        if active.length < limits.SEGMENT_BYTES_TARGET and age_seconds < limits.SEGMENT_AGE_SECONDS_MAX:
            return active
        self._seal(self._stream(), active)
        return None

    def seal(self) -> bool:
        """Close the active segment, with the zone's lock held; tell whether there was one."""
        active = self._own_active()
        if active is None:
            return False
        self._seal(self._stream(), active)
        return True

    def seal_all(self) -> int:
        """Close every active segment that this key wrote, in whichever epoch; give their number.

        The zone's lock is held. After this the key is not needed any more to send what it wrote.
        """
        sealed = 0
        for stream in list(self._catalog.streams.values()):
            if stream.branch is not None:
                continue  # somebody else's bytes under this name, or a copy of what another stream holds
            active = self.active_of(stream)
            if active is not None and self.owns(active.header.public_key):
                self._seal(stream, active)
                sealed += 1
        return sealed

    def close_stream(self, stream: Stream, active: SegmentReader) -> None:
        """Seal an active segment that this key wrote, in whichever epoch, with the zone's lock held."""
        self._seal(stream, active)

    def _seal(self, stream: Stream, active: SegmentReader) -> None:
        sealed_head = replace(active.head(), sealed=True)
        seal = active.make_seal(self._key.sign(sealed_head.message()))
        frame = encode_seal(seal)
        # A crash inside this call leaves a torn seal, which is cut; the segment then stays active.
        with self._taken_back_if_refused(stream, active):
            self._catalog.disk.append(stream.path(), active.length, frame)
        active.note_seal(seal, len(frame))
        # Should the manifest refuse, the next to open this segment sees its seal and tries again.
        stream.forget()
        self._catalog.note_sealed(stream.writer, active)

    def sign(self, head: Head) -> SignedHead:
        """Sign a head of a stream that this host wrote."""
        return SignedHead(head, self._key.sign(head.message()))

    def owns(self, public_key: bytes) -> bool:
        """Tell whether a segment with this key was written by this host, in whichever epoch."""
        return public_key == self._key.public_key


def _reference_chars(event: StoredEvent) -> int:
    return len(event.object_ref or "") + len(event.actor_ref or "")
