"""True power loss on a real ext4: the file system is shut down without flushing anything, and mounted again.

Needs root, a loop device and mkfs.ext4. The shutdown is ext4's own ioctl for this purpose (EXT4_IOC_SHUTDOWN,
with the flag that writes not even the journal); mounting replays the journal as after a real power cut.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import scenarios

SHUTDOWN_IOCTL = 0x8004587D
NO_LOG_FLUSH = 2
IMAGE_BYTES = 64 << 20

pytestmark = pytest.mark.xdist_group("loop")


def why_not() -> str | None:
    """Say what is missing for a power loss, None when nothing is."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "needs root on Linux"
    missing = [tool for tool in ("mkfs.ext4", "mount", "umount") if shutil.which(tool) is None]
    if missing or not Path("/dev/loop-control").exists():
        return f"needs {', '.join(missing) or 'loop devices'}"
    return None


class Machine:
    """An ext4 of its own, whose power can be cut."""

    def __init__(self, base: Path) -> None:
        self.image = base / "disk.img"
        self.mountpoint = base / "mounted"
        self.mountpoint.mkdir()
        with self.image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True, capture_output=True, timeout=60)

    def start(self) -> None:
        subprocess.run(
            ["mount", "-o", "loop", self.image, self.mountpoint], check=True, capture_output=True, timeout=60
        )

    def cut_power(self) -> None:
        descriptor = os.open(self.mountpoint, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN_IOCTL, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        subprocess.run(["umount", self.mountpoint], check=True, capture_output=True, timeout=60)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    problem = why_not()
    if problem:
        pytest.skip(problem)
    machine = Machine(tmp_path)
    try:
        machine.start()
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"cannot mount a loop device here: {exc.stderr.decode().strip()}")
    yield machine
    machine.stop()


def run_until_power_cut(machine: Machine, scenario: str, disk: str) -> Path:
    """Run a scenario to its last acknowledgement and cut the power before anything else is written."""
    root = machine.mountpoint / f"{scenario}-{disk}" / "zone"
    root.parent.mkdir()
    # What was acknowledged was told to somebody elsewhere, so it is kept outside of the machine.
    elsewhere = machine.mountpoint.parent / f"{scenario}-{disk}.acknowledged"
    root.with_suffix(".acknowledged").symlink_to(elsewhere)
    descriptor = os.open(machine.mountpoint, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    with subprocess.Popen(
        [sys.executable, scenarios.__file__, "run", scenario, str(root), disk],
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        machine.cut_power()
        process.kill()
    machine.stop()
    machine.start()
    root.parent.mkdir(exist_ok=True)
    link = root.with_suffix(".acknowledged")
    if not link.is_symlink():
        link.symlink_to(elsewhere)
    return root


@pytest.mark.parametrize("scenario", ["appending", "syncing"])
def test_acknowledged_events_survive_a_true_power_loss(machine: Machine, scenario: str) -> None:
    root = run_until_power_cut(machine, scenario, "real")

    assert len(scenarios.read_acknowledged(root)) > 3
    assert scenarios.losses(root) == []


def test_acknowledging_before_the_sync_is_caught_by_a_true_power_loss(machine: Machine) -> None:
    """The positive control: a disk that does not sync its appends loses what it acknowledged."""
    root = run_until_power_cut(machine, "appending", "hasty")

    assert any(problem.startswith("lost ") for problem in scenarios.losses(root))
