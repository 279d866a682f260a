"""A stand-in for an agent that does what a test says: answers, hangs up, or says nothing at all."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HANG = None
"""Instead of an answer: read the request, and keep the connection open."""

HANG_UP = b""
"""Instead of an answer: read the request, and close the connection."""


class FakeAgent:
    """Takes one connection for each answer, in order, and remembers the requests."""

    def __init__(self, path: Path, answers: Sequence[bytes | None]) -> None:
        self.path = path
        self.requests: list[dict[str, Any]] = []
        self._answers = answers
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # Shutting a listener down is what wakes its accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=30)
        self._listener.close()
        for channel in self._open:
            channel.close()

    def _serve(self) -> None:
        for answer in self._answers:
            try:
                channel, _ = self._listener.accept()
            except OSError:
                return
            with channel.makefile("rb") as lines:
                self.requests.append(json.loads(lines.readline()))
            if answer is not None:
                channel.sendall(answer)
                channel.close()
            else:
                self._open.append(channel)


@contextmanager
def fake_agent(path: Path, *answers: bytes | None) -> Iterator[FakeAgent]:
    """Let a stand-in listen for the length of a block."""
    agent = FakeAgent(path, answers)
    try:
        yield agent
    finally:
        agent.close()


def ok(result: object) -> bytes:
    """Write a reply that carries a result."""
    return json.dumps({"id": 1, "ok": True, "result": result}).encode() + b"\n"


def refused(code: str) -> bytes:
    """Write a reply that says no."""
    return (
        json.dumps({"id": 1, "ok": False, "error": "it is so", "code": code, "hint": "do this"}).encode()
        + b"\n"
    )
