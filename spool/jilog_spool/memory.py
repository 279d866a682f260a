"""A transport in memory: two sessions joined by a pipe that a test controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from jilog_ledger.errors import JilogError
from jilog_spool.session import Event, Session


@dataclass(slots=True)
class Side:
    """One end: its session, what it said so far, and how its session ended if it failed."""

    session: Session
    inbox: bytearray = field(default_factory=bytearray)
    events: list[Event] = field(default_factory=list)
    failure: JilogError | None = None
    sent_bytes: int = 0

    def take_events(self) -> None:
        """Move what the session has to tell to ``events``."""
        while (event := self.session.next_event()) is not None:
            self.events.append(event)


def whole(data: bytes) -> int:
    """Deliver all there is."""
    return len(data)


class Pipe:
    """Carry bytes between two sessions.

    ``chunk`` says how many of the waiting bytes to deliver next, at least one. ``cut_after_bytes`` ends the
    connection, for both sides, once that many bytes were delivered in total. ``change`` may alter bytes on
    their way to the second session.
    """

    def __init__(
        self,
        first: Session,
        second: Session,
        *,
        chunk: Callable[[bytes], int] = whole,
        cut_after_bytes: int | None = None,
        change: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.first = Side(first)
        self.second = Side(second)
        self.delivered_bytes = 0
        self._chunk = chunk
        self._cut_after_bytes = cut_after_bytes
        self._change = change

    def run(self, on_step: Callable[[], None] | None = None) -> None:
        """Carry bytes until nothing moves any more, then close; ``on_step`` is called after each delivery."""
        while self.step():
            if on_step is not None:
                on_step()
        self._end(self.first)
        self._end(self.second)

    def step(self) -> bool:
        """Let both sides speak and deliver once in each direction; False when nothing moved."""
        self._speak(self.first, self.second)
        self._speak(self.second, self.first)
        moved = self._deliver(self.second)
        return self._deliver(self.first) or moved

    @property
    def failures(self) -> list[JilogError]:
        """How the sessions failed, if they did."""
        return [side.failure for side in (self.first, self.second) if side.failure]

    def _speak(self, speaker: Side, listener: Side) -> None:
        try:
            data = speaker.session.data_to_send()
        except JilogError as exc:
            speaker.failure = exc
            data = speaker.session.data_to_send()
        speaker.sent_bytes += len(data)
        if self._change is not None and speaker is self.first:
            data = self._change(data)
        listener.inbox += data

    def _deliver(self, side: Side) -> bool:
        if not side.inbox:
            return False
        size = max(1, min(self._chunk(bytes(side.inbox)), len(side.inbox)))
        if self._cut_after_bytes is not None:
            size = min(size, self._cut_after_bytes - self.delivered_bytes)
            if size <= 0:
                return False
        data = bytes(side.inbox[:size])
        del side.inbox[:size]
        self.delivered_bytes += size
        if side.failure is None:
            try:
                side.session.receive_data(data)
            except JilogError as exc:
                side.failure = exc
        side.take_events()
        return True

    @staticmethod
    def _end(side: Side) -> None:
        """The connection closes: a session in the middle of something learns it now."""
        if side.failure is None:
            try:
                side.session.receive_eof()
            except JilogError as exc:
                side.failure = exc
        side.session.close()
        side.take_events()


def exchange(first: Session, second: Session) -> Pipe:
    """Run two sessions against each other to the end and raise what went wrong on either side."""
    pipe = Pipe(first, second)
    pipe.run()
    for failure in pipe.failures:
        raise failure
    return pipe
