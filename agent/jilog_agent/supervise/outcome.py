"""How one attempt ended, and the exit status that says so."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

TIMED_OUT_STATUS = 124
NOT_EXECUTABLE_STATUS = 126
NOT_FOUND_STATUS = 127
"""124, 126 and 127 are what ``timeout`` and POSIX shells use; 128+N is a death by signal N."""


class Ending(Enum):
    """What happened to an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    NOT_STARTED = "not_started"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one attempt. ``signal_number`` is set when a signal killed the child."""

    ending: Ending
    exit_status: int
    duration_seconds: float
    signal_number: int | None = None
    reason: str | None = None
    stderr_tail: str | None = None

    @property
    def worth_retrying(self) -> bool:
        """Tell whether another try could end otherwise; a command that is not there stays away."""
        return self.ending in (Ending.FAILED, Ending.TIMED_OUT)

    def describe(self) -> str:
        """Say how it ended, for a summary."""
        if self.reason is not None:
            return self.reason
        if self.ending is Ending.SUCCEEDED:
            return f"succeeded after {self.duration_seconds:.1f} s"
        if self.ending is Ending.TIMED_OUT:
            return f"timed out after {self.duration_seconds:.1f} s"
        if self.signal_number is not None:
            return f"killed by {signal_name(self.signal_number)} after {self.duration_seconds:.1f} s"
        return f"failed with exit status {self.exit_status} after {self.duration_seconds:.1f} s"


def signal_name(number: int) -> str:
    """Name a signal; one without a name, such as a real-time signal, keeps its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
