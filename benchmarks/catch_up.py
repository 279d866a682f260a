"""A host that missed everything catches up: jilog beside ``rsync -a`` and ``git fetch``, over one sshd.

``JILOG_BENCH_MIB`` sets the size (256; the target is stated for 1024, at which git is left out). jilog
verifies and syncs each segment; the others get a ``sync`` of the file system in their time. Processor time
of each end, with SSH's, is shown as well: on a machine that others use it tells more than a clock.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks import sshd
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.limits import MIB
from jilog_ledger.store import ZoneStore
from jilog_spool.session import Session
from jilog_spool.ssh import run_over_ssh
from jilog_spool.stdio import serve_stdio

SIZE_MIB = int(os.environ.get("JILOG_BENCH_MIB", "256"))
ROUNDS = 3
MEMORY_MIB_MAX = 150
GIT_MIB_MAX = 256
"""git packs for a minute a quarter of a GiB; once is enough to see where it stands."""


class Spent(NamedTuple):
    """What one catch-up took, in seconds: by the clock, and of the processors at each end."""

    clock: float
    near: float
    far: float


def run() -> str:
    """Measure and give the table."""
    lacking = sshd.missing()
    if lacking is not None:
        return f"catch-up: not measured, {lacking}"
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        size = fill(root / "far", SIZE_MIB * MIB)
        rows = [f"catch-up of {size / MIB:.0f} MiB over one sshd on the loopback, median of {ROUNDS} rounds"]
        with sshd.running(root / "sshd") as server:
            rows += _compare(root, server, size)
    return "\n".join(rows)


def fill(root: Path, size: int) -> int:
    """Make a store of about ``size`` bytes of text that compresses as transcripts do; give its real size."""
    chance = random.Random(0)
    words = [chance.randbytes(chance.randint(1, 5)).hex() for _ in range(4000)]
    texts = [" ".join(chance.choices(words, k=150)) for _ in range(4000)]
    with _open(root) as store:
        made = 0
        while made < size:
            chosen = chance.choices(texts, k=500)
            store.append([EventDraft("health", {"text": text}) for text in chosen])
            made += sum(len(text) + 60 for text in chosen)
        store.seal()
        return sum(info.length for info in store.segments(store.own_writer))


def _compare(root: Path, server: sshd.Server, size: int) -> list[str]:
    ways: dict[str, Callable[[Path], None]] = {"jilog": lambda target: _jilog(root, server, target)}
    notes = []
    if shutil.which("rsync"):
        ways["rsync -a"] = lambda target: _rsync(root, server, target)
    else:
        notes.append("  rsync is not installed")
    if not shutil.which("git"):
        notes.append("  git is not installed")
    elif size <= GIT_MIB_MAX * MIB:
        _git_commit(root)
        ways["git fetch"] = lambda target: _git(root, server, target)
    spent: dict[str, list[Spent]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            if name != "git fetch" or not number:
                spent[name].append(_time(root, server, name, way))
    middle = {
        name: Spent(*map(statistics.median, zip(*rounds, strict=True))) for name, rounds in spent.items()
    }
    reference = middle.get("rsync -a")
    for name, item in middle.items():
        ratios = ""
        if reference:
            processors = (reference.near + reference.far) / (item.near + item.far)
            ratios = f"  {reference.clock / item.clock:5.2f} x rsync, {processors:.2f} by processor time"
        notes.append(
            f"  {name:10} {item.clock:7.2f} s  {size / MIB / item.clock:7.1f} MiB/s"
            f"  processors {item.near:6.2f} s near, {item.far:6.2f} s far{ratios}"
        )
    near, far = (_noted(root, end).kib for end in ("near", "far"))
    notes.append(f"  memory: near {near // 1024} MiB, far {far // 1024} MiB ({MEMORY_MIB_MAX})")
    return notes


def _time(root: Path, server: sshd.Server, name: str, way: Callable[[Path], None]) -> Spent:
    target = root / "near"
    os.sync()
    far = server.processor_seconds()
    near, started = _children_seconds(), time.perf_counter()
    way(target)
    if name != "jilog":
        os.sync()
    clock, near = time.perf_counter() - started, _children_seconds() - near
    far = server.processor_seconds() - far
    if name == "jilog":
        far += _noted(root, "far").seconds  # nobody waits for it when the connection has ended
    shutil.rmtree(target)
    return Spent(clock, near, far)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _jilog(root: Path, server: sshd.Server, target: Path) -> None:
    (root / "far.used").unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "benchmarks.catch_up", "pull", root, target, str(server.port)]
    subprocess.run([str(item) for item in arguments], check=True)


def _rsync(root: Path, server: sshd.Server, target: Path) -> None:
    source = f"{server.address}:{root / 'far'}/"
    subprocess.run(["rsync", "-a", "-e", server.ssh, source, f"{target}/"], check=True)


def _git_commit(root: Path) -> None:
    far = root / "far"
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "-q", "-m", "all"],
    ):
        subprocess.run(["git", "-C", str(far), *command], check=True)
    shutil.move(far / ".git", root / "far.git")


def _git(root: Path, server: sshd.Server, target: Path) -> None:
    subprocess.run(["git", "init", "-q", str(target)], check=True)
    url = f"ssh://{server.address}:{server.port}{root / 'far.git'}"
    environment = {**os.environ, "GIT_SSH_COMMAND": server.ssh}
    subprocess.run(["git", "-C", str(target), "fetch", "-q", url, "HEAD"], check=True, env=environment)


def _open(root: Path) -> ZoneStore:
    key = SigningKey.from_seed(root.name.encode().ljust(32, b"\0"))
    return ZoneStore.open(root, "main", source=root.name, key=key)


def _pull(root: Path, target: Path, port: int) -> None:
    server = sshd.reach(root / "sshd", port)
    peer = server.peer(f"cd {Path.cwd()} && {sys.executable} -m benchmarks.catch_up serve {root}")
    with _open(target) as store:
        session = Session({"main": store}, source=target.name)
        asyncio.run(run_over_ssh(peer, session, server.settings))
        assert session.report.clean
        assert session.report.segments_received
    _note(root, "near")


def _serve(root: Path) -> None:
    with _open(root / "far") as store:
        serve_stdio(Session({"main": store}, source="far"))
    _note(root, "far")


class Noted(NamedTuple):
    """What one end of jilog's took: its memory at most, and its processor time."""

    kib: int
    seconds: float


def _note(root: Path, end: str) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    # It appears whole: the other end may be looking for it.
    part = root / f"{end}.part"
    part.write_text(f"{used.ru_maxrss} {used.ru_utime + used.ru_stime}")
    part.rename(root / f"{end}.used")


def _noted(root: Path, end: str) -> Noted:
    """Read what an end noted; the far one may take a moment to end after the near one."""
    path = root / f"{end}.used"
    while not path.exists():
        time.sleep(0.02)
    kib, seconds = path.read_text().split()
    return Noted(int(kib), float(seconds))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pull", root, target, port]:
            _pull(Path(root), Path(target), int(port))
        case ["serve", root]:
            _serve(Path(root))
        case _:
            print(run())
