"""`jilog spool emit`, `ingest` and `watch`, and the agent, as users see them."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.jilog_cli import Host
from support.jilog_local import LocalHost

GENEROUS_SECONDS = 60


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    path = tmp_path / "shared"
    path.mkdir()
    return path


def new_host(tmp_path: Path, name: str, config: str = "", kind: type[Host] = LocalHost) -> Host:
    root = tmp_path / name
    root.mkdir()
    host = kind(root)
    assert host.run("init", "--source", name).returncode == 0
    host.config.write_text(host.config.read_text() + config)
    return host


def record(host: Host, *tasks: str) -> None:
    for task in tasks:
        assert host.run("supervise", "--task", task, "--", "true").returncode == 0


def root_of(host: Host, zone: int = 0) -> object:
    return host.json("status")["zones"][zone]["root"]  # type: ignore[index,call-overload] # documented JSON


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GENEROUS_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def public_key(host: Host) -> str:
    return " ".join((host.state / "identity" / "id_ed25519.pub").read_text().split()[:2])


def trusting(*hosts: Host) -> None:
    """Let hosts know each other's keys, as peers do."""
    for one in hosts:
        for other in hosts:
            if one is not other:
                name = other.root.name
                assert one.run("peer", "add", name, "--host-key", public_key(other)).returncode == 0


def test_two_hosts_with_a_directory_between_them_come_to_the_same_root(tmp_path: Path, shared: Path) -> None:
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    trusting(alpha, beta)
    record(alpha, "a1", "a2")
    record(beta, "b1")

    put = alpha.json("spool", "emit", str(shared))
    taken = beta.json("spool", "ingest", str(shared))
    beta.json("spool", "emit", str(shared))
    alpha.json("spool", "ingest", str(shared))
    again = beta.json("spool", "ingest", str(shared))

    assert put["emitted"]["files"] == 1  # type: ignore[index,call-overload] # documented JSON
    assert taken["ingested"]["events"] == 4  # type: ignore[index,call-overload]
    assert again["ingested"]["files"] == 0  # type: ignore[index,call-overload]
    assert root_of(alpha) == root_of(beta)
    (directory,) = beta.json("status")["directories"]  # type: ignore[misc,union-attr]
    assert (directory["path"], directory["reason"]) == (str(shared), "in_order")  # type: ignore[index,call-overload]


def test_host_whose_key_is_not_known_is_named_and_trusted_only_when_told_to(
    tmp_path: Path, shared: Path
) -> None:
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    record(alpha, "a1")
    alpha.run("spool", "emit", str(shared))

    refused = beta.run("spool", "ingest", str(shared))
    wrong = beta.run("spool", "ingest", str(shared), "--trust", "alpha=SHA256:else")
    before = root_of(beta)
    trusted = beta.run("spool", "ingest", str(shared), "--trust", "alpha")

    assert refused.returncode == 3
    assert "host alpha (SHA256:" in refused.stderr
    assert f"jilog spool ingest {shared} --trust alpha" in refused.stderr
    assert wrong.returncode == 2
    assert before != root_of(beta) == root_of(alpha)
    assert trusted.returncode == 0
    assert f"alpha {public_key(alpha)}" in (beta.state / "directory_hosts").read_text()


def test_dry_run_tells_bytes_and_changes_nothing(tmp_path: Path, shared: Path) -> None:
    alpha = new_host(tmp_path, "alpha")
    record(alpha, "a1")

    told = alpha.json("spool", "emit", str(shared), "--dry-run")

    assert told["dry_run"] is True
    assert told["emitted"]["bytes"] == alpha.segment().stat().st_size  # type: ignore[index,call-overload]
    assert list(shared.iterdir()) == []


def test_only_granted_zones_and_no_confidential_event_reach_the_directory(
    tmp_path: Path, shared: Path
) -> None:
    config = '[[zones]]\nid = "hidden"\n'
    alpha, beta = new_host(tmp_path, "alpha", config), new_host(tmp_path, "beta", config)
    trusting(alpha, beta)
    alpha.run("write", "--zone", "hidden", "SECRETHIDDEN decision")
    alpha.run("write", "--confidential", "SECRETTIER decision")
    record(alpha, "a1")

    assert alpha.run("spool", "emit", str(shared)).returncode == 0
    assert beta.run("spool", "ingest", str(shared)).returncode == 0

    files = [path for path in shared.rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() + path.name.encode() for path in files)
    assert files
    assert root_of(alpha) == root_of(beta)
    assert b"SECRET" not in everything
    assert b"hidden" not in everything


