"""Hosts found on the local network: seen, told apart by key, and never trusted for it."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_agent.daemon.neighbours import reachable
from jilog_agent.sightings import Announced, fingerprint, located, merge, public_key_text
from jilog_spool.discovery import Announcement, Discovery, Found, instance_name, read_found, scan, txt_of
from jilog_spool.peers import Peer
from support.agent_hosts import free_port, introduce, new_host, public_key
from support.agent_process import ask, running, wait_for
from support.jilog_cli import Host

KEY, OTHER = b"k" + os.urandom(31), b"o" + os.urandom(31)  # other runs on this machine announce theirs
LOOPBACK = ("127.0.0.1",)
DEADLINE_SECONDS = 30


def endpoint(key: bytes = KEY, *addresses: str) -> Announced:
    return Announced("beta", key, addresses or ("192.0.2.2",), 7722)


def test_a_host_found_three_ways_is_one_host() -> None:
    peers = [Peer("desk", "desk.example", host_key=public_key_text(KEY))]

    (host,) = merge(peers, [endpoint(), endpoint()], ["desk.example"])

    assert (host.peer, host.ways) == ("desk", ("static", "mdns", "ssh_config"))


def test_a_host_of_the_same_name_with_another_key_is_another_host() -> None:
    peers = [Peer("beta", "192.0.2.2", host_key=public_key_text(KEY))]

    known, stranger = merge(peers, [endpoint(OTHER)], [])

    assert (known.peer, known.ways) == ("beta", ("static",))
    assert (stranger.peer, stranger.ways, stranger.public_key) == (None, ("mdns",), OTHER)


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(tmp_path: Path) -> None:
    path = tmp_path / "key.pub"
    path.write_text(public_key_text(KEY) + "\n")

    done = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True)

    assert done.stdout.split()[1] == fingerprint(KEY)


def test_a_peer_is_tried_where_it_was_said_to_be_and_then_where_its_key_is_announced() -> None:
    peer = Peer("beta", "beta.example", 22, host_key=public_key_text(KEY))
    announced = [endpoint(OTHER, "192.0.2.66"), endpoint(KEY, "192.0.2.2", "192.0.2.3")]

    tried = [located(peer, announced, failures) for failures in range(5)]

    told, first, second = ("beta.example", 22), ("192.0.2.2", 7722), ("192.0.2.3", 7722)
    assert [(place.host, place.port) for place in tried] == [told, first, told, second, told]
    assert {place.host_key for place in tried} == {peer.host_key}


def test_a_peer_without_a_pinned_key_is_never_looked_for_on_the_network() -> None:
    peer = Peer("beta", "beta.example")

    assert located(peer, [endpoint()], 1) == peer


def test_an_announcement_survives_the_txt_record() -> None:
    announcement = Announcement("alpha", KEY, 7722)
    properties: dict[bytes, bytes | None] = dict(txt_of(announcement))

    assert read_found(properties, ["192.0.2.2"], 7722) == Found("alpha", KEY, ("192.0.2.2",), 7722)
    assert len(instance_name(Announcement("x" * 64, KEY, 1))) <= 63
    assert instance_name(announcement) != instance_name(Announcement("alpha", OTHER, 7722))


@given(
    st.dictionaries(st.sampled_from([b"v", b"source", b"key", b"x"]), st.none() | st.binary(max_size=80)),
    st.none() | st.integers(-1, 70_000),
)
def test_whatever_is_announced_is_a_host_or_nothing(
    properties: dict[bytes, bytes | None], port: int | None
) -> None:
    found = read_found(properties, ["192.0.2.2"], port)

    assert found is None or (len(found.public_key) == 32 and found.source.isprintable())


def test_an_announcement_with_a_bad_name_or_key_is_passed_over() -> None:
    good = {b"v": b"1", b"source": b"alpha", b"key": base64.b64encode(KEY)}
    for bad in ({b"source": b"../x"}, {b"source": b"\xff"}, {b"key": b"short"}, {b"v": b"2"}, {b"key": None}):
        properties: dict[bytes, bytes | None] = {**good, **bad}
        assert read_found(properties, ["192.0.2.2"], 1) is None


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def ours(found: Iterable[Found]) -> list[Found]:
    """Leave out what other tests announce at the same time: the loopback interface is one for all."""
    return [item for item in found if item.public_key in (KEY, OTHER)]


def test_two_hosts_see_each_other_and_notice_that_one_leaves() -> None:
    async def play() -> None:
        alpha = Discovery(Announcement("alpha", KEY, 7722), addresses=lambda: LOOPBACK)
        beta = Discovery(Announcement("beta", OTHER, 7723), addresses=lambda: LOOPBACK)
        tasks = [asyncio.create_task(item.run()) for item in (alpha, beta)]

        await until(lambda: ours(alpha.found()) and ours(beta.found()))
        assert [item.source for item in ours(alpha.found())] == ["beta"]
        assert [item.public_key for item in ours(await scan(3, addresses=LOOPBACK))] == [KEY, OTHER]
        tasks[1].cancel()
        await until(lambda: not ours(alpha.found()))
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


def test_a_responder_is_made_anew_when_the_own_addresses_change() -> None:
    async def play() -> None:
        here: list[tuple[str, ...]] = [LOOPBACK]
        alpha = Discovery(Announcement("alpha", KEY, 7722), addresses=lambda: here[0], poll_seconds=0.01)
        beta = Discovery(Announcement("beta", OTHER, 7723), addresses=lambda: LOOPBACK)
        tasks = [asyncio.create_task(item.run()) for item in (alpha, beta)]
        await until(lambda: ours(alpha.found()) and ours(beta.found()))

        here[0] = ()
        await until(lambda: alpha.builds > 1)
        here[0] = LOOPBACK
        await until(lambda: alpha.builds > 2 and ours(alpha.found()) and ours(beta.found()))

        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


@pytest.mark.parametrize(
    ("host", "expected"),
    [("0.0.0.0", True), ("127.0.0.1", False), ("::1", False), ("localhost", False), ("host.example", True)],
)
def test_an_endpoint_on_loopback_is_not_announced(host: str, expected: bool) -> None:
    assert reachable(host) is expected


def test_an_agent_finds_a_peer_that_is_no_longer_where_it_was(tmp_path: Path) -> None:
    port = free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    introduce(alpha, beta, port)
    key = public_key(beta)
    alpha.run("peer", "add", "beta", "no-such-host.invalid", "--host-key", key)
    alpha.config.write_text('[agent]\nsync_every = "1s"\n')
    beta.config.write_text(f'[agent]\nlisten = "0.0.0.0:{port}"\n')

    with running(beta), running(alpha):
        ask(alpha, "write", {"entry": {"session_id": "s", "type": "decision", "title": "found you"}})

        wait_for(lambda: ask(beta, "query", {}), "the entry at beta")
        seen = scanned(alpha, key)

    assert (seen["peer"], seen["found_by"]) == ("beta", ["static", "mdns"])


def scanned(host: Host, key: str) -> dict[str, object]:
    """The line of the host with `key`: the hosts of other tests on this machine may have the same name."""
    hosts = host.json("peer", "scan", "--seconds", "3")["hosts"]
    assert isinstance(hosts, list)
    own = " ".join(key.split()[:2])
    (found,) = [item for item in hosts if isinstance(item, dict) and item["public_key"] == own]
    return dict(found)
