"""The pure parts of supervise: pauses, endings, and the recorder's patience with a broken ledger."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.supervise import Recorder, RetryPolicy, TaskRun, TaskSpec
from jilog_agent.supervise.events import ARGUMENT_CHARS_MAX, ARGUMENTS_MAX, printable
from jilog_agent.supervise.outcome import Ending, Outcome
from jilog_ledger.errors import InputError, StorageError
from jilog_ledger.event import Event, EventDraft
from jilog_review.redact import redact

RUN = TaskRun(TaskSpec("job", ("true",), "state_change", "host"), bytes(16), attempts_max=3)


class FakeSink:
    """Takes drafts, or refuses as often as it is told to."""

    def __init__(self, refusals: int = 0, error: Exception | None = None) -> None:
        self.kept: list[EventDraft] = []
        self.refusals = refusals
        self.error = error or StorageError("disk full", hint="free some space")
        self.closed = 0

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        if self.refusals:
            self.refusals -= 1
            raise self.error
        self.kept.extend(drafts)
        return []

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(("retry", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (10, 300.0), (1000, 300.0)])
def test_the_pause_doubles_up_to_the_maximum(retry: int, seconds: float) -> None:
    assert RetryPolicy(1000).delay_seconds(retry, jitter=0.0) == seconds


@given(
    retry=st.integers(1, 1000),
    jitter=st.floats(0, 1, exclude_max=True),
    backoff=st.floats(0, 86_400),
    most=st.floats(0, 86_400),
)
def test_a_pause_is_never_negative_nor_above_the_maximum(
    retry: int, jitter: float, backoff: float, most: float
) -> None:
    delay = RetryPolicy(1, backoff, most).delay_seconds(retry, jitter)

    assert 0 <= delay <= most


@pytest.mark.parametrize(
    "arguments", [(-1, 1.0, 1.0), (1001, 1.0, 1.0), (0, -0.1, 1.0), (0, 1.0, float("nan"))]
)
def test_a_policy_out_of_range_is_refused(arguments: tuple[int, float, float]) -> None:
    with pytest.raises(InputError):
        RetryPolicy(*arguments)


@given(st.text(st.characters(), max_size=50))
def test_any_text_is_made_storable(text: str) -> None:
    printable(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")).encode()


def test_a_command_line_of_any_length_makes_a_small_event() -> None:
    spec = TaskSpec("job", ("x" * 10_000_000, *["y"] * 5000), "state_change", "host")

    payload = TaskRun(spec, bytes(16), 1).started(1, None).payload

    assert isinstance(payload, dict)
    command = payload["command"]
    assert isinstance(command, list)
    assert len(command) == ARGUMENTS_MAX
    assert len(str(command[0])) < ARGUMENT_CHARS_MAX + 50
    assert payload["arguments_left_out"] == 5001 - ARGUMENTS_MAX


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(Ending.SUCCEEDED, 0, 1.25), "succeeded after 1.2 s"),
        (Outcome(Ending.FAILED, 3, 0.5), "failed with exit status 3 after 0.5 s"),
        (Outcome(Ending.FAILED, 137, 0.5, signal_number=9), "killed by SIGKILL after 0.5 s"),
        (Outcome(Ending.FAILED, 163, 0.5, signal_number=35), "killed by signal 35 after 0.5 s"),
        (Outcome(Ending.TIMED_OUT, 124, 2.0), "timed out after 2.0 s"),
    ],
)
def test_an_ending_is_described(outcome: Outcome, text: str) -> None:
    assert outcome.describe() == text


@pytest.mark.parametrize("error", [StorageError("disk full"), RuntimeError("a bug of ours")])
def test_what_the_ledger_refused_is_kept_and_written_with_the_next_event(error: Exception) -> None:
    sink = FakeSink(refusals=1, error=error)
    told: list[str] = []
    recorder = Recorder(lambda: sink, lambda message, _hint: told.append(message))
    first, second = RUN.started(1, None), RUN.started(2, None)

    assert not recorder.record(first)
    assert recorder.record(second)
    recorder.close()

    assert sink.kept == [first, second]
    assert (recorder.recorded, recorder.unrecorded) == (2, 0)
    assert len(told) == 1
    assert sink.closed == 2


def test_what_never_could_be_written_is_counted_at_the_end() -> None:
    told: list[str] = []
    recorder = Recorder(lambda: FakeSink(refusals=9), lambda message, _hint: told.append(message))

    recorder.record(RUN.started(1, None))
    recorder.record(RUN.started(2, None))
    recorder.close()

    assert recorder.unrecorded == 2
    assert told[-1] == "2 of 2 events of this run are not in the ledger"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["curl", "--password", "hunter2", "x"], ["curl", "--password", "[secret]", "x"]),
        (["curl", "--api-key=hunter2"], ["curl", "--api-key=[secret]"]),
        (["x", "--token", "--verbose", "y"], ["x", "--token", "--verbose", "y"]),
        (["git", "push", "https://me:pw@host/x"], ["git", "push", "https://[credentials]@host/x"]),
        (["echo", "tokens", "are", "words"], ["echo", "tokens", "are", "words"]),
    ],
)
def test_secrets_of_a_command_line_do_not_reach_the_ledger(arguments: list[str], shown: list[str]) -> None:
    spec = TaskSpec("job", tuple(arguments), "state_change", "host")
    run = TaskRun(spec, bytes(16), 1, lambda text: redact(text).text)

    payload = run.started(1, None).payload

    assert isinstance(payload, dict)
    assert payload["command"] == shown
