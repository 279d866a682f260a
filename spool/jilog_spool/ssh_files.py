"""Another host's files over SSH (its SFTP subsystem), read-only, with the host key checked as for peers."""

from __future__ import annotations

import asyncio
import contextlib
import posixpath
import stat
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from jilog_ledger.errors import PeerError
from jilog_ledger.times import SECOND_NS
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings, connect
from jilog_spool.ssh_errors import Attempt, explain

T = TypeVar("T")

OPERATION_SECONDS = 120.0
"""How long one listing or one read may take; a host that is slower is as good as away."""
READ_BYTES_MAX = 8 * 1024 * 1024
"""Bytes asked for at once."""
FOLDERS_MAX = 20_000
"""Folders looked into below one: a tree without end must not keep a review busy."""


@dataclass(frozen=True, slots=True)
class FarFile:
    """A file of another host; its age is Unix time in nanoseconds, of whole seconds."""

    path: str
    size_bytes: int
    modified_ns: int


@dataclass(slots=True)
class SshFiles:
    """Files of one host. It connects at first use; once that failed it does not try again.

    Paths that are not absolute begin at the login's home. Calls block, and are for one thread at a time.
    """

    peer: Peer
    settings: SshSettings
    _runner: asyncio.Runner = field(default_factory=asyncio.Runner)
    _connection: asyncssh.SSHClientConnection | None = None
    _client: asyncssh.SFTPClient | None = None
    _failure: Exception | None = None

    def walk(self, folder: str, suffix: str, refused: Callable[[str, str], None]) -> Iterator[FarFile]:
        """Give the files below ``folder`` whose name ends with ``suffix``; links are not followed.

        A missing folder has none. ``refused`` is told path and reason of each folder that cannot be listed.

        Raises:
            PeerError: the host cannot be reached or trusted, or went away.
        """
        waiting = [folder]
        for _ in range(FOLDERS_MAX):
            if not waiting:
                return
            current = waiting.pop()
            try:
                found = self._run(partial(_list, current))
            except FileNotFoundError:
                continue
            except OSError as exc:
                refused(current, exc.strerror or str(exc))
                continue
            for name, attributes in found:
                path = posixpath.join(current, name)
                if stat.S_ISDIR(attributes.permissions or 0):
                    waiting.append(path)
                elif name.endswith(suffix) and stat.S_ISREG(attributes.permissions or 0):
                    yield FarFile(path, attributes.size or 0, (attributes.mtime or 0) * SECOND_NS)
        refused(folder, f"has more than {FOLDERS_MAX} folders; the rest is left out")

    def size(self, path: str) -> int:
        """Give a file's size in bytes.

        Raises:
            OSError: it is missing or may not be looked at.
            PeerError: the host cannot be reached or trusted, or went away.
        """
        return self._run(partial(_size, path))

    def read(self, path: str, offset: int, length: int) -> bytes:
        """Read up to ``length`` bytes (at most READ_BYTES_MAX) from ``offset``; fewer only at the end.

        Raises:
            OSError: the file is missing or may not be read.
            PeerError: the host cannot be reached or trusted, or went away.
        """
        return self._run(partial(_read, path, offset, min(length, READ_BYTES_MAX)))

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._client = self._connection, None, None
        with contextlib.suppress(OSError, asyncssh.Error):
            if connection is not None:
                connection.abort()
        self._runner.close()

    def _run(self, work: Callable[[asyncssh.SFTPClient], Awaitable[T]]) -> T:
        if self._failure is not None:
            raise self._failure
        attempt = Attempt(self.peer)
        try:
            return self._runner.run(self._work(attempt, work))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as exc:
            raise FileNotFoundError(2, "No such file or directory") from exc
        except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as exc:
            self._failure = PeerError(f"peer {attempt.place} closed the connection", hint="try again later")
            raise self._failure from exc
        except asyncssh.SFTPError as exc:
            raise OSError(5, exc.reason or "the far host refused") from exc
        except (OSError, asyncssh.Error, ValueError) as exc:
            self._failure = explain(exc, attempt)
            raise self._failure from exc

    async def _work(self, attempt: Attempt, work: Callable[[asyncssh.SFTPClient], Awaitable[T]]) -> T:
        async with asyncio.timeout(OPERATION_SECONDS):
            if self._client is None:
                self._connection = await connect(attempt, self.settings)
                self._client = await self._connection.start_sftp_client()
            return await work(self._client)


async def _list(path: str, client: asyncssh.SFTPClient) -> list[tuple[str, asyncssh.SFTPAttrs]]:
    found = [(str(entry.filename), entry.attrs) async for entry in client.scandir(path)]
    attributes = {name: entry for name, entry in found if name not in {".", ".."} and "/" not in name}
    return sorted(attributes.items())


async def _size(path: str, client: asyncssh.SFTPClient) -> int:
    return (await client.stat(path)).size or 0


async def _read(path: str, offset: int, length: int, client: asyncssh.SFTPClient) -> bytes:
    async with client.open(path, "rb") as file:
        # Opened without an encoding, it gives bytes; its annotation knows only text.
        data: object = await file.read(length, offset)
    assert isinstance(data, bytes)
    return data
