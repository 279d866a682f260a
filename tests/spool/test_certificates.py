"""Certificates of a fleet's authority: who they let in, whom they vouch for, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError, PeerError
from jilog_spool.asyncssh_loader import asyncssh
from jilog_spool.peers import Peer
from jilog_spool.ssh import SshSettings, run_over_ssh
from jilog_spool.ssh_certificates import (
    HOST,
    USER,
    Authorities,
    Authority,
    certificate_path,
    load_own_key,
    parse_authorities,
)
from jilog_spool.ssh_server import Logins, SpoolServer, Watch
from support.certificates import Authority as Signer
from support.spool_fleet import drafts, held_bytes, key_of, memory_replica, session

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs OpenSSH's ssh-keygen")

HINT_WORDS = "ssh-keygen"


class Fleet:
    """Hosts ``alpha`` (calls) and ``beta`` (is called), and an authority that both trust."""

    def __init__(self, folder: Path) -> None:
        self.signer = Signer(folder / "ca")
        self.alpha, self.beta = memory_replica("alpha"), memory_replica("beta")
        self.key_alpha, self.key_beta = folder / "alpha.key", folder / "beta.key"
        key_of("alpha").save(self.key_alpha)
        key_of("beta").save(self.key_beta)
        self.trusted = Authorities((self.authority("*"),))
        self.settings = SshSettings(
            key=self.key_alpha, config=(), use_user_keys=False, authorities=lambda: self.trusted
        )
        self.met: list[str] = []
        self.refused: list[str] = []

    def authority(self, *patterns: str, signer: Signer | None = None) -> Authority:
        line = (signer or self.signer).public
        return Authority(" ".join(line.split()[:2]), patterns)

    def sign_both(self) -> None:
        self.signer.sign(self.key_alpha, "alpha")
        self.signer.sign(self.key_beta, "beta", host=True)

    def by_certificate(self, authority: str, principals: Sequence[str]) -> str:
        if not principals or not self.trusted.trusts(authority, principals[0]):
            raise PeerError(f"not trusted for {list(principals)}")
        return principals[0]

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Peer]:
        server = await SpoolServer.start(
            self.key_beta,
            authorise=Logins(lambda _: None, self.by_certificate),
            new_session=lambda name: self.met.append(name) or session(self.beta),  # type: ignore[func-returns-value]
            watch=Watch(on_refused=lambda _address, reason: self.refused.append(reason)),
        )
        async with server:
            self.server = server
            yield Peer("beta", host="127.0.0.1", port=server.port, user="anybody")

    async def sync(self, peer: Peer) -> None:
        await run_over_ssh(peer, session(self.alpha), self.settings)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Fleet(tmp_path)


def run(action: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await action()

    asyncio.run(bounded())


def failure(fleet: Fleet) -> PeerError:
    """Let ``alpha`` call ``beta``, which must fail; give the error."""
    errors: list[PeerError] = []

    async def action() -> None:
        async with fleet.serving() as peer:
            with pytest.raises(PeerError) as caught:
                await fleet.sync(peer)
            errors.append(caught.value)

    run(action)
    assert fleet.met == []
    assert errors[0].hint
    return errors[0]


def test_certificates_of_one_authority_are_all_that_two_hosts_need(fleet: Fleet) -> None:
    fleet.sign_both()
    fleet.alpha.append(drafts(3))

    async def action() -> None:
        async with fleet.serving() as peer:
            await fleet.sync(peer)

    run(action)

    assert fleet.met == ["alpha"]
    assert held_bytes(fleet.alpha) == held_bytes(fleet.beta)


def test_the_first_principal_names_the_peer_whatever_user_it_logs_in_as(fleet: Fleet) -> None:
    fleet.sign_both()
    fleet.signer.sign(fleet.key_alpha, "alpha,root,jilog")

    async def action() -> None:
        async with fleet.serving() as peer:
            for user in ("root", "beta", "nobody-in-particular"):
                await fleet.sync(replace(peer, user=user))

    run(action)

    assert fleet.met == ["alpha"] * 3


@pytest.mark.parametrize(
    ("principals", "validity", "told"),
    [
        ("alpha", "-2h:-1h", "certificate expired"),
        ("alpha", "+1h:+2h", "certificate not yet valid"),
    ],
)
def test_own_certificate_out_of_its_time_is_told_with_the_cure(
    fleet: Fleet, principals: str, validity: str, told: str
) -> None:
    fleet.sign_both()
    fleet.signer.sign(fleet.key_alpha, principals, validity=validity)

    error = failure(fleet)

    assert told in error.message
    assert HINT_WORDS in (error.hint or "")


@pytest.mark.parametrize("principals", ["mallory", "mallory,alpha", ""])
def test_certificate_for_a_name_outside_the_authoritys_patterns_is_refused(
    fleet: Fleet, principals: str
) -> None:
    """Also as the user ``alpha``, and also without principals, which would mean anybody to OpenSSH."""
    fleet.sign_both()
    fleet.signer.sign(fleet.key_alpha, principals)
    fleet.trusted = Authorities((fleet.authority("alpha", "beta"),))

    assert "does not accept" in failure(fleet).message
    assert fleet.refused


def test_expired_certificate_that_is_shown_all_the_same_is_refused_by_the_endpoint(fleet: Fleet) -> None:
    fleet.sign_both()
    old = fleet.signer.sign(fleet.key_alpha, "alpha", validity="-2h:-1h")

    async def action() -> None:
        async with fleet.serving() as peer:
            with pytest.raises(asyncssh.PermissionDenied):
                await asyncssh.connect(
                    "127.0.0.1",
                    peer.port,
                    username="alpha",
                    config=None,
                    known_hosts=None,
                    client_keys=[(str(fleet.key_alpha), str(old))],
                    agent_path=None,
                )
            while not fleet.refused:  # noqa: ASYNC110 - the other end notices when it notices
                await asyncio.sleep(0.01)

    run(action)

    assert any("expired" in reason for reason in fleet.refused)


def test_host_certificate_does_not_let_anybody_in(fleet: Fleet) -> None:
    fleet.sign_both()
    wrong = fleet.signer.sign(fleet.key_alpha, "alpha", host=True)
    shutil.copy(wrong, certificate_path(fleet.key_alpha, USER))

    assert "invalid certificate type" in failure(fleet).message


def test_certificate_of_a_stranger_authority_is_refused_at_both_ends(fleet: Fleet, tmp_path: Path) -> None:
    stranger = Signer(tmp_path / "stranger")
    fleet.sign_both()
    stranger.sign(fleet.key_alpha, "alpha")
    assert "does not accept" in failure(fleet).message

    fleet.sign_both()
    stranger.sign(fleet.key_beta, "beta", host=True)
    error = failure(fleet)

    assert "Host CA key is not trusted" in error.message
    assert "jilog peer list" in (error.hint or "")


@pytest.mark.parametrize(
    ("principals", "validity", "told"),
    [
        ("gamma", "-5m:+1h", "principal mismatch"),
        ("127.0.0.1", "-5m:+1h", "principal mismatch"),
        ("beta", "-2h:-1h", "no host certificate that is in force"),
    ],
)
def test_host_that_cannot_prove_its_name_is_refused_with_the_cure(
    fleet: Fleet, principals: str, validity: str, told: str
) -> None:
    fleet.sign_both()
    fleet.signer.sign(fleet.key_beta, principals, host=True, validity=validity)

    error = failure(fleet)

    assert told in error.message
    assert HINT_WORDS in (error.hint or "")


def test_pinned_key_counts_more_than_any_certificate(fleet: Fleet) -> None:
    fleet.sign_both()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()

    async def action() -> None:
        async with fleet.serving() as peer:
            with pytest.raises(PeerError, match="changed"):
                await fleet.sync(replace(peer, host_key=" ".join(other.split()[:2])))

    run(action)


def test_name_that_is_excluded_is_cut_off_at_once(fleet: Fleet) -> None:
    fleet.sign_both()

    async def action() -> None:
        async with (
            fleet.serving() as peer,
            asyncssh.connect(
                "127.0.0.1",
                peer.port,
                username="x",
                config=None,
                known_hosts=None,
                client_keys=[(str(fleet.key_alpha), str(certificate_path(fleet.key_alpha, USER)))],
                agent_path=None,
            ) as connection,
        ):
            assert fleet.server.recheck() == []
            fleet.trusted = Authorities((fleet.authority("*", "!alpha"),))
            assert fleet.server.recheck() == ["alpha"]
            await connection.wait_closed()

    run(action)


def test_certificates_that_asyncssh_makes_are_as_good(fleet: Fleet) -> None:
    authority = asyncssh.read_private_key(str(fleet.signer.key))
    for path, kind, name in ((fleet.key_alpha, USER, "alpha"), (fleet.key_beta, HOST, "beta")):
        key = asyncssh.read_private_key(str(path))
        make = authority.generate_user_certificate if kind == USER else authority.generate_host_certificate
        make(key, "id", principals=[name]).write_certificate(str(certificate_path(path, kind)))

    async def action() -> None:
        async with fleet.serving() as peer:
            await fleet.sync(peer)

    run(action)

    assert fleet.met == ["alpha"]


def test_certificate_of_another_key_or_of_no_kind_is_a_problem_and_no_crash(fleet: Fleet) -> None:
    fleet.signer.sign(fleet.key_beta, "beta")
    shutil.copy(certificate_path(fleet.key_beta, USER), certificate_path(fleet.key_alpha, USER))
    assert "for another key" in load_own_key(fleet.key_alpha, USER).problem

    certificate_path(fleet.key_alpha, USER).write_text("garbage\n")
    own = load_own_key(fleet.key_alpha, USER)

    assert own.problem
    assert own.pairs == [own.key]


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"


@pytest.mark.parametrize(
    ("patterns", "name", "covered"),
    [
        ("*", "box-1", True),
        ("box-?", "box-1", True),
        ("box-?", "BOX-1", True),
        ("box-?", "box-12", False),
        ("*.lan,box-*", "nas.lan", True),
        ("*,!box-7", "box-7", False),
        ("!box-7,*", "box-7", False),
        ("!box-7", "box-1", False),
        ("*", "", False),
        ("*", "../x", False),
        ("*", "a b", False),
    ],
)
def test_authority_vouches_for_the_names_of_its_patterns(patterns: str, name: str, covered: bool) -> None:
    assert Authority(KEY, tuple(patterns.split(","))).covers(name) is covered


def test_authorities_survive_their_file() -> None:
    authority = Authority(KEY, ("*.lan", "!nas.lan"))

    assert parse_authorities(f"# a comment\n\n{authority.line()} me@laptop\n", "x") == [authority]


@pytest.mark.parametrize(
    "line",
    [
        f"box-1 {KEY}",
        f"@revoked * {KEY}",
        "@cert-authority *",
        "@cert-authority * ssh-ed25519 nonsense",
        f"@cert-authority [x] {KEY}",
        f"@cert-authority , {KEY}",
    ],
)
def test_line_that_is_no_authority_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(InputError, match="authorities: line 2") as caught:
        parse_authorities(f"# heading\n{line}\n", "authorities")

    assert caught.value.hint
