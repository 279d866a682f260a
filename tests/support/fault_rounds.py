"""Which faults happen at one time, on which of five hosts: those that do not hide each other."""

from __future__ import annotations

from collections.abc import Mapping

from support.faults import Fault, Seen
from support.fleet import Member
from support.history_faults import lost_everywhere
from support.host_faults import (
    agent_killed,
    agent_stopped,
    few_files,
    frozen,
    full_disk,
    killed,
    paused,
    read_only,
    wrong_clock,
)
from support.link_faults import cut, deaf, moved, off
from support.trust_faults import (
    DOORS,
    false_peers,
    no_sshd,
    opened,
    other_host_key,
    other_version,
    removed,
    web_server,
    zone_kept_back,
)

Hosts = Mapping[str, Member]

ASH, BIRCH, CEDAR, DATE, ELM = "ash", "birch", "cedar", "date", "elm"


def silence(hosts: Hosts) -> list[Fault]:
    """Who does not answer, or does not want to."""
    ash, birch, cedar, date, elm = (hosts[name] for name in (ASH, BIRCH, CEDAR, DATE, ELM))
    return [
        cut(ash, birch),
        deaf(cedar, birch),
        frozen(date, [off(ash, date), off(cedar, date)]),
        no_sshd(elm, ash),
        agent_killed(elm, [Seen(BIRCH, ELM, "connection_refused")]),
        paused(ash, cedar),
    ]


def strangers(hosts: Hosts) -> list[Fault]:
    """Who is not who it should be, is not there any more, or is not what is thought of it."""
    ash, birch, cedar, date, elm = (hosts[name] for name in (ASH, BIRCH, CEDAR, DATE, ELM))
    return [
        killed(date, [off(ash, date), off(birch, date)]),
        moved(cedar, [ash, birch]),
        agent_stopped(elm, [Seen(ELM, BIRCH, "agent_hung"), off(birch, elm)]),
        other_host_key(elm, ash),
        removed(birch, ash),
        *(opened(door, elm, ash) for door in DOORS),
        *false_peers(ash, elm),
        web_server(elm, ash),
    ]


def resources(hosts: Hosts) -> list[Fault]:
    """What a host has not, or not right: room, a disk to write to, file descriptors, the time."""
    ash, birch, cedar, date, elm = (hosts[name] for name in (ASH, BIRCH, CEDAR, DATE, ELM))
    return [
        full_disk(cedar, [Seen(CEDAR, ASH, "disk_full"), Seen(ASH, CEDAR, "peer_disk_full")]),
        read_only(birch, [Seen(BIRCH, ASH, "read_only"), Seen(ASH, BIRCH, "peer_read_only")]),
        wrong_clock(date, "+3600s", [Seen(ASH, DATE, "clock_skew"), Seen(DATE, ASH, "clock_skew")]),
        few_files(elm, [Seen(ELM, BIRCH, "no_file_descriptors")]),
        zone_kept_back(ash, elm, "side"),
    ]


def versions(hosts: Hosts) -> list[Fault]:
    """An agent that is too new for its peer, and what only two others know of."""
    birch, cedar, date, elm = (hosts[name] for name in (BIRCH, CEDAR, DATE, ELM))
    return [
        other_version(elm, birch, oldest=4, newest=5),
        lost_everywhere(birch, cedar),
        wrong_clock(date, "-3600s", [Seen(ASH, DATE, "clock_skew")]),
    ]


ROUNDS = (silence, strangers, resources, versions)
