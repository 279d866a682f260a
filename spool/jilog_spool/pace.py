"""Whether to compress: only where it carries clearly more of the store in a second, as the line itself tells.

Compressing pays on most lines and holds up a fast one, where the processors of both ends are the narrow
place. Nothing tells a session which line it has, but the credit that comes back tells how fast payload is
taken. So a line that is not slow is tried without compression now and then.
"""

from __future__ import annotations

from jilog_ledger.limits import MIB
from jilog_spool.limits import CREDIT_BYTES

MEASURE_BYTES = 8 * MIB
"""Payload over which a rate is measured, beyond the credit that was under way when the way changed."""

SLOW_BYTES_PER_SECOND = 8 * MIB
"""A line that takes less compressed payload than this is not tried: the try itself would cost seconds."""

WORTHWHILE_GAIN = 1.1
"""Compressing costs both processors, so about as fast is not enough."""

TRY_AGAIN_BYTES = 256 * MIB
"""After a try in vain: how much payload goes out compressed before the next one."""


class Pace:
    """Follow the payload of one session; :attr:`compressing` says how the next chunk is to go out."""

    def __init__(self) -> None:
        self.compressing = True
        self._best = 0.0
        self._wait_bytes = 0
        self._begin()

    def sent(self, data_bytes: int, payload_bytes: int) -> None:
        """Count a chunk that goes out: its bytes, and those of its payload."""
        self._sent_data += data_bytes
        self._sent_payload += payload_bytes

    def credited(self, payload_bytes: int, now_seconds: float) -> None:
        """Count payload that the peer has taken; while no time passes nothing is measured."""
        if self._ignored < CREDIT_BYTES:
            # Part of it went out the other way.
            self._ignored += payload_bytes
            self._since = now_seconds
            return
        self._taken += payload_bytes
        seconds = now_seconds - self._since
        if self._taken >= MEASURE_BYTES and seconds > 0 and self._sent_payload:
            self._judge(self._taken / seconds)
            self._begin()

    def _judge(self, payload_rate: float) -> None:
        useful_rate = payload_rate * self._sent_data / self._sent_payload
        if self.compressing:
            self._best = useful_rate
            self._wait_bytes -= self._taken
            self.compressing = payload_rate < SLOW_BYTES_PER_SECOND or self._wait_bytes > 0
        elif useful_rate * WORTHWHILE_GAIN < self._best:
            self.compressing = True
            self._wait_bytes = TRY_AGAIN_BYTES

    def _begin(self) -> None:
        self._ignored = self._taken = 0
        self._sent_data = self._sent_payload = 0
        self._since = 0.0