def test_zone_named_on_the_command_line_is_granted(tmp_path: Path, shared: Path) -> None:
    config = '[[zones]]\nid = "extra"\n'
    alpha, beta = new_host(tmp_path, "alpha", config), new_host(tmp_path, "beta", config)
    trusting(alpha, beta)
    record(alpha, "a1")
    assert alpha.run("supervise", "--zone", "extra", "--task", "x", "--", "true").returncode == 0

    alpha.json("spool", "emit", str(shared), "--zone", "extra")
    beta.json("spool", "ingest", str(shared), "--zone", "extra")

    assert root_of(alpha, 1) == root_of(beta, 1)
    assert root_of(alpha, 0) != root_of(beta, 0)


def test_missing_directory_is_never_made_and_an_emptied_one_is_not_taken_for_it(
    tmp_path: Path, shared: Path
) -> None:
    alpha = new_host(tmp_path, "alpha")
    record(alpha, "a1")

    missing = alpha.run("spool", "emit", str(tmp_path / "stick"))
    alpha.run("spool", "emit", str(shared))
    shared.rename(tmp_path / "unplugged")
    shared.mkdir()
    emptied = alpha.run("spool", "emit", str(shared))
    fresh = alpha.run("spool", "emit", str(shared), "--fresh")

    assert missing.returncode == emptied.returncode == 7
    assert f"mkdir -p {tmp_path / 'stick'}" in missing.stderr
    assert not (tmp_path / "stick").exists()
    assert f"jilog spool emit {shared} --fresh" in emptied.stderr
    assert fresh.returncode == 0
    assert len(list(shared.iterdir())) == 1


def test_watch_brings_what_comes_and_ends_with_ctrl_c(tmp_path: Path, shared: Path) -> None:
    alpha, beta = new_host(tmp_path, "alpha", kind=Host), new_host(tmp_path, "beta", kind=Host)
    trusting(alpha, beta)
    record(alpha, "a1")
    alpha.json("spool", "emit", str(shared))

    process = beta.start("spool", "watch", str(shared), "--every", "1s", "--json")
    try:
        assert process.stdout is not None
        first = _read_document(process.stdout)
        record(alpha, "a2")
        alpha.json("spool", "emit", str(shared))
        second = _read_document(process.stdout)
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=GENEROUS_SECONDS)

    assert first["ingested"]["events"] == 2  # type: ignore[index,call-overload] # documented JSON
    assert second["ingested"]["events"] == 2  # type: ignore[index,call-overload]
    assert process.returncode == 130, said


def _read_document(stream: object) -> dict[str, object]:
    text = ""
    for line in stream:  # type: ignore[attr-defined]
        text += line
        if line == "}\n":
            document = json.loads(text)
            if document.get("ingested", {}).get("events"):
                return document  # type: ignore[no-any-return]
            text = ""
    raise AssertionError("the watch ended")


def test_agents_with_a_directory_in_their_configuration_need_no_command(tmp_path: Path, shared: Path) -> None:
    alpha, beta = hosts = [new_host(tmp_path, name) for name in ("alpha", "beta")]
    for host, other in ((alpha, beta), (beta, alpha)):
        config = f'path = "{shared}"\nevery = "1s"\ntrust = ["{public_key(other)}"]\n'
        host.config.write_text(f"{host.config.read_text()}[agent]\nmdns = false\n[[directory]]\n{config}")
    try:
        for host in hosts:
            assert Host(host.root).run("agent", "start").returncode == 0
        record(alpha, "a1")
        record(beta, "b1")

        until(lambda: root_of(alpha) == root_of(beta))

        (directory,) = alpha.json("agent", "status")["agent"]["directories"]  # type: ignore[index,call-overload,misc]
        assert directory == {"path": str(shared), "reason": "in_order", "detail": "nothing is in the way"}
        shared.rename(tmp_path / "gone")
        until(lambda: _reason(alpha) == "directory_missing")
        (tmp_path / "gone").rename(shared)
        until(lambda: _reason(alpha) == "in_order")
    finally:
        for host in hosts:
            Host(host.root).run("agent", "stop")


def _reason(host: Host) -> object:
    (directory,) = host.json("status")["directories"]  # type: ignore[misc,union-attr]
    return directory["reason"]  # type: ignore[index,call-overload]
