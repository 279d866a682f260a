"""Write a run's events down, and never let the ledger's trouble become the task's.

A full disk or a damaged ledger is told on stderr; the task still runs. What could not be written is kept and
tried again with the next event, so that a trouble that passes costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from jilog_ledger.errors import JilogError
from jilog_ledger.event import Event, EventDraft


class EventSink(Protocol):
    """Where events go: an open ledger of one zone."""

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        """Return only when the events are on stable storage."""

    def close(self) -> None:
        """Let go of files and locks."""


class Recorder:
    """Append drafts to a ledger that is opened on first use.

    ``complain`` gets one line and a hint for each failure. Nothing here raises, except KeyboardInterrupt.
    """

    def __init__(
        self, open_sink: Callable[[], EventSink], complain: Callable[[str, str | None], None]
    ) -> None:
        self._open_sink = open_sink
        self._complain = complain
        self._sink: EventSink | None = None
        self._waiting: list[EventDraft] = []
        self.recorded = 0

    @property
    def unrecorded(self) -> int:
        """Count the events that are not in the ledger."""
        return len(self._waiting)

    def record(self, draft: EventDraft) -> bool:
        """Append this event and whatever still waits; tell whether all are on stable storage."""
        self._waiting.append(draft)
        try:
            if self._sink is None:
                self._sink = self._open_sink()
            self._sink.append(tuple(self._waiting))
        except JilogError as error:
            self._complain(f"event not recorded: {error.message}", error.hint)
            return self._give_up_sink()
        except Exception as error:
            # Even a bug of ours must not cost the user the task; it is told, not hidden.
            self._complain(f"event not recorded: internal error: {type(error).__name__}: {error}", None)
            return self._give_up_sink()
        self.recorded += len(self._waiting)
        self._waiting.clear()
        return True

    def close(self) -> None:
        """Close the ledger; say how many events are missing, if any."""
        if self._waiting:
            self._complain(
                f"{len(self._waiting)} of {len(self._waiting) + self.recorded} events of this run are not in"
                " the ledger",
                "the task itself was not affected; see: jilog status",
            )
        self._give_up_sink()

    def _give_up_sink(self) -> bool:
        """Drop the ledger; the next event opens it afresh, as it must be read anew after a failed sync."""
        sink, self._sink = self._sink, None
        if sink is not None:
            try:
                sink.close()
            except JilogError as error:
                self._complain(f"ledger not closed cleanly: {error.message}", error.hint)
        return False
