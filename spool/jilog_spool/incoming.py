"""The receiving half of a session: decides on offers, asks for segments, and hands them to the store.

An acknowledgement leaves only after ``Replica.complete`` has returned, that is once the bytes are on stable
storage. What a peer sends in vain (a segment that does not verify) is refused and counted; the rest goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from jilog_ledger.branch import BranchTaken
from jilog_ledger.errors import BusyError, IntegrityError
from jilog_ledger.frontier import Frontier
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import KIB, SEGMENT_BYTES_MAX
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.receive import ForkDetected, Ingested
from jilog_spool import limits, wire
from jilog_spool.claims import Claims
from jilog_spool.compression import decompress
from jilog_spool.errors import ProtocolError, one_line
from jilog_spool.known import PeerView
from jilog_spool.plan import ForkSeen
from jilog_spool.replica import Replica
from jilog_spool.report import Forecast, Refused, SessionReport
from jilog_spool.requests import Requests
from jilog_spool.staging import Staging
from jilog_spool.transfer import ACKS, Transfer, numbers_of, origin_of, writer_key


class Incoming:
    """Offers of the peer and their transfers.

    ``send`` queues a message, ``on_fork`` is told of forks, ``on_stored`` of each zone that grew. ``view``
    keeps what the peer holds. In a ``forecast`` offers are counted and put off. While ``full`` gives a
    reason, offers are refused with it, and pushes put off.
    """

    def __init__(
        self,
        replicas: dict[str, Replica],
        report: SessionReport,
        *,
        claims: Claims,
        send: Callable[[wire.Message], None],
        on_fork: Callable[[ForkSeen], None],
        on_stored: Callable[[str], None],
        on_bad_branch: Callable[[str, Writer], None],
        view: PeerView,
        forecast: bool = False,
        full: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._on_stored = on_stored
        self._on_bad_branch = on_bad_branch
        self._view = view
        self._forecast = forecast
        self._full = full
        self._live = False
        self.version = 1
        self.requests = Requests(send)
        self.staging = Staging(replicas)
        self._replicas = replicas
        self._report = report
        self._claims = claims
        self._send = send
        self._on_fork = on_fork
        self._frontiers: dict[str, Frontier] = {}
        self._held: dict[tuple[str, Writer], dict[int, SegmentInfo]] = {}
        self._waiting: deque[Transfer] = deque()
        self._wanted: dict[int, Transfer] = {}
        self._branches: deque[tuple[Transfer, SignedHead]] = deque()
        self._wanted_bytes = 0
        self._expected_id = 0
        self._credit_left = limits.CREDIT_BYTES
        self._credit_owed = 0
        self._left_out: set[tuple[str, Writer]] = set()
        self._all_offered = False

    @property
    def finished(self) -> bool:
        """Whether the peer has offered all it will, and each offer has its answer."""
        return self._all_offered and self.idle

    @property
    def idle(self) -> bool:
        """Whether no offer or request waits for its answer."""
        return not (self._waiting or self._wanted or self.requests.open)

    @property
    def deferred(self) -> bool:
        """Whether offers wait for another session of this host to finish or give up."""
        return bool(self._waiting)

    def begin_round(self) -> None:
        """Start over: the offers of a new comparison are coming."""
        self._all_offered = False
        self._held.clear()
        self._left_out.clear()

    def stay(self) -> None:
        """Take offers at any time from now on."""
        self._live = True
        self._held.clear()

    def add_zone(self, frontier: Frontier) -> None:
        """Take the frontier that one zone had when the comparison began."""
        self._frontiers[frontier.zone] = frontier

    def leave_out(self, zone: str, writer: Writer) -> None:
        """Take nothing more of a writer."""
        self._left_out.add((zone, writer))

    def close(self) -> None:
        """Keep what has arrived and give back the claims; the session is over, one way or another."""
        self.staging.close()
        self._claims.release_all(self)

    def on_offer(self, message: wire.Offer) -> None:
        """Answer what is held already, and line up the rest."""
        segments = message.segments
        if message.asked and not self.requests.is_open(writer_key(message), segments[0].number):
            raise ProtocolError("peer answers a request that nobody made")
        self._take_offer(message, segments, asked=message.asked)

    def on_runs(self, message: wire.Runs) -> None:
        """Answer what is held already of some whole segments, and line up the rest."""
        numbers = numbers_of(message)
        segments = [
            wire.WireSegment(number, 0, 0, size * KIB, sealed=True)
            for number, size in zip(numbers, message.sizes_kib, strict=True)
        ]
        if self._forecast:
            writer = wire.wire_writer(message.source, message.epoch)
            self._report.forecast_in.setdefault((message.zone, writer), Forecast()).events += message.events
        self._take_offer(message, segments, exact=False)

    def _take_offer(
        self,
        message: wire.Offer | wire.Runs,
        segments: Sequence[wire.WireSegment],
        *,
        exact: bool = True,
        asked: bool = False,
    ) -> None:
        if (self._all_offered and not (self._live or asked)) or message.first_id != self._expected_id:
            raise ProtocolError(f"peer made offer {message.first_id} out of turn")
        writer = self._writer(message)
        if len(self._waiting) + len(self._wanted) + len(segments) > limits.OFFERS_OPEN_MAX:
            raise ProtocolError(f"peer has more than {limits.OFFERS_OPEN_MAX} offers open")
        for segment in segments:
            after = self._after(message.zone, writer, segment)
            origin = origin_of(writer, message.origin)
            transfer = Transfer(self._expected_id, message.zone, writer, segment, after, origin, exact)
            self._expected_id += 1
            if asked and self.requests.close(writer_key(message), segment.number):
                transfer.branch = bytearray()
                self._waiting.append(transfer)
            elif self._forecast:
                self._count_forecast(transfer)
            elif not self._answered(transfer, self._held_info(transfer)):
                self._take_or_refuse(transfer)

    def _take_or_refuse(self, transfer: Transfer) -> None:
        """Line a transfer up, unless this host has no room for it: the next comparison offers it again."""
        reason = self._full()
        if reason is None:
            self._waiting.append(transfer)
        else:
            self._report_refused(transfer, reason)
            self._send(wire.Ack(transfer.id, wire.REFUSED, one_line(reason)))

    def _writer(self, message: wire.Offer | wire.Runs | wire.Push) -> Writer:
        if message.zone not in self._frontiers:
            raise ProtocolError(f"peer made an offer in zone {one_line(message.zone)}, which is not shared")
        return wire.wire_writer(message.source, message.epoch)

    def _count_forecast(self, transfer: Transfer) -> None:
        """Say what a transfer would bring, and put the offer off."""
        segment = transfer.segment
        forecast = self._report.forecast_in.setdefault((transfer.zone, transfer.writer), Forecast())
        held = self._replicas[transfer.zone].resume_offset(transfer.writer, segment.number)
        events = segment.last_sequence - transfer.after_sequence if transfer.exact else 0
        forecast.add(1, segment.length - held, events)
        self._send(wire.Ack(transfer.id, wire.LATER))

    def on_push(self, message: wire.Push) -> None:
        """Store new bytes at once; what does not follow what is held has to be compared first."""
        writer = self._writer(message)
        if message.id != self._expected_id:
            raise ProtocolError(f"peer made offer {message.id} out of turn")
        self._expected_id += 1
        self._count_payload(len(message.payload))
        data = decompress(message.payload) if message.zstd else message.payload
        head = message.head
        segment = wire.WireSegment(head.number, 0, head.last_sequence, head.length, head.sealed)
        transfer = Transfer(
            message.id, message.zone, writer, segment, 0, origin_of(writer, message.origin), exact=False
        )
        held = self._current_info(transfer)
        if held is not None:
            transfer.after_sequence, transfer.exact = held.last_sequence, True
        self._count_received(transfer, len(data))
        self._store_push(transfer, message.offset, data, head.signed_head(message.zone, transfer.origin))

    def _store_push(self, transfer: Transfer, offset: int, data: bytes, signed: SignedHead) -> None:
        if (transfer.zone, transfer.writer) in self._left_out or self._full() is not None:
            self._send(wire.Ack(transfer.id, wire.LATER))
            return
        replica, number = self._replicas[transfer.zone], transfer.segment.number
        try:
            outcome = replica.complete(transfer.writer, number, offset, data, signed)
        except ForkDetected:
            self._on_fork(ForkSeen(transfer.zone, transfer.writer, number))
        except (IntegrityError, BusyError):
            pass  # most likely something is missing between; the comparison that follows will tell
        else:
            self._count_stored(transfer, outcome, signed)
            self._send(wire.Ack(transfer.id, ACKS[outcome]))
            return
        self._send(wire.Ack(transfer.id, wire.LATER))

    def on_offered(self, _: wire.Offered) -> None:
        """Note that no more offers follow."""
        self._all_offered = True

    def ask(self) -> None:
        """Send wants for as many waiting offers as limits and other sessions' claims allow.

        A branch that another session is fetching is put off at once: that session may hold it back until it
        has sent its own, and hosts that waited so for each other, in a ring, would wait for ever.
        """
        wants: list[tuple[int, int]] = []
        for _ in range(len(self._waiting)):
            if len(self._wanted) >= limits.WANTS_OPEN_MAX or (
                self._wanted and self._wanted_bytes >= limits.WANTS_OPEN_BYTES_MAX
            ):
                break
            transfer = self._waiting.popleft()
            if not self._claims.take(transfer.key, self):
                if transfer.branch is not None:
                    self._send(wire.Ack(transfer.id, wire.LATER))
                    continue
                transfer.deferred = True
                self._waiting.append(transfer)
            elif transfer.deferred and self._answered(transfer, self._current_info(transfer)):
                self._claims.release(transfer.key, self)
            else:
                wants.append(self._want(transfer))
        if wants:
            self._send_wants(wants)

    def _send_wants(self, wants: list[tuple[int, int]]) -> None:
        if self.version == 1:
            self._send(wire.Want(wants))
            return
        runs: list[tuple[int, int]] = []
        for offer_id, offset in wants:
            if runs and not offset and sum(runs[-1]) == offer_id:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            elif not offset:
                runs.append((offer_id, 1))
        self._send(wire.Want([want for want in wants if want[1]], runs))

    def on_data(self, message: wire.Data) -> None:
        """Take a chunk: keep it, or finish the transfer with it."""
        transfer = self._transfer(message.id)
        self._count_payload(len(message.payload))
        if message.offset != transfer.next_offset:
            raise ProtocolError(
                f"peer sent byte {message.offset} of a transfer where {transfer.next_offset} was due"
            )
        data = decompress(message.payload) if message.zstd else message.payload
        transfer.next_offset += len(data)
        # An active segment may have grown since it was offered, a sealed one cannot.
        allowed = transfer.segment.length if transfer.segment.sealed else SEGMENT_BYTES_MAX
        allowed = min(allowed, SEGMENT_BYTES_MAX)
        if transfer.next_offset > allowed:
            raise ProtocolError(f"peer sent a segment of more than {allowed} bytes")
        if not data and message.head is None:
            raise ProtocolError("peer sent an empty chunk in the middle of a transfer")
        self._count_received(transfer, len(data))
        if transfer.branch is None:
            self._take(transfer, message, data)
        else:
            self._take_branch(transfer, transfer.branch, message, data)

    def on_cancel(self, message: wire.Cancel) -> None:
        """Note that the peer cannot send a segment after all."""
        transfer = self._transfer(message.id)
        self._refuse(transfer, f"peer cannot send it: {one_line(message.reason)}")

    def _take_branch(self, transfer: Transfer, branch: bytearray, message: wire.Data, data: bytes) -> None:
        """Collect another history's segment."""
        branch += data
        if message.head is not None:
            self._branches.append((transfer, message.head.signed_head(transfer.zone, transfer.origin)))

    def take_branches(self, serving: Callable[[str, Writer], bool]) -> None:
        """Give collected segments to the store; where the histories do not meet yet, ask for the one before.

        The store moves segments for it, so what the peer is being sent of the writer goes out first.
        """
        for _ in range(len(self._branches)):
            transfer, signed = self._branches.popleft()
            if serving(transfer.zone, transfer.writer):
                self._branches.append((transfer, signed))
                continue
            try:
                self._store_branch(transfer, signed)
            except (IntegrityError, BusyError) as exc:
                self._refuse(transfer, exc.message)
                self._report_refused(transfer, exc.message)
                self._on_bad_branch(transfer.zone, transfer.writer)

    def _store_branch(self, transfer: Transfer, signed: SignedHead) -> None:
        assert transfer.branch is not None
        zone, writer, number = transfer.key
        outcome = self._replicas[zone].take_branch(writer, number, bytes(transfer.branch), signed)
        if outcome is BranchTaken.DEEPER:
            self.requests.ask(zone, writer, number - 1)
        elif outcome is BranchTaken.TAKEN:
            self._report.branches_taken += 1
            self._on_stored(zone)
        self._close(transfer, wire.STORED)

    def _take(self, transfer: Transfer, message: wire.Data, data: bytes) -> None:
        replica = self._replicas[transfer.zone]
        writer, number = transfer.writer, transfer.segment.number
        try:
            if message.head is None:
                if not transfer.failure:
                    self.staging.add(transfer, message.offset, data)
                return
            start, data = self.staging.take(transfer, message.offset, data)
            if not transfer.failure:
                signed = message.head.signed_head(transfer.zone, transfer.origin)
                outcome = replica.complete(writer, number, start, data, signed)
                self._count_stored(transfer, outcome, signed)
                self._close(transfer, ACKS[outcome])
                return
        except ForkDetected as exc:
            transfer.failure = exc.message
            self._on_fork(ForkSeen(transfer.zone, writer, number))
        except (IntegrityError, BusyError) as exc:
            transfer.failure = exc.message
        if message.head is not None and not self._asked_again(transfer):
            self._refuse(transfer, transfer.failure)

    def _count_stored(self, transfer: Transfer, outcome: Ingested, signed: SignedHead) -> None:
        zone, writer, head = transfer.zone, transfer.writer, signed.head
        self._view.holds(zone, writer, head)
        if outcome is Ingested.DUPLICATE:
            self._report.duplicates += 1
            return
        counters = self._report.writer(zone, writer)
        counters.segments_received += 1
        after = transfer.after_sequence
        if not transfer.exact:
            info = self._current_info(transfer)
            after = info.first_sequence - 1 if info else head.last_sequence
        counters.events_received += max(0, head.last_sequence - after)
        self._on_stored(zone)

    def _count_received(self, transfer: Transfer, size: int) -> None:
        self._report.bytes_received += size
        self._report.writer(transfer.zone, transfer.writer).bytes_received += size

    def _asked_again(self, transfer: Transfer) -> bool:
        """Ask once more when the failure may stem from bytes that this peer did not send.

        Staged bytes may be another peer's, and another process may have extended the segment meanwhile; then
        the place to start from is not what it was.
        """
        if (transfer.zone, transfer.writer) in self._left_out or transfer.attempts > 1:
            return False
        replica = self._replicas[transfer.zone]
        if replica.resume_offset(transfer.writer, transfer.segment.number) == transfer.start:
            return False
        self._wanted_bytes -= transfer.segment.length
        self._send_wants([self._want(transfer)])
        return True

    def _want(self, transfer: Transfer) -> tuple[int, int]:
        replica, number = self._replicas[transfer.zone], transfer.segment.number
        offset = replica.resume_offset(transfer.writer, number) if transfer.branch is None else 0
        transfer.start = transfer.next_offset = min(offset, transfer.segment.length)
        transfer.attempts += 1
        transfer.failure = ""
        self._wanted[transfer.id] = transfer
        self._wanted_bytes += transfer.segment.length
        self._report.bytes_expected += transfer.segment.length - transfer.start
        return transfer.id, transfer.start

    def _answered(self, transfer: Transfer, held: SegmentInfo | None) -> bool:
        """Answer an offer without a transfer, if that is possible."""
        offered = transfer.segment
        if (transfer.zone, transfer.writer) in self._left_out:
            self._send(wire.Ack(transfer.id, wire.REFUSED, "the writer is left out because of a fork"))
            return True
        # In a warm session both sides know that they share this history; the longer copy has the other.
        both_active = held is not None and not held.sealed and not offered.sealed and self._live
        if both_active and held is not None and offered.length <= held.content_length:
            self._answer_held(transfer, held)
            return True
        if held is None or not held.sealed:
            return False
        if not offered.xxh3 and offered.sealed:
            self._answer_held(transfer, held)
            return True
        if offered.sealed and offered.xxh3 == held.xxh3 and offered.sha256 != held.sha256:
            self._report_refused(transfer, "equal XXH3-128 with unequal SHA-256")
            self._send(wire.Ack(transfer.id, wire.REFUSED, "equal XXH3-128 with unequal SHA-256"))
            return True
        if offered.sealed and offered.sha256 != held.sha256:
            self._on_fork(ForkSeen(transfer.zone, transfer.writer, offered.number))
            self._send(wire.Ack(transfer.id, wire.REFUSED, "another segment of this number is held"))
            return True
        self._answer_held(transfer, held)
        return True

    def _answer_held(self, transfer: Transfer, held: SegmentInfo) -> None:
        """Say that an offer is no news, and note what the peer has by it."""
        zone, writer, offered = transfer.zone, transfer.writer, transfer.segment
        same = offered.sealed == held.sealed and (held.sealed or offered.length == held.content_length)
        if same:
            self._view.holds(
                zone,
                writer,
                Head(
                    zone,
                    transfer.origin,
                    held.number,
                    held.content_length,
                    held.last_sequence,
                    held.sha256,
                    held.sealed,
                ),
            )
        self._report.duplicates += 1
        self._send(wire.Ack(transfer.id, wire.DUPLICATE))

    def _refuse(self, transfer: Transfer, reason: str) -> None:
        self._close(transfer, wire.REFUSED, reason)
        if (transfer.zone, transfer.writer) not in self._left_out:
            self._report_refused(transfer, reason)

    def _report_refused(self, transfer: Transfer, reason: str) -> None:
        number = transfer.segment.number
        self._report.refuse(Refused(transfer.zone, transfer.writer, number, reason, by_peer=False))

    def _close(self, transfer: Transfer, outcome: int, reason: str = "") -> None:
        del self._wanted[transfer.id]
        # Sizes in runs are rounded up; the progress bar must end at its end.
        self._report.bytes_expected -= max(0, transfer.segment.length - transfer.next_offset)
        self._wanted_bytes -= transfer.segment.length
        self._claims.release(transfer.key, self)
        self._send(wire.Ack(transfer.id, outcome, one_line(reason)))

    def _transfer(self, offer_id: int) -> Transfer:
        transfer = self._wanted.get(offer_id)
        if transfer is None:
            raise ProtocolError(f"peer sent offer {offer_id}, which nobody asked for")
        return transfer

    def _count_payload(self, size: int) -> None:
        self._credit_left -= size
        if self._credit_left < 0:
            raise ProtocolError("peer sent more than it had credit for")
        self._credit_owed += size
        if self._credit_owed >= limits.CREDIT_STEP_BYTES:
            self._send(wire.Credit(self._credit_owed))
            self._credit_left += self._credit_owed
            self._credit_owed = 0

    def _after(self, zone: str, writer: Writer, segment: wire.WireSegment) -> int:
        """Give the sequence after which the events of an offered segment are new here."""
        entry = self._frontiers[zone].entry(writer)
        if entry is not None and entry.number == segment.number:
            return max(entry.sequence, segment.first_sequence - 1)
        return segment.first_sequence - 1

    def _held_info(self, transfer: Transfer) -> SegmentInfo | None:
        if self._live:
            return self._current_info(transfer)
        key = (transfer.zone, transfer.writer)
        if key not in self._held:
            replica = self._replicas[transfer.zone]
            segments = replica.segments(transfer.writer, transfer.segment.number)
            self._held[key] = {info.number: info for info in segments}
        return self._held[key].get(transfer.segment.number)

    def _current_info(self, transfer: Transfer) -> SegmentInfo | None:
        """Look again: another session may have brought the segment since it was offered."""
        segments = self._replicas[transfer.zone].segments(transfer.writer, transfer.segment.number)
        found = segments[0] if segments else None
        return found if found is not None and found.number == transfer.segment.number else None
