"""``jilog supervise`` from outside: exit statuses, events, signals, output."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.jilog_cli import Host


def supervise(host: Host, *arguments: str) -> subprocess.CompletedProcess[str]:
    return host.run("supervise", "--task", "job", *arguments)


def statuses(host: Host) -> list[object]:
    return [payload["status"] for payload in host.payloads()]


def test_success_leaves_a_start_and_an_end_and_exits_zero(host: Host) -> None:
    done = supervise(host, "--", "true")

    assert done.returncode == 0
    started, succeeded = host.events()
    assert statuses(host) == ["started", "succeeded"]
    assert started["correlation_id"] == succeeded["correlation_id"]
    assert succeeded["causation_id"] == started["event_id"]
    assert {started["object_ref"], succeeded["object_ref"]} == {"task:job"}
    payload = succeeded["payload"]
    assert isinstance(payload, dict)
    assert (payload["subsystem"], payload["exit_status"], payload["attempt"]) == ("job", 0, 1)
    assert payload["command"] == ["true"]
    assert isinstance(payload["duration_seconds"], float)
    assert isinstance(payload["summary"], str)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["sh", "-c", "exit 3"], 3),
        (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["/no/such/program"], 127),
        (["no-such-program-anywhere"], 127),
        ([""], 127),
        (["/"], 126),
    ],
)
def test_the_end_of_the_task_is_the_exit_status(host: Host, command: list[str], status: int) -> None:
    done = supervise(host, "--", *command)

    assert done.returncode == status
    last = host.payloads()[-1]
    assert (last["status"], last["exit_status"], last["final"]) == ("failed", status, True)


def test_a_file_without_permission_to_execute_gives_126(host: Host) -> None:
    script = host.root / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(stat.S_IRUSR)

    done = supervise(host, "--", str(script))

    assert done.returncode == 126
    assert "could not start" in done.stderr


def test_a_failing_task_is_tried_again_as_often_as_asked(host: Host) -> None:
    done = supervise(host, "--retries", "2", "--backoff", "0.01", "--", "sh", "-c", "echo x; exit 4")

    assert done.returncode == 4
    assert done.stdout == "x\nx\nx\n"
    assert statuses(host) == ["started", "failed", "retrying", "failed", "retrying", "failed"]
    assert [payload.get("final") for payload in host.payloads()] == [None, False, None, False, None, True]
    assert [payload["attempt"] for payload in host.payloads()] == [1, 1, 2, 2, 3, 3]
    ids = [event["event_id"] for event in host.events()]
    assert [event["causation_id"] for event in host.events()] == [None, *ids[:-1]]


def test_a_retry_that_succeeds_ends_the_run_with_zero(host: Host) -> None:
    flag = host.root / "flag"

    done = supervise(
        host,
        "--retries",
        "5",
        "--backoff",
        "0.01",
        "--",
        "sh",
        "-c",
        f"test -e {flag} || {{ touch {flag}; exit 1; }}",
    )

    assert done.returncode == 0
    assert statuses(host) == ["started", "failed", "retrying", "succeeded"]


def test_a_missing_program_is_not_tried_again(host: Host) -> None:
    done = supervise(host, "--retries", "3", "--", "/no/such/program")

    assert done.returncode == 127
    assert statuses(host) == ["started", "failed"]


def test_a_timeout_stops_all_that_the_task_started_and_gives_124(host: Host) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        host.command(
            "supervise", "--task", "job", "--timeout", "1s", "--", "sh", "-c", "sleep 600 & sleep 600"
        ),
        env=host.environment(),
        pass_fds=[],
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)

    assert process.wait(timeout=30) == 124
    # The pipe ends when the last process that holds it is gone, the background one included.
    with open(reader, "rb") as pipe:
        assert pipe.read() == b""
    assert statuses(host) == ["started", "timed_out"]


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace_period(host: Host) -> None:
    done = supervise(
        host,
        "--timeout",
        "1s",
        "--kill-after",
        "1s",
        "--",
        "sh",
        "-c",
        "trap '' TERM; while :; do sleep 1; done",
    )

    assert done.returncode == 124
    assert host.payloads()[-1]["signal"] == "SIGKILL"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_jilog_reaches_the_task_and_ends_the_run(host: Host, number: signal.Signals) -> None:
    script = "trap 'echo got it; exit 9' INT TERM HUP; echo ready; while :; do sleep 0.05; done"
    with host.start("supervise", "--task", "job", "--retries", "5", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        process.send_signal(number)

        assert process.stdout.readline() == "got it\n"
        assert process.wait(timeout=30) == 9
    assert statuses(host) == ["started", "failed"]
    assert host.run("verify").returncode == 0


def test_a_signal_reaches_the_whole_process_group_of_the_task(host: Host) -> None:
    script = "(trap 'echo grandchild; exit' TERM; echo ready; while :; do sleep 0.05; done) & wait"
    with host.start("supervise", "--task", "job", "--", "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

        process.send_signal(signal.SIGTERM)

        assert "grandchild\n" in process.stdout.read()
        assert process.wait(timeout=30) == 128 + signal.SIGTERM


def test_a_signal_during_the_pause_ends_the_run_without_another_attempt(host: Host) -> None:
    with host.start(
        "supervise", "--task", "job", "--retries", "9", "--backoff", "300", "--", "sh", "-c", "exit 1"
    ) as process:
        assert process.stderr is not None
        while "next try" not in process.stderr.readline():
            pass

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=30) == 130
    assert statuses(host) == ["started", "failed", "interrupted"]


def test_the_task_finds_the_signals_as_its_shell_would_have_left_them(host: Host) -> None:
    done = supervise(host, "--", "grep", "-E", "SigIgn|SigBlk", "/proc/self/status")

    changed_by_python = (1 << signal.SIGPIPE - 1) | (1 << signal.SIGXFSZ - 1)
    masks = [int(line.split()[1], 16) for line in done.stdout.splitlines()]
    assert [mask & changed_by_python for mask in masks] == [0, 0]


def test_output_and_input_go_through_untouched(host: Host) -> None:
    done = host.run("supervise", "--task", "job", "--", "sh", "-c", "cat; echo err >&2", stdin="a\nb")

    assert done.stdout == "a\nb"
    assert "err\n" in done.stderr


def test_options_of_the_task_are_its_own(host: Host) -> None:
    done = supervise(host, "echo", "--json", "--config", "x", "--")

    assert done.stdout == "--json --config x --\n"


def test_output_streams_while_the_task_runs(host: Host) -> None:
    with host.start(
        "supervise", "--task", "job", "--", "sh", "-c", "echo one; read x", stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None

        assert process.stdout.readline() == "one\n"

        process.stdin.write("go\n")
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_the_end_of_stderr_is_kept_when_asked_for_and_still_goes_through(host: Host) -> None:
    done = supervise(host, "--capture-tail", "10", "--", "sh", "-c", "echo 0123456789abcdef >&2; exit 1")

    assert "0123456789abcdef\n" in done.stderr
    assert host.payloads()[-1]["stderr_tail"] == "789abcdef\n"


def test_arguments_that_are_not_utf8_are_recorded_visibly(host: Host) -> None:
    command = [os.fsencode(part) for part in host.command("supervise", "--task", "job", "--", "echo")]

    done = subprocess.run(
        [*command, b"\xff"], env=host.environment(), capture_output=True, check=False, timeout=60
    )

    assert done.stdout == b"\xff\n"
    assert host.payloads()[-1]["command"] == ["echo", "\\xff"]


def test_the_start_is_in_the_ledger_before_the_task_runs(host: Host) -> None:
    host.run("init")

    done = supervise(host, "--", "sh", "-c", "grep -q started ~/.jilog/zones/main/segments/*/*/*.seg")

    assert done.returncode == 0


def test_json_is_one_last_line_with_the_result(host: Host) -> None:
    done = supervise(host, "--json", "--retries", "1", "--backoff", "0", "--", "sh", "-c", "echo out; exit 2")

    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["schema_version"], result["task"], result["exit_status"]) == (1, "job", 2)
    assert (result["attempts"], result["outcome"]) == (2, "failed")
    assert (result["events_recorded"], result["events_unrecorded"]) == (4, 0)


def test_an_unwritable_ledger_is_told_and_does_not_stop_the_task(host: Host) -> None:
    (host.root / ".jilog").write_text("a file where the home should be")

    done = supervise(host, "--", "sh", "-c", "echo ran; exit 5")

    assert (done.stdout, done.returncode) == ("ran\n", 5)
    assert "jilog: warning: event not recorded" in done.stderr
    assert "2 of 2 events of this run are not in the ledger" in done.stderr


def test_a_full_disk_is_told_and_neither_the_task_nor_the_store_is_harmed(host: Host) -> None:
    supervise(host, "--", "true")
    quoted = " ".join(f"'{part}'" for part in host.command("supervise", "--task", "job", "--", "echo", "ran"))

    done = subprocess.run(
        # A limit on the size of files stands in for a full disk: every write of a byte fails.
        ["sh", "-c", f"ulimit -f 0; exec {quoted}"],
        env=host.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert "event not recorded" in done.stderr
    assert host.run("verify").returncode == 0
    assert statuses(host) == ["started", "succeeded"]


def test_a_broken_config_is_told_and_does_not_stop_the_task(host: Host) -> None:
    host.config.write_text("timezon = 1")

    done = supervise(host, "--", "echo", "ran")

    assert (done.stdout, done.returncode) == ("ran\n", 0)
    assert "unknown key 'timezon'" in done.stderr


def test_what_could_not_be_recorded_at_first_is_recorded_with_the_next_event(host: Host) -> None:
    obstacle = host.root / ".jilog"
    obstacle.write_text("in the way")

    done = supervise(host, "--", "rm", str(obstacle))

    assert done.returncode == 0
    assert "not in the ledger" not in done.stderr
    assert statuses(host) == ["started", "succeeded"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["supervise", "--", "true"], "missing option '--task'"),
        (["supervise", "--task", "x"], "missing argument"),
        (["supervise", "--task", "x", "--retires", "3", "--", "true"], "no such option"),
        (["supervise", "--task", "x", "--retries", "-1", "--", "true"], "--retries is -1"),
        (["supervise", "--task", "x", "--retries", "x", "--", "true"], "'x' is not a valid integer"),
        (["supervise", "--task", "x", "--timeout", "5", "--", "true"], "invalid duration '5'"),
        (["supervise", "--task", "x", "--timeout", "99999w", "--", "true"], "longer than a year"),
        (["supervise", "--task", "", "--", "true"], "--task must have"),
        (["supervise", "--task", "x", "--zone", "mian", "--", "true"], "unknown zone 'mian'"),
        (["supervise", "--task", "x", "--backoff", "nan", "--", "true"], "--backoff is nan"),
    ],
)
def test_a_wrong_flag_is_refused_before_anything_runs(host: Host, arguments: list[str], message: str) -> None:
    done = host.run(*[argument.replace("true", "echo ran") for argument in arguments])

    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "jilog: hint:" in done.stderr
    assert not host.state.exists()


def test_many_tasks_at_once_on_a_fresh_host_lose_nothing(host: Host) -> None:
    def run(number: int) -> int:
        return host.run("supervise", "--task", f"t{number}", "--", "true").returncode

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(run, range(8)))

    assert codes == [0] * 8
    events = host.events()
    assert sorted(int(str(event["source_seq"])) for event in events) == list(range(1, 17))
    assert {event["epoch"] for event in events} == {events[0]["epoch"]}
    assert host.run("verify").returncode == 0


def test_the_config_names_the_zone_and_the_class_may_be_chosen(host: Host) -> None:
    host.config.write_text('[[zones]]\nid = "ops"\n[[zones]]\nid = "lab"\n')

    supervise(host, "--zone", "lab", "--class", "health", "--", "true")

    (first, _) = host.events()
    assert (first["zone"], first["event_class"]) == ("lab", "health")


def test_files_are_for_their_owner_only(host: Host) -> None:
    supervise(host, "--", "true")

    for path in (host.state, *host.state.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert Path(host.state / "identity" / "id_ed25519").is_file()
