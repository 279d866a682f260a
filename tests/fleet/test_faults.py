"""Five real hosts, and what happens to fleets: each fault is named by ``jilog status``, and heals by itself.

Three pairs of hosts know each other's address, three find each other by mDNS, and one host is reached through
OpenSSH only. Faults that do not touch each other happen at one time.
"""

from __future__ import annotations

import pytest

from support.faults import Fault, Seen, cut, deaf, endure
from support.fleet import Fleet, start_sshd, stop_sshd

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
