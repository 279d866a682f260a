"""Live push: what this host gained since the peer was last known to be level, once it is durable here.

New bytes of a writer go out unasked when they are few and follow what the peer holds. Everything else, and
what the peer is likely to have heard from somebody else, is offered first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from jilog_ledger.errors import IntegrityError
from jilog_ledger.frontier import FrontierEntry
from jilog_ledger.identifiers import Writer
from jilog_spool import limits, wire
from jilog_spool.known import PeerView
from jilog_spool.outgoing import Outgoing
from jilog_spool.plan import WriterPlan, same_tip
from jilog_spool.replica import Replica


class Pushes:
    """Find out what is new, and hand it to the sending half."""

    def __init__(self, replicas: Mapping[str, Replica], view: PeerView, out: Outgoing) -> None:
        self._replicas = replicas
        self._view = view
        self._out = out
        self._grown: set[str] = set()
        self._queue: deque[tuple[str, FrontierEntry]] = deque()

    def notice(self, zone: str) -> None:
        """Note that a zone has grown."""
        self._grown.add(zone)

    def drop(self) -> None:
        """Forget what waits; a comparison of frontiers does the same and more."""
        self._grown.clear()
        self._queue.clear()

    def pending(self, zones: Iterable[str]) -> frozenset[tuple[str, Writer]]:
        """Name the streams of which the peer may not hold all that this host holds."""
        behind = (
            (zone, entry.writer)
            for zone in zones
            for entry in self._replicas[zone].frontier().entries
            if not self._level(zone, entry)
        )
        return frozenset(behind) | self._out.unanswered

    def _level(self, zone: str, entry: FrontierEntry) -> bool:
        known = self._view.tip(zone, entry.writer)
        if known is None or self._view.unsure(zone, entry.writer):
            return False
        return entry == known or same_tip(entry, known)

    def next_message(self) -> wire.Message | None:
        """Give the next push, None when all that is new is on its way or needs an offer."""
        for zone in sorted(self._grown):
            self._queue.extend((zone, entry) for entry in self._replicas[zone].frontier().entries)
        self._grown.clear()
        while self._queue:
            if not self._out.has_credit(limits.PUSH_BYTES_MAX):
                return None
            message = self._push(*self._queue.popleft())
            if message is not None:
                return message
        return None

    def _push(self, zone: str, entry: FrontierEntry) -> wire.Message | None:
        writer = entry.writer
        known = self._view.tip(zone, writer)
        if self._view.unsure(zone, writer) or entry == known:
            return None
        if known and not entry.above and same_tip(entry, known):
            return None
        start = _continues(entry, known)
        if start is not None and not self._view.hears_elsewhere(zone, writer):
            try:
                return self._bytes(zone, writer, entry.number, start)
            except IntegrityError:
                return None  # our copy is damaged; it goes to quarantine and is nothing to tell
        self._out.add_plans(zone, [WriterPlan(writer, known.number if known else 1, known, verified=True)])
        return None

    def _bytes(self, zone: str, writer: Writer, number: int, start: int) -> wire.Message | None:
        """Read the new bytes of a segment and the head that covers them."""
        replica = self._replicas[zone]
        signed = replica.signed_head(writer, number)
        info = replica.segments(writer, number)[0]
        # A sealed head covers the content; the file goes on with the seal, which travels too.
        end = info.length if signed.head.sealed else signed.head.length
        if end - start > limits.PUSH_BYTES_MAX:
            known = self._view.tip(zone, writer)
            self._out.add_plans(zone, [WriterPlan(writer, number, known, verified=True)])
            return None
        data = replica.read(writer, number, start, end - start)
        return self._out.push(zone, info, signed, start, data)


def _continues(entry: FrontierEntry, known: FrontierEntry | None) -> int | None:
    """Give the byte of our tip's segment at which the peer's copy ends; None when there is more between."""
    if entry.above or not entry.number:
        return None
    if known is None or not known.number:
        return 0 if entry.number == 1 and not (known and known.above) else None
    if known.above or same_tip(entry, known):
        return None
    if entry.number == known.number:
        return known.length if not known.sealed and entry.length >= known.length else None
    return 0 if known.sealed and entry.number == known.number + 1 else None
