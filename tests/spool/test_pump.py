"""The asyncio shell around a session: it decides nothing, and it does not spin."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jilog_spool.errors import ConnectionLost
from jilog_spool.pump import Pump
from support.spool_fleet import drafts, held_bytes, memory_replica, session


class Stream:
    """One direction in memory."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader()
        self.writes = 0

    async def read(self, n: int) -> bytes:
        return await self.reader.read(n)

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.reader.feed_data(data)

    async def drain(self) -> None:
        await asyncio.sleep(0)


def test_two_pumps_carry_an_exchange_to_its_end() -> None:
    first, second = memory_replica("a"), memory_replica("b")
    first.append(drafts(10))
    second.append(drafts(10))

    async def action() -> None:
        there, back = Stream(), Stream()
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(Pump(session(first), back, there).run())
            tasks.create_task(Pump(session(second), there, back).run())

    asyncio.run(action())

    assert held_bytes(first) == held_bytes(second)


def test_pump_that_waits_for_the_peer_asks_its_session_only_when_something_happens() -> None:
    mine = session(memory_replica("a"))
    asked = 0
    original = mine.data_to_send

    def counted() -> bytes:
        nonlocal asked
        asked += 1
        return original()

    mine.data_to_send = counted  # type: ignore[method-assign]

    async def action() -> None:
        there, back = Stream(), Stream()
        running = asyncio.create_task(Pump(mine, back, there).run())
        for _ in range(2000):
            await asyncio.sleep(0)
        back.reader.feed_eof()
        with pytest.raises(ConnectionLost, match="before it said hello"):
            await running

    asyncio.run(action())

    assert asked < 10


def test_bug_in_a_callback_ends_the_pump_instead_of_hanging_it() -> None:
    mine, peer = session(memory_replica("a")), session(memory_replica("b"))

    def broken(_: object) -> None:
        raise ZeroDivisionError

    async def action() -> None:
        there, back = Stream(), Stream()
        back.reader.feed_data(peer.data_to_send())
        async with asyncio.timeout(30):
            await Pump(mine, back, there, on_event=broken).run()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(action())


def test_last_words_go_out_although_the_session_ends_while_others_are_written() -> None:
    mine = session(memory_replica("a"))
    words = [b"first", b"", b"last"]
    hearing, hear_on = threading.Event(), threading.Event()

    def receive(_: bytes) -> None:
        hearing.set()
        assert hear_on.wait(30)
        words[:] = [b"last"]
        mine._finish()

    mine.receive_data = receive  # type: ignore[method-assign]
    mine.data_to_send = lambda: words.pop(0) if words else b""  # type: ignore[method-assign]

    class Slow(Stream):
        async def drain(self) -> None:
            await asyncio.to_thread(hearing.wait, 30)
            # The writing side waits for its turn by then, and the session ends before it comes.
            asyncio.get_running_loop().call_later(0.01, hear_on.set)

    async def action() -> bytes:
        there, back = Slow(), Stream()
        back.reader.feed_data(b"heard")
        async with asyncio.timeout(60):
            await Pump(mine, back, there).run()
        there.reader.feed_eof()
        return await there.reader.read()

    assert asyncio.run(action()) == b"firstlast"
