"""A host's key is shown, and changed without its peers losing it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jilog_ledger.errors import BusyError
from jilog_ledger.event import EventDraft
from jilog_ledger.keys import SigningKey
from jilog_ledger.ledger import ZoneLedger
from support.agent_hosts import free_port, introduce, new_host, public_key
from support.agent_process import ask, running, wait_for
from support.jilog_cli import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return new_host(tmp_path, "alpha")


def note(text: str) -> EventDraft:
    return EventDraft(event_class="decision", payload={"text": text})


def test_prepared_key_changes_nothing_until_it_is_renewed(host: Host) -> None:
    before = host.json("identity", "show")

    first = host.json("identity", "prepare")["next_public_key"]
    again = host.json("identity", "prepare")["next_public_key"]

    after = host.json("identity", "show")
    assert first == again == after["next_public_key"]
    assert first != before["public_key"] == after["public_key"]
    key_file = host.state / "identity" / "id_ed25519.next"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


def test_renewed_host_has_the_prepared_key_and_keeps_its_events(host: Host) -> None:
    assert host.run("supervise", "--task", "before", "--", "true").returncode == 0
    epoch = host.json("status")["zones"][0]["own"]["epoch"]
    prepared = host.json("identity", "prepare")["next_public_key"]

    done = host.json("identity", "renew")

    assert done["public_key"] == prepared == public_key(host)
    assert done["segments_sealed"] == 1
    assert host.run("supervise", "--task", "after", "--", "true").returncode == 0
    zone = host.json("status")["zones"][0]
    assert zone["own"]["epoch"] != epoch
    assert zone["events"] == 4
    assert host.run("verify").returncode == 0
    assert not (host.state / "identity" / "id_ed25519.next").exists()


def test_renew_without_a_prepared_key_says_what_to_type(host: Host) -> None:
    done = host.run("identity", "renew")

    assert done.returncode == 1
    assert "no next key is prepared" in done.stderr
    assert "jilog identity prepare" in done.stderr


def test_renew_beside_a_running_agent_is_refused(host: Host) -> None:
    host.json("identity", "prepare")
    with running(host):
        done = host.run("identity", "renew")

    assert done.returncode == 1
    assert "already running" in done.stderr
    assert host.json("identity", "show")["next_public_key"] is not None


def test_process_that_read_the_old_key_appends_nothing_after_the_change(host: Host) -> None:
    old = SigningKey.load(host.state / "identity" / "id_ed25519")
    with ZoneLedger.open(host.zone, "main", source="alpha", key=old) as ledger:
        ledger.append([note("before")])
        host.json("identity", "prepare")
        host.json("identity", "renew")

        with pytest.raises(BusyError, match="got a new key"):
            ledger.append([note("too late")])

    assert host.json("status")["zones"][0]["events"] == 1


def test_change_that_was_interrupted_is_finished_by_running_it_again(host: Host) -> None:
    old = SigningKey.load(host.state / "identity" / "id_ed25519")
    assert host.run("supervise", "--task", "before", "--", "true").returncode == 0
    host.json("identity", "prepare")
    # As a crash leaves it: a zone is in the new key's epoch already, and the key is still the old one.
    new = SigningKey.load(host.state / "identity" / "id_ed25519.next")
    ZoneLedger.open(host.zone, "main", source="alpha", key=new).close()
    with ZoneLedger.open(host.zone, "main", source="alpha", key=old) as ledger:
        ledger.append([note("between")])

    assert host.json("identity", "renew")["segments_sealed"] == 2

    status = host.json("status")["zones"][0]
    assert status["events"] == 3
    assert host.run("verify").returncode == 0


def test_peers_that_know_both_keys_follow_a_host_through_its_change(tmp_path: Path) -> None:
    port = free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta", listen=port)
    introduce(alpha, beta, port)
    for host in (alpha, beta):
        assert host.run("supervise", "--task", "before", "--", "true").returncode == 0
        host.json("identity", "prepare")
    _take_next_key(alpha, beta)
    _take_next_key(beta, alpha)

    for changed in (alpha, beta):
        with running(alpha), running(beta):
            wait_for(lambda: _roots(alpha) == _roots(beta), "equal hosts")
        changed.json("identity", "renew")
        assert changed.run("supervise", "--task", "after", "--", "true").returncode == 0

    with running(alpha), running(beta):
        wait_for(lambda: _roots(alpha) == _roots(beta), "equal hosts under new keys")
        assert alpha.json("status")["zones"][0]["events"] == 8


def _roots(host: Host) -> list[str]:
    ask(host, "status")
    return [zone["root"] for zone in host.json("status")["zones"]]


def _take_next_key(host: Host, peer: Host) -> None:
    """Write the peer's next key into this host's table, as automation does: a new file for the old one."""
    table = host.state / "peers.toml"
    line = " ".join(str(peer.json("identity", "show")["next_public_key"]).split()[:2])
    new = table.with_suffix(".new")
    new.write_text(table.read_text() + f'next_host_key = "{line}"\n')
    new.replace(table)
