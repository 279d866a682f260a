"""Connections between simulated hosts: ordered bytes with latency, and everything that befalls them."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from jilog_ledger.errors import JilogError
from jilog_spool import limits, wire
from jilog_spool.session import Event, Grown, Session, State
from simulation.promises import Broken
from simulation.trace import Trace

if TYPE_CHECKING:
    from simulation.host import Host

BUSY_TICK_SECONDS = 1.0
IDLE_TICK_SECONDS = 10.0
DEFERRED_TICK_SECONDS = 0.25
EOF = b""


class Timeline(Protocol):
    """What connections need of the world."""

    now: float
    chance: random.Random
    trace: Trace

    def later(self, seconds: float, host: Host | None, action: Callable[[], None]) -> None:
        """Do something, on a host if it is still up then."""

    def blocked(self, sender: Host, receiver: Host) -> bool:
        """Whether nothing comes through in that direction."""

    def latency(self) -> float:
        """Draw the latency of some bytes."""

    def grown(self, host: Host, source: Session | None) -> None:
        """Tell a host's other sessions that its zones have grown."""

    def ended(self, side: Side) -> None:
        """Note that one end is closed."""


@dataclass(slots=True, eq=False)
class Side:
    """One end: its session, and the bytes on their way to it."""

    world: Timeline
    host: Host
    peer: Host
    caller: bool
    may_see: frozenset[str]
    session: Session | None = None
    other: Side | None = None
    inbox: deque[tuple[float, bytes]] = field(default_factory=deque)
    open: bool = True
    arrives_at: float = 0.0
    active_at: float = 0.0
    tick_due: float = 0.0
    secrets: Collection[bytes] = ()
    """Texts that must not leave through here."""

    meddling: str = ""
    """What happens to the next bytes that this side sends."""

    def begin(self, session: Session) -> None:
        """Start to talk."""
        self.session = session
        self.active_at = self.world.now
        session.tick(self.world.now)
        self.flush()
        self._plan_tick()

    def flush(self) -> None:
        """Send all that the session has to say; close when it is over."""
        session = self.session
        if session is None or not self.open:
            return
        while True:
            try:
                data = session.data_to_send()
            except JilogError as exc:
                self._note_failure(exc)
                data = session.data_to_send()
            if not data:
                break
            self._send(data)
        self._tell(session)
        self._check_limits(session)
        if session.state in (State.FINISHED, State.FAILED):
            self._send(EOF)
            self.close()

    def close(self) -> None:
        """Let go of the session."""
        if self.open:
            self.open = False
            self.inbox.clear()
            if self.session is not None:
                self.session.close()
            self.world.ended(self)

    def hang_up(self) -> None:
        """Close from outside, as a cancelled task or a dying process does; the peer sees the end."""
        if self.open:
            self._send(EOF)
            self.close()

    def _send(self, data: bytes) -> None:
        other = self.other
        assert other is not None
        world = self.world
        for secret in self.secrets:
            if secret in data:
                raise Broken(6, f"{self.host} sends {secret!r} to {self.peer}")
        if self.meddling and data:
            data = meddle(self.meddling, data, world.chance)
            world.trace.count(self.meddling)
            self.meddling = ""
        pieces = [data]
        if len(data) > 1 and world.chance.random() < 0.2:
            at = world.chance.randrange(1, len(data))
            pieces = [data[:at], data[at:]]
        for piece in pieces:
            other.arrives_at = max(other.arrives_at, world.now + world.latency())
            if other.open:
                other.inbox.append((other.arrives_at, piece))
                world.later(other.arrives_at - world.now, other.host, other.deliver)

    def stall(self, seconds: float) -> None:
        """Let nothing arrive here for a while."""
        self.arrives_at = max(self.arrives_at, self.world.now) + seconds
        waiting, self.inbox = self.inbox, deque()
        for _, piece in waiting:
            self.inbox.append((self.arrives_at, piece))
            self.world.later(self.arrives_at - self.world.now, self.host, self.deliver)

    def deliver(self) -> None:
        """Take what has arrived by now."""
        world = self.world
        while self.open and self.session and self.inbox and self.inbox[0][0] <= world.now + 1e-9:
            if world.blocked(self.peer, self.host):
                return  # TCP sends it again until it comes through
            _, data = self.inbox.popleft()
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        session = self.session
        if session is None:
            return
        world = self.world
        world.trace.note(world.now, "bytes", f"{self.peer.index}>{self.host.index} {len(data)}")
        world.trace.count("wire_bytes", len(data))
        self.active_at = world.now
        session.set_time(world.now)
        try:
            if data:
                session.receive_data(data)
            else:
                session.receive_eof()
        except JilogError as exc:
            self._note_failure(exc)
        self.flush()
        if data == EOF and self.open:
            self.close()
        if self.open and session.deferred:
            self._plan_tick()

    def tick(self, due: float) -> None:
        """Let the session notice the time."""
        session = self.session
        if not self.open or session is None or due != self.tick_due:
            return
        try:
            session.tick(self.world.now)
        except JilogError as exc:
            self._note_failure(exc)
        self.flush()
        self._plan_tick()

    def _plan_tick(self) -> None:
        session = self.session
        if session is None or not self.open:
            return
        seconds = BUSY_TICK_SECONDS
        if session.deferred:
            seconds = DEFERRED_TICK_SECONDS
        elif session.state is State.LIVE and self.world.now - self.active_at > 2 * BUSY_TICK_SECONDS:
            seconds = IDLE_TICK_SECONDS
        due = self.tick_due = self.world.now + seconds
        self.world.later(seconds, self.host, lambda: self.tick(due))

    def wake(self) -> None:
        """Tick soon: something was done that needs an answer."""
        self.active_at = self.world.now
        self._plan_tick()

    def _tell(self, session: Session) -> None:
        while (event := session.next_event()) is not None:
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Grown):
            self.world.grown(self.host, self.session)

    def _note_failure(self, exc: JilogError) -> None:
        self.world.trace.note(self.world.now, "failure", f"{self.host} {exc.message}")
        self.world.trace.count(f"session_{type(exc).__name__}")

    def _check_limits(self, session: Session) -> None:
        waiting = sum(len(data) for _, data in self.inbox)
        if waiting > limits.CREDIT_BYTES + limits.OUTBOX_BYTES_MAX + limits.FRAME_BYTES_MAX:
            raise Broken(8, f"{waiting} bytes are on their way to {self.host}")
        if len(session.report.refused) > limits.REFUSALS_KEPT_MAX:
            raise Broken(8, f"{self.host} keeps {len(session.report.refused)} refusals")


def meddle(how: str, data: bytes, chance: random.Random) -> bytes:
    """Change bytes on their way: ``corrupt`` one, ``repeat_frame``, or ``swap_frames``."""
    if how == "corrupt":
        at = chance.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    start = len(wire.MAGIC) if data.startswith(wire.MAGIC) else 0
    frames = split_frames(data, start)
    if how == "repeat_frame":
        at = chance.randrange(len(frames))
        frames.insert(at, frames[at])
    elif len(frames) > 1:
        at = chance.randrange(len(frames) - 1)
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    return data[:start] + b"".join(frames)


def split_frames(data: bytes, start: int) -> list[bytes]:
    """Cut whole frames apart."""
    frames = []
    while start < len(data):
        size, _ = wire.FRAME.unpack_from(data, start)
        end = start + wire.FRAME.size + size
        frames.append(data[start:end])
        start = end
    return frames
