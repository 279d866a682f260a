"""The client for programs that wait for their answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from jilog_agent.sdk import direct, requests
from jilog_agent.sdk.asking import TIMEOUT_SECONDS, Address, Asking, FilterOptions, WriteOptions
from jilog_agent.sdk.channel import Deadline, connect, exchange
from jilog_agent.sdk.entry import Entry, FoundEntry, FoundSession, entries_of, entry_of, found_of, text_of
from jilog_agent.sdk.errors import ConnectionFailed
from jilog_agent.sdk.requests import Paths, Request
from jilog_agent.sdk.turns import TurnCalls
from jilog_agent.sdk.wire import request_line, result_of
from jilog_ledger.event import JsonValue


class Client:
    """Asks the agent of a home or, where none runs, that home's ledger itself.

    ``home`` counts before ``$JILOG_HOME``, and that before ``~/.jilog``. ``socket_path`` names another
    socket. ``timeout`` is for one call, in seconds. Entries without a session of their own belong to
    ``session``, else to ``$JILOG_SESSION``, else to one that the first write makes. Relative paths are meant
    from ``cwd``, else from where the process is at the call. ``fallback`` tells whether to go to the ledger
    when no agent can be reached (default: unless ``socket_path`` is given).

    Each call has a connection of its own; threads may share a client. All methods raise
    :class:`JilogSdkError`.
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
        self.turn = TurnCalls(self._call, self._asking.folder)

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

    def write(
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
        """Write an entry durably and give its id.

        The same ``id`` with the same content changes nothing, so a write may be tried again.

        Raises:
            InvalidArgument: a field cannot be meant, or the id is taken by other content.
        """
        request = self._asking.write(type, title, body, tags, files, session=session, id=id, **more)
        return entry_of(self._call(request)).id

    def query(
        self, text: str, *, limit: int = 20, offset: int = 0, **filters: Unpack[FilterOptions]
    ) -> list[Entry]:
        """Give entries by what they say, the best matches first; any text will do."""
        return entries_of(self._call(self._asking.query(text, limit, offset, **filters)))

    def log(self, *, limit: int = 50, offset: int = 0, **filters: Unpack[FilterOptions]) -> list[Entry]:
        """Give entries, the newest first; a ``limit`` of 0 gives all."""
        return entries_of(self._call(self._asking.log(limit, offset, **filters)))

    def context(
        self,
        files: Paths = (),
        topic: str = "",
        limit: int = 10,
        budget: int | None = None,
        zone: str | None = None,
    ) -> str:
        """Give, as text for an agent, what concerns files and topic; ``budget`` is in tokens."""
        request = self._asking.context(files, topic, limit, budget, zone, text=True)
        return text_of(self._call(request))

    def context_entries(
        self,
        files: Paths = (),
        topic: str = "",
        limit: int = 10,
        budget: int | None = None,
        zone: str | None = None,
    ) -> list[Entry]:
        """Give what concerns files and topic as entries, the most relevant first."""
        request = self._asking.context(files, topic, limit, budget, zone, text=False)
        return entries_of(self._call(request))

    def export(
        self,
        format: str | None = None,  # noqa: A002 - as the command calls it
        template: str | None = None,
        *,
        confidential: bool = False,
        **filters: Unpack[FilterOptions],
    ) -> str:
        """Give entries as markdown (default), json or text, or in the template pr, retro or handoff."""
        request = self._asking.export(format, template, confidential=confidential, **filters)
        return text_of(self._call(request)).rstrip("\n") + "\n"

    def blame(self, path: str | os.PathLike[str], *, limit: int = 0, zone: str | None = None) -> list[Entry]:
        """Give everything that names a file, or anything below a folder, the newest first; 0 gives all."""
        requests.check_number("limit", limit, 0)
        return entries_of(self._call(self._asking.blame(path, zone)))[::-1][: limit or None]

    def show(self, id: str, *, zone: str | None = None) -> FoundSession | FoundEntry:  # noqa: A002
        """Give a session or an entry by its id or a beginning that only it has."""
        return found_of(self._call(requests.show(id, zone)))

    def _call(self, request: Request) -> JsonValue:
        """Ask the agent, a second time when it goes away in the middle: every request may be repeated."""
        deadline = Deadline(self._address.timeout_seconds)
        for last in (False, True):
            try:
                channel = connect(self._address, deadline)
            except ConnectionFailed:
                if self._address.fallback:
                    return direct.answer(self._address.home, request)
                raise
            try:
                return result_of(exchange(channel, request_line(request), deadline))
            except ConnectionFailed:
                if last:
                    raise
                request = request.again()
        raise AssertionError("the second try gives a result or an error")
