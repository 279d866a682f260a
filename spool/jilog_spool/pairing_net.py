"""Pairing over TCP: listen for the host that was told the code, or connect to the one that shows it.

The bytes need no secrecy, for nothing secret is in them; what they must not be is changed, and that the
conversation itself notices. Everything before a proof is bounded: connections, time, bytes, and pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from jilog_ledger.errors import JilogError, PeerError
from jilog_spool import limits
from jilog_spool.errors import ConnectionLost, one_line
from jilog_spool.pairing import Introduced, Me, Pairing
from jilog_spool.pairing_code import CodeState, Invitation, PairingCode
from jilog_spool.pairing_errors import failed

READ_BYTES = 1024


class NotWanted(JilogError):
    """This host does not take the other as a peer; ``reason`` is a word that the other side understands."""

    exit_code = 7

    def __init__(self, reason: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Unreachable(PeerError):
    """Nothing at this address can be connected to; the code was not tried."""


@dataclass(frozen=True, slots=True)
class Storing:
    """What this host does about somebody who proved the code. Both may raise; both run in a thread.

    ``check`` is asked before anything is promised, with who it is and the address it was met at; it raises
    :class:`NotWanted`. ``store`` makes the peer, durably.
    """

    check: Callable[[Introduced, str], None]
    store: Callable[[Introduced, str], None]


@dataclass(frozen=True, slots=True)
class _Link:
    """A pairing, and the streams that carry it."""

    pairing: Pairing
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def flush(self) -> None:
        if data := self.pairing.data_to_send():
            self.writer.write(data)
            await self.writer.drain()

    async def introduced(self) -> Introduced:
        """Talk until the other side has proved itself."""
        while True:
            event = await self._next()
            if isinstance(event, Introduced):
                return event

    async def stored(self) -> None:
        """Talk until the other side has stored this host."""
        await self._next()

    async def _next(self) -> object:
        while True:
            event = self.pairing.next_event()
            if event is not None:
                return event
            await self.flush()
            data = await self.reader.read(READ_BYTES)
            if data:
                self.pairing.receive_data(data)
            else:
                self.pairing.receive_eof()

    async def say_last_words(self) -> None:
        """Send what is left, also after an error, and close."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self.flush()
        self.writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self.writer.wait_closed()


