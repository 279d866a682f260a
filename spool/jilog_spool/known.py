"""What the peer is known to hold, as far as this session can tell: what pushes of new records build on."""

from __future__ import annotations

from collections.abc import Iterable

from jilog_ledger.frontier import FrontierEntry
from jilog_ledger.head import Head
from jilog_ledger.identifiers import Writer


class PeerView:
    """The peer's tips by zone and writer.

    They stem from a comparison of frontiers and from what was sent and received since. They may lag behind
    the truth, which costs a duplicate, and run ahead of it only until a push is answered.
    """

    def __init__(self) -> None:
        self._tips: dict[tuple[str, Writer], FrontierEntry] = {}
        self._unsure: set[tuple[str, Writer]] = set()
        self._elsewhere: set[tuple[str, Writer]] = set()

    def learn(self, zone: str, entries: Iterable[FrontierEntry]) -> None:
        """Take the peer's whole frontier of a zone."""
        for key in [key for key in self._tips if key[0] == zone]:
            del self._tips[key]
        self._unsure = {key for key in self._unsure if key[0] != zone}
        for entry in entries:
            self._tips[zone, entry.writer] = entry

    def settle(self, zone: str, ours: Iterable[FrontierEntry]) -> None:
        """Note that an exchange came to its end: what we held when it began, the peer holds now, too."""
        for entry in ours:
            key = (zone, entry.writer)
            known = self._tips.get(key)
            behind = known is None or (known.number, known.length, known.sealed) < (
                entry.number,
                entry.length,
                entry.sealed,
            )
            if key not in self._unsure and (behind or (known is not None and known.above)):
                self._tips[key] = entry

    def tip(self, zone: str, writer: Writer) -> FrontierEntry | None:
        """Give what the peer holds of a writer."""
        return self._tips.get((zone, writer))

    def holds(self, zone: str, writer: Writer, head: Head) -> None:
        """Note that the peer holds a segment up to a head, when that follows what it held before."""
        known = self._tips.get((zone, writer))
        if not _follows(known, head):
            return
        sequence = head.last_sequence
        self._tips[zone, writer] = FrontierEntry(
            writer, sequence, head.number, head.length, head.sha256, head.sealed, known.above if known else ()
        )

    def doubt(self, zone: str, writer: Writer) -> None:
        """Note that the peer could not use what was pushed; only a comparison can tell what it holds."""
        self._unsure.add((zone, writer))

    def unsure(self, zone: str, writer: Writer) -> bool:
        """Whether pushes of a writer have to wait for a comparison."""
        return (zone, writer) in self._unsure

    def note_elsewhere(self, zone: str, writer: Writer, *, had_it: bool) -> None:
        """Note whether the peer had a writer's news from somebody else already when ours came."""
        if had_it:
            self._elsewhere.add((zone, writer))
        else:
            self._elsewhere.discard((zone, writer))

    def hears_elsewhere(self, zone: str, writer: Writer) -> bool:
        """Whether the last news of a writer was none to the peer."""
        return (zone, writer) in self._elsewhere


def _follows(known: FrontierEntry | None, head: Head) -> bool:
    if known is None or not known.number:
        return head.number == 1
    if head.number == known.number:
        return (head.length, head.sealed) >= (known.length, known.sealed)
    return head.number == known.number + 1 and known.sealed
