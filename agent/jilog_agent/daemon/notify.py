"""Tell systemd how the agent is: the protocol of sd_notify(3), which is one datagram."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends to ``address``; without one, nobody listens and nothing is sent.

    ``watchdog_seconds`` is how often :meth:`alive` has to be called at least, 0 when nobody watches.
    """

    address: str = ""
    watchdog_seconds: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Notifier:
        """Read the environment that systemd gives a service of Type=notify."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        seconds = int(microseconds) / 1e6 if microseconds.isdigit() and meant else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), seconds)

    def ready(self, status: str) -> None:
        """Say that requests are answered from now on."""
        self._send(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def status(self, text: str) -> None:
        """Say in one line what is going on."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Keep the watchdog quiet."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1\nSTATUS=draining")

    def _send(self, message: str) -> None:
        if not self.address or self.address[0] not in "/@":
            return
        # '@' stands for the zero byte of Linux's abstract socket names.
        address = "\0" + self.address[1:] if self.address[0] == "@" else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.sendto(message.encode(), address)
        except OSError:
            # Supervision is a courtesy; its absence must not stop the agent.
            return
