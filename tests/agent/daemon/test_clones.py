"""Two histories of one writer, made as people make them, and settled by real agents without anybody's help.

The hosts are the original, its double (a clone, or what it was put back to), and a third one that both know.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from support.agent_hosts import befriend, listen_port, mesh, new_host
from support.agent_process import ask, start_agent, stop_agent, wait_for
from support.jilog_cli import Host


def write(host: Host, title: str) -> None:
    done = host.run("write", "--type", "decision", "--title", title)
    assert done.returncode == 0, done.stderr


def titles(host: Host) -> list[str]:
    """Give the titles of all decisions, as the agent of a host knows them, each as often as it is there."""
    return sorted(entry["title"] for entry in ask(host, "query", {}) or [])


def settle(condition: Callable[[], object], what: str) -> None:
    """Wait for hosts to agree: two comparisons of roots, on a machine that does much else."""
    wait_for(condition, what, seconds=180)


def roots(*hosts: Host) -> set[Any]:
    return {host.json("status")["zones"][0]["root"] for host in hosts}  # type: ignore[index,call-overload]


def epoch(host: Host) -> str:
    note = json.loads((host.zone / "writer.json").read_text())
    return str(note["epoch"])


def copied(host: Host, root: Path) -> Host:
    """Copy a home as `cp -a` does."""
    shutil.copytree(host.root, root, symlinks=True)
    return Host(root)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """A host that has written two decisions, and a NAS that has them."""
    original, nas = mesh(tmp_path, ("original", "nas"))
    write(original, "first")
    write(original, "second")
    with ExitStack() as stack:
        for host in (original, nas):
            stack.callback(stop_agent, host)
        start_agent(nas)
        assert original.run("spool", "sync", "nas").returncode == 0
        yield original, nas


def test_a_clone_is_told_apart_at_first_contact_and_no_event_of_either_is_lost(
    pair: tuple[Host, Host], tmp_path: Path
) -> None:
    original, nas = pair
    clone = copied(original, tmp_path / "clone")
    settings = clone.config.read_text().replace(f":{listen_port(original)}", ":0")
    clone.config.write_text(settings)  # two hosts cannot listen on one port of this machine
    write(original, "of the original")
    write(clone, "of the clone")
    before = {epoch(original), epoch(clone)}
    expected = ["first", "of the clone", "of the original", "second"]

    with ExitStack() as stack:
        stack.callback(stop_agent, clone)
        start_agent(original)
        start_agent(clone)
        settle(lambda: titles(nas) == titles(original) == titles(clone) == expected, "both branches")
        settle(lambda: len(roots(nas, original, clone)) == 1, "equal roots")
        settle(lambda: len(before | {epoch(original), epoch(clone)}) > 1, "a new epoch")
        write(original, "later, of the original")
        write(clone, "later, of the clone")
        expected = sorted([*expected, "later, of the original", "later, of the clone"])
        settle(lambda: titles(nas) == titles(original) == titles(clone) == expected, "what came later")

        forks = nas.json("spool", "forks", "--out", str(tmp_path / "proofs"))["forks"]
        told = nas.run("status").stdout

    assert epoch(original) != epoch(clone)
    assert isinstance(forks, list)
    assert [item["source"] for item in forks] == ["original"]  # type: ignore[index,call-overload]
    assert "1 writer(s) with two histories, both kept: jilog spool forks" in told
    (proof,) = (tmp_path / "proofs").iterdir()
    checked = Host(tmp_path).run("spool", "forks", "--check", str(proof))
    assert checked.returncode == 0, checked.stderr
    assert "has two histories" in checked.stdout
    data = bytearray(proof.read_bytes())
    data[-3] ^= 1
    proof.write_bytes(data)
    assert Host(tmp_path).run("spool", "forks", "--check", str(proof)).returncode == 4


def test_a_host_put_back_to_a_snapshot_goes_on_in_a_new_epoch_and_gets_its_own_events_back(
    pair: tuple[Host, Host], tmp_path: Path
) -> None:
    original, nas = pair
    snapshot = copied(original, tmp_path / "snapshot")
    write(original, "after the snapshot")
    assert original.run("spool", "sync", "nas").returncode == 0
    before = epoch(original)
    shutil.rmtree(original.state)
    snapshot.state.rename(original.state)
    write(original, "after the rollback")

    start_agent(original)

    expected = ["after the rollback", "after the snapshot", "first", "second"]
    settle(lambda: titles(original) == titles(nas) == expected, "both branches on both hosts")
    settle(lambda: len(roots(original, nas)) == 1, "equal roots")
    write(original, "later")
    settle(lambda: titles(nas) == sorted([*expected, "later"]), "what came later")
    assert epoch(original) != before


def test_a_host_name_that_was_used_before_is_another_writer(pair: tuple[Host, Host], tmp_path: Path) -> None:
    original, nas = pair
    (tmp_path / "new").mkdir()
    namesake = new_host(tmp_path / "new", "original")
    befriend(namesake, nas, listen_port(nas))
    added = nas.run("peer", "add", "namesake", "192.0.2.9", "--host-key", _key(namesake))
    assert added.returncode == 0, added.stderr
    write(namesake, "of the namesake")

    with ExitStack() as stack:
        stack.callback(stop_agent, namesake)
        start_agent(namesake)
        start_agent(original)
        expected = ["first", "of the namesake", "second"]
        settle(
            lambda: titles(namesake) == titles(original) == titles(nas) == expected, "all events everywhere"
        )

    assert nas.json("spool", "forks")["forks"] == []
    assert epoch(namesake) != epoch(original)


def _key(host: Host) -> str:
    return (host.state / "identity" / "id_ed25519.pub").read_text().strip()


SHIFT = """
import time
_ns, _s = time.time_ns, time.time
time.time_ns = lambda: _ns() + {seconds} * 1_000_000_000
time.time = lambda: _s() + {seconds}
"""


def shifted(host: Host, seconds: int) -> dict[str, str]:
    """Give an environment in which this host's clock is off by so much, for Python."""
    folder = host.root / "clock"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(SHIFT.format(seconds=seconds))
    return host.environment(PYTHONPATH=str(folder))


def test_a_clock_set_back_loses_nothing_and_is_named_by_both_hosts(pair: tuple[Host, Host]) -> None:
    original, nas = pair
    yesterday = shifted(original, -86_400)
    done = original.run("write", "--type", "decision", "--title", "yesterday", environment=yesterday)
    assert done.returncode == 0, done.stderr

    synced = original.run("spool", "sync", "nas", environment=yesterday)
    status = original.run("status", environment=yesterday)

    assert synced.returncode == 0, synced.stderr
    assert titles(nas) == ["first", "second", "yesterday"]
    assert "clock_skew" in status.stdout
    assert "the clock of nas is 86" in status.stdout
    assert "date -u" in status.stdout
    settle(lambda: "the clock of original is 86" in nas.run("status").stdout, "the NAS to name it, too")
