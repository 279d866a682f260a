"""Timestamps of transcripts: the form every harness writes, read without the cost of a general parser."""

from __future__ import annotations

from functools import lru_cache

from jilog_ledger.times import SECOND_NS, parse_rfc3339

_MILLISECOND_NS = 1_000_000


@lru_cache(maxsize=4096)
def _minute_ns(prefix: str) -> int:
    return parse_rfc3339(f"{prefix}:00Z")


def transcript_time_ns(text: str | None) -> int | None:
    """Read RFC 3339 as Unix nanoseconds; None when it is absent or no time at all.

    ``2026-11-01T09:00:04.000Z`` is what nearly every line has; anything else takes the general parser.
    """
    if text is None:
        return None
    try:
        if len(text) == 24 and text[23] == "Z" and text[16] == ":" and text[19] == ".":
            seconds, thousandths = text[17:19], text[20:23]
            if seconds.isdecimal() and thousandths.isdecimal() and int(seconds) < 60:
                fraction = int(thousandths) * _MILLISECOND_NS
                return _minute_ns(text[:16]) + int(seconds) * SECOND_NS + fraction
        return parse_rfc3339(text)
    except ValueError:
        return None
