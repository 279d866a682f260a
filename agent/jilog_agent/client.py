"""A client of the agent's socket, with nothing but the standard library, for commands that are in a hurry."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from jilog_agent.agent_socket import check_folder, connect, peer_of, socket_path
from jilog_agent.home import Home
from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError
from jilog_ledger.event import JsonValue

TIMEOUT_SECONDS = 30.0
"""An append waits for the disk, and behind it perhaps ten seconds for another process's lock."""

_ERRORS: dict[str, type[JilogError]] = {
    "invalid_params": InputError,
    "conflict": InputError,
    "not_found": InputError,
    "busy": BusyError,
    "integrity": IntegrityError,
    "storage": StorageError,
}


class AgentAway(JilogError):
    """No agent answers, or it went away in the middle of a request."""


class AgentClient:
    """One connection. Requests go out and come back one after the other; it is a context manager."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lines = channel.makefile("rb")
        self._last_id = 0

    @classmethod
    def connect(cls, home: Home, timeout_seconds: float = TIMEOUT_SECONDS) -> AgentClient | None:
        """Connect to the agent of a home; None when none runs there."""
        path = socket_path(home)
        if not path.exists():
            return None
        check_folder(path)
        channel = connect(path, timeout_seconds)
        return cls(channel) if channel is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._lines.close()
        self._channel.close()

    @property
    def pid(self) -> int | None:
        """The agent's process, as the kernel knows it."""
        peer = peer_of(self._channel)
        return peer[0] if peer else None

    def wait_at_most(self, seconds: float) -> None:
        """Set how long an answer is waited for from now on."""
        self._channel.settimeout(seconds)

    def call(
        self, method: str, params: dict[str, JsonValue] | None = None, *, key: str | None = None
    ) -> JsonValue:
        """Ask for one thing. The same ``key`` makes a second try of a write a no-op.

        Raises:
            AgentAway: the agent went away or does not answer in time; whether it acted is not known.
            JilogError: it refused, with its own message and hint.
        """
        self._send(method, params, key)
        return self._result(self._reply())

    def follow(self, params: dict[str, JsonValue]) -> Iterator[dict[str, JsonValue]]:
        """Follow events (``tail``) until the connection ends; to be asked on a connection of its own."""
        self._send("tail", params, None)
        self._result(self._reply())
        self._channel.settimeout(None)
        while True:
            event = self._reply().get("event")
            if isinstance(event, dict):
                yield event

    def _send(self, method: str, params: dict[str, JsonValue] | None, key: str | None) -> None:
        self._last_id += 1
        request: dict[str, JsonValue] = {"id": self._last_id, "method": method, "params": params or {}}
        if key is not None:
            request["idempotency_key"] = key
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        except OSError as exc:
            raise _away(exc) from exc

    def _reply(self) -> dict[str, JsonValue]:
        """Read one reply, put together from its parts."""
        parts: list[str] = []
        while True:
            document = self._line()
            part = document.get("part")
            if isinstance(part, str):
                parts.append(part)
            elif "parts" in document:
                return _object("".join(parts))
            else:
                return document

    def _line(self) -> dict[str, JsonValue]:
        try:
            line = self._lines.readline()
        except OSError as exc:
            raise _away(exc) from exc
        if not line.endswith(b"\n"):
            raise _away(None)
        return _object(line.decode("utf-8", "replace"))

    def _result(self, reply: dict[str, JsonValue]) -> JsonValue:
        if reply.get("ok") is True:
            return reply.get("result")
        hint = reply.get("hint")
        kind = _ERRORS.get(str(reply.get("code")), JilogError)
        raise kind(str(reply.get("error", "refused")), hint=hint if isinstance(hint, str) else None)


def tell_agent(home: Home, method: str) -> bool:
    """Ask the agent of a home for something that only concerns a running one; tell whether there was one."""
    try:
        client = AgentClient.connect(home)
        if client is None:
            return False
        with client:
            client.call(method)
    except AgentAway:
        return False
    return True


def _object(text: str) -> dict[str, JsonValue]:
    try:
        document = json.loads(text)
    except ValueError as exc:
        raise _away(exc) from exc
    if not isinstance(document, dict):
        raise _away(None)
    return document


def _away(cause: Exception | None) -> AgentAway:
    said = f": {cause}" if cause is not None and str(cause) else ""
    return AgentAway(f"the agent did not answer{said}", hint="see: jilog agent status")
