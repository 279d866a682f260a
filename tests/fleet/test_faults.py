"""Five real hosts, and what happens to fleets: each fault is named by ``jilog status``, and heals by itself.

Three pairs of hosts know each other's address, three find each other by mDNS, and one host is reached through
OpenSSH only. Faults that do not touch each other happen at one time.
"""

from __future__ import annotations

import contextlib
import socket
from secrets import token_bytes

import pytest

from support.faults import Fault, Seen, cut, deaf, endure, lossy, slow
from support.fleet import PORT, Fleet, start_sshd, stop_sshd

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.timeout(900)]

ASH, BIRCH, CEDAR, DATE, ELM = "ash", "birch", "cedar", "date", "elm"


def test_hosts_cut_off_one_way_and_both_ways_converge_and_say_who_did_not_answer(fleet: Fleet) -> None:
    ash, birch, cedar, elm = (fleet[name] for name in (ASH, BIRCH, CEDAR, ELM))
    no_sshd = Fault(
        "the sshd of elm is stopped",
        lambda: stop_sshd(elm),
        lambda: start_sshd(elm),
        [Seen(ASH, ELM, "connection_refused"), Seen(BIRCH, ELM, "connection_refused")],
    )

    endure(fleet, [cut(ash, birch), deaf(cedar, birch), no_sshd], writers=[ASH, BIRCH, CEDAR, DATE])


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


def _shout(address: str, port: int, noise: bytes) -> None:
    """Send noise until the other end has had enough."""
    with socket.create_connection((address, port), timeout=30) as channel, contextlib.suppress(OSError):
        channel.sendall(noise)
