"""A fleet whose hosts know each other by their authority's certificates, from the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.agent_hosts import free_port, new_host
from support.agent_process import ask, running, wait_for
from support.certificates import Authority
from support.jilog_cli import Host
from support.jilog_local import LocalHost

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH's ssh-keygen")


def sign(authority: Authority, host: Host, name: str) -> None:
    """Give a host both certificates, as whoever sets up a fleet does."""
    key = host.state / "identity" / "id_ed25519"
    authority.sign(key, name)
    authority.sign(key, name, host=True)


def write(host: Host, title: str) -> None:
    ask(host, "write", {"entry": {"session_id": "s", "type": "decision", "title": title}})


def last_sync(host: Host, name: str) -> bool:
    peers = {peer["peer"]: peer for peer in host.json("spool", "status")["peers"]}
    return name in peers and bool(peers[name]["last_sync"]["ok"]) and bool(peers[name]["writers"])


def titles(host: Host) -> set[str]:
    return {entry["title"] for entry in ask(host, "query", {}) or []}


def test_agents_of_one_authority_converge_and_an_excluded_host_is_cut_off(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path / "ca"), free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta", listen=port)
    for host in (alpha, beta):
        sign(authority, host, host.root.name)
        path = str(authority.public_path)
        assert host.run("peer", "trust", "--ca", path, "--principals", "al*,be*").returncode == 0
    assert alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(port)).returncode == 0

    with running(beta), running(alpha):
        write(alpha, "by certificate")
        wait_for(lambda: titles(beta) == {"by certificate"}, "the entry at beta")
        assert ask(alpha, "status")["peers"][0]["connected"]
        wait_for(lambda: last_sync(beta, "alpha"), "how it went, in beta's memory")
        shown = beta.run("spool", "status").stdout
        assert "in_sync" in next(line for line in shown.splitlines() if line.startswith("alpha"))

        removed = beta.run("peer", "remove", "alpha")
        wait_for(lambda: not ask(alpha, "status")["peers"][0]["connected"], "the cut")
        write(alpha, "too late")
        wait_for(lambda: ask(alpha, "status")["peers"][0]["failures"] > 0, "a refused login")
        assert titles(beta) == {"by certificate"}

    assert (removed.returncode, "no authority may vouch for alpha" in removed.stderr) == (0, True)


def test_authority_of_the_config_file_needs_no_command(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path / "ca"), free_port()
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    trust = f'[trust]\nca = ["{authority.public_path}"]\nprincipals = ["alpha", "beta"]\n'
    for host in (alpha, beta):
        sign(authority, host, host.root.name)
        host.config.write_text(trust)
    assert alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(port)).returncode == 0

    with beta.start("spool", "serve", "--listen", f"127.0.0.1:{port}") as process:
        assert process.stdout is not None
        process.stdout.readline()
        done = alpha.run("spool", "sync")
        process.terminate()

    assert done.returncode == 0, done.stderr


def test_host_behind_a_login_by_certificate_is_known_by_the_name_in_the_forced_command(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path / "ca")
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")
    for host, other in ((alpha, "beta"), (beta, "alpha")):
        path = str(authority.public_path)
        assert host.run("peer", "trust", "--ca", path, "--principals", other).returncode == 0
        assert host.run("supervise", "--task", host.root.name, "--", "true").returncode == 0

    statuses = join(
        alpha.command("spool", "serve", "--stdio", "--peer", "beta"),
        beta.command("spool", "serve", "--stdio", "--peer", "alpha"),
        environments=(alpha.environment(), beta.environment()),
    )
    stranger = alpha.run("spool", "serve", "--stdio", "--peer", "gamma")

    assert statuses == (0, 0)
    assert last_sync(alpha, "beta")
    assert last_sync(beta, "alpha")
    assert (stranger.returncode, "unknown peer 'gamma'" in stranger.stderr) == (2, True)


def join(
    first: Sequence[str], second: Sequence[str], *, environments: tuple[dict[str, str], dict[str, str]]
) -> tuple[int, int]:
    """Run two commands, each with the other's output as its input; give their exit statuses."""
    there, back = os.pipe(), os.pipe()
    processes = [
        subprocess.Popen(first, stdin=back[0], stdout=there[1], env=environments[0]),
        subprocess.Popen(second, stdin=there[0], stdout=back[1], env=environments[1]),
    ]
    for descriptor in (*there, *back):
        os.close(descriptor)
    one, two = (process.wait(60) for process in processes)
    return one, two


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = LocalHost(tmp_path / "home")
    made.root.mkdir()
    assert made.run("init", "--source", "alpha").returncode == 0
    return made


def test_authorities_are_listed_changed_and_removed(host: Host, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    path = str(authority.public_path)

    host.run("peer", "trust", "--ca", path, "--principals", "box-1")
    host.run("peer", "trust", "--ca", authority.public, "--principals", "box-*", "--principals", "!box-7")
    listed = host.json("peer", "list")["authorities"]
    shown = host.run("peer", "list").stdout
    removed = host.run("peer", "remove", "--ca", path)
    again = host.run("peer", "remove", "--ca", path)

    assert isinstance(listed, list)
    (item,) = listed
    assert isinstance(item, dict)
    assert item["principals"] == ["box-*", "!box-7"]
    assert item["key"] == " ".join(authority.public.split()[:2])
    assert "box-*, !box-7" in shown
    assert (removed.returncode, again.returncode) == (0, 2)
    assert host.json("peer", "list")["authorities"] == []
    assert (host.state / "authorities").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trust", "--ca", "/no/such/file", "--principals", "*"], "cannot read the authority's key"),
        (["trust", "--ca", "ssh-ed25519 nonsense", "--principals", "*"], "not an SSH public key"),
        (["trust", "--ca", "KEY"], "say which names the authority may vouch for"),
        (["trust", "--ca", "KEY", "--principals", "a b"], "invalid name pattern"),
        (["trust", "--principals", "*"], "give a peer, or --ca with --principals"),
        (["trust", "beta", "--ca", "KEY"], "give a peer, or --ca with --principals"),
        (["remove"], "give a peer, or --ca"),
        (["remove", "--ca", "KEY"], "that authority is not in"),
    ],
)
def test_a_mistake_about_authorities_is_refused_with_a_hint(
    host: Host, tmp_path: Path, arguments: list[str], message: str
) -> None:
    key = Authority(tmp_path / "ca").public
    done = host.run("peer", *(key if word == "KEY" else word for word in arguments))

    assert done.returncode == 2
    assert message in done.stderr
    assert "jilog: hint:" in done.stderr


def test_damaged_file_of_authorities_is_named_with_its_line(host: Host) -> None:
    (host.state / "authorities").write_text("# x\ngarbage\n")

    done = host.run("peer", "list")

    assert done.returncode == 2
    assert "authorities: line 2" in done.stderr
