"""Time as jilog writes and reads it: Unix nanoseconds inside, RFC 3339 in UTC outside.

One grammar serves every ``--since`` and ``--until``: ``30m 24h 7d 2w`` (ago), ``2026-05-09`` (midnight UTC),
``2026-05-09T08:02:11`` (UTC unless an offset is given) and full RFC 3339 with up to nine decimals.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta

from jilog_ledger.errors import InputError

SECOND_NS = 1_000_000_000
TIMESTAMP_NS_MAX = 2**63 - 1

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9})([smhdw])\Z", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:?\d{2})?\Z",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_ns() -> int:
    """Read the wall clock: Unix time in nanoseconds."""
    return time.time_ns()


def format_time(timestamp_ns: int) -> str:
    """Write Unix nanoseconds as RFC 3339 with ``Z`` and the fewest of 0, 3, 6 or 9 decimals."""
    seconds, fraction = divmod(timestamp_ns, SECOND_NS)
    moment = _EPOCH + timedelta(seconds=seconds)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if fraction == 0:
        return text + "Z"
    digits = f"{fraction:09d}"
    if digits.endswith("000000"):
        return f"{text}.{digits[:3]}Z"
    if digits.endswith("000"):
        return f"{text}.{digits[:6]}Z"
    return f"{text}.{digits}Z"


def parse_rfc3339(text: str) -> int:
    """Read RFC 3339 as Unix nanoseconds; a missing offset means UTC.

    Raises:
        ValueError: the text has another shape, names no real moment, or lies outside 1970 to 2262.
    """
    match = _RFC3339.match(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:80]!r}")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    # A leap second is counted as the second before it, as POSIX time does.
    moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    offset = match[8]
    if offset and offset not in "Zz":
        sign = -1 if offset[0] == "-" else 1
        try:
            moment -= sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
        except OverflowError as exc:
            raise ValueError(f"time out of range: {text[:80]!r}") from exc
    fraction = int((match[7] or "0").ljust(9, "0"))
    delta = moment - _EPOCH
    timestamp_ns = (delta.days * 86_400 + delta.seconds) * SECOND_NS + fraction
    if not 0 <= timestamp_ns <= TIMESTAMP_NS_MAX:
        raise ValueError(f"time out of range: {text[:80]!r}")
    return timestamp_ns


def parse_duration_seconds(text: str) -> int:
    """Read ``90s``, ``30m``, ``24h``, ``7d`` or ``2w`` as seconds.

    Raises:
        InputError: the text has another shape or the duration is zero.
    """
    match = _DURATION.match(text.strip())
    if match is None or int(match[1]) == 0:
        raise InputError(
            f"invalid duration {text[:80]!r}", hint="use a number and a unit: 90s, 30m, 24h, 7d or 2w"
        )
    return int(match[1]) * _UNIT_SECONDS[match[2].lower()]


def parse_moment(text: str, *, now: int) -> int:
    """Read what a person types after ``--since`` or ``--until`` as Unix nanoseconds.

    ``now`` is the reference of durations, in Unix nanoseconds.

    Raises:
        InputError: no form of the grammar matches.
    """
    text = text.strip()
    if _DURATION.match(text):
        return max(0, now - parse_duration_seconds(text) * SECOND_NS)
    try:
        if _DATE.match(text):
            return parse_rfc3339(f"{text}T00:00:00Z")
        return parse_rfc3339(text)
    except ValueError as exc:
        raise InputError(
            f"invalid time {text[:80]!r}",
            hint="use 30m, 24h, 7d, 2w, 2026-05-09 or 2026-05-09T08:02:11Z",
        ) from exc


def parse_date(text: str) -> date:
    """Read ``YYYY-MM-DD``, else raise InputError."""
    try:
        if _DATE.match(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InputError(f"invalid date {text[:80]!r}", hint="use the form 2026-05-09")