async def join(me: Me, code: PairingCode, host: str, port: int, storing: Storing) -> Introduced:
    """Pair with the host that shows ``code``; give who it is, once both have stored each other.

    Raises:
        PairingFailed: wrong or dead code, or the other host declines.
        Unreachable: nothing can be connected to there.
        PeerError: it went away, or talks nonsense.
        NotWanted: this host does not take it.
    """
    try:
        async with asyncio.timeout(limits.CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as exc:
        raise Unreachable(
            f"cannot reach {host} port {port}: {one_line(str(exc)) or 'no answer in time'}",
            hint="does the other host still show its code? on it: jilog peer pair",
        ) from exc
    link = _Link(Pairing.join(me, code), reader, writer)
    try:
        async with asyncio.timeout(limits.PAIRING_TALK_SECONDS):
            found = await link.introduced()
            await _decide(link, found, host, storing.check)
            # A death after this line leaves a peer here whose key was proved, and none there: see pairing.py.
            await _decide(link, found, host, storing.store)
            link.pairing.accept()
            await link.stored()
            return found
    except TimeoutError as exc:
        raise ConnectionLost(
            f"{host} port {port} does not go on with the pairing", hint="pair again with a new code"
        ) from exc
    except OSError as exc:
        raise ConnectionLost(
            f"the connection to {host} port {port} broke: {one_line(str(exc))}", hint="pair again"
        ) from exc
    finally:
        await link.say_last_words()


async def _decide(
    link: _Link, found: Introduced, address: str, action: Callable[[Introduced, str], None]
) -> None:
    """Check or store, in a thread; whatever stands against it is told to the other side, too."""
    try:
        await asyncio.to_thread(action, found, address)
    except NotWanted as exc:
        link.pairing.decline(exc.reason)
        raise
    except JilogError:
        link.pairing.decline("not_stored")
        raise


class PairingServer:
    """Listens for one host that has the code. Open it with :meth:`start`; it is an async context manager."""

    def __init__(
        self,
        me: Me,
        invitation: Invitation,
        storing: Storing,
        *,
        told: Callable[[str, PeerError], None],
        clock: Callable[[], float] = time.monotonic,
        port_for: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._me = me
        self._invitation = invitation
        self._storing = storing
        self._told = told
        self._clock = clock
        self._port_for = port_for
        self._open = 0
        self._taken = False
        self._pace = asyncio.Lock()
        self._ended: asyncio.Future[Introduced] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server | None = None

    @classmethod
    async def start(
        cls,
        me: Me,
        invitation: Invitation,
        storing: Storing,
        *,
        host: str,
        port: int,
        told: Callable[[str, PeerError], None],
        clock: Callable[[], float] = time.monotonic,
        port_for: Callable[[str], int] = lambda _: 0,
    ) -> PairingServer:
        """Listen.

        ``told`` hears of each failed try, ``port_for`` gives the own endpoint's port for an address.

        Raises:
            PeerError: the address cannot be listened on.
        """
        server = cls(me, invitation, storing, told=told, clock=clock, port_for=port_for)
        try:
            server._server = await asyncio.start_server(
                server._met, host, port, limit=READ_BYTES, backlog=limits.PAIRING_CONNECTIONS_MAX
            )
        except OSError as exc:
            raise PeerError(
                f"cannot listen on {host} port {port}: {exc.strerror or exc}",
                hint="choose another one: jilog peer pair --listen 0.0.0.0:0",
            ) from exc
        return server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self._ended.cancel()

    @property
    def port(self) -> int:
        """The port listened on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def paired(self) -> Introduced:
        """Wait until both hosts have stored each other.

        Raises:
            PairingFailed: the code died first.
            NotWanted: this host does not take the other.
            JilogError: the peer could not be stored.
        """
        left = self._invitation.expires_at - self._clock()
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), max(0.0, left))
        except TimeoutError:
            if not self._taken:
                raise failed(CodeState.EXPIRED.value) from None
        # Somebody with the right code came in time; its conversation has a limit of its own.
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), limits.PAIRING_TALK_SECONDS)
        except TimeoutError:
            raise failed(CodeState.EXPIRED.value) from None

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= limits.PAIRING_CONNECTIONS_MAX or self._ended.done():
            writer.transport.abort()
            return
        self._open += 1
        address = str((writer.get_extra_info("peername") or ("unknown",))[0])
        me = replace(self._me, port=self._port_for(address))
        link = _Link(Pairing.invite(me, self._invitation, self._clock), reader, writer)
        try:
            async with asyncio.timeout(limits.PAIRING_TALK_SECONDS):
                await self._talk(link, address)
        except TimeoutError:
            self._told(address, ConnectionLost("it did not go on with the pairing"))
        except OSError as exc:
            self._told(address, ConnectionLost(f"the connection broke: {one_line(str(exc))}"))
        except PeerError as exc:
            self._told(address, exc)
        except JilogError as exc:
            self._end(exc)
        finally:
            self._open -= 1
            await link.say_last_words()
            self._check_dead()

    async def _talk(self, link: _Link, address: str) -> None:
        self._invitation.count_attempt()
        async with self._pace:
            await asyncio.sleep(limits.PAIRING_PACE_SECONDS)
        found = await link.introduced()
        if self._taken:
            link.pairing.decline("busy")
            raise failed("busy")
        self._taken = True
        try:
            await self._take(link, found, address)
        finally:
            self._taken = False

    async def _take(self, link: _Link, found: Introduced, address: str) -> None:
        """Make the one who proved the code a peer."""
        await _decide(link, found, address, self._storing.check)
        link.pairing.accept()
        await link.stored()
        await _decide(link, found, address, self._storing.store)
        link.pairing.accept()
        await link.flush()
        self._invitation.use()
        if not self._ended.done():
            self._ended.set_result(found)

    def _end(self, error: JilogError) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)

    def _check_dead(self) -> None:
        state = self._invitation.state(self._clock())
        if state in (CodeState.WRONG_TRIES, CodeState.TOO_MANY) and not self._taken:
            self._end(failed(state.value))
