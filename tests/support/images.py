"""The images that tests of real hosts run in, made once per state of the source and kept by the local Docker.

Without a Docker daemon such tests are skipped, in one line. With one, an image that cannot be made is a
failure.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE_FOLDER = ROOT / "deploy" / "image"
SYSTEMD_FOLDER = Path(__file__).parent / "systemd_image"
BUILD_SECONDS = 900
"""A first build bootstraps a whole Debian on a machine that may be busy."""

PULL_SECONDS = 60
IMAGES_KEPT = 8
"""Of one name: enough for the working trees that somebody has at one time."""

PACKAGES = (
    *("python3", "python3-venv", "git", "ca-certificates", "procps", "libfaketime", "rsync"),
    *("openssh-server", "iproute2", "iptables", "iputils-ping"),
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd"),
)
"""What the hosts of tests have beside jilog: one base serves those with systemd as well."""

SOURCES = ("pyproject.toml", "README.md", "ledger", "spool", "review", "agent", "deploy/image")


def require_docker() -> None:
    """Skip the test in one line where no Docker daemon answers."""
    if not _daemon_answers():
        pytest.skip("no Docker daemon answers (docker info)")


@functools.cache
def _daemon_answers() -> bool:
    try:
        return (
            subprocess.run(["docker", "info"], capture_output=True, timeout=60, check=False).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def jilog_image() -> str:
    """Give the shipped image, built from this working tree, with the tools that faults need beside it."""
    require_docker()
    return _built(
        "jilog-test-fleet",
        _key(*(ROOT / name for name in SOURCES)),
        lambda tag: [
            *(str(IMAGE_FOLDER / "build-image.sh"), "--base", _base_image()),
            *("--packages", " ".join(PACKAGES), tag),
        ],
    )


def bare_systemd_image() -> str:
    """Give an image with systemd as its first process and sshd, and without jilog."""
    require_docker()
    return _built(
        "jilog-test-systemd",
        _key(SYSTEMD_FOLDER, IMAGE_FOLDER / "make-base-image.sh"),
        lambda tag: [
            *("docker", "build", "--quiet", "--build-arg", f"BASE_IMAGE={_base_image()}"),
            *("--build-arg", f"PACKAGES={' '.join(PACKAGES)}", "--tag", tag, str(SYSTEMD_FOLDER)),
        ],
    )


def _built(name: str, key: str, command: object) -> str:
    assert callable(command)
    tag = f"{name}:{key}"
    with _lock(name):
        if not _have(tag):
            _run(command(tag))
            _forget_old(name)
    return tag


def _base_image() -> str:
    """Give a Debian: one that is named, one that can be pulled, or one made of this machine's packages."""
    named = os.environ.get("JILOG_BASE_IMAGE")
    if named:
        return named
    made = "jilog-test-base:local"
    if not _have(made):
        usual = "debian:bookworm-slim"
        if _have(usual) or _pulled(usual):
            return usual
    # Also where it is there: the script knows whether it is still the one that was asked for.
    _run([str(IMAGE_FOLDER / "make-base-image.sh"), "--packages", " ".join(PACKAGES), made])
    return made


def _pulled(image: str) -> bool:
    try:
        done = subprocess.run(
            ["docker", "pull", "--quiet", image], capture_output=True, timeout=PULL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _have(image: str) -> bool:
    return (
        subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode
        == 0
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        env={**os.environ, "PYTHON": sys.executable},
    )
    if done.returncode:
        # A fleet that cannot be tested where it could be is a failure, never a skip.
        pytest.fail(f"Docker is here, but {command[0]} failed:\n{done.stdout[-500:]}{done.stderr[-2000:]}")


def _forget_old(name: str) -> None:
    """Remove the images of long past states of the source; those that another working tree may use stay."""
    listed = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name],
        capture_output=True,
        text=True,
        check=False,
    )
    for tag in listed.stdout.split()[IMAGES_KEPT:]:  # the newest come first
        subprocess.run(["docker", "image", "rm", tag], capture_output=True, check=False)


@contextmanager
def _lock(name: str) -> Iterator[None]:
    """Let one of several test processes build; the others find what it built."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jilog-images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key(*paths: Path) -> str:
    digest = hashlib.sha256(" ".join(PACKAGES).encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and "node_modules" not in file.parts:
                digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
