"""The client for asyncio. Nothing here blocks the event loop: without an agent a thread does the work."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from jilog_agent.sdk import direct, requests
from jilog_agent.sdk.asking import TIMEOUT_SECONDS, Address, Asking, FilterOptions, WriteOptions
from jilog_agent.sdk.channel import not_connected, timed_out
from jilog_agent.sdk.entry import Entry, FoundEntry, FoundSession, entries_of, entry_of, found_of, text_of
from jilog_agent.sdk.errors import ConnectionFailed
from jilog_agent.sdk.requests import Paths, Request
from jilog_agent.sdk.turns import AsyncTurnCalls
from jilog_agent.sdk.wire import READ_BYTES, ReplyReader, request_line, result_of
from jilog_ledger.event import JsonValue

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AsyncClient:
    """The methods of :class:`~jilog_agent.sdk.Client` as coroutines; arguments and results are the same.

    A call that is cancelled closes its connection; whether its write happened is then not known.
    """

    def __init__(
        self,
        home: str | os.PathLike[str] | None = None,
        socket_path: str | os.PathLike[str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
        *,
        session: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        fallback: bool | None = None,
    ) -> None:
        self._address = Address.of(home, socket_path, timeout, fallback, os.environ)
        self._asking = Asking(session, cwd)
        self.turn = AsyncTurnCalls(self._call, self._asking.folder)

    @property
    def home(self) -> Path:
        """The home whose ledger is meant."""
        return self._address.home

    @property
    def socket_path(self) -> Path:
        """Where the agent's socket is, or would be."""
        return self._address.socket

    @property
    def session_id(self) -> str | None:
        """The session of entries without one of their own; None before the first of them."""
        return self._asking.session

    async def write(
        self,
        type: str,  # noqa: A002 - an entry's field
        title: str,
        body: str = "",
        tags: Sequence[str] = (),
        files: Paths = (),
        *,
        session: str | None = None,
        id: str | None = None,  # noqa: A002 - an entry's field
        **more: Unpack[WriteOptions],
    ) -> str:
        """Write an entry durably and give its id."""
        request = self._asking.write(type, title, body, tags, files, session=session, id=id, **more)
        return entry_of(await self._call(request)).id

    async def query(
        self, text: str, *, limit: int = 20, offset: int = 0, **filters: Unpack[FilterOptions]
    ) -> list[Entry]:
        """Give entries by what they say, the best matches first."""
        return entries_of(await self._call(self._asking.query(text, limit, offset, **filters)))

    async def log(self, *, limit: int = 50, offset: int = 0, **filters: Unpack[FilterOptions]) -> list[Entry]:
        """Give entries, the newest first; a ``limit`` of 0 gives all."""
        return entries_of(await self._call(self._asking.log(limit, offset, **filters)))

    async def context(
        self,
        files: Paths = (),
        topic: str = "",
        limit: int = 10,
        budget: int | None = None,
        zone: str | None = None,
    ) -> str:
        """Give, as text for an agent, what concerns files and topic."""
        request = self._asking.context(files, topic, limit, budget, zone, text=True)
        return text_of(await self._call(request))

    async def context_entries(
        self,
        files: Paths = (),
        topic: str = "",
        limit: int = 10,
        budget: int | None = None,
        zone: str | None = None,
    ) -> list[Entry]:
        """Give what concerns files and topic as entries, the most relevant first."""
        request = self._asking.context(files, topic, limit, budget, zone, text=False)
        return entries_of(await self._call(request))

    async def export(
        self,
        format: str | None = None,  # noqa: A002 - as the command calls it
        template: str | None = None,
        *,
        confidential: bool = False,
        **filters: Unpack[FilterOptions],
    ) -> str:
        """Give entries as one document."""
        request = self._asking.export(format, template, confidential=confidential, **filters)
        return text_of(await self._call(request)).rstrip("\n") + "\n"

    async def blame(
        self, path: str | os.PathLike[str], *, limit: int = 0, zone: str | None = None
    ) -> list[Entry]:
        """Give everything that names a file, or anything below a folder, the newest first."""
        requests.check_number("limit", limit, 0)
        return entries_of(await self._call(self._asking.blame(path, zone)))[::-1][: limit or None]

    async def show(self, id: str, *, zone: str | None = None) -> FoundSession | FoundEntry:  # noqa: A002
        """Give a session or an entry by its id or a beginning that only it has."""
        return found_of(await self._call(requests.show(id, zone)))

    async def _call(self, request: Request) -> JsonValue:
        seconds = self._address.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(request)
        except TimeoutError as exc:
            raise timed_out(seconds) from exc

    async def _answer(self, request: Request) -> JsonValue:
        for last in (False, True):
            try:
                streams = await self._connect()
            except ConnectionFailed:
                if self._address.fallback:
                    return await asyncio.to_thread(direct.answer, self._address.home, request)
                raise
            try:
                return result_of(await _exchange(streams, request_line(request)))
            except ConnectionFailed:
                if last:
                    raise
                request = request.again()
        raise AssertionError("the second try gives a result or an error")

    async def _connect(self) -> _Streams:
        self._address.check()
        try:
            return await asyncio.open_unix_connection(self._address.socket)
        except OSError as exc:
            raise not_connected(self._address, exc) from exc


async def _exchange(streams: _Streams, line: bytes) -> dict[str, JsonValue]:
    """Send a request and read its reply; the connection is closed afterwards."""
    reader, writer = streams
    answer = ReplyReader()
    try:
        writer.write(line)
        # An agent that turns a client away does not read, but has said why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await writer.drain()
        while True:
            reply = answer.feed(await reader.read(READ_BYTES))
            if reply is not None:
                return reply
    except ConnectionFailed:
        raise
    except OSError as exc:
        raise ConnectionFailed(f"the agent went away: {exc.strerror or exc}") from exc
    finally:
        writer.close()
