"""A limit on bytes a second: a token bucket over a clock that is passed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from jilog_ledger.errors import InputError
from jilog_ledger.limits import KIB

BURST_SECONDS = 0.25
"""What may go out at once after a pause, as a share of a second's worth: short beside a call on the line."""

PIECE_BYTES_MIN = 512
"""Smaller pieces cost more in SSH's padding than they carry."""


RATE_MIN = KIB
"""Slower than this a session would spend its time on keeping itself open."""

_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([kKmMgG]?)\Z")
_UNITS = {"": 1, "k": KIB, "m": KIB**2, "g": KIB**3}


def parse_rate(text: str) -> int:
    """Read a number of bytes a second such as ``500k`` or ``1.5M``, in binary units; ``0`` sets no limit.

    Raises:
        InputError: it is not one, or is below RATE_MIN.
    """
    match = _RATE.match(text)
    rate = int(float(match[1]) * _UNITS[match[2].lower()]) if match else -1
    if rate < 0 or 0 < rate < RATE_MIN:
        raise InputError(
            f"invalid rate {text[:80]!r}",
            hint="use bytes a second from 1k on, such as 500k or 2M; 0 is no limit",
        )
    return rate


@dataclass(slots=True)
class Bandwidth:
    """At most ``bytes_per_second`` on average; 0 sets no limit. Times are seconds of one monotonic clock.

    A piece that is larger than the burst goes out whole, and what follows waits for it.
    """

    bytes_per_second: float
    _tokens: float = field(default=0.0, init=False)
    _at: float | None = field(default=None, init=False)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Cut bytes into pieces that follow each other soon enough for the peer not to think us gone."""
        size = self.piece_bytes(len(data))
        return (data[start : start + size] for start in range(0, len(data), size))

    def piece_bytes(self, most: int) -> int:
        """Say how large the next piece may be, ``most`` without a limit."""
        share = max(PIECE_BYTES_MIN, int(self.bytes_per_second * BURST_SECONDS))
        return min(share, most) if self.bytes_per_second else most

    def wait_seconds(self, now: float) -> float:
        """Say how long to wait before the next piece; 0 when it may go now."""
        if not self.bytes_per_second:
            return 0.0
        self._refill(now)
        return max(0.0, -self._tokens / self.bytes_per_second)

    def spend(self, size: int, now: float) -> None:
        """Count a piece that goes out now."""
        if self.bytes_per_second:
            self._refill(now)
            self._tokens -= size

    def _refill(self, now: float) -> None:
        burst = self.bytes_per_second * BURST_SECONDS
        if self._at is None:
            self._tokens = burst
        else:
            self._tokens = min(burst, self._tokens + (now - self._at) * self.bytes_per_second)
        self._at = now
