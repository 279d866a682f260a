"""Whom a sync without names concerns: the table, and hosts of ssh's configuration by pattern, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_agent.replication import chosen_peers
from jilog_ledger.errors import InputError
from jilog_spool.peers import Peer, PeerTable


@pytest.fixture(autouse=True)
def ssh_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "more").write_text("Host box-1 box-22\n")
    (tmp_path / ".ssh" / "config").write_text("Include more\nHost nas.lan desk.lan phone\n")


def names(table: PeerTable, *patterns: str) -> list[str]:
    return [peer.name for peer in chosen_peers((), table, patterns)]


def test_hosts_of_the_ssh_configuration_and_of_what_it_includes_are_peers_by_pattern(tmp_path: Path) -> None:
    assert names(PeerTable(tmp_path / "x"), "*.lan", "box-?") == ["box-1", "nas.lan", "desk.lan"]


def test_host_that_the_table_has_by_name_or_address_is_one_peer(tmp_path: Path) -> None:
    table = PeerTable(tmp_path / "x", [Peer("desk", host="desk.lan", port=7722), Peer("nas.lan")])

    assert names(table, "*.lan") == ["desk", "nas.lan"]


def test_peer_that_calls_this_host_is_called_only_by_its_name(tmp_path: Path) -> None:
    table = PeerTable(tmp_path / "x", [Peer("phone", host="192.0.2.9", inbound=True), Peer("desk")])

    assert names(table, "*") == ["desk", "box-1", "box-22", "nas.lan", "desk.lan"]
    assert [peer.name for peer in chosen_peers(["phone"], table, ())] == ["phone"]


def test_when_all_peers_call_this_host_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all of them call this host"):
        names(PeerTable(tmp_path / "x", [Peer("phone", inbound=True)]))
