"""What the sync and the async client share: where to ask, the session, and how requests are made."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from jilog_agent.agent_socket import check_folder, socket_path
from jilog_agent.home import Home
from jilog_agent.sdk import requests
from jilog_agent.sdk.errors import AgentNotRunning, ConnectionFailed, InvalidArgument
from jilog_agent.sdk.requests import Filter, NewEntry, Paths, Request
from jilog_ledger.errors import StorageError
from jilog_ledger.identifiers import format_uuid, new_event_id
from jilog_ledger.times import now_ns

TIMEOUT_SECONDS = 30.0
"""A write waits for the disk, and behind it perhaps ten seconds for another process's lock."""

HOME_VARIABLE = "JILOG_HOME"
SESSION_VARIABLE = "JILOG_SESSION"


class FilterOptions(TypedDict, total=False):
    """Filters, all of which must hold; times in every form of ``jilog log --since``.

    ``tag`` is one tag or several that must all be there. ``open`` leaves out what another entry resolves.
    """

    type: str | None
    session: str | None
    tag: str | Sequence[str] | None
    file: str | os.PathLike[str] | None
    since: str | None
    until: str | None
    open: bool
    zone: str | None


class WriteOptions(TypedDict, total=False):
    """What else an entry may say; ``docs/decisions.md`` has the limits.

    ``resolves`` and ``supersedes`` take whole ids. ``timestamp`` is RFC 3339 (default: now).
    """

    alternatives: Sequence[str]
    outcome: str
    resolves: Sequence[str]
    supersedes: Sequence[str]
    timestamp: str | None
    actor: str | None
    confidential: bool
    keep_secrets: bool
    zone: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask. ``given`` says that the caller named the socket, and answers for its folder."""

    home: Path
    socket: Path
    given: bool
    timeout_seconds: float
    fallback: bool

    @classmethod
    def of(
        cls,
        home: str | os.PathLike[str] | None,
        socket: str | os.PathLike[str] | None,
        timeout: float,
        fallback: bool | None,
        environment: Mapping[str, str],
    ) -> Address:
        """Find it: arguments count before the environment, and that before the default.

        Raises:
            InvalidArgument: the timeout is not above 0.
        """
        if not timeout > 0:
            raise InvalidArgument(f"timeout is {timeout}", hint="use some seconds, such as 30")
        root = Path(home or environment.get(HOME_VARIABLE) or "~/.jilog").expanduser().absolute()
        path = Path(socket) if socket is not None else socket_path(Home(root))
        return cls(root, path, socket is not None, timeout, socket is None if fallback is None else fallback)

    def check(self) -> None:
        """Look at the socket before connecting.

        Raises:
            AgentNotRunning: there is none.
            ConnectionFailed: it is in a folder that others could have made.
        """
        if not self.socket.exists():
            raise AgentNotRunning(
                f"no agent runs: {self.socket} is not there", hint="start it: jilog agent start"
            )
        if self.given:
            return
        try:
            check_folder(self.socket)
        except StorageError as error:
            raise ConnectionFailed(error.message, hint=error.hint) from error


class Asking:
    """Makes requests, and keeps the session for as long as a client lives. Threads may share it."""

    def __init__(self, session: str | None, cwd: str | os.PathLike[str] | None) -> None:
        self._session = session
        self._cwd = None if cwd is None else os.path.abspath(cwd)
        self._lock = threading.Lock()

    @property
    def session(self) -> str | None:
        """The session of entries to come; None before the first of them."""
        return self._session

    def write(
        self,
        type: str,  # noqa: A002 - an entry's field
        title: str,
        body: str,
        tags: Sequence[str],
        files: Paths,
        *,
        session: str | None,
        id: str | None,  # noqa: A002 - an entry's field
        **more: Unpack[WriteOptions],
    ) -> Request:
        """Ask to write an entry; without an id it gets one here, so that a second try changes nothing."""
        entry_id = id or format_uuid(new_event_id(now_ns()))
        # Made of an entry that may yet be refused: a session is only an id, and nothing is kept for it.
        named = session or self._own_session()
        entry = NewEntry(type, title, named, entry_id, body, tags, files, fresh=not id, **more)
        return requests.write(entry, self.folder())

    def query(self, text: str, limit: int, offset: int, **filters: Unpack[FilterOptions]) -> Request:
        """Ask for entries by what they say."""
        return requests.query(text, Filter(**filters), limit, offset, self.folder())

    def log(self, limit: int, offset: int, **filters: Unpack[FilterOptions]) -> Request:
        """Ask for the newest entries."""
        return requests.log(Filter(**filters), limit, offset, self.folder())

    def context(
        self, files: Paths, topic: str, limit: int, budget: int | None, zone: str | None, *, text: bool
    ) -> Request:
        """Ask for what concerns files and topic."""
        return requests.context(files, topic, limit, budget, zone=zone, cwd=self.folder(), text=text)

    def export(
        self,
        format_name: str | None,
        template: str | None,
        *,
        confidential: bool,
        **filters: Unpack[FilterOptions],
    ) -> Request:
        """Ask for a document."""
        folder = self.folder()
        return requests.export(Filter(**filters), format_name, template, folder, confidential=confidential)

    def blame(self, path: str | os.PathLike[str], zone: str | None) -> Request:
        """Ask for what names a file."""
        return requests.blame(path, zone, self.folder())

    def folder(self) -> str:
        """Give the folder that relative paths are meant from: the client's, else where the process is now."""
        try:
            return self._cwd or str(Path.cwd())
        except OSError as exc:
            raise InvalidArgument(
                f"the working folder is gone: {exc.strerror}", hint="give the client a cwd"
            ) from exc

    def _own_session(self) -> str:
        with self._lock:
            if self._session is None:
                self._session = os.environ.get(SESSION_VARIABLE) or str(uuid.uuid4())
            return self._session
