"""``jilog supervise``."""

from __future__ import annotations

import random
import socket
import sys
import time
from collections.abc import Callable

import click

from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.output import SCHEMA_VERSION
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.decisions.text import json_text
from jilog_agent.redaction import zone_redactor
from jilog_agent.sink import Sink
from jilog_agent.supervise import Recorder, RetryPolicy, Supervisor, TaskResult, TaskRun, TaskSpec
from jilog_agent.supervise.recorder import EventSink
from jilog_ledger.errors import InputError, JilogError
from jilog_ledger.event import EVENT_CLASSES, JsonValue
from jilog_ledger.identifiers import format_uuid, new_event_id
from jilog_ledger.times import parse_duration_seconds

TIMEOUT_SECONDS_MAX = 366 * 86_400
TASK_CHARS_MAX = 200
CAPTURE_BYTES_MAX = 65_536


def _duration(_context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    seconds = parse_duration_seconds(value)
    if seconds > TIMEOUT_SECONDS_MAX:
        raise InputError(f"--{parameter.name} {value} is longer than a year", hint="use 366d at most")
    return seconds


def _task_name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > TASK_CHARS_MAX:
        raise InputError(
            f"--task must have 1 to {TASK_CHARS_MAX} printable characters",
            hint="such as: --task nightly-backup",
        )
    return value


@click.command(
    "supervise",
    cls=JilogCommand,
    examples=(
        "jilog supervise --task backup -- ./backup.sh",
        "jilog supervise --task fetch --retries 3 --backoff 5 --timeout 10m -- curl -fsS https://example.org",
    ),
    context_settings={"allow_interspersed_args": False},
)
@click.option("--task", required=True, metavar="NAME", callback=_task_name, help="Subsystem of the events.")
@click.option("--retries", default=0, metavar="N", help="Try a failed task N times more.", show_default=True)
@click.option("--backoff", default=1.0, metavar="SECONDS", help="First pause; doubles.", show_default=True)
@click.option("--backoff-max", default=300.0, metavar="SECONDS", help="Longest pause.", show_default=True)
@click.option("--timeout", metavar="DURATION", callback=_duration, help="Stop an attempt after 90s, 10m, 2h.")
@click.option(
    "--kill-after",
    metavar="DURATION",
    callback=_duration,
    default="10s",
    help="SIGTERM to SIGKILL.",
    show_default=True,
)
@click.option(
    "--capture-tail", default=0, metavar="BYTES", help="Record the end of stderr, at most this much."
)
@click.option("--zone", metavar="ID", help="Record in this zone (default: the first).")
@click.option(
    "--class",
    "event_class",
    type=click.Choice(EVENT_CLASSES),
    default="state_change",
    metavar="CLASS",
    help="Class of the events.",
    show_default=True,
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the result as one line of JSON after the task's output."
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    *,
    task: str,
    retries: int,
    backoff: float,
    backoff_max: float,
    timeout: int | None,
    kill_after: int,
    capture_tail: int,
    zone: str | None,
    event_class: str,
    as_json: bool,
    command: tuple[str, ...],
) -> None:
    """Run a task, record its start, end and retries, and end with its exit status.

    Output goes through untouched, and signals reach the task and all it started. When the ledger cannot be
    written the task runs all the same, and that is said on stderr. Exit status: the task's own, 124 after a
    timeout, 126 not executable, 127 not found, 128+N killed by signal N.
    """
    if not 0 <= capture_tail <= CAPTURE_BYTES_MAX:
        raise InputError(f"--capture-tail is {capture_tail}", hint=f"use 0 to {CAPTURE_BYTES_MAX} bytes")
    policy = RetryPolicy(retries, backoff, backoff_max)
    host, without_secrets, open_sink = _prepare(zone)
    spec = TaskSpec(task, command, event_class, host, timeout, float(kill_after), capture_tail)
    run = TaskRun(spec, new_event_id(), policy.retries + 1, without_secrets)
    recorder = Recorder(open_sink, warn)
    supervisor = Supervisor(run, policy, recorder, time.monotonic, random.random, note)
    result = supervisor.supervise()
    if as_json:
        _print_result(run, recorder, result)
    click.get_current_context().exit(result.exit_status)


def _prepare(zone_id: str | None) -> tuple[str, Callable[[str], str], Callable[[], EventSink]]:
    """Give the host's name, what takes secrets out of a text, and the way to open the ledger.

    A flag that names an unknown zone is refused before anything runs. A config file or home in disorder is
    not: a scheduled task must not stay undone because of a typing error made elsewhere.
    """
    hostname = socket.gethostname()
    try:
        workspace = open_workspace()
    except JilogError as error:
        return hostname, str, _failing(error)  # nothing is written: no text has to be cleaned
    zone = workspace.config.zone(zone_id)

    def open_sink() -> EventSink:
        return Sink(workspace.home, zone.id, lambda: workspace.open_zone(zone, recording_identity(workspace)))

    redactor = zone_redactor(zone)
    return workspace.config.source or hostname, lambda text: redactor(text).text, open_sink


def _failing(error: JilogError) -> Callable[[], EventSink]:
    def open_sink() -> EventSink:
        raise error

    return open_sink


def _print_result(run: TaskRun, recorder: Recorder, result: TaskResult) -> None:
    document: dict[str, JsonValue] = {
        "schema_version": SCHEMA_VERSION,
        "task": run.spec.name,
        "correlation_id": format_uuid(run.correlation_id),
        "exit_status": result.exit_status,
        "attempts": result.attempts,
        "outcome": result.outcome.ending.value if result.outcome else "interrupted",
        "duration_seconds": round(result.outcome.duration_seconds, 3) if result.outcome else 0.0,
        "events_recorded": recorder.recorded,
        "events_unrecorded": recorder.unrecorded,
    }
    sys.stdout.write(json_text(document, indent=None) + "\n")
