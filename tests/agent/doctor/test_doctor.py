"""``jilog doctor``: a sound host is told so, and each planted fault is found, alone and with its cure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from jilog_agent.config import ConfigSources, load_config
from jilog_agent.doctor.examination import CHECKS, examine
from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.home import Home
from jilog_ledger.disk import RealDisk
from jilog_ledger.errors import PeerError
from jilog_ledger.times import now_ns
from support.agent_hosts import free_port, introduce, new_host, public_key
from support.agent_process import running
from support.jilog_cli import Host


@pytest.fixture
def sound(host: Host) -> Host:
    assert host.run("init", "--source", "alpha").returncode == 0
    assert host.run("supervise", "--task", "hello", "--", "true").returncode == 0
    return host


NO_PROGRAMS = "/nonexistent"
"""A PATH without the service manager of the machine that runs the tests: what it thinks is not the host's."""


def examined(host: Host, *arguments: str, path: str = NO_PROGRAMS) -> tuple[int, list[dict[str, str]]]:
    done = host.run("doctor", "--json", *arguments, environment=host.environment(PATH=path))
    return done.returncode, json.loads(done.stdout)["findings"]


def test_of_a_sound_host_nothing_is_found(sound: Host) -> None:
    done = sound.run("doctor", environment=sound.environment(PATH=NO_PROGRAMS))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(CHECKS)} checks: all is well\n"


def test_a_host_that_is_not_set_up_is_told_to_be(host: Host) -> None:
    status, (finding,) = examined(host)

    assert status == 3
    assert (finding["check"], finding["level"], finding["next"]) == ("ledgers", "error", "jilog init")


def loose_key(host: Host) -> None:
    (host.state / "identity" / "id_ed25519").chmod(0o640)


def open_home(host: Host) -> None:
    host.state.chmod(0o755)


def writable_config(host: Host) -> None:
    host.config.chmod(0o666)


def foreign_public_key(host: Host) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(host.root / "other")], check=True
    )
    shutil.copy(host.root / "other.pub", host.state / "identity" / "id_ed25519.pub")


def own_key_as_peer(host: Host) -> None:
    assert host.run("peer", "add", "copy", "192.0.2.7", "--host-key", public_key(host)).returncode == 0


def unread_transcripts(host: Host) -> None:
    (host.root / ".codex" / "sessions").mkdir(parents=True)


def open_forced_command(host: Host) -> None:
    folder = host.root / ".ssh"
    folder.mkdir(mode=0o700)
    line = 'command="jilog spool serve --stdio" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI beta\n'
    (folder / "authorized_keys").write_text(f'# command="x spool serve --stdio" comment\n{line}')


def no_tracker_program(host: Host) -> None:
    host.config.write_text('[tracker]\ntype = "kata"\nproject = "p"\n')


def work_without_agent(host: Host) -> None:
    host.config.write_text('[agent]\nreview_at = "06:30"\n')


