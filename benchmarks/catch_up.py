"""A host that missed everything catches up: jilog beside ``rsync -a`` and ``git fetch``, over one sshd.

``JILOG_BENCH_MIB`` sets the size (256; the target is stated for 1024). jilog verifies and syncs each segment;
the others get a ``sync`` of the file system in their time.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
    if shutil.which("git"):
        _git_commit(root)
        ways["git fetch"] = lambda target: _git(root, server, target)
    else:
        notes.append("  git is not installed")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            if name == "git fetch" and number:
                continue  # it packs for a minute; once is enough to see where it stands
            target = root / "near"
            os.sync()
            started = time.perf_counter()
            way(target)
            if name != "jilog":
                os.sync()
            seconds[name].append(time.perf_counter() - started)
            shutil.rmtree(target)
    best = {name: sorted(times)[len(times) // 2] for name, times in seconds.items()}
    reference = best.get("rsync -a")
    for name, value in best.items():
        ratio = f"  {reference / value:5.2f} x rsync" if reference else ""
        notes.append(f"  {name:10} {value:7.2f} s  {size / MIB / value:7.1f} MiB/s{ratio}")
    near, far = ((root / f"{end}.kib").read_text() for end in ("near", "far"))
    notes.append(f"  memory: near {int(near) // 1024} MiB, far {int(far) // 1024} MiB ({MEMORY_MIB_MAX})")
    return notes


def _jilog(root: Path, server: sshd.Server, target: Path) -> None:
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
    _note_memory(root / "near.kib")


def _serve(root: Path) -> None:
    with _open(root / "far") as store:
        serve_stdio(Session({"main": store}, source="far"))
    _note_memory(root / "far.kib")


def _note_memory(path: Path) -> None:
    path.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pull", root, target, port]:
            _pull(Path(root), Path(target), int(port))
        case ["serve", root]:
            _serve(Path(root))
        case _:
            print(run())
