"""Rot on several hosts at once, found and mended by the commands a person types, and by the agents alone."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from jilog_agent.home import Home
from jilog_agent.identity import load_identity
from jilog_ledger.ledger import ZoneLedger
from support.agent_hosts import connect_all, mesh
from support.agent_process import start_agent, stop_agent, wait_for
from support.damage import destroy
from support.jilog_cli import Host

Files = dict[str, bytes]


def segments(host: Host) -> Files:
    """Give the host's segment files of the shared stream by their path below the zone."""
    root = host.zone / "segments"
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.seg"))}


def record(host: Host) -> None:
    """Write two sealed segments and an active one."""
    identity = load_identity(Home(host.state))
    for sealed in (True, True, False):
        done = host.run("write", "--type", "decision", "--title", f"of {host.root.name}")
        assert done.returncode == 0, done.stderr
        if sealed:
            with ZoneLedger.open(host.zone, "main", source=identity.source, key=identity.key) as ledger:
                assert ledger.shared.seal()


def destroy_two_of_three_copies(hosts: list[Host], seed: int) -> Files:
    """Leave of each segment one copy that is whole; give what there was."""
    chance = random.Random(seed)
    before = segments(hosts[0])
    assert all(segments(host) == before for host in hosts)
    for name in before:
        for host in chance.sample(hosts, 2):
            destroy(host.zone / "segments" / name, chance)
    return before


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[list[Host]]:
    """Three hosts that hold the same: of each two sealed segments and an active one."""
    hosts = mesh(tmp_path, ("one", "two", "three"))
    for host in hosts:
        record(host)
    connect_all(hosts)
    with ExitStack() as stack:
        for host in hosts:
            stack.callback(stop_agent, host)
        yield hosts


def same_again(hosts: list[Host], before: Files) -> bool:
    return all(before.items() <= segments(host).items() for host in hosts)


def test_two_of_three_copies_of_everything_come_back_by_command(fleet: list[Host]) -> None:
    before = destroy_two_of_three_copies(fleet, seed=1)

    for host in fleet:
        start_agent(host)  # somebody has to answer; what it finds itself is fetched as well
    for host, _ in itertools.product(fleet, range(2)):
        host.run("verify", "--repair")
    last = [host.run("spool", "repair", "--json") for host in fleet]

    assert [(done.returncode, json.loads(done.stdout)["missing"]) for done in last] == [(0, [])] * 3
    assert same_again(fleet, before)
    assert all(host.run("spool", "verify").returncode == 0 for host in fleet)
    # The damaged copies are still there to be looked at; nothing is missing any more.
    assert all(any((host.zone / "quarantine").glob("*.seg")) for host in fleet)
    assert [host.json("status")["zones"][0]["quarantined"] for host in fleet] == [0, 0, 0]  # type: ignore[index, call-overload] # documented


def test_two_of_three_copies_of_everything_come_back_by_the_agents_alone(fleet: list[Host]) -> None:
    before = destroy_two_of_three_copies(fleet, seed=2)

    for host in fleet:
        start_agent(host)

    wait_for(lambda: same_again(fleet, before), "all segments on all hosts", seconds=180)
    for host in fleet:
        stop_agent(host)
    assert all(host.run("verify").returncode == 0 for host in fleet)


def test_what_rots_while_the_agents_run_is_mended_by_one_look(fleet: list[Host]) -> None:
    one, *_ = fleet
    for host in fleet:
        start_agent(host)
    before = segments(one)
    for name in before:
        destroy(one.zone / "segments" / name, random.Random(4))

    one.run("verify")  # quarantines, and tells the agent, which asks its peers

    wait_for(lambda: same_again([one], before), "the segments of the first host", seconds=180)


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_a_damaged_copy_of_a_peers_active_segment_is_told(tmp_path: Path, options: list[str]) -> None:
    one, two = mesh(tmp_path, ("one", "two"))
    assert one.run("write", "--type", "decision", "--title", "of one").returncode == 0
    connect_all([one, two])
    (copy,) = (two.zone / "segments" / "one").rglob("*.seg")
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)

    done = two.run("verify", *options)

    assert done.returncode == 3, done.stdout
    assert "one/" in done.stdout
    assert copy.exists() == bool(options)


def test_what_no_peer_has_stays_on_the_list_and_the_exit_status_says_so(fleet: list[Host]) -> None:
    one, two, _ = fleet
    name = next(name for name in segments(one) if name.startswith("two/"))
    for host in fleet:
        (host.zone / "segments" / name).unlink()

    start_agent(two)
    done = one.run("spool", "repair", "--from", "two", "--json")
    one.run("peer", "remove", "three")
    status = one.run("spool", "status")

    assert done.returncode == 3
    assert "gap_no_holder" in status.stdout
    assert "gap with no holder" in status.stdout
    found = json.loads(done.stdout)
    assert [(item["source"], item["segment"]) for item in found["missing"]] == [("two", 1)]
    assert found["peers"] == [{"peer": "two", "ok": True, "error": None, "hint": None}]
    assert "jilog spool status" in done.stderr
