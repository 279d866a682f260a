"""One comparison of frontiers with the peer: what is told, what is due, and what the peer turns out to hold.

Version 1 tells whole frontiers. Version 2 tells digests first, and then only the entries that can differ;
what is left out is equal to ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from jilog_ledger.frontier import Frontier, FrontierEntry
from jilog_ledger.limits import WRITERS_MAX
from jilog_spool import compact, limits, wire
from jilog_spool.errors import ProtocolError, one_line


class Comparison:
    """Compare the frontiers of some zones.

    ``differ`` are zones whose roots are known to differ, ``maybe`` such of which nothing is known. Feed it
    with the peer's messages, send what :meth:`next_message` gives, and take :attr:`results`.
    """

    def __init__(
        self,
        frontiers: Mapping[str, Frontier],
        *,
        differ: Iterable[str] = (),
        maybe: Iterable[str] = (),
        version: int = wire.VERSION,
    ) -> None:
        self._differ = set(differ)
        self._zones = sorted(self._differ | set(maybe))
        self._frontiers = {zone: frontiers[zone] for zone in self._zones}
        self._due = set(self._zones)
        self._summed = {zone: compact.buckets(frontiers[zone]) for zone in self._zones} if version > 1 else {}
        self._summary_due = set(self._summed)
        # Nobody can ask for less than one bucket, so that one is told without waiting.
        self._eager = {zone for zone, sums in self._summed.items() if len(sums) == 1 and zone in self._differ}
        self._equal: dict[str, list[FrontierEntry]] = {}
        self._received: dict[str, list[FrontierEntry]] = {}
        self.results: dict[str, list[FrontierEntry]] = {}
        self._messages: Iterator[wire.Message] = (
            self._summaries() if version > 1 else _whole_frontiers(self._frontiers.values())
        )

    @property
    def done(self) -> bool:
        """Whether the peer has told all that is due."""
        return not self._due

    def next_message(self) -> wire.Message | None:
        """Give the next message to send, None when there is none."""
        return next(self._messages, None)

    def on_summary(self, message: wire.Summary) -> None:
        """Find out which buckets differ, and tell what is in ours."""
        zone = message.zone
        if zone not in self._summary_due:
            raise ProtocolError(f"peer sent a summary that is not due: {one_line(zone)}")
        self._summary_due.remove(zone)
        level, wanted = compact.differing(self._summed[zone], compact.unpack(message.buckets))
        if not wanted and zone in self._differ:
            wanted = set(range(1 << level))
        frontier = self._frontiers[zone]
        ours = compact.chosen(frontier, level, wanted)
        told = {entry.writer for entry in ours}
        self._equal[zone] = [entry for entry in frontier.entries if entry.writer not in told]
        if wanted and zone not in self._eager:
            self._messages = itertools.chain(self._messages, compact.entry_messages(zone, ours))
        if not wanted and not message.eager:
            self._finish(zone)

    def on_entries(self, message: wire.Entries | wire.FrontierPart) -> None:
        """Take entries of the peer."""
        zone = message.zone
        if zone not in self._due or zone in self._summary_due:
            raise ProtocolError(f"peer sent a frontier that is not due: {one_line(zone)}")
        entries = self._received.setdefault(zone, [])
        entries += [entry.entry() for entry in message.entries]
        if len(entries) > WRITERS_MAX:
            raise ProtocolError(f"peer has more than {WRITERS_MAX} writers in one zone")
        if not message.more:
            self._finish(zone)

    def _finish(self, zone: str) -> None:
        self._due.remove(zone)
        received = self._received.pop(zone, [])
        told = {entry.writer for entry in received}
        equal = (entry for entry in self._equal.pop(zone, []) if entry.writer not in told)
        self.results[zone] = [*received, *equal]

    def _summaries(self) -> Iterator[wire.Message]:
        for zone in self._zones:
            yield wire.Summary(zone, compact.pack(self._summed[zone]), zone in self._eager)
            if zone in self._eager:
                yield from compact.entry_messages(zone, self._frontiers[zone].entries)


def _whole_frontiers(frontiers: Iterable[Frontier]) -> Iterator[wire.FrontierPart]:
    """Cut frontiers into messages, made when there is room for them."""
    for frontier in frontiers:
        part: list[wire.WireEntry] = []
        size = 0
        for entry in frontier.entries:
            # 130 bytes for an entry with long names, 70 for a span with large numbers.
            cost = 130 + 70 * min(len(entry.above), limits.SPANS_PER_ENTRY_MAX)
            if part and size + cost > limits.FRONTIER_FRAME_BYTES:
                yield wire.FrontierPart(frontier.zone, part, more=True)
                part, size = [], 0
            part.append(wire.WireEntry.of(entry))
            size += cost
        yield wire.FrontierPart(frontier.zone, part)
