"""Names and ids: what a zone, a source, an epoch and an event id look like.

Event ids are UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random bits, so ids sort by
time. Facts that are derived from other data (a signal found in a transcript) use a name-based UUIDv8
(section 5.8) instead, so that finding the same fact twice gives the same id.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from typing import NamedTuple

from jilog_ledger.errors import InputError

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
EPOCH_PATTERN = re.compile(r"[0-9a-f]{16}\Z")


class Writer(NamedTuple):
    """One append-only stream: a source (host name) in one epoch (16 hex digits)."""

    source: str
    epoch: str

    def __str__(self) -> str:
        return f"{self.source}/{self.epoch}"


def check_name(kind: str, name: str) -> str:
    """Return ``name`` if it may be a zone or source; ``kind`` says which in the error.

    The rule is also what makes names safe as file names: no slash, no leading dot, at most 64 bytes.

    Raises:
        InputError: the name is empty, too long, or has a character outside ``A-Za-z0-9._-``.
    """
    if NAME_PATTERN.match(name):
        return name
    raise InputError(
        f"invalid {kind} name {name[:80]!r}: it must match [A-Za-z0-9][A-Za-z0-9._-]{{0,63}}",
        hint=f"choose a {kind} name of letters, digits, '.', '_' and '-', such as 'main' or 'laptop-2'",
    )


def check_epoch(epoch: str) -> str:
    """Return ``epoch`` if it is 16 lower-case hex digits, else raise InputError."""
    if EPOCH_PATTERN.match(epoch):
        return epoch
    raise InputError(f"invalid epoch {epoch[:80]!r}: it must be 16 lower-case hex digits")


def new_epoch() -> str:
    """Draw a random epoch: 64 bits, so that two epochs of one source never meet by accident."""
    return os.urandom(8).hex()


def new_event_id(timestamp_ns: int | None = None) -> bytes:
    """Make a UUIDv7 as 16 raw bytes. ``timestamp_ns`` is Unix time in nanoseconds, now by default."""
    milliseconds = (time.time_ns() if timestamp_ns is None else timestamp_ns) // 1_000_000
    random = bytearray(os.urandom(10))
    random[0] = 0x70 | (random[0] & 0x0F)
    random[2] = 0x80 | (random[2] & 0x3F)
    return (milliseconds & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + bytes(random)


def derived_event_id(*parts: str) -> bytes:
    """Make a UUIDv8 as 16 raw bytes from the SHA-256 of ``parts``: equal parts, equal id, on every host."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    raw = bytearray(digest.digest()[:16])
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)


def format_uuid(raw: bytes) -> str:
    """Write 16 raw bytes as a hyphenated lower-case UUID."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_uuid(text: str) -> bytes:
    """Read a UUID, with or without hyphens, as 16 raw bytes.

    Raises:
        InputError: the text is not 32 hex digits.
    """
    digits = text.replace("-", "")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raw = b""
    if len(raw) != 16 or len(digits) != 32:
        raise InputError(f"invalid event id {text[:80]!r}: it must be a UUID of 32 hex digits")
    return raw
