"""The course of a run: start, attempts, pauses, end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jilog_agent.supervise.child import run_attempt
from jilog_agent.supervise.events import TaskRun
from jilog_agent.supervise.outcome import Ending, Outcome
from jilog_agent.supervise.policy import RetryPolicy
from jilog_agent.supervise.recorder import Recorder
from jilog_agent.supervise.signals import SignalQueue, signal_queue
from jilog_agent.supervise.terminal import Terminal


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a whole run ended. ``outcome`` is None when a signal ended it before the child started."""

    exit_status: int
    attempts: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Runs a task by a policy. ``monotonic`` gives seconds, ``random`` numbers in [0, 1)."""

    run: TaskRun
    policy: RetryPolicy
    recorder: Recorder
    monotonic: Callable[[], float]
    random: Callable[[], float]
    tell: Callable[[str], None]

    def supervise(self) -> TaskResult:
        """Run the task to its end. Signals that arrive at any time neither lose an event nor kill us.

        The event of an attempt's start is durable, or its loss was told, before the child starts.
        """
        terminal = Terminal()
        try:
            with signal_queue() as signals:
                return self._all_attempts(signals, terminal)
        finally:
            terminal.close()
            self.recorder.close()

    def _all_attempts(self, signals: SignalQueue, terminal: Terminal) -> TaskResult:
        draft = self.run.started(1, cause=None)
        self.recorder.record(draft)
        attempt = 1
        while True:
            signals.take()
            number = signals.terminated_by()
            if number is not None:
                return self._interrupted(attempt, number, draft.event_id)
            outcome = run_attempt(self.run.spec, signals, terminal, self.monotonic)
            signals.take()
            retry = self._retry_follows(attempt, outcome, signals)
            ended = self.run.ended(attempt, outcome, draft.event_id, final=not retry)
            self.recorder.record(ended)
            if outcome.ending is Ending.NOT_STARTED:
                self.tell(f"{self.run.spec.name}: {outcome.describe()}")
            if not retry:
                return TaskResult(outcome.exit_status, attempt, outcome)
            delay_seconds = self.policy.delay_seconds(attempt, self.random())
            self.tell(f"{self.run.spec.name} {outcome.describe()}; next try in {delay_seconds:.1f} s")
            attempt += 1
            self._pause(signals, delay_seconds)
            if signals.terminated_by() is None:
                draft = self.run.retrying(attempt, delay_seconds, ended.event_id)
                self.recorder.record(draft)
            else:
                draft = ended

    def _retry_follows(self, attempt: int, outcome: Outcome, signals: SignalQueue) -> bool:
        # A signal to us means that somebody wants the run to end, even if the child took it for a failure.
        return outcome.worth_retrying and attempt <= self.policy.retries and signals.terminated_by() is None

    def _pause(self, signals: SignalQueue, delay_seconds: float) -> None:
        deadline = self.monotonic() + delay_seconds
        while signals.terminated_by() is None:
            left = deadline - self.monotonic()
            if left <= 0:
                return
            signals.wait(left)
            signals.take()

    def _interrupted(self, attempt: int, number: int, cause: bytes) -> TaskResult:
        self.recorder.record(self.run.interrupted(attempt, number, cause))
        return TaskResult(128 + number, attempt - 1, None)
