"""Hosts on the local network, found by mDNS (RFC 6762 and 6763). What is found is a hint, never trusted.

An endpoint announces its source name and public key as ``_jilog-spool._tcp``. Anybody on the network can
announce anything: the key says which known peer this claims to be, and the SSH connection proves it or fails.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import ifaddr
from zeroconf import Error as ZeroconfError
from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from jilog_ledger.errors import InputError, PeerError
from jilog_ledger.identifiers import check_name

SERVICE_TYPE = "_jilog-spool._tcp.local."
PAIRING_TYPE = "_jilog-pair._tcp.local."
TXT_VERSION = b"1"

FOUND_MAX = 256
"""Announcements kept at one time: a network that shows more is shouting."""

ADDRESSES_MAX = 8
"""Addresses taken from one announcement."""

RESOLVE_MILLISECONDS = 1500
"""How long one announcement may take to tell its address and key."""

REBUILD_POLL_SECONDS = 15.0
"""How often the own addresses are compared with those that are listened on: a responder whose interface went
away and came back hears nothing any more, and has to be made anew."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What this host says of its endpoint. ``public_key`` has 32 bytes."""

    source: str
    public_key: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Found:
    """What somebody says of an endpoint; nothing of it is proved."""

    source: str
    public_key: bytes
    addresses: tuple[str, ...]
    port: int


def instance_name(announcement: Announcement) -> str:
    """Name an announcement: readable, and unique to the key, so that nobody else has it by accident."""
    digest = hashlib.sha256(announcement.public_key).hexdigest()[:12]
    # A DNS label has 63 bytes at most; a source name is ASCII.
    return f"{announcement.source[:48]}-{digest}"


def txt_of(announcement: Announcement) -> dict[bytes, bytes]:
    """Give the TXT record's keys."""
    return {
        b"v": TXT_VERSION,
        b"source": announcement.source.encode(),
        b"key": base64.b64encode(announcement.public_key),
    }


def read_found(
    properties: Mapping[bytes, bytes | None], addresses: list[str], port: int | None
) -> Found | None:
    """Understand an announcement; None when it is of another version or not what it should be."""
    if properties.get(b"v") != TXT_VERSION or not port or not addresses:
        return None
    try:
        source = check_name("source", (properties.get(b"source") or b"").decode("ascii"))
        key = base64.b64decode(properties.get(b"key") or b"", validate=True)
    except (InputError, UnicodeDecodeError, binascii.Error, ValueError):
        return None
    if len(key) != 32 or not 0 < port <= 65535:
        return None
    return Found(source, key, tuple(addresses[:ADDRESSES_MAX]), port)


def own_addresses() -> tuple[str, ...]:
    """Give the IPv4 addresses of this host, sorted; loopback only when there is nothing else."""
    found = {str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4}
    routable = {address for address in found if not address.startswith("127.")}
    return tuple(sorted(routable or found))


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Service(Generic[T]):
    """A kind of service, and how an announcement of it is understood; None passes it over."""

    type: str
    read: Callable[[Mapping[bytes, bytes | None], list[str], int | None], T | None]


@dataclass(frozen=True, slots=True)
class _Record:
    """What is announced: an instance's name, port and TXT keys."""

    name: str
    port: int
    properties: dict[bytes, bytes]


class _Responder(Generic[T]):
    """One zeroconf, on the addresses of one moment, for one kind of service."""

    def __init__(self, service: _Service[T], addresses: tuple[str, ...], seen: dict[str, T]) -> None:
        self._service = service
        self._addresses = addresses
        self._seen = seen
        self._resolving: set[asyncio.Task[None]] = set()
        self._browser: AsyncServiceBrowser | None = None
        try:
            self._zeroconf = AsyncZeroconf(interfaces=list(addresses), ip_version=IPVersion.V4Only)
        except OSError as exc:
            raise PeerError(
                f"cannot look around on the local network: {exc.strerror or exc}",
                hint="is another program holding port 5353 for itself?",
            ) from exc

    async def announce(self, record: _Record) -> None:
        info = AsyncServiceInfo(
            self._service.type,
            f"{record.name}.{self._service.type}",
            port=record.port,
            properties=record.properties,
            server=f"{record.name}.local.",
            parsed_addresses=list(self._addresses),
        )
        # The name holds a hash or a random part, so nobody else has it and a second of probing can be spared.
        await (await self._zeroconf.async_register_service(info, cooperating_responders=True))

    def browse(self) -> None:
        kind, zeroconf = self._service.type, self._zeroconf.zeroconf
        self._browser = AsyncServiceBrowser(zeroconf, kind, handlers=[self._changed])

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            self._seen.pop(name, None)
        elif len(self._seen) + len(self._resolving) < FOUND_MAX:
            task = asyncio.ensure_future(self._resolve(zeroconf, service_type, name))
            self._resolving.add(task)
            task.add_done_callback(self._resolving.discard)

    async def _resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        with contextlib.suppress(ZeroconfError, OSError):
            if await info.async_request(zeroconf, RESOLVE_MILLISECONDS):
                addresses = info.parsed_addresses(IPVersion.V4Only)
                found = self._service.read(info.properties, addresses, info.port)
                if found is not None:
                    self._seen[name] = found

    async def close(self) -> None:
        for task in list(self._resolving):
            task.cancel()
        if self._browser is not None:
            await self._browser.async_cancel()
        # Says goodbye for what was announced.
        await self._zeroconf.async_close()


