"""When a session compresses: on lines of every speed, told by the credit that comes back."""

from __future__ import annotations

from jilog_ledger.limits import MIB
from jilog_spool.pace import TRY_AGAIN_BYTES, Pace

CHUNK = MIB // 4


def carry(pace: Pace, payload: int, *, line: float, processors: float, ratio: float = 0.4) -> float:
    """Send ``payload`` bytes; give the share of them that went out compressed.

    ``line`` takes so many payload bytes a second, the ``processors`` compress so many bytes of data.
    """
    now, sent, compressed = 1.0, 0, 0
    while sent < payload:
        data = CHUNK / ratio if pace.compressing else CHUNK
        pace.sent(int(data), CHUNK)
        compressed += pace.compressing
        now += max(CHUNK / line, data / processors if pace.compressing else 0.0)
        pace.credited(CHUNK, now)
        sent += CHUNK
    return compressed * CHUNK / payload


def test_slow_line_is_never_tried_without_compression() -> None:
    assert carry(Pace(), 512 * MIB, line=2 * MIB, processors=100 * MIB) == 1.0


def test_line_that_is_faster_than_compressing_gets_the_bytes_as_they_are() -> None:
    assert carry(Pace(), 512 * MIB, line=400 * MIB, processors=100 * MIB) < 0.05


def test_line_on_which_compressing_gains_next_to_nothing_gets_the_bytes_as_they_are() -> None:
    assert carry(Pace(), 512 * MIB, line=95 * MIB, processors=100 * MIB) < 0.05


def test_line_that_compressing_makes_faster_is_tried_seldom() -> None:
    share = carry(Pace(), 4 * TRY_AGAIN_BYTES, line=20 * MIB, processors=100 * MIB)

    assert 0.9 < share < 1.0


def test_line_that_becomes_slow_is_compressed_for_again() -> None:
    pace = Pace()
    carry(pace, 64 * MIB, line=400 * MIB, processors=100 * MIB)
    assert not pace.compressing

    carry(pace, 32 * MIB, line=2 * MIB, processors=100 * MIB)

    assert pace.compressing


def test_session_without_a_clock_goes_on_compressing() -> None:
    pace = Pace()
    for _ in range(512):
        pace.sent(CHUNK, CHUNK)
        pace.credited(CHUNK, 0.0)

    assert pace.compressing
