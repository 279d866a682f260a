"""When to try again: pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

from jilog_ledger.errors import InputError

RETRIES_MAX = 1000
BACKOFF_SECONDS_MAX = 86_400.0
JITTER_SHARE = 0.25
"""A pause is cut by up to this share, so that tasks that failed together do not come back together."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed task is tried again and how long to wait before each try, in seconds."""

    retries: int = 0
    backoff_seconds: float = 1.0
    backoff_max_seconds: float = 300.0

    def __post_init__(self) -> None:
        if not 0 <= self.retries <= RETRIES_MAX:
            raise InputError(f"--retries is {self.retries}", hint=f"use a number from 0 to {RETRIES_MAX}")
        for name, value in (("backoff", self.backoff_seconds), ("backoff-max", self.backoff_max_seconds)):
            if not 0 <= value <= BACKOFF_SECONDS_MAX:
                raise InputError(f"--{name} is {value}", hint=f"use 0 to {BACKOFF_SECONDS_MAX:.0f} seconds")

    def delay_seconds(self, retry: int, jitter: float) -> float:
        """Give the pause before retry number ``retry`` (from 1); ``jitter`` is drawn from [0, 1).

        The pause doubles each time up to the maximum (binary exponential back-off).
        """
        # Past 2**64 the doubling only has to stay a number; the maximum has won long before.
        full = min(self.backoff_seconds * 2.0 ** min(retry - 1, 64), self.backoff_max_seconds)
        return full * (1.0 - JITTER_SHARE * jitter)
