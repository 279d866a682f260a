"""What the clocks of the two hosts of a session show, also when one of them is set while it is warm."""

from __future__ import annotations

from collections.abc import Callable

from jilog_spool.limits import CLOCK_TOLD_SECONDS


class Clocks:
    """Keeps two clocks apart by one that cannot be set: the session's.

    ``clock`` gives this host's Unix seconds; without it nothing is told and nothing compared. The arguments
    ``now`` are seconds of the session's clock.
    """

    def __init__(self, clock: Callable[[], int] | None) -> None:
        self._clock = clock
        self._said: float | None = None
        self._theirs: float | None = None
        self._noted: int | None = None

    def begin(self, now: float, told: int) -> None:
        """Note that the hello, which goes out about now, told the peer this."""
        if told:
            self._said = told - now

    def heard(self, theirs: int, now: float) -> None:
        """Take what the peer says its clock shows; 0 when it does not say."""
        if theirs:
            self._theirs = theirs - now

    def news(self, now: float) -> int:
        """Give what our clock shows when the peer must think otherwise, and take it as told; else 0."""
        if self._clock is None or self._said is None:
            return 0
        shown = self._clock()
        if abs(shown - now - self._said) < CLOCK_TOLD_SECONDS:
            return 0
        self._said = shown - now
        return shown

    def ahead_seconds(self, now: float) -> int | None:
        """Give how far the peer's clock is ahead of ours at this moment; None when that is not known."""
        if self._clock is None or self._theirs is None:
            return None
        return round(self._theirs + now) - self._clock()

    def changed(self, now: float) -> bool:
        """Tell, once, that the two are not as far apart as they were."""
        before, self._noted = self._noted, self.ahead_seconds(now)
        if before is None or self._noted is None:
            return False
        if abs(self._noted - before) >= CLOCK_TOLD_SECONDS:
            return True
        self._noted = before  # what creeps adds up
        return False
