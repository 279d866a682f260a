"""The Unix socket: who may connect, how many, and how it all ends."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from jilog_agent.agent_socket import check_folder, peer_of
from jilog_agent.daemon import limits, protocol
from jilog_agent.daemon.connection import Connection, Services
from jilog_agent.daemon.protocol import Refused
from jilog_ledger.errors import StorageError

READ_BYTES = 65_536


class SocketServer:
    """Listens on the agent's socket. One of them per agent, which holds the home's lock."""

    def __init__(self, path: Path, services: Services) -> None:
        self.path = path
        self._services = services
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; connections are accepted when this returns.

        Raises:
            StorageError: the socket cannot be made.
        """
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            check_folder(self.path)
            # Whoever listened here before is gone, for we hold the home's lock.
            self.path.unlink(missing_ok=True)
            channel = _bound(self.path)
            self._listener = await asyncio.start_unix_server(
                self._connected, sock=channel, limit=limits.REQUEST_BYTES_MAX, backlog=limits.BACKLOG
            )
        except OSError as exc:
            raise StorageError(
                f"cannot listen on {self.path}: {exc.strerror or exc}", hint=f"see: ls -ld {self.path.parent}"
            ) from exc

    @property
    def clients(self) -> int:
        """Connections at this moment."""
        return len(self._connections)

    async def drain(self, seconds: float) -> bool:
        """Take no more requests, answer those that were read, and close; tell whether all were answered."""
        if self._listener is not None:
            self._listener.close()
        tasks = [connection.stop() for connection in self._connections]
        _, late = await asyncio.wait(tasks, timeout=seconds) if tasks else ((), set())
        for task in late:
            task.cancel()
        self.path.unlink(missing_ok=True)
        return not late

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        refusal = self._refusal(writer)
        if refusal is not None:
            for line in protocol.lines_of(None, protocol.error_line(None, refusal)):
                writer.write(line)
            await _farewell(reader, writer)
            return
        connection = Connection(reader, writer, self._services)
        self._connections.add(connection)
        try:
            if await connection.serve():
                await _farewell(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # the client went away, or the drain's deadline has come
        finally:
            self._connections.discard(connection)
            writer.close()

    def _refusal(self, writer: asyncio.StreamWriter) -> Refused | None:
        """Say why a connection is not taken; decided before a byte of it is read."""
        channel = writer.get_extra_info("socket")
        peer = peer_of(channel)
        if peer is not None and peer[1] not in (os.getuid(), 0):
            return Refused("forbidden", "this agent belongs to another user")
        if len(self._connections) >= limits.CLIENTS_MAX:
            return Refused(
                "busy", f"{limits.CLIENTS_MAX} clients are connected already", hint="try again, or close some"
            )
        return None


async def _farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let a refused client read why: closing while its bytes lie unread would reset the connection."""
    try:
        async with asyncio.timeout(limits.FAREWELL_SECONDS):
            await writer.drain()
            writer.write_eof()
            while await reader.read(READ_BYTES):
                pass
    except (OSError, TimeoutError):
        pass  # it went away, or goes on and on
    finally:
        writer.close()


def _bound(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # The folder is closed to others, so nobody connects before the mode is right.
        channel.bind(os.fspath(path))
        path.chmod(0o600)
    except BaseException:
        channel.close()
        raise
    return channel
