"""Bytes of transfers between the wire and the store.

A segment that arrives within a second goes from memory into the store, whole and in one write. What takes
longer is staged, so that an interrupted transfer goes on where it was. A crash loses what is held here: at
most a second or two of the line.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from jilog_ledger.errors import BusyError, IntegrityError, JilogError
from jilog_spool.limits import HELD_BYTES_MAX, HELD_SECONDS_MAX
from jilog_spool.replica import Replica
from jilog_spool.transfer import Transfer


@dataclass(slots=True)
class _Held:
    transfer: Transfer
    offset: int
    since: float
    parts: list[bytes] = field(default_factory=list)


class Staging:
    """What has arrived of transfers and is not complete.

    May be closed from one thread while another still adds: a transport that is torn down does not wait.
    """

    def __init__(self, replicas: Mapping[str, Replica]) -> None:
        self._replicas = replicas
        self._held: dict[int, _Held] = {}
        self._bytes = 0
        self._now = 0.0
        self._lock = threading.RLock()

    def set_time(self, now_seconds: float) -> None:
        """Say what time it is, by any monotonic clock."""
        self._now = now_seconds

    def add(self, transfer: Transfer, offset: int, data: bytes) -> None:
        """Keep bytes of a transfer, which follow those before.

        A store that does not take what has to be staged becomes the transfer's failure.

        Raises:
            StorageError: our disk refused.
        """
        with self._lock:
            held = self._held.setdefault(transfer.id, _Held(transfer, offset, self._now))
            held.parts.append(data)
            self._bytes += len(data)
            if self._bytes > HELD_BYTES_MAX:
                self._stage(list(self._held.values()))
            else:
                self.stage_old()

    def take(self, transfer: Transfer, offset: int, data: bytes) -> tuple[int, bytes]:
        """Give what is held of a transfer, with its last bytes, and where all that begins."""
        with self._lock:
            held = self._held.pop(transfer.id, None)
            if held is None:
                return offset, data
            self._bytes -= sum(map(len, held.parts))
            return held.offset, b"".join((*held.parts, data))

    def stage_old(self) -> None:
        """Stage what has been on its way for long.

        Raises:
            StorageError: our disk refused.
        """
        with self._lock:
            due = self._now - HELD_SECONDS_MAX
            self._stage([held for held in self._held.values() if held.since < due])

    def close(self) -> None:
        """Stage everything, for the session is over; what the store does not take is sent again."""
        with self._lock:
            for held in list(self._held.values()):
                with contextlib.suppress(JilogError):
                    self._stage([held])
            self._held.clear()
            self._bytes = 0

    def _stage(self, due: list[_Held]) -> None:
        for held in due:
            transfer = held.transfer
            _, data = self.take(transfer, held.offset, b"")
            if transfer.failure:
                continue
            replica = self._replicas[transfer.zone]
            try:
                replica.stage(transfer.writer, transfer.segment.number, held.offset, data)
            except (IntegrityError, BusyError) as exc:
                transfer.failure = exc.message