_ENDPOINTS = _Service(SERVICE_TYPE, read_found)


def _record_of(announcement: Announcement) -> _Record:
    return _Record(instance_name(announcement), announcement.port, txt_of(announcement))


class Discovery:
    """Announce this host's endpoint, if it has one, and keep in view who else is there."""

    def __init__(
        self,
        announcement: Announcement | None = None,
        *,
        addresses: Callable[[], tuple[str, ...]] = own_addresses,
        poll_seconds: float = REBUILD_POLL_SECONDS,
    ) -> None:
        self._announcement = announcement
        self._addresses = addresses
        self._poll_seconds = poll_seconds
        self._seen: dict[str, Found] = {}
        self.builds = 0
        """How often a responder was made: once, and again after each change of the own addresses."""

    def found(self) -> list[Found]:
        """Give who is there now, by source and key; this host itself is left out."""
        own = self._announcement.public_key if self._announcement else b""
        others = {item.public_key: item for item in self._seen.values() if item.public_key != own}
        return sorted(others.values(), key=lambda item: (item.source, item.public_key))

    async def run(self) -> None:
        """Announce and look until cancelled.

        Raises:
            PeerError: the network cannot be listened on.
        """
        while True:
            addresses = await asyncio.to_thread(self._addresses)
            responder = _Responder(_ENDPOINTS, addresses, self._seen)
            self.builds += 1
            try:
                if self._announcement is not None:
                    await responder.announce(_record_of(self._announcement))
                responder.browse()
                await self._until_changed(addresses)
            finally:
                await asyncio.shield(responder.close())
            self._seen.clear()

    async def _until_changed(self, addresses: tuple[str, ...]) -> None:
        # No signal tells of a new address without a library for each system; a look costs a millisecond.
        while await asyncio.to_thread(self._addresses) == addresses:  # noqa: ASYNC110
            await asyncio.sleep(self._poll_seconds)


async def scan(seconds: float, *, addresses: tuple[str, ...] | None = None) -> list[Found]:
    """Look around for ``seconds`` and give who is there.

    Raises:
        PeerError: the network cannot be listened on.
    """
    seen: dict[str, Found] = {}
    here = addresses if addresses is not None else await asyncio.to_thread(own_addresses)
    responder = _Responder(_ENDPOINTS, here, seen)
    try:
        responder.browse()
        await asyncio.sleep(seconds)
    finally:
        await responder.close()
    unique = {item.public_key: item for item in seen.values()}
    return sorted(unique.values(), key=lambda item: (item.source, item.public_key))


@dataclass(frozen=True, slots=True)
class PairingFound:
    """Where somebody says that a pairing code may be tried. The code itself proves it, or not."""

    code: str
    source: str
    addresses: tuple[str, ...]
    port: int


def read_pairing(
    properties: Mapping[bytes, bytes | None], addresses: list[str], port: int | None
) -> PairingFound | None:
    """Understand the announcement of a pairing; None when it is not what it should be."""
    if properties.get(b"v") != TXT_VERSION or not port or not 0 < port <= 65535 or not addresses:
        return None
    try:
        source = check_name("source", (properties.get(b"source") or b"").decode("ascii"))
        code = (properties.get(b"code") or b"").decode("ascii")
    except (InputError, UnicodeDecodeError):
        return None
    if len(code) != 2 or not code.isalnum():
        return None
    return PairingFound(code, source, tuple(addresses[:ADDRESSES_MAX]), port)


_PAIRINGS = _Service(PAIRING_TYPE, read_pairing)


@contextlib.asynccontextmanager
async def announced_pairing(
    code: str, source: str, port: int, *, addresses: tuple[str, ...] | None = None
) -> AsyncIterator[None]:
    """Announce for the length of a block that the code with this public part may be tried here.

    Raises:
        PeerError: the network cannot be used.
    """
    here = addresses if addresses is not None else await asyncio.to_thread(own_addresses)
    responder = _Responder(_PAIRINGS, here, {})
    try:
        name = f"{source[:40]}-{code}-{os.urandom(4).hex()}"
        properties = {b"v": TXT_VERSION, b"source": source.encode(), b"code": code.encode()}
        await responder.announce(_Record(name, port, properties))
        yield
    finally:
        await asyncio.shield(responder.close())


async def find_pairings(
    code: str, seconds: float, *, addresses: tuple[str, ...] | None = None
) -> list[PairingFound]:
    """Look for ``seconds`` for hosts that show a code with this public part; all of them, by address.

    Raises:
        PeerError: the network cannot be listened on.
    """
    seen: dict[str, PairingFound] = {}
    here = addresses if addresses is not None else await asyncio.to_thread(own_addresses)
    responder = _Responder(_PAIRINGS, here, seen)
    try:
        responder.browse()
        # The whole time: a second answer means that somebody pretends, and must not be missed.
        await asyncio.sleep(seconds)
    finally:
        await responder.close()
    unique = {(item.addresses, item.port): item for item in seen.values() if item.code == code}
    return [unique[place] for place in sorted(unique)]
