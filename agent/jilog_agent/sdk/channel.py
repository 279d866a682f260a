"""One request over the socket, within a deadline."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from jilog_agent.sdk.asking import Address
from jilog_agent.sdk.errors import ConnectionFailed, RequestTimeout
from jilog_agent.sdk.wire import READ_BYTES, ReplyReader
from jilog_ledger.event import JsonValue


class Deadline:
    """The moment until which an answer counts."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Give the seconds that are left.

        Raises:
            RequestTimeout: none are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> RequestTimeout:
        """Give the error that says so."""
        return timed_out(self._seconds)


def timed_out(seconds: float) -> RequestTimeout:
    """Give the error of an answer that did not come."""
    return RequestTimeout(
        f"the agent did not answer within {seconds:g} seconds",
        hint="see: jilog agent status; a write may be tried again with the same id",
    )


def connect(address: Address, deadline: Deadline) -> socket.socket:
    """Connect to the agent.

    Raises:
        AgentNotRunning: there is no socket.
        ConnectionFailed: nobody listens there.
        RequestTimeout: nobody accepts.
    """
    address.check()
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.settimeout(deadline.remaining())
        channel.connect(os.fspath(address.socket))
    except TimeoutError as exc:
        channel.close()
        raise deadline.passed() from exc
    except OSError as exc:
        channel.close()
        raise not_connected(address, exc) from exc
    return channel


def not_connected(address: Address, cause: OSError) -> ConnectionFailed:
    """Give the error of a socket behind which nobody is."""
    return ConnectionFailed(
        f"cannot connect to {address.socket}: {cause.strerror or cause}", hint="start it: jilog agent start"
    )


def exchange(channel: socket.socket, line: bytes, deadline: Deadline) -> dict[str, JsonValue]:
    """Send a request and read its reply; the channel is closed afterwards.

    Raises:
        ConnectionFailed: the agent went away, and whether it acted is not known.
        RequestTimeout: the reply is not whole in time.
    """
    reader = ReplyReader()
    with channel:
        try:
            channel.settimeout(deadline.remaining())
            # An agent that turns a client away does not read, but has said why.
            with contextlib.suppress(BrokenPipeError):
                channel.sendall(line)
            while True:
                channel.settimeout(deadline.remaining())
                reply = reader.feed(channel.recv(READ_BYTES))
                if reply is not None:
                    return reply
        except TimeoutError as exc:
            raise deadline.passed() from exc
        except ConnectionFailed:
            raise
        except OSError as exc:
            raise ConnectionFailed(f"the agent went away: {exc.strerror or exc}") from exc
