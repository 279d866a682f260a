"""The token bucket, and a pump that keeps to it."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from jilog_spool.bandwidth import BURST_SECONDS, Bandwidth
from jilog_spool.pump import Pump
from support.spool_fleet import drafts, memory_replica, session


@given(
    rate=st.integers(1, 10**9),
    sizes=st.lists(st.integers(1, 2**20), min_size=1, max_size=50),
    pauses=st.lists(st.floats(0, 10), min_size=50, max_size=50),
)
def test_no_span_of_time_carries_more_than_its_share(
    rate: int, sizes: list[int], pauses: list[float]
) -> None:
    limit = Bandwidth(rate)
    now, sent = 0.0, 0
    for size, pause in zip(sizes, pauses, strict=False):
        now += pause + limit.wait_seconds(now + pause)
        assert sent <= rate * (now + BURST_SECONDS) * (1 + 1e-9) + 1
        limit.spend(size, now)
        sent += size


def test_limit_is_used_up_and_no_more_is_waited_than_needed() -> None:
    limit = Bandwidth(1000)
    now = 0.0
    for _ in range(100):
        now += limit.wait_seconds(now)
        limit.spend(100, now)

    assert 9.6 <= now <= 10.0


def test_zero_sets_no_limit() -> None:
    limit = Bandwidth(0)

    limit.spend(10**12, 0.0)

    assert limit.wait_seconds(0.0) == 0.0


class _Sink:
    """Take what a pump writes, and tell at which second of the fake clock it came."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    async def drain(self) -> None:
        return


def test_pump_waits_before_it_sends_more_than_its_limit() -> None:
    waits: list[float] = []
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    async def run() -> None:
        first, second = memory_replica("a"), memory_replica("b")
        first.append(drafts(50))
        mine, theirs = session(first, zstd=False), session(second)
        readers = [asyncio.StreamReader(), asyncio.StreamReader()]
        limited = _Joined(readers[1])
        pumps = [
            Pump(
                mine,
                readers[0],
                limited,
                clock=lambda: now,
                sleep=sleep,
                bandwidth=Bandwidth(1000),
            ),
            Pump(theirs, readers[1], _Joined(readers[0])),
        ]
        await asyncio.gather(*(pump.run() for pump in pumps))
        assert mine.report.clean
        assert sum(waits) >= (mine.report.wire_bytes_out - 2000) / 1000

    asyncio.run(run())
    assert waits


class _Joined(_Sink):
    """Write into another pump's reader."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._reader = reader

    def write(self, data: bytes) -> None:
        self._reader.feed_data(data)
