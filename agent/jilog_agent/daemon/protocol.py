"""The socket's language: one JSON object a line, in both directions. Pure functions; ``docs/socket.md``.

A request without an ``id`` is of agentlog's protocol: one request, one reply line of any length, and the
connection is closed. With an ``id`` a connection takes many requests, replies carry the id, and no line is
longer than LINE_BYTES_MAX: a longer one comes in parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from jilog_agent.daemon.limits import LINE_BYTES_MAX, PART_CHARS
from jilog_agent.decisions.record import IdTaken
from jilog_ledger.errors import BusyError, InputError, IntegrityError, JilogError, StorageError
from jilog_ledger.event import JsonValue

VERSION = 1
"""Grows when a key changes its meaning. Clients send what they speak; unknown keys are passed over."""

RequestId = int | str


class Request(msgspec.Struct, frozen=True):
    """One request. ``params`` is decoded by the method, once its name is known."""

    method: str
    params: msgspec.Raw = msgspec.Raw(b"")
    id: RequestId | None = None
    version: int = VERSION
    idempotency_key: str | None = None

    @property
    def single(self) -> bool:
        """Whether this is agentlog's protocol: one reply, then the end of the connection."""
        return self.id is None


class Refused(JilogError):
    """A request that cannot be served; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


_REQUEST = msgspec.json.Decoder(Request)


def parse_request(line: bytes) -> Request:
    """Read a request line.

    Raises:
        Refused: it is no JSON object with a method, or of a version that is not spoken here.
    """
    try:
        request = _REQUEST.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Refused("invalid_request", f"invalid request: {_lower_first(str(exc))}") from exc
    if request.version != VERSION:
        raise Refused(
            "version",
            f"version {request.version} is not spoken here",
            hint=f"this agent speaks version {VERSION}",
        )
    return request


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def ok_line(request_id: RequestId | None, result: JsonValue) -> str:
    """Write a reply that carries a result."""
    head: dict[str, JsonValue] = {} if request_id is None else {"id": request_id}
    return _dumps({**head, "ok": True, "result": result})


def event_line(request_id: RequestId, event: JsonValue) -> str:
    """Write one event of a ``tail``."""
    return _dumps({"id": request_id, "event": event})


def error_line(request_id: RequestId | None, error: JilogError) -> str:
    """Write a reply that says why a request failed."""
    head: dict[str, JsonValue] = {} if request_id is None else {"id": request_id}
    return _dumps(
        {**head, "ok": False, "error": error.message, "code": error_code(error), "hint": error.hint}
    )


def error_code(error: JilogError) -> str:
    """Name the kind of an error for programs; ``docs/socket.md`` lists them."""
    if isinstance(error, Refused):
        return error.code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return "error"


_CODES: tuple[tuple[type[JilogError], str], ...] = (
    (IdTaken, "conflict"),
    (InputError, "invalid_params"),
    (BusyError, "busy"),
    (IntegrityError, "integrity"),
    (StorageError, "storage"),
)


def lines_of(request_id: RequestId | None, text: str) -> Iterator[bytes]:
    """Cut a reply into lines: itself when it is short or nobody can put parts together, else its parts."""
    data = text.encode() + b"\n"
    if request_id is None or len(data) <= LINE_BYTES_MAX:
        yield data
        return
    count = 0
    for start in range(0, len(text), PART_CHARS):
        yield _dumps({"id": request_id, "part": text[start : start + PART_CHARS]}).encode() + b"\n"
        count += 1
    yield _dumps({"id": request_id, "parts": count}).encode() + b"\n"


def _dumps(document: dict[str, JsonValue]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
