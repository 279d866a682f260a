"""Two and three hosts on one machine that find each other over real SSH on loopback."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
from pathlib import Path

import pytest

from support.agent_hosts import serving_anywhere
from support.jilog_cli import Host


def new_host(tmp_path: Path, name: str) -> Host:
    root = tmp_path / name
    root.mkdir()
    host = Host(root)
    assert host.run("init", "--source", name).returncode == 0
    return host


def public_key(host: Host) -> str:
    return (host.state / "identity" / "id_ed25519.pub").read_text().strip()


def record(host: Host, *tasks: str) -> None:
    for task in tasks:
        assert host.run("supervise", "--task", task, "--", "true").returncode == 0


def root_of(host: Host) -> object:
    zones = host.json("status")["zones"]
    assert isinstance(zones, list)
    assert isinstance(zones[0], dict)
    return zones[0]["root"]


def introduce(client: Host, server: Host, port: int, *, name: str, client_name: str) -> None:
    """Make two hosts known to each other."""
    arguments = ("peer", "add", name, "127.0.0.1", "--port", str(port), "--host-key", public_key(server))
    assert client.run(*arguments).returncode == 0
    assert server.run("peer", "add", client_name, "--host-key", public_key(client)).returncode == 0


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Host, Host]:
    return new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")


def test_one_sync_brings_both_hosts_to_the_same_root_and_answers(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    record(alpha, "a1", "a2")
    record(beta, "b1")

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        first = alpha.json("spool", "sync")["peers"]
        again = alpha.json("spool", "sync", "beta")["peers"]

    assert isinstance(first, list)
    assert isinstance(again, list)
    assert isinstance(first[0], dict)
    assert isinstance(again[0], dict)
    assert (first[0]["ok"], first[0]["events_received"], first[0]["events_sent"]) == (True, 2, 4)
    assert (again[0]["zones_equal"], again[0]["round_trips"]) == (["main"], 1)
    assert root_of(alpha) == root_of(beta)
    assert alpha.events() == beta.events()


def test_events_reach_a_third_host_through_the_one_in_the_middle(tmp_path: Path) -> None:
    alpha, beta, gamma = (new_host(tmp_path, name) for name in ("alpha", "beta", "gamma"))
    record(alpha, "a")
    record(gamma, "c")

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        introduce(gamma, beta, port, name="beta", client_name="gamma")
        for host in (alpha, gamma, alpha):
            assert host.run("spool", "sync").returncode == 0

    assert root_of(alpha) == root_of(beta) == root_of(gamma)
    assert {event["source"] for event in alpha.events()} == {"alpha", "gamma"}


def test_a_peer_with_another_host_key_is_refused(pair: tuple[Host, Host], tmp_path: Path) -> None:
    alpha, beta = pair
    stranger = new_host(tmp_path, "stranger")
    record(alpha, "a")

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        alpha.run("peer", "trust", "beta", public_key(stranger))
        done = alpha.run("spool", "sync")

    assert done.returncode == 7
    assert "host key" in done.stderr
    assert "jilog: hint:" in done.stderr
    assert beta.events() == []


def test_a_shown_key_is_pinned_only_when_somebody_has_compared_it(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair

    with serving_anywhere(beta) as port:
        alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(port))
        beta.run("peer", "add", "alpha", "--host-key", public_key(alpha))
        unseen = alpha.run("peer", "trust", "beta")
        pinned = alpha.run("peer", "trust", "beta", "--yes")
        synced = alpha.run("spool", "sync")

    assert unseen.returncode == 2
    assert "SHA256:" in unseen.stderr
    assert (pinned.returncode, synced.returncode) == (0, 0)


def test_a_host_that_is_not_known_may_not_log_in(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        assert beta.run("peer", "remove", "alpha").returncode == 0
        done = alpha.run("spool", "sync")

    assert done.returncode == 7
    assert "does not accept this host's key" in done.stderr


def test_a_zone_without_a_grant_stays_at_home(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    for host in pair:
        host.config.write_text('[[zones]]\nid = "main"\n[[zones]]\nid = "lab"\n')
    alpha.run("supervise", "--task", "secret", "--zone", "lab", "--", "true")
    record(alpha, "open")

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        assert alpha.run("spool", "sync").returncode == 0

    assert {payload["task"] for payload in beta.payloads()} == {"open"}


def test_a_peer_that_is_away_is_told_with_its_name_and_remembered(pair: tuple[Host, Host]) -> None:
    alpha, _ = pair
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        alpha.run("peer", "add", "beta", "127.0.0.1", "--port", str(unused.getsockname()[1]))

        done = alpha.run("spool", "sync")

    assert done.returncode == 7
    assert "beta" in done.stderr
    assert "jilog: hint:" in done.stderr
    peers = alpha.json("spool", "status")["peers"]
    assert isinstance(peers, list)
    assert isinstance(peers[0], dict)
    last = peers[0]["last_sync"]
    assert isinstance(last, dict)
    assert last["ok"] is False
    assert last["error"] in done.stderr


def test_one_peer_that_is_away_does_not_keep_the_others_from_syncing(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    record(alpha, "a")

    with serving_anywhere(beta) as port, socket.socket() as unused:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        unused.bind(("127.0.0.1", 0))
        alpha.run("peer", "add", "away", "127.0.0.1", "--port", str(unused.getsockname()[1]))
        done = alpha.run("spool", "sync")

    assert done.returncode == 3
    assert root_of(alpha) == root_of(beta)


def test_sync_while_every_peer_rests_says_so_and_calls_nobody(tmp_path: Path) -> None:
    host = new_host(tmp_path, "alpha")
    host.run("peer", "add", "beta", "127.0.0.1", "--port", "1")
    host.run("spool", "pause")

    done = host.run("spool", "sync")

    assert (done.returncode, done.stdout) == (0, "nobody was synced: every peer rests\n")
    assert "left out beta" in done.stderr


@pytest.mark.parametrize("garbage", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 400])
def test_garbage_on_standard_input_is_refused_in_one_line(pair: tuple[Host, Host], garbage: bytes) -> None:
    alpha, _ = pair
    record(alpha, "a")

    done = subprocess.run(
        alpha.command("spool", "serve", "--stdio"),
        env=alpha.environment(),
        input=garbage,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 7
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"jilog: error: ")
    assert alpha.run("verify").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spool", "sync"], "no peers are known"),
        (["spool", "sync", "nobody"], "unknown peer 'nobody'"),
        (["spool", "serve"], "give one of --stdio and --listen"),
        (["spool", "serve", "--listen", "nowhere"], "invalid address"),
        (["peer", "remove", "nobody"], "unknown peer 'nobody'"),
        (["peer", "add", "x", "-oProxyCommand=id"], "no such option"),
        (["peer", "add", "x", "host", "--zone", "mian"], "unknown zone 'mian'"),
        (["peer", "add", "x", "host", "--host-key", "zzz"], "not a public key"),
    ],
)
def test_a_mistake_about_peers_is_refused_with_a_hint(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    host = new_host(tmp_path, "alpha")

    done = host.run(*arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert "jilog: hint:" in done.stderr


def test_a_known_peer_that_is_added_again_changes_in_what_is_said_only(tmp_path: Path) -> None:
    host = new_host(tmp_path, "alpha")
    host.config.write_text('[[zones]]\nid = "main"\n[[zones]]\nid = "ops"\n')
    key = " ".join(public_key(host).split()[:2])
    host.run("peer", "add", "beta", "192.0.2.1", "--user", "me", "--host-key", key, "--zone", "ops")

    moved = host.run("peer", "add", "beta", "192.0.2.2", "--port", "7722")
    after = host.json("peer", "list")["peers"]
    inbound = host.run("peer", "add", "beta", "--inbound")

    assert (moved.returncode, inbound.returncode) == (0, 0), moved.stderr
    assert after == [
        {
            "name": "beta",
            "address": "192.0.2.2",
            "port": 7722,
            "user": "me",
            "host_key": key,
            "inbound": False,
            "zones": ["ops"],
        }
    ]
    assert "beta  (it calls this host)  pinned    ops" in host.run("peer", "list").stdout


def test_what_lets_a_host_in_is_told_for_openssh_and_for_an_endpoint_and_can_be_typed(tmp_path: Path) -> None:
    alpha, beta = new_host(tmp_path, "alpha"), new_host(tmp_path, "beta")

    told = alpha.json("peer", "add", "--print", "beta")
    done = beta.run(*shlex.split(str(told["at_an_endpoint"]))[1:])

    assert str(told["authorized_keys"]).startswith(
        'command="jilog spool serve --stdio",restrict ssh-ed25519 '
    )
    assert (done.returncode, done.stdout) == (0, "added peer alpha, which calls this host\n")
    (peer,) = beta.json("peer", "list")["peers"]  # type: ignore[misc] # a list, as documented
    assert peer["host_key"] == " ".join(public_key(alpha).split()[:2])


def test_the_line_for_authorized_keys_allows_one_command_only(tmp_path: Path) -> None:
    host = new_host(tmp_path, "alpha")

    line = host.run("peer", "add", "--print", "beta").stdout

    assert line.startswith('command="jilog spool serve --stdio",restrict ssh-ed25519 ')
    assert public_key(host).split()[1] in line


def test_the_digest_is_the_same_file_on_a_host_that_received_only_segments(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    session = alpha.root / "agent" / "s1" / "log.jsonl"
    session.parent.mkdir(parents=True)
    lines = [
        {"role": "assistant", "content": "I changed the file."},
        {"role": "user", "content": "no, use the other file instead"},
        {"role": "assistant", "content": "Hardcoding the count for now."},
        {"role": "tool", "name": "bash", "content": json.dumps({"success": False, "error": "timed out"})},
    ]
    session.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"role": "user", "con')
    alpha.config.write_text('[[reader]]\ntype = "generic"\nname = "bot"\npath = "~/agent/*/*.jsonl"\n')
    arguments = ("review", "nightly", "--since", "7d", "--date", "2026-05-09", "--profile", "seed")

    dry = alpha.run(*arguments, "--dry-run")
    first = alpha.run(*arguments)
    again = alpha.run(*arguments)
    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        assert alpha.run("spool", "sync").returncode == 0
    other = beta.run(*arguments)

    for done in (dry, first, again, other):
        assert done.returncode == 0, done.stderr
    assert "would write: ~/.jilog/digests/learning-digest-2026-05-09.md" in dry.stdout
    digests = [
        (host.state / "digests" / "learning-digest-2026-05-09.md").read_bytes() for host in (alpha, beta)
    ]
    assert digests[0] == digests[1]
    assert b"signals_captured: 3" in digests[0]
    assert len(alpha.events("--class", "learning")) == 3


def test_changed_host_key_is_named_by_status_with_its_reason_and_next_command(
    pair: tuple[Host, Host], tmp_path: Path
) -> None:
    alpha, beta = pair
    stranger = new_host(tmp_path, "stranger")
    record(alpha, "a")

    with serving_anywhere(beta) as port:
        introduce(alpha, beta, port, name="beta", client_name="alpha")
        alpha.run("peer", "trust", "beta", public_key(stranger))
        assert alpha.run("spool", "sync").returncode == 7

    peers = alpha.json("status")["peers"]
    assert isinstance(peers, list)
    (shown,) = peers
    assert isinstance(shown, dict)
    assert (shown["reason"], shown["next"]) == ("key_changed", "jilog peer trust beta")
    assert "expected SHA256:" in str(shown["detail"])
