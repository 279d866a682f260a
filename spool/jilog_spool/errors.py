"""Errors of the spool, all of them branches of PeerError."""

from __future__ import annotations

from jilog_ledger.errors import PeerError
from jilog_spool.limits import TEXT_CHARS_MAX


class ProtocolError(PeerError):
    """The peer sent bytes that the protocol does not allow; the session is over."""


class ConnectionLost(PeerError):
    """The bytes ended before the exchange did; what arrived whole is kept and the next sync resumes."""


class VersionMismatch(PeerError):
    """The two sides have no protocol version in common."""


def one_line(text: str) -> str:
    """Make text from a peer fit to show: one line, printable, of bounded length."""
    shown = "".join(char if char.isprintable() else " " for char in text[: 4 * TEXT_CHARS_MAX])
    return " ".join(shown.split())[:TEXT_CHARS_MAX]
