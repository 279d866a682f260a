"""The systemd units as systemd itself judges them, without a running system."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
FOLDERS = [UNITS / "system", UNITS / "user"]
SERVICES = sorted(UNITS.glob("*/*.service"))
EXPOSURE_MAX = 30
"""In tenths, as `systemd-analyze security --threshold` takes it: 3.0."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def settings(path: Path) -> configparser.ConfigParser:
    """Read a unit; a key that stands twice keeps its last value."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their case
    parser.read_string(path.read_text())
    return parser


def installed(folder: Path, into: Path) -> list[Path]:
    """Copy a folder of units to where their program is one that exists, for systemd looks for it."""
    made = []
    for unit in sorted(folder.iterdir()):
        text = unit.read_text()
        for program in ("/usr/local/bin/jilog", "%h/.local/bin/jilog"):
            text = text.replace(f"ExecStart={program} ", "ExecStart=/bin/true ")
        made.append(into / unit.name)
        made[-1].write_text(text)
    return made


def analyse(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@needs_systemd
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_units_are_what_systemd_takes_without_a_word(folder: Path, tmp_path: Path) -> None:
    units = installed(folder, tmp_path)

    judged = analyse("verify", *map(str, units))

    assert judged.returncode == 0, judged.stderr
    # What systemd says of units of this machine is not ours to answer for.
    assert [line for line in judged.stderr.splitlines() if "jilog" in line] == []


@needs_systemd
def test_a_unit_with_a_typing_error_would_be_seen(tmp_path: Path) -> None:
    unit = installed(UNITS / "system", tmp_path)[0]
    unit.write_text(unit.read_text().replace("Type=notify", "Type=notifi"))

    judged = analyse("verify", str(unit))

    assert "notifi" in judged.stderr


@needs_systemd
@pytest.mark.parametrize("service", SERVICES, ids=named)
def test_exposure_of_a_service_is_at_most_three(service: Path, tmp_path: Path) -> None:
    unit = tmp_path / service.name
    text = service.read_text()
    if service.parent.name == "user":
        # A person's service has neither root nor any capability, which a unit file alone does not tell.
        text = text.replace("[Service]\n", "[Service]\nUser=person\nCapabilityBoundingSet=\n")
    unit.write_text(text)

    judged = analyse("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(unit))

    assert judged.returncode == 0, judged.stdout[-400:] + judged.stderr


@pytest.mark.parametrize("service", sorted((UNITS / "user").glob("*.service")), ids=named)
def test_a_persons_service_asks_for_nothing_that_only_root_may_give(service: Path) -> None:
    # A service manager without root cannot drop what it has not; up to systemd 252 that ends the start.
    needs_root = {
        *("PrivateDevices", "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"),
        *("CapabilityBoundingSet", "AmbientCapabilities", "User", "Group", "DeviceAllow"),
    }

    assert not needs_root & set(settings(service)["Service"])


@needs_systemd
def test_a_service_without_confinement_would_be_seen(tmp_path: Path) -> None:
    unit = tmp_path / "open.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")

    judged = analyse("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(unit))

    assert judged.returncode != 0


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_agent_is_watched_and_started_again_and_has_time_to_drain(folder: Path) -> None:
    service = settings(folder / "jilog-agent.service")["Service"]

    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "on-failure"
    assert int(service["TimeoutStopSec"]) > 5


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_night_that_was_missed_is_made_up_for_and_hosts_do_not_start_at_once(folder: Path) -> None:
    timer = settings(folder / "jilog-nightly.timer")["Timer"]

    assert timer["Persistent"] == "true"
    assert timer["RandomizedDelaySec"] == "15min"


def test_statuses_that_are_no_failure_are_those_of_the_handbook() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()

    for folder in FOLDERS:
        taken = settings(folder / "jilog-nightly.service")["Service"]["SuccessExitStatus"].split()
        assert taken == ["3", "8"]
        assert all(f"| {status} |" in text for status in taken)
