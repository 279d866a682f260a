"""The agent's smaller parts: protocol lines, metrics, log, sd_notify, chores."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.daemon import limits
from jilog_agent.daemon.chores import Chores
from jilog_agent.daemon.logbook import Logbook, RotatingFile
from jilog_agent.daemon.methods import LIVE, METHODS
from jilog_agent.daemon.metrics import METRICS, Metrics
from jilog_agent.daemon.notify import Notifier
from jilog_agent.daemon.protocol import Refused, error_line, lines_of, ok_line, parse_request
from jilog_agent.daemon.zones import Zones
from jilog_agent.home import Home
from jilog_agent.workspace import Workspace
from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError
from jilog_ledger.event import EventDraft

ROOT = Path(__file__).parents[3]


@given(st.text(max_size=2_000), st.integers(1, 60))
def test_a_reply_cut_into_parts_is_the_same_when_put_together(text: str, times: int) -> None:
    line = ok_line(7, text * times)

    lines = list(lines_of(7, line))

    assert all(len(item) <= limits.LINE_BYTES_MAX and item.endswith(b"\n") for item in lines)
    documents = [json.loads(item) for item in lines]
    whole = documents[0] if len(lines) == 1 else json.loads("".join(item["part"] for item in documents[:-1]))
    assert whole == {"id": 7, "ok": True, "result": text * times}


def test_a_client_without_ids_gets_one_line_however_long() -> None:
    assert len(list(lines_of(None, ok_line(None, "x" * 1_000_000)))) == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(line: bytes) -> None:
    try:
        request = parse_request(line)
    except Refused:
        return
    assert isinstance(request.method, str)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), "invalid_params"),
        (BusyError("x"), "busy"),
        (IntegrityError("x"), "integrity"),
        (StorageError("x"), "storage"),
        (Refused("version", "x"), "version"),
        (JilogError("x"), "error"),
    ],
)
def test_each_kind_of_error_has_its_code(error: JilogError, code: str) -> None:
    assert json.loads(error_line(1, error))["code"] == code


def test_every_method_code_and_metric_is_documented() -> None:
    socket_text = (ROOT / "docs" / "socket.md").read_text()
    metrics_text = (ROOT / "docs" / "metrics.md").read_text()

    for name in (*METHODS, *LIVE):
        assert f"`{name}`" in socket_text, name
    documented = set(re.findall(r"`(jilog_\w+)`", metrics_text))
    assert documented == {metric.name for metric in METRICS}


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    metrics.add("jilog_syncs_total", peer='a"b\\c\nd', outcome="ok")
    metrics.add("jilog_syncs_total", 2, peer='a"b\\c\nd', outcome="ok")
    metrics.put("jilog_disk_free_bytes", 1.5)

    assert metrics.text().splitlines() == [
        "# HELP jilog_syncs_total Syncs with peers, by peer and outcome.",
        "# TYPE jilog_syncs_total counter",
        'jilog_syncs_total{outcome="ok",peer="a\\"b\\\\c\\nd"} 3',
        "# HELP jilog_disk_free_bytes Free bytes of the file system that holds the home.",
        "# TYPE jilog_disk_free_bytes gauge",
        "jilog_disk_free_bytes 1.5",
    ]


def test_the_log_file_stays_within_twice_its_limit_and_every_line_parses(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    log = Logbook(RotatingFile(path, bytes_max=1_000), "info")

    for number in range(100):
        log.info("request", number=number)
        log.debug("not shown")

    old, new = path.with_name("agent.log.1").read_text(), path.read_text()
    numbers = [json.loads(line)["number"] for line in (old + new).splitlines()]
    assert max(len(old), len(new)) <= 1_000
    assert numbers == list(range(numbers[0], 100))


def test_a_log_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    Logbook(RotatingFile(tmp_path / "missing" / "agent.log")).info("lost")


def test_systemd_is_told_ready_alive_and_stopping(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        notifier = Notifier.of(
            {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "42"}, 42
        )
        notifier.ready("answering")
        notifier.alive()
        notifier.stopping()
        told = [systemd.recv(1000).decode().splitlines() for _ in range(3)]

    assert notifier.watchdog_seconds == 2.0
    assert told[0][:2] == ["READY=1", "STATUS=answering"]
    assert told[1:] == [["WATCHDOG=1"], ["STOPPING=1", "STATUS=draining"]]


def test_without_systemd_nothing_is_sent_and_another_process_watchdog_is_not_ours() -> None:
    Notifier().ready("x")
    Notifier("/nowhere/at/all").ready("x")

    assert Notifier.of({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}, 2).watchdog_seconds == 0


def chores(tmp_path: Path, config: str, free: Callable[[], int]) -> tuple[Chores, Zones, list[str]]:
    """Make the chores of a host whose disk has as many free bytes as a function says."""
    (tmp_path / ".jilog.toml").write_text(config)
    loaded = load_config(ConfigSources({}, tmp_path))
    workspace = Workspace(loaded, Home(loaded.home), lambda _: None)
    zones = Zones.open(workspace, workspace.ensure_identity("alpha"), lambda _: None, free)
    lines: list[str] = []
    workspace.disk.make_directory(workspace.home.agent_dir)
    made = Chores(zones, Logbook(lines.append), Metrics(), lambda: 10**18)
    made._load()
    return made, zones, lines


def test_below_the_floor_events_are_refused_with_the_reason_until_there_is_room(tmp_path: Path) -> None:
    free = [99 << 20]
    made, zones, lines = chores(tmp_path, "[agent]\ndisk_floor_mib = 100\n", lambda: free[0])
    draft = EventDraft("health", {"n": 1})

    made.watch_disk()
    with pytest.raises(StorageError) as caught:
        zones.ledger(None).append([draft])
    free[0] = 300 << 20
    made.watch_disk()
    zones.ledger(None).append([draft])

    assert "99 MiB are free on the disk, less than 100" in caught.value.message
    assert caught.value.hint
    assert [json.loads(line)["message"] for line in lines][-1] == "taking events again"


def test_a_disk_that_is_low_takes_own_events_and_nothing_of_peers(tmp_path: Path) -> None:
    free = [99 << 20]
    config = "[agent]\ndisk_low_mib = 100\ndisk_floor_mib = 50\n"
    made, zones, lines = chores(tmp_path, config, lambda: free[0])

    made.watch_disk()
    zones.ledger(None).append([EventDraft("health", {"n": 1})])
    low = zones.gate.full()
    free[0] = 110 << 20
    still_low = zones.gate.full()
    free[0] = 126 << 20
    made.watch_disk()

    assert (low, still_low) == (
        "99 MiB are free on the disk, less than 100",
        "110 MiB are free on the disk, less than 100",
    )
    assert zones.gate.full() is None
    assert [json.loads(line)["message"] for line in lines] == [
        "taking nothing from peers",
        "taking from peers again",
    ]


def test_the_scrub_finds_rot_within_its_budget_and_rests_after_a_round(tmp_path: Path) -> None:
    made, zones, lines = chores(tmp_path, "", lambda: 1 << 40)
    store = zones.ledgers["main"].shared
    for number in range(3):
        zones.ledger(None).append([EventDraft("health", {"n": number})])
        store.seal()
    path = store.layout.segment(store.own_writer, 2)
    data = bytearray(path.read_bytes())
    data[150] ^= 1
    path.write_bytes(bytes(data))

    made.scrub(60)
    read_once = made.metrics.value("jilog_scrub_read_bytes_total")
    made.scrub(60)

    assert made.metrics.value("jilog_scrub_damaged_total") == 1
    assert made.metrics.value("jilog_scrub_read_bytes_total") == read_once > 0
    assert made.state.scrub["main"].rounds == 1
    assert [json.loads(line)["message"] for line in lines] == ["damaged segment"]


def test_the_nightly_review_runs_in_a_process_of_its_own_and_counts(tmp_path: Path) -> None:
    made, zones, _ = chores(tmp_path, '[agent]\nreview_at = "03:30"\n', lambda: 1 << 40)

    before = made.review_due()
    made.clock = lambda: 10**18 + 2 * 86_400 * 10**9
    missed = made.review_due()
    asyncio.run(made.review())
    after = made.review_due()

    assert (before, missed, after) == (False, True, False)
    assert made.metrics.value("jilog_review_runs_total", outcome="ok") == 1
    assert list(zones.workspace.config.digest_dir.glob("*.md"))