def damaged_manifest_and_segment(host: Host) -> None:
    data = bytearray(host.segment().read_bytes())
    data[len(data) // 2] ^= 0x10
    host.segment().write_bytes(data)


def full_disk(host: Host) -> None:
    # As full as a disk can be said to be: the limit is above all there is.
    host.config.write_text("[agent]\ndisk_low_mib = 1048576\n")


FAULTS: dict[str, tuple[Callable[[Host], None], str, str, str]] = {
    "a key that others may read": (loose_key, "permissions", "error", "chmod 600"),
    "a home that others may enter": (open_home, "permissions", "warning", "chmod 700"),
    "a config that others may write": (writable_config, "permissions", "error", "chmod go-w"),
    "a public key of another key": (foreign_public_key, "keys", "error", "ssh-keygen -y"),
    "transcripts that no reader reads": (unread_transcripts, "readers", "warning", 'type = "codex"'),
    "a forced command without restrict": (open_forced_command, "ssh", "warning", "restrict"),
    "a tracker whose program is missing": (no_tracker_program, "tracker", "warning", "kata"),
    "work for an agent that does not run": (work_without_agent, "agent", "warning", "jilog agent start"),
    "a disk with less room than the limit": (full_disk, "disk", "error", "df -h"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_with_its_cure(sound: Host, fault: str) -> None:
    plant, check, level, cure = FAULTS[fault]
    plant(sound)

    status, findings = examined(sound)

    assert [(item["check"], item["level"]) for item in findings] == [(check, level)]
    assert cure in findings[0]["next"]
    assert status == 3


def test_the_cure_of_a_permission_makes_the_host_sound_again(sound: Host) -> None:
    loose_key(sound)
    _, (finding,) = examined(sound)

    subprocess.run(finding["next"], shell=True, check=True)

    assert examined(sound) == (0, [])


def test_a_peer_with_this_hosts_own_key_is_a_copy(sound: Host) -> None:
    own_key_as_peer(sound)

    _, findings = examined(sound)

    assert [(item["check"], item["level"]) for item in findings] == [("keys", "error"), ("peers", "note")]
    assert "copy" in findings[0]["why"]


def test_damage_is_found_as_an_error_and_names_a_next_command(sound: Host) -> None:
    damaged_manifest_and_segment(sound)
    sound.run("verify")

    status, findings = examined(sound, "--only", "ledgers")

    assert status == 3
    assert findings
    assert all(item["next"].startswith("jilog ") for item in findings)


def test_a_clock_that_was_set_back_is_an_error(sound: Host) -> None:
    config = load_config(ConfigSources(sound.environment(), sound.root))
    patient = Patient(config, Home(config.home), RealDisk(), {}, sound.root, now_ns() - 3600 * 10**9)

    (finding,) = examine(patient, {"ledgers": CHECKS["ledgers"]})

    assert (finding.check, finding.level) == ("clock", Level.ERROR)


def test_a_clock_that_lost_its_battery_is_an_error(sound: Host) -> None:
    config = load_config(ConfigSources(sound.environment(), sound.root))
    patient = Patient(config, Home(config.home), RealDisk(), {}, sound.root, 0)

    (finding,) = examine(patient, {"clock": CHECKS["clock"]})

    assert "1970-01-01" in finding.what


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("NTP=yes\nNTPSynchronized=no", ["clock"]),
        ("NTP=yes\nNTPSynchronized=yes", []),
        ("NTP=no\nNTPSynchronized=no", []),
    ],
)
def test_a_clock_that_its_service_cannot_set_is_a_warning(
    sound: Host, tmp_path: Path, answer: str, found: list[str]
) -> None:
    program = tmp_path / "bin" / "timedatectl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\n")
    program.chmod(0o755)

    _, findings = examined(sound, "--only", "clock", path=str(program.parent))

    assert [item["check"] for item in findings] == found


def test_a_config_that_cannot_be_read_is_the_one_finding(sound: Host) -> None:
    sound.config.write_text("[agnet]\n")

    status, (finding,) = examined(sound)

    assert (status, finding["check"]) == (3, "config")
    assert "agnet" in finding["what"]


def test_an_unknown_check_names_the_nearest(sound: Host) -> None:
    done = sound.run("doctor", "--only", "trackr")

    assert done.returncode == 2
    assert "did you mean 'tracker'?" in done.stderr


def test_a_running_agent_is_no_finding_and_one_that_cannot_reach_a_peer_says_why(tmp_path: Path) -> None:
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    introduce(alpha, beta, free_port())

    with running(alpha):
        assert examined(alpha, "--only", "agent") == (0, [])
        alpha.run("spool", "sync")
        _, findings = examined(alpha, "--only", "ledgers")

    assert [item["check"] for item in findings] == ["peers"]
    assert "connection_refused" in findings[0]["what"]


def patient_of(host: Host) -> Patient:
    config = load_config(ConfigSources(host.environment(), host.root))
    return Patient(config, Home(config.home), RealDisk(), os.environ, host.root, now_ns())


def test_a_check_that_fails_is_a_finding_and_the_others_are_made(sound: Host) -> None:
    def broken(_patient: Patient) -> Iterator[Finding]:
        raise ZeroDivisionError("planted")

    def refused(_patient: Patient) -> Iterator[Finding]:
        yield Finding("refused", Level.NOTE, "lost with the failure", "", "")
        raise PeerError("no route", hint="ip route")

    def fine(_patient: Patient) -> Iterator[Finding]:
        yield Finding("fine", Level.NOTE, "seen", "why", "next")

    found = examine(patient_of(sound), {"broken": broken, "refused": refused, "fine": fine})

    assert [(item.check, item.level) for item in found] == [
        ("broken", Level.WARNING),
        ("refused", Level.WARNING),
        ("fine", Level.NOTE),
    ]
    assert "planted" in found[0].what
    assert found[1].next_step == "ip route"


def test_a_check_that_hangs_does_not_hold_up_the_others(sound: Host) -> None:
    release = Event()

    def hanging(_patient: Patient) -> Iterator[Finding]:
        release.wait()
        yield Finding("hanging", Level.NOTE, "too late", "", "")

    def fine(_patient: Patient) -> Iterator[Finding]:
        yield Finding("fine", Level.NOTE, "seen", "why", "next")

    found = examine(patient_of(sound), {"hanging": hanging, "fine": fine}, limit_seconds=0.2)
    release.set()

    assert [(item.check, item.what) for item in found] == [
        ("hanging", "the check did not end within 0.2 s"),
        ("fine", "seen"),
    ]
