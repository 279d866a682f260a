"""Five real hosts, and what happens to fleets: each fault is named by ``jilog status``, and heals by itself.

Four pairs of hosts know each other's address, three find each other by mDNS, and one host is reached through
OpenSSH as well. Faults that do not hide each other happen at one time; ``docs/testing.md`` lists them all.
"""

from __future__ import annotations

import contextlib
import socket
from secrets import token_bytes

import pytest

from support.containers import wait_until
from support.fault_rounds import (
    ASH,
    BIRCH,
    CEDAR,
    DATE,
    ELM,
    resources,
    silence,
    strangers,
    versions,
)
from support.faults import endure
from support.fleet import (
    PORT,
    Fleet,
    put_jilog_of_version,
    run_agent_of_version,
    start_agent,
    start_sshd,
    stop_agent,
    stop_sshd,
)
from support.link_faults import lossy, slow

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.timeout(900)]


def test_hosts_that_are_cut_off_paused_or_without_agent_are_named_and_converge(fleet: Fleet) -> None:
    endure(fleet, silence(fleet), writers=[ASH, BIRCH, CEDAR])


def test_hosts_that_moved_lost_power_or_are_not_who_they_should_be_are_named_and_converge(
    fleet: Fleet,
) -> None:
    endure(fleet, strangers(fleet), writers=[ASH, BIRCH, CEDAR])


def test_hosts_without_room_files_or_the_right_time_are_named_and_converge(fleet: Fleet) -> None:
    endure(fleet, resources(fleet), writers=[ASH, DATE])


def test_lines_that_lose_a_third_or_are_slow_carry_everything_all_the_same(fleet: Fleet) -> None:
    with contextlib.ExitStack() as cures:
        for fault in (lossy(fleet[DATE], 0.3), slow(fleet[CEDAR], "256kbit")):
            cures.callback(fault.heal)
            fault.inject()

        fleet.write_everywhere("over a bad line")
        fleet.converged()


def test_garbage_at_every_door_disturbs_nobody(fleet: Fleet) -> None:
    ash, elm = fleet[ASH], fleet[ELM]
    noise = token_bytes(200_000)
    for host, port in ((ash, PORT), (elm, 22)):
        _shout(host.address, port, noise)
    ash.put({"/home/jilog/noise": (noise, 0o600)})
    ash.sh(
        "/opt/jilog/bin/python - <<'END'\n"
        "import socket\n"
        "for _ in range(20):\n"
        "    with socket.socket(socket.AF_UNIX) as channel:\n"
        "        channel.connect('.jilog/agent.sock')\n"
        "        try:\n"
        "            channel.sendall(open('noise', 'rb').read())\n"
        "        except OSError:\n"
        "            pass\n"
        "END"
    )

    endure(fleet, [], writers=[ASH, ELM])


def test_agent_of_a_newer_protocol_alone_is_named_and_what_nobody_has_any_more(fleet: Fleet) -> None:
    endure(fleet, versions(fleet), writers=[ASH, BIRCH, CEDAR, DATE, ELM])


def test_agent_of_an_older_protocol_is_spoken_to_in_that_and_the_fleet_converges(fleet: Fleet) -> None:
    elm = fleet[ELM]
    put_jilog_of_version(elm, 1, 1)
    stop_sshd(elm)  # so that its agent is the only way to it
    stop_agent(elm)
    try:
        run_agent_of_version(elm, 1, 1)
        fleet.write_everywhere("among protocols 1 and 2")
        fleet.converged()
        wait_until(lambda: fleet[BIRCH].about(ELM)["reason"] == "in_sync", "elm level with birch")
    finally:
        stop_agent(elm)
        start_agent(elm)
        start_sshd(elm)
    endure(fleet, [], writers=[ELM])


def _shout(address: str, port: int, noise: bytes) -> None:
    """Send noise until the other end has had enough."""
    with socket.create_connection((address, port), timeout=30) as channel, contextlib.suppress(OSError):
        channel.sendall(noise)
