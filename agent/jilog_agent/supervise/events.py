"""The events of a supervised run: what is written down when. Pure: values in, drafts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jilog_agent.supervise.outcome import Ending, Outcome, signal_name
from jilog_agent.supervise.redaction import redact_command
from jilog_ledger.event import EventDraft, JsonValue

ARGUMENT_CHARS_MAX = 2000
ARGUMENTS_MAX = 200
"""A command line may be megabytes long (``xargs``); an event keeps enough of it to be recognised."""


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What is supervised. ``timeout_seconds`` is None for no limit."""

    name: str
    command: tuple[str, ...]
    event_class: str
    host: str
    timeout_seconds: int | None = None
    kill_after_seconds: float = 10.0
    capture_tail_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One run of ``jilog supervise``: all its events share ``correlation_id`` (16 bytes).

    ``redact`` takes secrets out of a text.
    """

    spec: TaskSpec
    correlation_id: bytes
    attempts_max: int
    redact: Callable[[str], str] = str

    def started(self, attempt: int, cause: bytes | None) -> EventDraft:
        """Draft the event that stands in the ledger before the child runs."""
        summary = f"{self.spec.name} started"
        return self._draft("started", attempt, summary, cause, {"attempts_max": self.attempts_max})

    def retrying(self, attempt: int, delay_seconds: float, cause: bytes) -> EventDraft:
        """Draft the event of a retry; ``attempt`` is the number of the attempt to come, from 2."""
        summary = (
            f"{self.spec.name} retry {attempt - 1} of {self.attempts_max - 1} after {delay_seconds:.1f} s"
        )
        extra: dict[str, JsonValue] = {
            "attempts_max": self.attempts_max,
            "delay_seconds": round(delay_seconds, 3),
        }
        return self._draft("retrying", attempt, summary, cause, extra)

    def ended(self, attempt: int, outcome: Outcome, cause: bytes, *, final: bool) -> EventDraft:
        """Draft the event of an attempt's end; ``final`` when no further attempt follows."""
        extra: dict[str, JsonValue] = {
            "exit_status": outcome.exit_status,
            "duration_seconds": round(outcome.duration_seconds, 3),
            "final": final,
        }
        if outcome.signal_number is not None:
            extra["signal"] = signal_name(outcome.signal_number)
        if outcome.stderr_tail is not None:
            extra["stderr_tail"] = self.redact(outcome.stderr_tail)
        ending = Ending.FAILED if outcome.ending is Ending.NOT_STARTED else outcome.ending
        summary = f"{self.spec.name} {outcome.describe()}"
        return self._draft(ending.value, attempt, summary, cause, extra)

    def interrupted(self, attempt: int, signal_number: int, cause: bytes) -> EventDraft:
        """Draft the event of a run that a signal ended while no child was running."""
        name = signal_name(signal_number)
        summary = f"{self.spec.name} stopped by {name} before attempt {attempt}"
        extra: dict[str, JsonValue] = {"exit_status": 128 + signal_number, "signal": name, "final": True}
        return self._draft("interrupted", attempt, summary, cause, extra)

    def _command(self) -> list[JsonValue]:
        # Cut before redacting, for an argument may be megabytes long.
        shown = [_shorten(argument) for argument in self.spec.command[:ARGUMENTS_MAX]]
        return list(redact_command(shown, self.redact))

    def _draft(
        self, status: str, attempt: int, summary: str, cause: bytes | None, extra: dict[str, JsonValue]
    ) -> EventDraft:
        spec = self.spec
        payload: dict[str, JsonValue] = {
            "subsystem": spec.name,
            "summary": printable(summary),
            "task": spec.name,
            "status": status,
            "attempt": attempt,
            "host": spec.host,
            "command": self._command(),
            **extra,
        }
        if len(spec.command) > ARGUMENTS_MAX:
            payload["arguments_left_out"] = len(spec.command) - ARGUMENTS_MAX
        return EventDraft(
            event_class=spec.event_class,
            payload=payload,
            object_ref=f"task:{spec.name}",
            actor_ref=f"host:{spec.host}",
            correlation_id=self.correlation_id,
            causation_id=cause,
        )


def printable(text: str) -> str:
    """Make text storable: a byte that is no UTF-8, kept by Python as a lone surrogate, becomes ``\\xNN``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _shorten(argument: str) -> str:
    text = printable(argument)
    if len(text) <= ARGUMENT_CHARS_MAX:
        return text
    return f"{text[:ARGUMENT_CHARS_MAX]}… ({len(text)} characters)"
