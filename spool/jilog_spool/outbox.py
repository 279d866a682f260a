"""What a session has said and its transport has not taken yet."""

from __future__ import annotations

from jilog_spool import wire


class Outbox:
    """Frames that wait to be sent. Acknowledgements without a reason wait a little longer and go together."""

    def __init__(self) -> None:
        self._frames: list[bytes] = [wire.MAGIC]
        self._acks: list[tuple[int, int, int]] = []
        self.size = len(wire.MAGIC)
        self.version = 1

    def __bool__(self) -> bool:
        return bool(self._frames or self._acks)

    def put(self, message: wire.Message) -> None:
        """Queue a message."""
        if isinstance(message, wire.Ack) and self.version > 1 and not message.reason:
            self._acks.append((message.id, 1, message.outcome))
            return
        # What is said next may tell the peer that all is answered, so the answers go first.
        if not isinstance(message, wire.Credit):
            self._put_acks()
        self._put(message)

    def take(self) -> bytes:
        """Give all that waits, and forget it."""
        self._put_acks()
        data = b"".join(self._frames)
        self.clear()
        return data

    def clear(self) -> None:
        """Forget all that waits."""
        self._frames.clear()
        self._acks.clear()
        self.size = 0

    def _put_acks(self) -> None:
        if not self._acks:
            return
        runs: list[tuple[int, int, int]] = []
        for first, count, outcome in sorted(self._acks):
            if runs and runs[-1][0] + runs[-1][1] == first and runs[-1][2] == outcome:
                runs[-1] = (runs[-1][0], runs[-1][1] + count, outcome)
            else:
                runs.append((first, count, outcome))
        self._acks.clear()
        self._put(wire.Acks(runs))

    def _put(self, message: wire.Message) -> None:
        frame = wire.encode(message)
        self._frames.append(frame)
        self.size += len(frame)
