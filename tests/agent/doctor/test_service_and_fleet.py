"""``jilog doctor``: units of systemd, nights that were missed, and the versions of the fleet."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from jilog_agent.doctor.finding import Level
from jilog_agent.doctor.service import judge_unit
from jilog_ledger.times import now_ns
from support.agent_hosts import free_port, introduce, new_host, serving
from support.jilog_cli import Host


@pytest.fixture
def sound(host: Host) -> Host:
    assert host.run("init", "--source", "alpha").returncode == 0
    return host


def examined(host: Host, only: str) -> tuple[int, list[dict[str, str]]]:
    done = host.run("doctor", "--json", "--only", only)
    return done.returncode, json.loads(done.stdout)["findings"]


UNIT = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}


@pytest.mark.parametrize(
    ("unit", "changed", "found"),
    [
        ("jilog-agent.service", {}, []),
        ("jilog-nightly.service", {"ActiveState": "inactive", "UnitFileState": "static"}, []),
        ("jilog-agent.service", {"ActiveState": "failed"}, [(Level.ERROR, "journalctl -u")]),
        ("jilog-agent.service", {"UnitFileState": "disabled"}, [(Level.WARNING, "enable --now")]),
        ("jilog-agent.service", {"ActiveState": "inactive"}, [(Level.WARNING, "start jilog-agent")]),
        ("jilog-agent.service", {"NeedDaemonReload": "yes"}, [(Level.WARNING, "daemon-reload")]),
        ("jilog-agent.service", {"LoadState": "bad-setting"}, [(Level.ERROR, "systemd-analyze")]),
        ("jilog-nightly.timer", {"ActiveState": "inactive"}, [(Level.WARNING, "start jilog-nightly.timer")]),
        (
            "jilog-nightly.timer",
            {"ActiveState": "inactive", "UnitFileState": "disabled"},
            [(Level.NOTE, "enable --now")],
        ),
    ],
)
def test_units_are_judged_by_what_systemd_says_of_them(
    unit: str, changed: dict[str, str], found: list[tuple[Level, str]]
) -> None:
    findings = list(judge_unit("--system", unit, UNIT | changed))

    assert [item.level for item in findings] == [level for level, _ in found]
    assert all(cure in item.next_step for item, (_, cure) in zip(findings, found, strict=True))


DAY_NS = 86_400 * 10**9


def aged(path: Path, days: float) -> None:
    """Let a file have been written so many days ago."""
    at_ns = now_ns() - int(days * DAY_NS)
    os.utime(path, ns=(at_ns, at_ns))


@pytest.fixture
def reviewing(sound: Host) -> Host:
    """A host with one transcript, of which a review has just ended."""
    folder = sound.root / ".claude" / "projects" / "app"
    folder.mkdir(parents=True)
    (folder / "session.jsonl").write_text("{}\n")
    sound.config.write_text('[[reader]]\ntype = "claude-code"\n')
    assert sound.run("review", "nightly").returncode in (0, 3)
    return sound


def cursors(host: Host) -> Path:
    return host.state / "review" / "cursors-main.json"


def nights(host: Host) -> tuple[int, list[str]]:
    status, findings = examined(host, "nights")
    return status, [item["level"] for item in findings]


def test_nights_that_were_missed_while_transcripts_wait_are_found_until_one_has_run(reviewing: Host) -> None:
    assert nights(reviewing) == (0, [])
    aged(cursors(reviewing), 3.1)

    status, (finding,) = examined(reviewing, "nights")

    assert (status, finding["check"], finding["level"]) == (3, "nights", "warning")
    assert "ended 3 days ago" in finding["what"]
    assert finding["next"].endswith("jilog review nightly")
    assert reviewing.run("review", "nightly").returncode in (0, 3)
    assert nights(reviewing) == (0, [])


def test_a_host_without_new_transcripts_misses_no_night_unless_a_time_is_set(reviewing: Host) -> None:
    aged(next(reviewing.root.glob(".claude/projects/app/*.jsonl")), 5)
    aged(cursors(reviewing), 4)

    idle = nights(reviewing)
    reviewing.config.write_text(reviewing.config.read_text() + '[agent]\nreview_at = "03:30"\n')

    assert idle == (0, [])
    assert nights(reviewing) == (3, ["warning"])


def test_transcripts_that_no_review_ever_read_are_noted_after_two_days(reviewing: Host) -> None:
    cursors(reviewing).unlink()
    fresh = nights(reviewing)
    aged(next(reviewing.root.glob(".claude/projects/app/*.jsonl")), 2.5)

    assert fresh == (0, [])
    assert nights(reviewing) == (0, ["note"])


def test_peers_of_another_version_are_named_by_what_their_last_session_told(tmp_path: Path) -> None:
    alpha, beta, port = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta"), free_port()
    introduce(alpha, beta, port)
    with serving(beta, port):
        assert alpha.run("spool", "sync").returncode == 0
    history = alpha.state / "spool" / "history.json"
    same = examined(alpha, "versions")
    told = json.loads(history.read_text())
    assert told["beta"]["software"] == version("jilog")
    told["beta"]["software"] = "0.0.9"
    history.write_text(json.dumps(told))

    status, (finding,) = examined(alpha, "versions")

    assert same == (0, [])
    assert (status, finding["level"]) == (0, "note")
    assert f"this host runs jilog {version('jilog')}, and of its peers beta 0.0.9" in finding["what"]
    assert "upgrade" in finding["next"]
