"""The sending half of a session: makes offers, serves wants, and counts what the peer acknowledged.

It produces one message at a time, when the transport has room, so what waits in memory is one chunk.
Version 2 peers get whole sealed segments offered in runs, a few bytes each.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jilog_ledger.errors import IntegrityError
from jilog_ledger.head import Head, SignedHead
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import KIB, MIB
from jilog_ledger.manifest import SegmentInfo
from jilog_spool import limits, wire
from jilog_spool.compression import Compressor
from jilog_spool.errors import ProtocolError, one_line
from jilog_spool.known import PeerView
from jilog_spool.pace import Pace
from jilog_spool.plan import ForkSeen, Relation, WriterPlan, events_new_to, missing_above, relate, same_hash
from jilog_spool.replica import Replica
from jilog_spool.report import Forecast, Refused, SessionReport


@dataclass(slots=True)
class OpenOffer:
    """An offer without an answer. ``after_sequence`` is what the peer held before.

    ``whole`` offers of sealed segments say no more than number and size.
    """

    zone: str
    writer: Writer
    info: SegmentInfo
    after_sequence: int
    whole: bool = False
    asked: bool = False
    """Whether the peer asked for this very segment, whatever else is known of the writer."""
    sent_up_to: int = 0


class Outgoing:
    """Offers and their transfers. ``on_fork`` is told of each writer with two histories.

    ``view`` keeps what the peer holds by now. In a ``forecast`` nothing is offered, only counted.
    """

    def __init__(
        self,
        replicas: dict[str, Replica],
        report: SessionReport,
        on_fork: Callable[[ForkSeen], None],
        view: PeerView,
        *,
        forecast: bool = False,
    ) -> None:
        self._replicas = replicas
        self._report = report
        self._on_fork = on_fork
        self._view = view
        self._forecast = forecast
        self._plans: deque[tuple[str, WriterPlan]] = deque()
        self._ready: deque[list[OpenOffer]] = deque()
        self._open: dict[int, OpenOffer] = {}
        self._wants: deque[tuple[int, int]] = deque()
        self._transfer: Iterator[wire.Data | wire.Cancel] | None = None
        self._held_back: wire.Data | wire.Cancel | None = None
        self._next_id = 0
        self._credit = limits.CREDIT_BYTES
        self._pace = Pace()
        self._left_out: set[tuple[str, Writer]] = set()
        self._all_planned = False
        self._offered = False
        self.zstd = False
        self.version = 1
        self.misfit = False
        """Whether the peer could not use something, so that frontiers have to be compared."""

    @property
    def finished(self) -> bool:
        """Whether all was offered, and each offer answered."""
        return self._offered and not (self._open or self._ready)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be offered or answered."""
        return not (self._plans or self._ready or self._open)

    def begin_round(self) -> None:
        """Start over: plans of a new comparison are coming."""
        self._all_planned = self._offered = self.misfit = False
        self._left_out.clear()
        # What was planned for the old comparison and not offered yet is planned anew.
        self._plans.clear()
        self._ready = deque(offers for offers in self._ready if offers[0].asked)

    def add_plans(self, zone: str, plans: list[WriterPlan]) -> None:
        """Take the plan of one zone."""
        self._plans.extend((zone, plan) for plan in plans)

    def close_plans(self) -> None:
        """Say that no zone's plan is missing any more."""
        self._all_planned = True

    def leave_out(self, zone: str, writer: Writer) -> None:
        """Offer nothing more of a writer."""
        self._left_out.add((zone, writer))

    def has_credit(self, size: int) -> bool:
        """Whether ``size`` payload bytes may be sent now, and one more offer made."""
        return self._credit >= size and len(self._open) < limits.OFFERS_OPEN_MAX

    @property
    def unanswered(self) -> set[tuple[str, Writer]]:
        """The streams of which the peer has not said what became of the last that it was sent."""
        waiting = (offer for offers in self._ready for offer in offers)
        planned = ((zone, plan.writer) for zone, plan in self._plans)
        return {*planned, *((offer.zone, offer.writer) for offer in (*waiting, *self._open.values()))}

    def push(self, zone: str, info: SegmentInfo, signed: SignedHead, offset: int, data: bytes) -> wire.Push:
        """Make a push of some new bytes; the caller has asked for credit."""
        writer = info.writer
        packed = Compressor().compress(data) if self.zstd else None
        payload = data if packed is None else packed
        offer = OpenOffer(zone, writer, info, self._after(zone, writer, info))
        offer.sent_up_to = signed.head.last_sequence
        offer_id = self._open_offer(offer, signed.head)
        self._credit -= len(payload)
        self._count_sent(offer, len(data))
        epoch = bytes.fromhex(writer.epoch)
        head = wire.WireHead.of(signed)
        return wire.Push(
            offer_id,
            zone,
            writer.source,
            epoch,
            offset,
            payload,
            head,
            packed is not None,
            self._origin(zone, writer),
        )

    def offer_segment(self, zone: str, writer: Writer, number: int) -> bool:
        """Offer one segment that the peer asks for; False when it is not held."""
        held = self._replicas[zone].segments(writer, number)
        if not held or held[0].number != number:
            return False
        self._ready.append([OpenOffer(zone, writer, held[0], held[0].first_sequence - 1, asked=True)])
        return True

    def serving(self, zone: str, writer: Writer) -> bool:
        """Whether bytes of a writer are still to be sent."""
        waiting = (offer for offers in self._ready for offer in offers)
        return any(
            offer.asked and not offer.sent_up_to and (offer.zone, offer.writer) == (zone, writer)
            for offer in (*waiting, *self._open.values())
        )

    def on_want(self, message: wire.Want) -> None:
        """Queue transfers that the peer asks for."""
        wants = list(message.wants)
        for first, count in message.runs:
            if count > limits.WANTS_OPEN_MAX:
                raise ProtocolError(f"peer asked for {count} offers at once")
            wants += [(offer_id, 0) for offer_id in range(first, first + count)]
        for offer_id, offset in wants:
            offer = self._open.get(offer_id)
            if offer is None or len(self._wants) >= limits.WANTS_OPEN_MAX:
                raise ProtocolError(f"peer asked for offer {offer_id}, which it was not made or asked before")
            self._wants.append((offer_id, offset))

    def on_ack(self, message: wire.Ack) -> None:
        """Close an offer."""
        offer = self._open.pop(message.id, None)
        if offer is None:
            raise ProtocolError(f"peer acknowledged offer {message.id}, which is not open")
        key = (offer.zone, offer.writer)
        if message.outcome in (wire.STORED, wire.DUPLICATE):
            self._view.note_elsewhere(*key, had_it=message.outcome == wire.DUPLICATE)
        else:
            self._view.doubt(*key)
        if message.outcome == wire.STORED:
            counters = self._report.writer(*key)
            counters.segments_sent += 1
            counters.events_sent += max(0, offer.sent_up_to - offer.after_sequence)
        elif message.outcome == wire.LATER:
            self.misfit = True
        elif message.outcome == wire.REFUSED and key not in self._left_out:
            reason = one_line(message.reason)
            self._report.refuse(Refused(*key, offer.info.number, reason, by_peer=True))

    def on_acks(self, message: wire.Acks) -> None:
        """Close several offers."""
        for first, count, outcome in message.runs:
            if count > limits.OFFERS_OPEN_MAX:
                raise ProtocolError(f"peer acknowledged {count} offers at once")
            for offer_id in range(first, first + count):
                self.on_ack(wire.Ack(offer_id, outcome))

    def on_credit(self, message: wire.Credit, now_seconds: float) -> None:
        """Take leave to send more; when it comes tells how fast the line is."""
        self._pace.credited(message.payload_bytes, now_seconds)
        # More than the whole window can never be outstanding; a larger grant is cut to it.
        self._credit = min(limits.CREDIT_BYTES, self._credit + message.payload_bytes)

    def next_message(self) -> wire.Message | None:
        """Give the next offer or chunk; None when there is nothing to say before the peer speaks."""
        offer = self._next_offer()
        return offer if offer is not None else self._next_data()

    def _next_offer(self) -> wire.Message | None:
        while not self._ready and self._plans:
            if len(self._open) + limits.OFFERS_PER_FRAME_MAX > limits.OFFERS_OPEN_MAX:
                return None
            self._prepare(*self._plans.popleft())
        if self._ready:
            if len(self._open) + limits.OFFERS_PER_FRAME_MAX > limits.OFFERS_OPEN_MAX:
                return None
            return self._make_offer(self._ready.popleft())
        if self._all_planned and not self._offered:
            self._offered = True
            return wire.Offered()
        return None

    def _prepare(self, zone: str, plan: WriterPlan) -> None:
        """Look at a writer's segments and queue those to offer, in frames."""
        if (zone, plan.writer) in self._left_out:
            return
        replica = self._replicas[zone]
        if self.version == 1 and replica.origin(plan.writer) != plan.writer:
            return  # a version 1 peer cannot check a branch
        segments = list(replica.segments(plan.writer, plan.first_number))
        chosen = list(missing_above(segments, plan.theirs))
        theirs = plan.theirs
        if theirs is not None and segments and segments[0].number == theirs.number:
            relation = relate(segments[0], theirs)
            if relation is Relation.LONGER and not (plan.verified or self._starts_alike(replica, plan)):
                relation = Relation.FORKED
            if relation is Relation.FORKED:
                self._on_fork(ForkSeen(zone, plan.writer, theirs.number))
                return
            if relation in (Relation.LONGER, Relation.AHEAD_UNSEALED):
                chosen.insert(0, segments[0])
        offers = [OpenOffer(zone, plan.writer, info, events_new_to(theirs, info)) for info in chosen]
        for offer in offers:
            tip = theirs is not None and theirs.number == offer.info.number
            offer.whole = self.version > 1 and offer.info.sealed and not tip
        if self._forecast:
            self._count_forecast(plan, offers)
            return
        for _, alike in itertools.groupby(offers, key=lambda offer: offer.whole):
            self._ready.extend(_in_frames(list(alike)))

    def _count_forecast(self, plan: WriterPlan, offers: list[OpenOffer]) -> None:
        for offer in offers:
            theirs = plan.theirs
            held = theirs.length if theirs is not None and theirs.number == offer.info.number else 0
            forecast = self._report.forecast_out.setdefault((offer.zone, offer.writer), Forecast())
            forecast.add(1, offer.info.length - held, offer.info.last_sequence - offer.after_sequence)

    @staticmethod
    def _starts_alike(replica: Replica, plan: WriterPlan) -> bool:
        """Whether our longer copy of the peer's active segment starts with the bytes the peer has."""
        assert plan.theirs is not None
        digest = hashlib.sha256()
        offset, end = 0, plan.theirs.length
        while offset < end:
            try:
                part = replica.read(plan.writer, plan.theirs.number, offset, min(MIB, end - offset))
            except IntegrityError:
                return True  # our copy is damaged: no ground to accuse anybody; the transfer will say so
            if not part:
                return True
            digest.update(part)
            offset += len(part)
        return same_hash(digest.digest(), plan.theirs.sha256)

    def _open_offer(self, offer: OpenOffer, head: Head) -> int:
        offer_id = self._next_id
        self._open[offer_id] = offer
        self._next_id += 1
        # Ahead of the answer, so that the next news goes on from here; a refusal takes it back.
        self._view.holds(offer.zone, offer.writer, head)
        return offer_id

    def _make_offer(self, offers: list[OpenOffer]) -> wire.Message:
        first_id = self._next_id
        for offer in offers:
            self._open_offer(offer, _head(offer.zone, offer.info))
        zone, writer = offers[0].zone, offers[0].writer
        named = (zone, writer.source, bytes.fromhex(writer.epoch), first_id)
        origin = self._origin(zone, writer)
        if not offers[0].whole:
            return wire.Offer(
                *named, [_wire_segment(offer.info) for offer in offers], origin, offers[0].asked
            )
        sizes = [-(-offer.info.length // KIB) for offer in offers]
        events = sum(offer.info.events for offer in offers)
        return wire.Runs(*named, _runs(offer.info.number for offer in offers), sizes, events, origin)

    def _after(self, zone: str, writer: Writer, info: SegmentInfo) -> int:
        return events_new_to(self._view.tip(zone, writer), info)

    def _origin(self, zone: str, writer: Writer) -> bytes:
        """Give the epoch that a branch's bytes name; nothing for any other writer."""
        origin = self._replicas[zone].origin(writer)
        return b"" if origin == writer else bytes.fromhex(origin.epoch)

    def _next_data(self) -> wire.Message | None:
        while True:
            if self._held_back is None:
                if self._transfer is None:
                    if not self._wants:
                        return None
                    self._transfer = self._serve(*self._wants.popleft())
                self._held_back = next(self._transfer, None)
                if self._held_back is None:
                    self._transfer = None
                    continue
            message = self._held_back
            if isinstance(message, wire.Data):
                if len(message.payload) > self._credit:
                    return None
                self._credit -= len(message.payload)
            self._held_back = None
            return message

    def _serve(self, offer_id: int, offset: int) -> Iterator[wire.Data | wire.Cancel]:
        """Give the messages of one transfer. A damaged segment of ours ends it, and only it."""
        offer = self._open.get(offer_id)
        if offer is None or ((offer.zone, offer.writer) in self._left_out and not offer.asked):
            yield wire.Cancel(offer_id, "the writer is left out because of a fork")
            return
        replica = self._replicas[offer.zone]
        try:
            # The head first: what it covers never changes, whatever is appended from here on.
            signed = replica.signed_head(offer.writer, offer.info.number)
            end = self._end(replica, offer, signed)
            if offset > end:
                yield wire.Cancel(offer_id, f"byte {offset} is past the end at {end}")
                return
            yield from self._chunks(replica, offer_id, offset, end, signed)
        except IntegrityError as exc:
            yield wire.Cancel(offer_id, one_line(exc.message))

    @staticmethod
    def _end(replica: Replica, offer: OpenOffer, signed: SignedHead) -> int:
        if not signed.head.sealed:
            return signed.head.length
        # A sealed head covers the content; the file goes on with the seal, which travels too.
        if offer.info.sealed:
            return offer.info.length
        return replica.segments(offer.writer, offer.info.number)[0].length

    def _chunks(
        self, replica: Replica, offer_id: int, offset: int, end: int, signed: SignedHead
    ) -> Iterator[wire.Data]:
        offer = self._open[offer_id]
        compressor = Compressor() if self.zstd else None
        while True:
            chunk = replica.read(
                offer.writer, offer.info.number, offset, min(limits.CHUNK_BYTES_MAX, end - offset)
            )
            last = offset + len(chunk) >= end
            if not chunk and not last:
                raise IntegrityError(f"segment ends at byte {offset}, its head covers {end}")
            packed = compressor.compress(chunk) if compressor and self._pace.compressing else None
            payload = chunk if packed is None else packed
            head = wire.WireHead.of(signed) if last else None
            self._count_sent(offer, len(chunk))
            self._pace.sent(len(chunk), len(payload))
            yield wire.Data(offer_id, offset, payload, packed is not None, head)
            offset += len(chunk)
            if last:
                offer.sent_up_to = signed.head.last_sequence
                return

    def _count_sent(self, offer: OpenOffer, size: int) -> None:
        self._report.writer(offer.zone, offer.writer).bytes_sent += size
        self._report.bytes_sent += size


def _head(zone: str, info: SegmentInfo) -> Head:
    return Head(
        zone, info.writer, info.number, info.content_length, info.last_sequence, info.sha256, info.sealed
    )


def _in_frames(offers: list[OpenOffer]) -> Iterator[list[OpenOffer]]:
    step = limits.OFFERS_PER_FRAME_MAX
    return (offers[start : start + step] for start in range(0, len(offers), step))


def _runs(numbers: Iterable[int]) -> list[int]:
    """Alternate how many numbers are passed over and how many are named then, from 1 on."""
    runs: list[int] = []
    last = 0
    for number in numbers:
        if runs and number == last + 1:
            runs[-1] += 1
        else:
            runs += [number - last - 1, 1]
        last = number
    return runs


def _wire_segment(info: SegmentInfo) -> wire.WireSegment:
    hashes = (info.xxh3, info.sha256) if info.sealed else (b"", b"")
    return wire.WireSegment(
        info.number, info.first_sequence, info.last_sequence, info.length, info.sealed, *hashes
    )
