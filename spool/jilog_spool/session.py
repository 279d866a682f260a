"""The exchange between two hosts, without IO: bytes and clock ticks in, bytes and events out.

Both sides run the same code. A session is fed with :meth:`Session.receive_data` and :meth:`Session.tick`,
drained with :meth:`Session.data_to_send` and :meth:`Session.next_event`, and is over when
:attr:`Session.finished` is true and nothing is left to send::

    AWAIT_HELLO ──hello, roots equal──────────────────────────────► FINISHED, or LIVE
         └──────hello, roots differ──► EXCHANGE ──all answered────► FINISHED, or LIVE
    LIVE ──roots differ──► EXCHANGE         LIVE ──either side leaves──► FINISHED
    any state ──error, ours or the peer's──► FAILED

In EXCHANGE each side, on its own: tells what it holds of the differing zones; makes offers once it knows
what the peer holds; asks for what it is offered; serves what it is asked for. When both sides want to stay,
the session goes on in LIVE: what a store gains (:meth:`Session.notice`) is pushed, and now and then the
roots are compared. ``docs/protocol.md`` has the messages.

The only IO is that of the :class:`~jilog_spool.replica.Replica`, which blocks for its syncs, so a caller with
an event loop calls ``receive_data`` and ``data_to_send`` from a thread, one call at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from jilog_ledger.errors import JilogError, PeerError
from jilog_ledger.frontier import FrontierEntry
from jilog_ledger.identifiers import Writer
from jilog_spool import limits, wire
from jilog_spool.claims import Claims
from jilog_spool.clocks import Clocks
from jilog_spool.comparison import Comparison
from jilog_spool.errors import ConnectionLost, ProtocolError, VersionMismatch, one_line
from jilog_spool.events import Event, Finished, Grown, PeerKnown, Progress, Settled
from jilog_spool.forks import Forks
from jilog_spool.gossip import Gossip
from jilog_spool.hello import SessionOptions, agree, make_hello, visible
from jilog_spool.incoming import Incoming
from jilog_spool.known import PeerView
from jilog_spool.outbox import Outbox
from jilog_spool.outgoing import Outgoing
from jilog_spool.plan import ForkSeen, plan_offers
from jilog_spool.pushes import Pushes
from jilog_spool.replica import Replica
from jilog_spool.report import SessionReport
from jilog_spool.state import ACCEPTED, State

__all__ = [
    "Event",
    "Finished",
    "Grown",
    "PeerKnown",
    "Progress",
    "Session",
    "SessionOptions",
    "Settled",
    "State",
]


class Session:
    """One side of one exchange over the given replicas, by zone.

    ``source`` is this host's name. ``granted`` are the zones that the peer may see, all given ones by
    default: of any other nothing is read, so that no name, count, size or moment can tell of it.
    ``claims`` is shared by the sessions of this process that write into the same stores.
    """

    def __init__(
        self,
        replicas: Mapping[str, Replica],
        *,
        source: str,
        claims: Claims | None = None,
        granted: Collection[str] | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        self.state = State.AWAIT_HELLO
        self.report = SessionReport()
        self.options = options or SessionOptions()
        self._replicas = visible(replicas, granted)
        self._shared: list[str] = []
        self._frontiers = {zone: replica.frontier() for zone, replica in self._replicas.items()}
        self._reader = wire.FrameReader()
        self._outbox = Outbox()
        self._events: deque[Event] = deque()
        self._view = PeerView()
        self._forks = Forks(self._replicas, self.report, self._send, self._events.append)
        forecast = self.options.forecast
        self._out = Outgoing(self._replicas, self.report, self._fork_seen, self._view, forecast=forecast)
        self._in = Incoming(
            self._replicas,
            self.report,
            claims=claims or Claims(),
            send=self._send,
            on_fork=self._fork_seen,
            on_stored=self._grown,
            on_bad_branch=self._forks.give_up,
            view=self._view,
            forecast=forecast,
            full=self.options.full,
        )
        self._pushes = Pushes(self._replicas, self._view, self._out)
        self._comparison: Comparison | None = None
        self._live = False
        self._gossip = Gossip(self._replicas, self.options.chance, self.options.gossip_seconds)
        self._clocks = Clocks(self.options.clock)
        self._now = self._heard_at = self._spoke_at = 0.0
        self._ticking = False
        self._spoke_last = False
        self._handlers: dict[type[wire.Message], Callable[..., None]] = {
            wire.Hello: self._on_hello,
            wire.FrontierPart: self._on_entries,
            wire.Entries: self._on_entries,
            wire.Summary: self._on_summary,
            wire.Roots: self._on_roots,
            wire.Offer: self._in.on_offer,
            wire.Runs: self._in.on_runs,
            wire.Push: self._in.on_push,
            wire.Offered: self._in.on_offered,
            wire.Want: self._out.on_want,
            wire.Data: self._on_data,
            wire.Ack: self._out.on_ack,
            wire.Acks: self._out.on_acks,
            wire.Cancel: self._in.on_cancel,
            wire.Credit: lambda message: self._out.on_credit(message, self._now),
            wire.Fork: self._on_fork,
            wire.Get: self._on_get,
            wire.Gone: self._in.requests.on_gone,
            wire.Stop: self._on_stop,
            wire.Ping: lambda _: None,
        }
        self._hello = make_hello(self._frontiers, source, self.options)
        self._clocks.begin(self._now, self._hello.clock)
        self._send(self._hello)

    @property
    def finished(self) -> bool:
        """Whether the exchange is complete; what is still in the outbox has to be sent all the same."""
        return self.state is State.FINISHED

    @property
    def deferred(self) -> bool:
        """Whether it waits for another session of this host; then :meth:`tick` should be called often."""
        return self.state in (State.EXCHANGE, State.LIVE) and self._in.deferred

    def next_event(self) -> Event | None:
        """Give the next thing worth telling, None when there is none."""
        return self._events.popleft() if self._events else None

    def notice(self, zone: str) -> None:
        """Note that a zone of this host has grown; what is new goes out with the next :meth:`data_to_send`.

        May be called in any state, and for zones that this session does not share.
        """
        if zone in self._shared:
            self._pushes.notice(zone)

    def compare_soon(self) -> None:
        """Compare roots with the next tick of a warm session, as after something went to quarantine."""
        self._gossip.hurry(self._now)

    def leave(self) -> None:
        """End a warm session; what is not acknowledged yet goes with the next one."""
        if self.state is State.LIVE:
            self._finish()

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer and act on the messages in them.

        Raises:
            ProtocolError: the peer broke the protocol.
            PeerError: the peer ended the session and said why.
            StorageError: our disk refused. In each case the session has FAILED, and what is left to send
                tells the peer.
        """
        self._heard_at = self._now
        self.report.wire_bytes_in += len(data)
        if self._spoke_last:
            self.report.round_trips += 1
            self._spoke_last = False
        try:
            for message in self._reader.feed(data):
                self._receive(message)
            self._advance()
        except JilogError as exc:
            self._fail(exc)
            raise

    def receive_eof(self, *, broken: bool = False) -> None:
        """Note that no more bytes will come. A warm session ends with it.

        ``broken``: the connection is gone, and nobody ended the stream.

        Raises:
            ConnectionLost: the exchange was not complete, or the connection is gone.
        """
        if self.state is State.LIVE and broken:
            exc = ConnectionLost(f"the connection to peer{self._named()} was lost", hint="it is called again")
            self._fail(exc)
            raise exc
        if self.state is State.LIVE:
            self._finish()
        if self.state in (State.AWAIT_HELLO, State.EXCHANGE):
            when = "before it said hello" if self.state is State.AWAIT_HELLO else "in the middle of a sync"
            exc = ConnectionLost(
                f"peer{self._named()} closed the connection {when}",
                hint="sync again; what has arrived is kept and the transfer goes on from there",
            )
            self._fail(exc)
            raise exc

    def set_time(self, now_seconds: float) -> None:
        """Say what time it is before bytes are handed over; nothing else happens."""
        if self._ticking:
            self._now = now_seconds
            self._in.staging.set_time(now_seconds)

    def tick(self, now_seconds: float) -> None:
        """Let time pass; ``now_seconds`` is any monotonic clock, and the first tick only starts it.

        Raises:
            ConnectionLost: the peer has been silent for too long although it had to say something.
        """
        self._now = now_seconds
        if not self._ticking:
            self._ticking = True
            self._heard_at = self._spoke_at = now_seconds
            self._clocks.begin(now_seconds, self._hello.clock)
            self._gossip.plan(now_seconds)
        if self.state in (State.FINISHED, State.FAILED):
            return
        try:
            self._in.staging.set_time(now_seconds)
            self._in.staging.stage_old()
            self._check_silence()
            if self.state is State.LIVE:
                digest = self._gossip.ask(self._now) if self._quiet else None
                if digest is not None:
                    self._tell_roots(digest)
            elif now_seconds - self._spoke_at > limits.PING_SECONDS and self.state is State.EXCHANGE:
                self._send(wire.Ping())
            self._advance()
        except JilogError as exc:
            self._fail(exc)
            raise

    def data_to_send(self) -> bytes:
        """Give some bytes for the peer, at most a few hundred KiB; empty when there are none now."""
        if not self._outbox and self.state in (State.EXCHANGE, State.LIVE):
            self._fill()
        data = self._outbox.take()
        if data:
            self._spoke_at = self._now
            self._spoke_last = True
            self.report.wire_bytes_out += len(data)
        return data

    def request(self, zone: str, writer: Writer, number: int) -> bool:
        """Ask the peer for one segment, as for one in quarantine; False when that cannot be done now."""
        talks = self.report.version > 1 and self.state in (State.EXCHANGE, State.LIVE)
        if not talks or zone not in self._shared:
            return False
        return self._in.requests.ask(zone, writer, number, branch=False)

    def close(self) -> None:
        """Give back what the session claimed; to be called when its transport is gone. Idempotent."""
        self._in.close()

    def _send(self, message: wire.Message) -> None:
        self._outbox.put(message)

    def _fill(self) -> None:
        """Put the next entries, offers, chunks and pushes into the outbox; finish when there are no more."""
        try:
            while self._outbox.size < limits.CHUNK_BYTES_MAX // 2:
                message = self._next_message()
                if message is None:
                    break
                self._send(message)
                if isinstance(message, wire.Data):
                    self._progress()
            self._advance()
        except JilogError as exc:
            self._fail(exc)
            raise

    def _next_message(self) -> wire.Message | None:
        message = self._comparison.next_message() if self._comparison else None
        if message is None and self.state is State.LIVE:
            message = self._pushes.next_message()
        return message or self._out.next_message()

    def _receive(self, message: wire.Message) -> None:
        if isinstance(message, wire.Summary | wire.Roots | wire.Push):
            self._advance()  # the peer is done with the exchange; what it said before completes it here, too
        if type(message) not in ACCEPTED[self.state]:
            if self.state in (State.FINISHED, State.FAILED):
                return
            name = type(message).__name__.lower()
            raise ProtocolError(f"peer{self._named()} sent {name} in state {self.state.name.lower()}")
        if type(message) in wire.VERSION_2 and self.report.version < 2:
            raise ProtocolError(f"peer{self._named()} sent a version 2 message in a version 1 session")
        self._handlers[type(message)](message)
        if self._outbox.size > limits.OUTBOX_BYTES_MAX:
            raise ProtocolError(f"peer{self._named()} sends and does not read")

    def _on_hello(self, hello: wire.Hello) -> None:
        agreed = agree(hello, self._frontiers, self.options)
        report = self.report
        report.peer, report.version = agreed.peer, agreed.version
        report.zones_equal, report.zones_differing = agreed.equal, agreed.differing
        report.zones_not_shared, report.software = agreed.unshared, hello.software
        self._clocks.heard(hello.clock, self._now)
        self._clocks.changed(self._now)
        report.clock_ahead_seconds = self._clocks.ahead_seconds(self._now)
        self._in.version = self._out.version = self._outbox.version = agreed.version
        self._out.zstd, self._live = agreed.zstd, agreed.live
        self._forks.fetch = agreed.version > 1 and not self.options.forecast
        self._events.append(PeerKnown(agreed.peer, in_sync=not agreed.differing))
        self.state = State.EXCHANGE
        self._gossip.shared = self._shared = sorted([*agreed.equal, *agreed.differing])
        for zone in self._shared:
            self._in.add_zone(self._frontiers[zone])
        for zone in agreed.equal:
            self._view.learn(zone, self._frontiers[zone].entries)
        if agreed.differing:
            self._begin_round(differ=agreed.differing)
        else:
            self._settle()

    def _begin_round(self, *, differ: Iterable[str] = (), maybe: Iterable[str] = ()) -> None:
        """Compare the frontiers of some zones and exchange what they lack."""
        self.state = State.EXCHANGE
        self.report.rounds += 1
        self._pushes.drop()
        self._in.begin_round()
        self._out.begin_round()
        self._forks.begin_round()
        self._comparison = Comparison(
            self._frontiers, differ=differ, maybe=maybe, version=self.report.version
        )

    def _next_round(self) -> None:
        """Compare again, with what is held now."""
        for zone in self._shared:
            self._frontiers[zone] = self._replicas[zone].frontier()
            self._in.add_zone(self._frontiers[zone])
        # A lone zone is the one that differs; of several nobody has said which.
        lone = self._shared if len(self._shared) == 1 else []
        self._begin_round(differ=lone, maybe=self._shared)

    def _on_summary(self, message: wire.Summary) -> None:
        assert self._comparison is not None
        self._comparison.on_summary(message)
        self._take_results(self._comparison)

    def _on_entries(self, message: wire.Entries | wire.FrontierPart) -> None:
        assert self._comparison is not None
        self._comparison.on_entries(message)
        self._take_results(self._comparison)

    def _take_results(self, comparison: Comparison) -> None:
        for zone, theirs in comparison.results.items():
            self._view.learn(zone, theirs)
            self._note_lag(zone, theirs)
            self._out.add_plans(zone, plan_offers(self._frontiers[zone], theirs))
        comparison.results.clear()
        if comparison.done:
            self._out.close_plans()

    def _note_lag(self, zone: str, theirs: Iterable[FrontierEntry]) -> None:
        """Note of which writers the peer has more: the lag as the receiver of it measures it."""
        for entry in theirs:
            mine = self._frontiers[zone].entry(entry.writer)
            if entry.sequence > (mine.sequence if mine else 0):
                self.report.peer_sequences[zone, entry.writer] = entry.sequence

    def _on_roots(self, message: wire.Roots) -> None:
        owed, differ = self._gossip.heard(message.digest, self._now)
        self._clocks.heard(message.clock, self._now)
        self._compare_clocks()
        if owed is not None:
            self._tell_roots(owed)
        if differ is None:
            return
        refused = self.report.refused_count
        self.report.forget_refusals()
        if differ:
            self._next_round()
        elif self._gossip.moved() or refused:
            self._events.append(Settled())

    def _tell_roots(self, digest: bytes) -> None:
        self._send(wire.Roots(digest, self._clocks.news(self._now)))

    def _compare_clocks(self) -> None:
        """Have it noted that a clock was set, be it the peer's or ours."""
        if self._clocks.changed(self._now):
            self.report.clock_ahead_seconds = self._clocks.ahead_seconds(self._now)
            self._events.append(Settled())

    @property
    def _quiet(self) -> bool:
        """Whether nothing is on its way that would change a root."""
        return self._out.idle and self._in.idle and self._forks.settled

    def _check_silence(self) -> None:
        silent, longest = self._now - self._heard_at, limits.SILENCE_SECONDS_MAX
        if self.state is State.LIVE:
            silent = self._gossip.silence(self._now, self._heard_at, waiting=not self._quiet)
            longest = self.options.answer_seconds
        if silent > longest:
            raise ConnectionLost(f"peer{self._named()} has been silent for {longest:.0f} seconds")

    def _on_data(self, message: wire.Data) -> None:
        self._in.on_data(message)
        self._progress()

    def _on_get(self, message: wire.Get) -> None:
        if message.zone not in self._shared:
            raise ProtocolError(f"peer{self._named()} asked for zone {one_line(message.zone)}")
        self._give(message.zone, wire.wire_writer(message.source, message.epoch), message.number)

    def _give(self, zone: str, writer: Writer, number: int) -> None:
        """Offer one segment that was asked for, or say that it is not here."""
        if self.options.forecast or not self._out.offer_segment(zone, writer, number):
            self._send(wire.Gone(zone, writer.source, bytes.fromhex(writer.epoch), number))

    def _on_stop(self, message: wire.Stop) -> None:
        raise PeerError(
            f"peer{self._named()} stopped: {one_line(message.message)}", hint=one_line(message.hint) or None
        )

    def _fork_seen(self, fork: ForkSeen) -> None:
        self._forks.seen(fork, self._in, self._out)

    def _on_fork(self, message: wire.Fork) -> None:
        if message.zone not in self._frontiers:
            raise ProtocolError(f"peer{self._named()} told of a fork in zone {one_line(message.zone)}")
        if self.state is State.FINISHED:
            return
        writer = wire.wire_writer(message.source, message.epoch)
        self._fork_seen(ForkSeen(message.zone, writer, message.number))
        self._forks.answered(message, writer)
        if message.send:
            self._give(message.zone, writer, message.number)

    def _grown(self, zone: str) -> None:
        event = Grown(zone)
        if event not in self._events:
            self._events.append(event)

    def _advance(self) -> None:
        if self.state not in (State.EXCHANGE, State.LIVE):
            return
        self._in.take_branches(self._out.serving)
        self._in.ask()
        if self.state is State.LIVE:
            if self._out.misfit or (self._forks.exchanged and self._quiet):
                self._out.misfit = self._forks.exchanged = False
                self._gossip.hurry(self._now + limits.RESYNC_SECONDS)
        elif self._in.finished and self._out.finished and self._forks.settled:
            self._end_round()

    def _end_round(self) -> None:
        for zone in self._shared:
            self._view.settle(zone, self._frontiers[zone].entries)
        if self._forks.exchanged and self.report.rounds < limits.ROUNDS_MAX:
            self._next_round()
        else:
            self._settle()

    def _settle(self) -> None:
        """The exchange is complete: stay, or end."""
        self._comparison = None
        self.report.complete = True
        if not self._live:
            self._finish()
            return
        self.state = State.LIVE
        self._in.stay()
        self._gossip.plan(self._now)
        self._gossip.moved()
        # What was appended since the frontiers were taken is nobody else's to tell.
        for zone in self._shared:
            self._pushes.notice(zone)
        self._events.append(Settled())

    def _finish(self) -> None:
        self._note_pending()
        self.state = State.FINISHED
        self.report.complete = True
        self._in.close()
        self._events.append(Finished())

    def _note_pending(self) -> None:
        """Say what the peer may lack as a session ends that both were level in."""
        if self._live and self.report.complete:
            self.report.pending = self._pushes.pending(self._shared)

    def _fail(self, exc: JilogError) -> None:
        """Tell the peer once, unless it is the peer who told us or who is gone."""
        if self.state is State.FAILED:
            return
        self._note_pending()
        self.state = State.FAILED
        self._in.close()
        self._outbox.clear()
        if isinstance(exc, ProtocolError | VersionMismatch) or not isinstance(exc, PeerError):
            self._send(wire.Stop(one_line(exc.message), one_line(exc.hint or "")))

    def _progress(self) -> None:
        report = self.report
        latest = Progress(report.bytes_received, report.bytes_expected, report.bytes_sent)
        if self._events and isinstance(self._events[-1], Progress):
            self._events[-1] = latest
        else:
            self._events.append(latest)

    def _named(self) -> str:
        return f" {self.report.peer}" if self.report.peer else ""
