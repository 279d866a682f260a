"""The peers table and the names it resolves."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.errors import InputError
from jilog_spool.peers import (
    Peer,
    PeerTable,
    parse_peers,
    read_ssh_config_hosts,
    render_peers,
    ssh_config_hosts,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


def test_absent_file_is_an_empty_table(tmp_path: Path) -> None:
    assert PeerTable.load(tmp_path).peers() == []


def test_saved_table_is_read_back_and_private(tmp_path: Path) -> None:
    table = PeerTable.load(tmp_path)
    peers = [
        Peer("attic", host="10.0.0.7", port=2222, user="jilog", host_key=KEY, zones=("main", "work")),
        Peer("lap.top-2"),
    ]
    for peer in peers:
        table.put(peer)

    table.save()

    assert PeerTable.load(tmp_path).peers() == peers
    assert stat.S_IMODE((tmp_path / "peers.toml").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["peers.toml"]


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_printable_command_survives_the_file(command: str) -> None:
    import tomllib

    peer = Peer("p", command=command)

    assert parse_peers(tomllib.loads(render_peers([peer])), "x") == [peer]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[peer.a]\nhots = 'x'\n", "unknown key 'hots'", "did you mean 'host'?"),
        ("[peers.a]\n", "unknown key 'peers'", "did you mean 'peer'?"),
        ("[peer.a]\nport = 'ssh'\n", "Expected `int`, got `str` - at `$.port`", None),
        ("[peer.a]\nport = 70000\n", "port 70000 is outside 0 to 65535", None),
        ("[peer.a]\nhost = '-oProxyCommand=x'\n", "invalid host '-oProxyCommand=x'", None),
        ("[peer.a]\nuser = '-l'\n", "invalid user '-l'", None),
        ("[peer.a]\nhost_key = 'AAAA'\n", "host_key is not a public key", "ssh-ed25519"),
        (
            f"[peer.a]\nhost_key = '{KEY}'\nnext_host_key = 'AAAA'\n",
            "next_host_key is not a public key",
            "ssh-",
        ),
        (
            f"[peer.a]\nnext_host_key = '{KEY}'\n",
            "next_host_key needs host_key beside it",
            "jilog peer trust a",
        ),
        ("[peer.a]\ncommand = ''\n", "command is empty", None),
        ("[peer.'../a']\n", "invalid peer name '../a'", "choose a peer name"),
        ("peer = 3\n", "must be a table of peers", None),
        ("[peer.a\n", "not valid TOML", None),
    ],
)
def test_bad_table_is_refused_with_its_place(
    tmp_path: Path, text: str, message: str, hint: str | None
) -> None:
    (tmp_path / "peers.toml").write_text(text)

    with pytest.raises(InputError) as caught:
        PeerTable.load(tmp_path)

    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


def test_name_is_looked_up_in_the_table_before_the_ssh_configuration(tmp_path: Path) -> None:
    table = PeerTable(tmp_path / "peers.toml", [Peer("attic", host="10.0.0.7")])

    assert table.resolve("attic", ["attic"]).host == "10.0.0.7"
    assert table.resolve("cellar", ["attic", "cellar"]) == Peer("cellar")


def test_unknown_name_names_the_nearest_one(tmp_path: Path) -> None:
    table = PeerTable(tmp_path / "peers.toml", [Peer("attic")])

    with pytest.raises(InputError, match="unknown peer 'atic'") as caught:
        table.resolve("atic", ["cellar"])
    assert caught.value.hint == "did you mean attic?"

    with pytest.raises(InputError) as caught:
        table.remove("zzz")
    assert caught.value.hint == "make it known: jilog peer add zzz"


def test_ssh_configuration_names_hosts_and_no_patterns() -> None:
    text = 'Host attic cellar\n  HostName 10.0.0.7\nHOST="yard"\nHost *.example !bad web-?\nMatch host x\n'

    assert ssh_config_hosts(text) == ["attic", "cellar", "yard"]


def test_hosts_of_included_files_are_named_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    ssh = tmp_path / ".ssh"
    (ssh / "config.d").mkdir(parents=True)
    (ssh / "config.d" / "b").write_text("Host nas\n")
    (ssh / "config.d" / "a").write_text("Host attic\n")
    (tmp_path / "work").write_text("Host office attic\n")
    (ssh / "config").write_text(f'Host first\nInclude config.d/* "{tmp_path}/work" none\nHost last\n')

    assert read_ssh_config_hosts(ssh / "config") == ["first", "attic", "nas", "office", "last"]


def test_configuration_that_includes_itself_comes_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").write_text(f"Host one\nInclude {tmp_path}/config\n")

    assert read_ssh_config_hosts(tmp_path / "config") == ["one"]
