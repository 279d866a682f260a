"""The part of a session that deals with writers of two histories.

Whoever finds a fork shows its head of the segment in question and asks for the peer's; each side then takes
the other's branch in, and a further comparison brings both to the same state.
"""

from __future__ import annotations

from collections.abc import Callable

from jilog_ledger.errors import IntegrityError
from jilog_ledger.head import SignedHead
from jilog_ledger.identifiers import Writer
from jilog_spool import wire
from jilog_spool.incoming import Incoming
from jilog_spool.outgoing import Outgoing
from jilog_spool.plan import ForkSeen
from jilog_spool.replica import Replica
from jilog_spool.report import ForkFound, SessionReport


class Forks:
    """Forks of one session. ``send`` queues a message, ``tell`` gets each fork once both heads are known."""

    def __init__(
        self,
        replicas: dict[str, Replica],
        report: SessionReport,
        send: Callable[[wire.Message], None],
        tell: Callable[[ForkFound], None],
    ) -> None:
        self._replicas = replicas
        self._report = report
        self._send = send
        self._tell = tell
        self._found: dict[tuple[str, Writer], ForkFound] = {}
        self._unanswered: set[tuple[str, Writer]] = set()
        self._told: set[tuple[str, Writer]] = set()
        self._hopeless: set[tuple[str, Writer]] = set()
        self.exchanged = False
        """Whether branches went both ways since the last comparison, so that another one is due."""
        self.fetch = False
        """Whether branches are asked for: both sides speak version 2, and this is no forecast."""

    @property
    def settled(self) -> bool:
        """Whether the peer has answered each fork we told it of."""
        return not self._unanswered

    def begin_round(self) -> None:
        """Start over: what was taken in since may have settled it."""
        self._found.clear()
        self._unanswered.clear()
        self.exchanged = False

    def give_up(self, zone: str, writer: Writer) -> None:
        """Note that the store refused the peer's branch; it is not asked for again."""
        self._hopeless.add((zone, writer))

    def seen(self, fork: ForkSeen, incoming: Incoming, outgoing: Outgoing) -> None:
        """Leave the writer out for now, and show the peer our head; it answers with its own."""
        key = (fork.zone, fork.writer)
        incoming.leave_out(*key)
        outgoing.leave_out(*key)
        if key in self._found:
            return
        mine = self._head(fork)
        self._found[key] = ForkFound(fork.zone, fork.writer, fork.number, mine, None)
        self._unanswered.add(key)
        head = wire.WireHead.of(mine) if mine else None
        epoch = bytes.fromhex(fork.writer.epoch)
        if self._wanted(key):
            incoming.requests.expect(fork.zone, fork.writer, fork.number)
        self._send(wire.Fork(fork.zone, fork.writer.source, epoch, fork.number, head, self._wanted(key)))

    def _wanted(self, key: tuple[str, Writer]) -> bool:
        return self.fetch and key not in self._hopeless

    def answered(self, message: wire.Fork, writer: Writer) -> None:
        """Take the peer's head."""
        key = (message.zone, writer)
        if key not in self._unanswered:
            return
        self._unanswered.remove(key)
        self.exchanged = self.exchanged or (message.send and self._wanted(key))
        if key in self._told:
            return
        self._told.add(key)
        seen = self._found[key]
        origin = self._replicas[message.zone].origin(writer)
        theirs = message.head.signed_head(message.zone, origin) if message.head else None
        found = ForkFound(message.zone, writer, seen.number, seen.mine, theirs)
        self._report.forks.append(found)
        self._tell(found)

    def _head(self, fork: ForkSeen) -> SignedHead | None:
        try:
            return self._replicas[fork.zone].signed_head(fork.writer, fork.number)
        except IntegrityError:
            return None  # our side of it is quarantined or gone
