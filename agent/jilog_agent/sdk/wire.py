"""The socket's lines, as a client writes and reads them: no IO here (``docs/socket.md``)."""

from __future__ import annotations

import json

from jilog_agent.sdk.errors import ConnectionFailed, JilogSdkError, refusal
from jilog_agent.sdk.requests import Request
from jilog_ledger.event import JsonValue
from jilog_ledger.limits import MIB

REPLY_BYTES_MAX = 1024 * MIB
"""What is held of one reply at most. A ledger's worth of entries fits; an endless stream does not."""

READ_BYTES = 262_144
REQUEST_ID = 1
"""Each connection carries one request."""


def request_line(request: Request) -> bytes:
    """Write a request."""
    document = {"id": REQUEST_ID, "version": 1, "method": request.method, "params": request.params}
    if request.key is not None:
        document["idempotency_key"] = request.key
    return json.dumps(document).encode() + b"\n"


class ReplyReader:
    """Puts one reply together from whatever pieces the socket gives."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._parts: list[str] = []
        self._bytes = 0

    def feed(self, data: bytes) -> dict[str, JsonValue] | None:
        """Take bytes; give the reply once it is whole.

        Raises:
            ConnectionFailed: the stream has ended early, or is none of ours.
        """
        if not data:
            raise ConnectionFailed("the agent closed the connection before it answered", hint=_HINT)
        self._bytes += len(data)
        if self._bytes > REPLY_BYTES_MAX:
            raise ConnectionFailed(f"the answer is longer than {REPLY_BYTES_MAX} bytes", hint="use a limit")
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._line += line
            document = _object(bytes(self._line))
            self._line.clear()
            if not isinstance(part := document.get("part"), str):
                return _object("".join(self._parts).encode()) if "parts" in document else document
            self._parts.append(part)
        self._line += rest
        return None


def result_of(reply: dict[str, JsonValue]) -> JsonValue:
    """Give a reply's result.

    Raises:
        Refused: the agent said no.
    """
    if reply.get("ok") is True:
        return reply.get("result")
    hint = reply.get("hint")
    raise _refusal(reply, hint if isinstance(hint, str) else None)


def _refusal(reply: dict[str, JsonValue], hint: str | None) -> JilogSdkError:
    return refusal(str(reply.get("code", "error")), str(reply.get("error", "refused")), hint)


_HINT = "see: jilog agent status"


def _object(line: bytes) -> dict[str, JsonValue]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ConnectionFailed("what came from the socket is not an agent's answer", hint=_HINT) from exc
    if not isinstance(document, dict):
        raise ConnectionFailed("what came from the socket is not an agent's answer", hint=_HINT)
    return document
