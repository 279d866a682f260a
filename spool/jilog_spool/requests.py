"""Single segments asked of the peer, whatever the frontiers say: another branch, or one that is damaged."""

from __future__ import annotations

from collections.abc import Callable

from jilog_ledger.identifiers import Writer
from jilog_spool import limits, wire
from jilog_spool.errors import ProtocolError, one_line


class Requests:
    """What was asked for and not yet answered by an offer or by GONE. ``send`` queues a message."""

    def __init__(self, send: Callable[[wire.Message], None]) -> None:
        self._send = send
        self._open: dict[tuple[str, Writer, int], bool] = {}

    @property
    def open(self) -> bool:
        """Whether an answer is due."""
        return bool(self._open)

    def expect(self, zone: str, writer: Writer, number: int) -> None:
        """Note that a segment of another history was asked for with a FORK."""
        self._open[zone, writer, number] = True

    def ask(self, zone: str, writer: Writer, number: int, *, branch: bool = True) -> bool:
        """Ask for a segment, with ``branch`` for one of another history; False when too many are open."""
        key = (zone, writer, number)
        if key in self._open or len(self._open) >= limits.WANTS_OPEN_MAX:
            return key in self._open
        self._open[key] = branch
        self._send(wire.Get(zone, writer.source, bytes.fromhex(writer.epoch), number))
        return True

    def is_open(self, stream: tuple[str, Writer], number: int) -> bool:
        """Whether an offer of this segment answers a request."""
        return (*stream, number) in self._open

    def close(self, stream: tuple[str, Writer], number: int) -> bool:
        """Take the answer to a request; tell whether it was for another history."""
        return self._open.pop((*stream, number))

    def on_gone(self, message: wire.Gone) -> None:
        """Note that the peer does not have it."""
        key = (message.zone, wire.wire_writer(message.source, message.epoch), message.number)
        if self._open.pop(key, None) is None:
            raise ProtocolError(
                f"peer misses a segment that nobody asked for in zone {one_line(message.zone)}"
            )
