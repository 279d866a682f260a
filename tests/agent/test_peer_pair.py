"""``jilog peer pair`` as two people use it: two processes, a code, and everything that can go wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from jilog_agent.introductions import Known, Wish, newcomer
from jilog_agent.sightings import public_key_text
from jilog_spool.pairing import Introduced
from jilog_spool.pairing_net import NotWanted
from jilog_spool.peers import Peer
from support.agent_hosts import free_port, public_key
from support.agent_process import ask, running, wait_for
from support.jilog_cli import TIMEOUT_SECONDS, Host
from support.jilog_local import LocalHost


@dataclass(slots=True)
class Inviting:
    """A running ``jilog peer pair`` that shows a code."""

    process: subprocess.Popen[str]
    code: str
    place: str

    def finish(self) -> tuple[int, dict[str, object], str]:
        """Wait for its end; give exit status, what it printed last, and standard error."""
        out, err = self.process.communicate(timeout=TIMEOUT_SECONDS)
        return self.process.returncode, json.loads(out) if out else {}, err


@contextmanager
def inviting(host: Host, *options: str) -> Iterator[Inviting]:
    process = host.start("peer", "pair", "--json", "--listen", "127.0.0.1:0", *options)
    with process:
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())
        try:
            yield Inviting(process, shown["code"], f"127.0.0.1:{shown['port']}")
        finally:
            if process.poll() is None:
                process.terminate()


def new_pairing_host(tmp_path: Path, folder: str, source: str = "", *, listen: int | None = None) -> Host:
    """Make a host. What it runs to the end runs in this process; what it starts is a process of its own."""
    host = LocalHost(tmp_path / folder)
    host.root.mkdir()
    address = f'listen = "127.0.0.1:{listen}"\n' if listen else ""
    host.config.write_text(f'[agent]\nmdns = false\nsync_every = "1s"\n{address}')
    assert host.run("init", "--source", source or folder).returncode == 0
    return host


def peers_of(host: Host) -> dict[str, dict[str, object]]:
    listed = host.json("peer", "list")["peers"]
    assert isinstance(listed, list)
    return {str(peer["name"]): peer for peer in listed if isinstance(peer, dict)}


def key_line(host: Host) -> str:
    return " ".join(public_key(host).split()[:2])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Host, Host]:
    return new_pairing_host(tmp_path, "alpha"), new_pairing_host(tmp_path, "beta", listen=free_port())


def test_a_code_typed_on_the_other_host_makes_both_trusted_peers(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with inviting(beta) as shown:
        joined = alpha.json("peer", "pair", shown.code.upper(), shown.place)
        status, invited, err = shown.finish()

    assert (status, err) == (0, "")
    assert (joined["peer"], joined["host_key"], joined["inbound"]) == ("beta", key_line(beta), False)
    assert (invited["peer"], invited["host_key"], invited["inbound"]) == ("alpha", key_line(alpha), True)
    assert peers_of(alpha)["beta"]["host_key"] == key_line(beta)
    assert peers_of(alpha)["beta"]["address"] == "127.0.0.1"
    assert peers_of(beta)["alpha"]["host_key"] == key_line(alpha)


def test_paired_hosts_converge_while_their_agents_run_all_the_time(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with running(alpha), running(beta):
        ask(alpha, "write", {"entry": {"session_id": "s", "type": "decision", "title": "hello"}})

        with inviting(beta) as shown:
            joining = alpha.start("peer", "pair", shown.code, shown.place)
            joining.communicate(timeout=TIMEOUT_SECONDS)
            assert (joining.returncode, shown.finish()[0]) == (0, 0)

        wait_for(lambda: ask(beta, "query", {}), "the entry at beta")


def test_wrong_code_is_refused_on_both_hosts_and_the_right_one_still_works(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with inviting(beta) as shown:
        wrong = shown.code[:-1] + ("0" if shown.code[-1] != "0" else "1")
        refused = alpha.run("peer", "pair", wrong, shown.place)
        right = alpha.run("peer", "pair", shown.code, shown.place)
        status, _, err = shown.finish()

    assert refused.returncode == 7
    assert "the code is wrong, or somebody is in between" in refused.stderr
    assert "2 more wrong tries end it" in refused.stderr
    assert "127.0.0.1: somebody tried a wrong code" in err
    assert (right.returncode, status) == (0, 0)


def test_three_wrong_codes_end_the_pairing_on_the_host_that_shows_it(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with inviting(beta) as shown:
        others = [char for char in "0123" if char != shown.code[-1]][:3]
        for char in others:
            assert alpha.run("peer", "pair", shown.code[:-1] + char, shown.place).returncode == 7
        status, _, err = shown.finish()

    assert status == 7
    assert "tried wrongly three times" in err
    assert "jilog: hint: show a new code" in err
    assert peers_of(alpha) == peers_of(beta) == {}


def test_code_that_nobody_typed_expires_with_the_next_command(pair: tuple[Host, Host]) -> None:
    _, beta = pair
    with inviting(beta, "--seconds", "1") as shown:
        status, _, err = shown.finish()

    assert status == 7
    assert "the code has expired" in err
    assert "jilog peer pair" in err


def test_known_peer_with_another_key_is_refused_loudly_on_both_hosts(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    other = public_key_text(bytes(32))
    assert beta.run("peer", "add", "alpha", "192.0.2.1", "--host-key", other).returncode == 0

    with inviting(beta) as shown:
        joined = alpha.run("peer", "pair", shown.code, shown.place)
        status, _, err = shown.finish()

    assert joined.returncode == status == 7
    assert "knows a peer of this name with another key" in joined.stderr
    assert "peer alpha is known with another key: expected SHA256:" in err
    assert "jilog peer remove alpha" in err
    assert peers_of(beta)["alpha"]["host_key"] == other
    assert peers_of(alpha) == {}


def test_clash_on_the_joining_host_leaves_nothing_on_either(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    assert alpha.run("peer", "add", "beta", "beta.example").returncode == 0

    with inviting(beta) as shown:
        clash = alpha.run("peer", "pair", shown.code, shown.place)
        renamed = alpha.run("peer", "pair", shown.code, shown.place, "--name", "beta-2")
        assert shown.finish()[0] == 0

    assert clash.returncode == 7
    assert "there is a peer beta at beta.example already" in clash.stderr
    assert renamed.returncode == 0
    assert set(peers_of(alpha)) == {"beta", "beta-2"}


def test_two_hosts_of_one_name_are_told_apart_and_refused(tmp_path: Path) -> None:
    one, two = new_pairing_host(tmp_path, "one", "same"), new_pairing_host(tmp_path, "two", "same")

    with inviting(one) as shown:
        joined = two.run("peer", "pair", shown.code, shown.place)

    assert joined.returncode == 7
    assert "both hosts write under one name" in joined.stderr
    assert peers_of(one) == peers_of(two) == {}


def test_host_that_stops_showing_its_code_is_gone(pair: tuple[Host, Host]) -> None:
    alpha, beta = pair
    with inviting(beta) as shown:
        pass

    done = alpha.run("peer", "pair", shown.code, shown.place)

    assert done.returncode == 7
    assert "cannot reach 127.0.0.1" in done.stderr
    assert "jilog: hint:" in done.stderr


def test_a_code_is_found_on_the_local_network_by_its_public_part(tmp_path: Path) -> None:
    alpha, beta = new_pairing_host(tmp_path, "alpha"), new_pairing_host(tmp_path, "beta")
    process = beta.start("peer", "pair", "--json")
    with process:
        assert process.stdout is not None
        code = json.loads(process.stdout.readline())["code"]

        # The host is named, for other tests on this machine may show codes of the same public part.
        done = alpha.run("peer", "pair", code, "beta")
        process.communicate(timeout=TIMEOUT_SECONDS)

    assert done.returncode == 0, done.stderr
    assert "paired with beta" in done.stdout
    assert 'write listen = "0.0.0.0:7722"' in done.stderr


def test_a_code_that_nobody_shows_is_told_with_the_next_command(tmp_path: Path) -> None:
    done = new_pairing_host(tmp_path, "alpha").run("peer", "pair", "zz-000-000", "no-such-host")

    assert done.returncode == 7
    assert "no-such-host does not show the code zz-…" in done.stderr
    assert "jilog peer pair CODE HOST:PORT" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-code-here"], "that is no pairing code"),
        (["--listen", "nowhere"], "invalid address"),
        (["--name", "../x"], "invalid peer name"),
        (["--zone", "mian"], "unknown zone 'mian'"),
        (["--seconds", "0"], "invalid value for '--seconds'"),
    ],
)
def test_a_mistake_is_refused_with_a_hint(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = new_pairing_host(tmp_path, "alpha").run("peer", "pair", *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert "jilog: hint:" in done.stderr


# Who is taken, as a rule


KEY, OTHER = b"k" * 32, b"o" * 32
FOUND = Introduced("beta", KEY, 7722)


def known(*peers: Peer, configured: frozenset[str] = frozenset()) -> Known:
    return Known("alpha", {peer.name: peer for peer in peers}, configured)


def test_key_that_is_known_keeps_its_name_and_gets_its_new_place() -> None:
    before = Peer("desk", "192.0.2.1", 22, host_key=public_key_text(KEY), zones=("main",), user="me")

    peer = newcomer(FOUND, "192.0.2.9", known(before), Wish(name="other"))

    assert (peer.name, peer.host, peer.port, peer.zones, peer.user) == (
        "desk",
        "192.0.2.9",
        7722,
        ("main",),
        "me",
    )


def test_peer_of_the_config_file_is_left_as_it_is() -> None:
    before = Peer("desk", "192.0.2.1", host_key=public_key_text(KEY))

    assert newcomer(FOUND, "192.0.2.9", known(before, configured=frozenset({"desk"})), Wish()) is before


@pytest.mark.parametrize(
    ("peer", "reason"),
    [
        (Peer("beta", host_key=public_key_text(OTHER)), "key_changed"),
        (Peer("beta", host_key="ecdsa-sha2-nistp256 AAAA"), "key_changed"),
        (Peer("beta", "beta.example"), "name_taken"),
    ],
)
def test_name_of_another_peer_is_not_given_away(peer: Peer, reason: str) -> None:
    with pytest.raises(NotWanted) as caught:
        newcomer(FOUND, "192.0.2.9", known(peer), Wish())

    assert caught.value.reason == reason
    assert "jilog peer" in (caught.value.hint or "")


def test_hosts_of_which_neither_can_call_the_other_are_told_what_to_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alpha, beta = (new_pairing_host(tmp_path, name, listen=free_port()) for name in ("alpha", "beta"))
    alpha.config.write_text(alpha.config.read_text().replace("listen =", "# listen ="))
    beta.config.write_text(beta.config.read_text().replace("127.0.0.1", "127.0.0.9"))
    # The other host is met at 127.0.0.1, which stands for an address elsewhere.
    monkeypatch.setattr("jilog_agent.cli.peer_pair._is_loopback", lambda host: host == "127.0.0.9")

    with inviting(alpha) as invitation:
        done = beta.run("peer", "pair", invitation.code, invitation.place)
        invitation.finish()

    assert done.returncode == 0
    assert "next" not in done.stdout
    assert "neither host can call the other: this one answers on the loopback only" in done.stderr
