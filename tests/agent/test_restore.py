"""A dead host made again from a peer: its events come back, and it goes on in a new epoch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jilog_agent.home import Home
from jilog_agent.identity import load_identity
from jilog_ledger.event import EventDraft
from jilog_ledger.ledger import ZoneLedger
from support.agent_hosts import befriend, connect_all, listen_port, mesh, public_key, serving
from support.agent_process import wait_for
from support.jilog_cli import Host


def record(host: Host, segments: int, *, payload_chars: int = 20) -> None:
    """Write sealed segments of one event each, and one that stays open."""
    identity = load_identity(Home(host.state))
    with ZoneLedger.open(host.zone, "main", source=identity.source, key=identity.key) as ledger:
        for number in range(segments):
            ledger.append([EventDraft("health", {"n": number, "text": "x" * payload_chars})])
            ledger.shared.seal()
        ledger.append([EventDraft("health", {"n": segments})])


def numbers(host: Host, source: str) -> list[object]:
    """Give the numbers that a source has recorded, as this host knows them."""
    events = host.events("--class", "health")
    found = [event for event in events if event["source"] == source]
    return sorted(event["payload"]["n"] for event in found)  # type: ignore[index,call-overload,type-var]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Host, Host]:
    """A laptop that is about to die, and a NAS that holds all that it wrote."""
    laptop, nas = mesh(tmp_path, ("laptop", "nas"))
    record(laptop, 2)
    record(nas, 1)
    connect_all([laptop, nas])
    return laptop, nas


def arguments(nas: Host, *more: str) -> list[str]:
    place = ("--host", "127.0.0.1", "--port", str(listen_port(nas)), "--host-key", public_key(nas))
    return ["init", "--from", "nas", *place, "--source", "laptop", *more]


def test_a_dead_host_comes_back_from_a_peer_once_the_peer_knows_its_new_key(pair: tuple[Host, Host]) -> None:
    laptop, nas = pair
    port = listen_port(laptop)
    old = laptop.json("status")["zones"]
    shutil.rmtree(laptop.state)

    with serving(nas, listen_port(nas)):
        stranger = laptop.run(*arguments(nas))
        befriend(nas, laptop, port)  # what the hint says
        done = laptop.run(*arguments(nas, "--json"))
        again = laptop.run(*arguments(nas))
    restored = json.loads(done.stdout)
    record(laptop, 0)

    assert stranger.returncode == 7
    assert "on nas: jilog peer add laptop ADDRESS --host-key 'ssh-ed25519 " in stranger.stderr
    assert done.returncode == 0, done.stderr
    assert restored["zones"] == [{"zone": "main", "writers": 2, "events": 5, "own_epochs": [own_epoch(old)]}]
    assert restored["epoch"] != own_epoch(old)
    assert restored["public_key"] == (laptop.state / "identity" / "id_ed25519.pub").read_text().strip()
    assert numbers(laptop, "laptop") == [0, 0, 1, 2]
    assert again.returncode == 2
    assert "not overwritten" in again.stderr


def own_epoch(zones: object) -> object:
    assert isinstance(zones, list)
    return zones[0]["own"]["epoch"]


def test_a_restore_that_was_killed_goes_on_where_it_stopped(pair: tuple[Host, Host]) -> None:
    laptop, nas = pair
    record(nas, 40, payload_chars=2_000)
    identity = (laptop.state / "identity").rename(laptop.root / "backup")
    shutil.rmtree(laptop.state)
    laptop.state.mkdir()
    shutil.copytree(identity, laptop.state / "identity")  # from a backup: the peer knows this key
    settings = laptop.config.read_text()
    laptop.config.write_text(settings + '[spool]\nbwlimit = "1k"\n')

    with serving(nas, listen_port(nas)):
        with laptop.start(*arguments(nas)) as process:
            wait_for(lambda: list(laptop.zone.glob("segments/*/*/*.seg")), "the first segment", seconds=120)
            process.kill()
        some = len(list(laptop.zone.glob("segments/*/*/*.seg")))
        laptop.config.write_text(settings)
        done = laptop.run(*arguments(nas))

    assert 0 < some < 40
    assert done.returncode == 0, done.stderr
    assert "goes on with the restore from nas" in done.stderr
    assert len(numbers(laptop, "nas")) == 43
    assert laptop.run("verify").returncode == 0


def test_a_home_with_a_ledger_is_not_overwritten(pair: tuple[Host, Host]) -> None:
    laptop, nas = pair
    before = sorted(path for path in laptop.state.rglob("*"))

    done = laptop.run(*arguments(nas))

    assert done.returncode == 2
    assert "mv " in done.stderr
    assert sorted(path for path in laptop.state.rglob("*")) == before
