"""The playbooks against three hosts with systemd: from nothing to a fleet, and to new keys.

A host takes a minute to set up and the story is one, so the tests share its hosts and run in the order in
which they stand here.
"""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from jilog_agent.demo.transcripts import SESSIONS, lines
from support.certificates import Authority
from support.containers import Container, wait_until
from support.fleet_story import NAMES, SECRET, Writing, ask, level
from support.managed_fleet import BUSY_SECONDS, ManagedFleet

pytestmark = [pytest.mark.rollout, pytest.mark.xdist_group("rollout"), pytest.mark.timeout(1200)]

TRANSCRIPTS = {"alpha": SESSIONS["alpha"], "beta": SESSIONS["bravo"], "gamma": {}}


def test_check_mode_on_bare_hosts_changes_nothing(fleet: ManagedFleet) -> None:
    before = [host.sh(_everything()) for host in fleet.hosts.values()]

    played = fleet.play("site.yml", "--check").done()

    assert [host.sh(_everything()) for host in fleet.hosts.values()] == before
    assert all(played.changed[name] > 0 for name in NAMES)


def _everything() -> str:
    return (
        "ls -A /opt /etc/jilog /var/lib/jilog /usr/local/bin /etc/systemd/system 2>&1 || true; getent passwd"
    )


def test_bare_hosts_become_a_fleet_whose_coordinator_writes_a_digest(fleet: ManagedFleet) -> None:
    for name, host in fleet.hosts.items():
        host.sh("mkdir -p /srv/agents/projects/app")
        host.put(
            {
                f"/srv/agents/projects/app/{session}.jsonl": (_transcript(name, session), 0o644)
                for session in TRANSCRIPTS[name]
            }
        )

    played = fleet.play("site.yml").done()

    assert SECRET not in played.said
    for host in fleet.hosts.values():
        assert host.sh("systemctl is-active jilog-agent jilog-nightly.timer").split() == ["active", "active"]
        host.sh("systemctl start jilog-nightly.service")
    wait_until(lambda: level(fleet), "equal hosts", BUSY_SECONDS)
    # The coordinator's own night comes after the others', and again makes its digest of the whole fleet's.
    coordinator = fleet.hosts["alpha"]
    coordinator.sh("systemctl start jilog-nightly.service")
    digest = coordinator.sh("cat /var/lib/jilog/digests/*.md")
    # gamma has nothing to read, and so nothing to tell.
    assert all(f"- `{name}`: reviewed up to" in digest for name in ("alpha", "beta"))
    assert "pytst" in digest
    assert "04:20:00" in coordinator.sh("systemctl cat jilog-nightly.timer")
    assert "03:10:00" in fleet.hosts["beta"].sh("systemctl cat jilog-nightly.timer")


def _transcript(name: str, session: str) -> bytes:
    return "".join(
        lines(name, session, TRANSCRIPTS[name][session], datetime.now(UTC) - timedelta(hours=2))
    ).encode()


def test_only_the_hosts_of_a_zone_have_it(fleet: ManagedFleet) -> None:
    zones = {
        name: [item["zone"] for item in ask(host, "status")["zones"]] for name, host in fleet.hosts.items()
    }
    granted = {peer["name"]: peer["zones"] for peer in ask(fleet.hosts["alpha"], "peer", "list")["peers"]}

    assert zones == {"alpha": ["main", "pair"], "beta": ["main", "pair"], "gamma": ["main"]}
    assert granted == {"beta": ["main", "pair"], "gamma": ["main"]}


def test_what_is_private_is_readable_by_its_owner_alone(fleet: ManagedFleet) -> None:
    host = fleet.hosts["alpha"]

    modes = host.sh(
        "stat -c '%a %U' /var/lib/jilog /var/lib/jilog/identity/id_ed25519 /var/lib/jilog/peers.toml"
        " /etc/jilog/environment /etc/jilog/jilog.toml"
    ).splitlines()

    assert modes == ["700 jilog", "600 jilog", "600 jilog", "600 root", "640 root"]
    assert host.run("find", "/var/lib/jilog", "-perm", "/077", "!", "-type", "l").stdout == ""


