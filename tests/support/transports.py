"""One face for all ways in which two hosts exchange, so that one list of scenarios runs over each of them."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from jilog_ledger.errors import JilogError
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.store import ZoneStore
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_files import DirectoryUnusable, DiskShelf, Problem
from jilog_spool.directory_survey import Member
from jilog_spool.memory import Pipe
from jilog_spool.peers import Peer
from jilog_spool.replica import Replica
from jilog_spool.session import Session
from jilog_spool.ssh import SshSettings, run_over_ssh
from jilog_spool.ssh_server import SpoolServer, openssh_public_key
from support import spool_serve
from support.spool_fleet import drafts, held_bytes, key_of
from support.sshd import Sshd


@dataclass
class ConformanceHost:
    """One host of a scenario: zones below ``home``, and the zones it lets the other host see."""

    home: Path
    source: str
    zones: tuple[str, ...] = ("main",)
    granted: tuple[str, ...] = ("main",)
    key: SigningKey | None = None
    ledgers: dict[str, ZoneLedger] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = self.key or key_of(self.source)
        for zone in self.zones:
            place = self.home / self.source / zone
            self.ledgers[zone] = ZoneLedger.open(place, zone, source=self.source, key=self.key)

    @property
    def store(self) -> ZoneStore:
        """The first zone."""
        return self.ledgers[self.zones[0]].shared

    @property
    def replicas(self) -> dict[str, Replica]:
        """What may travel at all."""
        return {zone: ledger.shared for zone, ledger in self.ledgers.items()}

    @property
    def shown(self) -> dict[str, Replica]:
        """What may travel to the other host."""
        return {zone: self.ledgers[zone].shared for zone in self.granted}

    def append(self, count: int = 1, *, size: int = 20, zone: str = "main") -> None:
        self.ledgers[zone].append(drafts(count, size=size))

    def write(self, *events: EventDraft) -> None:
        self.ledgers["main"].append(events)

    def seal(self) -> None:
        self.store.seal()

    def copy(self, name: str) -> ConformanceHost:
        """Clone the whole home, as ``cp -a`` does."""
        home = self.home.with_name(name)
        shutil.copytree(self.home, home)
        return ConformanceHost(home, self.source, self.zones, self.granted, self.key)

    def session(self) -> Session:
        return Session(self.replicas, source=self.source, granted=self.granted)

    def everything(self) -> bytes:
        """Give all bytes held that may travel."""
        stores = (ledger.shared for ledger in self.ledgers.values())
        return b"".join(data for store in stores for _, data in sorted(held_bytes(store).items()))


class Link(Protocol):
    """A way in which hosts exchange."""

    authenticates: bool
    """Whether it knows strangers from friends; what nobody proves cannot be refused."""

    def exchange(self, first: ConformanceHost, second: ConformanceHost) -> int:
        """Let two hosts exchange until nothing moves; give the number of segments that ``first`` took."""

    def interrupted(self, first: ConformanceHost, second: ConformanceHost, step: int) -> bool:
        """Begin an exchange and cut it off after ``step`` steps; False when it had ended before."""

    def stranger_is_refused(self, first: ConformanceHost, second: ConformanceHost) -> bool:
        """Let two hosts meet that do not know each other; tell whether that was told."""


class MemoryLink:
    """Sessions over pipes."""

    authenticates = False
    STEP_BYTES = 97

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def exchange(self, first: ConformanceHost, second: ConformanceHost) -> int:
        pipe = Pipe(first.session(), second.session())
        pipe.run()
        for failure in pipe.failures:
            raise failure
        return pipe.first.session.report.segments_received

    def interrupted(self, first: ConformanceHost, second: ConformanceHost, step: int) -> bool:
        pipe = Pipe(first.session(), second.session(), cut_after_bytes=step * self.STEP_BYTES)
        pipe.run()
        return bool(pipe.failures)

    def stranger_is_refused(self, first: ConformanceHost, second: ConformanceHost) -> bool:
        raise NotImplementedError


@contextlib.asynccontextmanager
async def cut_line(port: int, chunks: int) -> AsyncIterator[int]:
    """Forward a port and hang up, both ways, after so many chunks; give the port to connect to."""
    left = chunks
    tasks: set[asyncio.Task[None]] = set()

    async def forward(reader: asyncio.StreamReader, *writers: asyncio.StreamWriter) -> None:
        nonlocal left
        with contextlib.suppress(OSError):
            while left > 0 and (data := await reader.read(2048)):
                left -= 1
                writers[0].write(data)
                await writers[0].drain()
        for writer in writers:
            writer.close()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        for job in (forward(reader, far_writer, writer), forward(far_reader, writer, far_writer)):
            tasks.add(asyncio.create_task(job))

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


class SshLink:
    """The own endpoint over asyncssh, on real sockets."""

    authenticates = True
    STEP_CHUNKS = 3

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.known_hosts = directory / "known_hosts"

    def exchange(self, first: ConformanceHost, second: ConformanceHost) -> int:
        session = first.session()
        asyncio.run(self._run(session, first, second))
        return session.report.segments_received

    def interrupted(self, first: ConformanceHost, second: ConformanceHost, step: int) -> bool:
        try:
            asyncio.run(self._run(first.session(), first, second, chunks=step * self.STEP_CHUNKS))
        except JilogError:
            return True
        return False

    def stranger_is_refused(self, first: ConformanceHost, second: ConformanceHost) -> bool:
        try:
            asyncio.run(self._run(first.session(), first, second, known=False))
        except JilogError as exc:
            return "does not accept this host's key" in exc.message
        return False

    async def _run(
        self,
        session: Session,
        first: ConformanceHost,
        second: ConformanceHost,
        *,
        chunks: int | None = None,
        known: bool = True,
    ) -> None:
        assert first.key is not None
        allowed = {first.key.public_key: first.source} if known else {}
        server = await SpoolServer.start(
            self._key_file(second), authorise=allowed.get, new_session=lambda _peer: second.session()
        )
        async with asyncio.timeout(60), server, contextlib.AsyncExitStack() as stack:
            port = server.port
            if chunks is not None:
                port = await stack.enter_async_context(cut_line(port, chunks))
            assert second.key is not None
            pinned = openssh_public_key(second.key.public_key)
            peer = Peer(second.source, host="127.0.0.1", port=port, user="jilog", host_key=pinned)
            await run_over_ssh(peer, session, self._settings(first))

    def _key_file(self, host: ConformanceHost) -> Path:
        path = host.home / "key"
        if not path.exists():
            assert host.key is not None
            host.key.save(path)
        return path

    def _settings(self, host: ConformanceHost) -> SshSettings:
        return SshSettings(
            key=self._key_file(host), known_hosts=(self.known_hosts,), config=(), use_user_keys=False
        )


class OpenSshLink(SshLink):
    """A real sshd with a forced command: the far end is a process of its own."""

    STEP_CHUNKS = 6

    async def _run(
        self,
        session: Session,
        first: ConformanceHost,
        second: ConformanceHost,
        *,
        chunks: int | None = None,
        known: bool = True,
    ) -> None:
        directory = self.directory / f"sshd-{len(list(self.directory.glob('sshd-*')))}"
        directory.mkdir()
        sshd = Sshd(directory)
        command = (sys.executable, spool_serve.__file__, str(second.home), second.source, *second.granted)
        sshd.allow(" ".join(command), first.source if known else "somebody else")
        with sshd.running():
            async with asyncio.timeout(60), contextlib.AsyncExitStack() as stack:
                port = sshd.port
                if chunks is not None:
                    port = await stack.enter_async_context(cut_line(port, chunks))
                pinned = openssh_public_key(key_of("sshd").public_key)
                peer = Peer("far", host="127.0.0.1", port=port, user=sshd.peer.user, host_key=pinned)
                await run_over_ssh(peer, session, self._settings(first))


class CutShelf(DiskShelf):
    """A directory that is pulled out after so many files were read or written."""

    def __init__(self, root: Path, lock_path: Path, left: int | None) -> None:
        super().__init__(root, lock_path)
        self._left = left

    def read(self, folder: str, name: str, bytes_max: int) -> bytes | None:
        self._count()
        return super().read(folder, name, bytes_max)

    def put(self, folder: str, name: str, data: bytes) -> None:
        self._count()
        super().put(folder, name, data)

    def _count(self) -> None:
        if self._left == 0:
            raise DirectoryUnusable(f"{self.root} is gone", Problem.MISSING)
        if self._left is not None:
            self._left -= 1


class DirectoryLink:
    """A directory for each pair of hosts, as a stick that is carried to and fro."""

    authenticates = True
    ROUNDS_MAX = 8

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def exchange(self, first: ConformanceHost, second: ConformanceHost) -> int:
        ours, theirs = self._places(first, second)
        taken = 0
        for _ in range(self.ROUNDS_MAX):
            mine = ours.ingest()
            done = [mine, ours.emit(), theirs.ingest(), theirs.emit()]
            taken += mine.segments_received
            if not any(report.files_written or report.grown for report in done):
                return taken
        raise AssertionError("the hosts still write after many rounds")

    def interrupted(self, first: ConformanceHost, second: ConformanceHost, step: int) -> bool:
        ours, theirs = self._places(first, second, files=step)
        try:
            for place in (ours, theirs, ours):
                place.ingest()
                place.emit()
        except DirectoryUnusable:
            return True
        return False

    def stranger_is_refused(self, first: ConformanceHost, second: ConformanceHost) -> bool:
        ours, theirs = self._places(first, second, known=False)
        theirs.emit()
        report = ours.ingest()
        theirs.ingest()
        return [item.source for item in report.strangers] == [second.source]

    def _places(
        self, first: ConformanceHost, second: ConformanceHost, *, files: int | None = None, known: bool = True
    ) -> tuple[SpoolDirectory, SpoolDirectory]:
        root = self.directory / ("stick-" + "-".join(sorted((first.home.name, second.home.name))))
        root.mkdir(exist_ok=True)
        return (
            self._place(root, first, second if known else first, files),
            self._place(root, second, first if known else second, files),
        )

    def _place(
        self, root: Path, host: ConformanceHost, trusted: ConformanceHost, files: int | None
    ) -> SpoolDirectory:
        assert host.key is not None
        assert trusted.key is not None
        member = Member(host.source, host.key, str(host.home).encode(), frozenset({trusted.key.public_key}))
        return SpoolDirectory(CutShelf(root, host.home / "directory.lock", files), member, host.shown)


LINKS: dict[str, Callable[[Path], Link]] = {
    "memory": MemoryLink,
    "ssh": SshLink,
    "openssh": OpenSshLink,
    "directory": DirectoryLink,
}


def settle(link: Link, pairs: Iterable[tuple[ConformanceHost, ConformanceHost]], rounds: int = 4) -> None:
    """Let pairs of hosts exchange in turns until all hold the same, some turns at most."""
    pairs = list(pairs)
    for _ in range(rounds):
        for first, second in pairs:
            link.exchange(first, second)
        hosts = [host for pair in pairs for host in pair]
        if len({host.store.frontier().root() for host in hosts}) == 1:
            return
