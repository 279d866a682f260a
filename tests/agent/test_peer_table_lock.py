"""The peers that were added by command: two commands at once do not take each other's changes back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from jilog_agent.home import Home
from jilog_agent.replication import edited_peers
from jilog_ledger.disk import RealDisk
from jilog_spool.peers import Peer, PeerTable
from jilog_spool.ssh_server import openssh_public_key
from support.jilog_local import LocalHost
from support.spool_fleet import key_of


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    made = LocalHost(tmp_path / "home")
    made.root.mkdir()
    assert made.run("init", "--source", "alpha").returncode == 0
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        ("peer", "add", "box", "192.0.2.1"),
        ("peer", "trust", "known", openssh_public_key(key_of("known").public_key)),
        ("peer", "remove", "known"),
    ],
)
def test_peers_are_read_and_saved_under_one_lock(
    host: LocalHost, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    host.run("peer", "add", "known", "192.0.2.2")
    save, locked = PeerTable.save, []

    def watched(table: PeerTable) -> None:
        locked.append(is_locked(Home(host.state).lock_path))
        save(table)

    monkeypatch.setattr(PeerTable, "save", watched)

    done = host.run(*arguments)

    assert (done.returncode, locked) == (0, [True]), done.stderr


def is_locked(path: Path) -> bool:
    import fcntl

    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_changes_of_many_at_once_all_stay_and_one_that_fails_changes_nothing(tmp_path: Path) -> None:
    home, disk = Home(tmp_path / "home"), RealDisk()

    def add(name: str) -> None:
        with edited_peers(home, disk) as table:
            table.put(Peer(name))

    threads = [threading.Thread(target=add, args=(f"box-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def fail() -> None:
        with edited_peers(home, disk) as table:
            table.put(Peer("never"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    names = {peer.name for peer in PeerTable.load(home.root, disk=disk).peers()}
    assert names == {f"box-{number}" for number in range(8)}