def test_what_is_brought_is_in_no_journal(fleet: ManagedFleet) -> None:
    told = fleet.hosts["alpha"].sh("journalctl -o cat")

    assert "brings /var/lib/jilog/peers.toml" in told
    assert SECRET not in told
    assert "host_key" not in told


def test_units_are_confined_as_they_say(fleet: ManagedFleet) -> None:
    host = fleet.hosts["alpha"]
    pid = host.sh("systemctl show --property MainPID --value jilog-agent").strip()

    written = host.run("nsenter", "-t", pid, "-m", "--", "touch", "/usr/local/bin/intruder")
    status = host.sh(f"cat /proc/{pid}/status")

    assert "Read-only file system" in written.stderr
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "Seccomp:\t2" in status


def test_doctor_finds_units_that_do_not_do_what_they_should(fleet: ManagedFleet) -> None:
    host = fleet.hosts["gamma"]
    sound = _units(host)
    host.sh("systemctl stop jilog-nightly.timer && touch /etc/systemd/system/jilog-agent.service")

    found = _units(host)

    assert sound == []
    assert {(item["level"], item["next"]) for item in found} == {
        ("warning", "systemctl --system start jilog-nightly.timer"),
        ("warning", "systemctl --system daemon-reload"),
    }
    for item in found:
        host.sh(item["next"])
    assert _units(host) == []


def _units(host: Container) -> list[dict[str, str]]:
    done = host.run("jilog-host", "doctor", "--only", "units", "--json")
    found: list[dict[str, str]] = json.loads(done.stdout)["findings"]
    assert done.returncode == (3 if found else 0)
    return found


def test_second_run_changes_nothing(fleet: ManagedFleet) -> None:
    started = [ask(host, "agent", "status")["agent"]["started"] for host in fleet.hosts.values()]

    played = fleet.play("site.yml").done()

    assert played.changed == dict.fromkeys(NAMES, 0)
    assert [ask(host, "agent", "status")["agent"]["started"] for host in fleet.hosts.values()] == started


def test_new_keys_are_taken_without_a_gap_in_the_syncing(fleet: ManagedFleet) -> None:
    old = {name: ask(host, "identity", "show")["public_key"] for name, host in fleet.hosts.items()}

    with Writing(fleet.hosts["gamma"]) as writing:
        fleet.play("rotate-keys.yml").done()

    new = {name: ask(host, "identity", "show")["public_key"] for name, host in fleet.hosts.items()}
    assert not set(old.values()) & set(new.values())
    wait_until(lambda: level(fleet), "equal hosts under new keys", BUSY_SECONDS)
    for host in fleet.hosts.values():
        wait_until(lambda host=host: not writing.missing(host), "all that was acknowledged", BUSY_SECONDS)
    for host in fleet.hosts.values():
        table = host.sh("cat /var/lib/jilog/peers.toml")
        assert "next_host_key" not in table
        assert not any(key.split()[1] in table for key in old.values())
        wait_until(
            lambda host=host: all(pair["reason"] == "in_sync" for pair in ask(host, "status")["peers"]),
            "peers that take the new keys",
            BUSY_SECONDS,
        )


def test_an_authority_takes_the_place_of_keys_that_every_host_is_told(fleet: ManagedFleet) -> None:
    authority = Authority(fleet.folder / "ca")

    fleet.play("site.yml", jilog_ca=str(authority.key)).done()

    for name, host in fleet.hosts.items():
        assert "host_key" not in host.sh("cat /var/lib/jilog/peers.toml")
        assert tomllib.loads(host.sh("cat /etc/jilog/jilog.toml"))["trust"] == {
            "ca": [" ".join(authority.public.split()[:2])],
            "principals": list(NAMES),
        }
        assert (
            _principals(host, "id_ed25519-cert.pub")
            == _principals(host, "id_ed25519-host-cert.pub")
            == [name]
        )
        wait_until(
            lambda host=host: all(pair["reason"] == "in_sync" for pair in ask(host, "status")["peers"]),
            "peers that believe the authority",
            BUSY_SECONDS,
        )


def _principals(host: Container, file: str) -> list[str]:
    said = host.sh(f"ssh-keygen -L -f /var/lib/jilog/identity/{file}")
    return said.partition("Principals:")[2].partition("Critical Options:")[0].split()
