"""Two hosts that were told one short code become peers: the conversation, without IO.

The code goes into SPAKE2 (RFC 9382 describes the method; the ``spake2`` package is what magic-wormhole uses),
from which both get a key that only equal codes and an untouched exchange make equal. Whoever is in between,
or plays one side, learns nothing to test guesses against: each guess costs one conversation, and the inviting
host counts them.

What is authenticated is the transcript: both hellos, byte for byte, with both names and both SSH keys. It
goes into the derived keys, so a relay that swaps a key makes every later seal wrong. Each side also signs the
transcript with its SSH key, so nobody can introduce a key that is somebody else's.

::

    joining                                inviting (shows the code)
      Hello  ─────────────────────────────►  is the code still alive?
             ◄─────────────────────────────  Hello
      Sealed(Claim)  ─────────────────────►  wrong seal: a wrong try; else may this be a peer?
             ◄─────────────────────────────  Sealed(Claim)
      stores the peer
      Sealed(Stored)  ────────────────────►  stores the peer
             ◄─────────────────────────────  Sealed(Stored)

The joining side proves the code first, so that an impostor with an open port gets one seal, made with one
guess of its own, and no more. A connection that ends between the two stores leaves the joining side trusting
a host whose key was proved, and the other side not yet: both are told, and pairing again completes it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B, SPAKEError
from spake2.ed25519_basic import NotOnCurve

from jilog_ledger.errors import IntegrityError, PeerError
from jilog_ledger.keys import verify_signature
from jilog_spool.errors import ConnectionLost, ProtocolError
from jilog_spool.pairing_code import CodeState, Invitation, PairingCode
from jilog_spool.pairing_errors import PairingFailed, failed, turned_away
from jilog_spool.pairing_wire import (
    MAGIC,
    VERSION,
    Claim,
    Declined,
    Frames,
    Hello,
    Inner,
    Message,
    Sealed,
    Sorry,
    Stored,
    decode_inner,
    encode,
    encode_inner,
)

CONTEXT = b"jilog pairing 1 "


@dataclass(frozen=True, slots=True)
class Me:
    """This host in one conversation: ``sign`` uses the private half of ``public_key`` (32 bytes, Ed25519).

    ``port`` is that of the own SSH endpoint, 0 without one.
    """

    source: str
    public_key: bytes
    sign: Callable[[bytes], bytes]
    port: int = 0


@dataclass(frozen=True, slots=True)
class Introduced:
    """The other side has proved that it knows the code and has this key. It waits for an answer."""

    source: str
    public_key: bytes
    port: int


@dataclass(frozen=True, slots=True)
class PeerStored:
    """The other side has taken this host as a peer, durably."""


PairingEvent: TypeAlias = Introduced | PeerStored


class _Role(Enum):
    JOINING = auto()
    INVITING = auto()


class _Step(Enum):
    HELLO = auto()
    CLAIM = auto()
    ANSWER = auto()
    """The own side has to say whether the other may be a peer."""
    STORED = auto()
    OVER = auto()


class Pairing:
    """One conversation. Make one with :meth:`join` or :meth:`invite`.

    Give it what arrives with :meth:`receive_data`, send what :meth:`data_to_send` gives, also after an error,
    and answer :class:`Introduced` with :meth:`accept` or :meth:`decline`. Raised errors are final.
    """

    def __init__(self, role: _Role, me: Me, code: PairingCode, entropy: Callable[[int], bytes]) -> None:
        self._role = role
        self._me = me
        self._code = code
        kind = SPAKE2_A if role is _Role.JOINING else SPAKE2_B
        self._exchange = kind(CONTEXT + f"{code.public} {code.secret}".encode(), entropy_f=entropy)
        self._frames = Frames()
        self._outbox = bytearray(MAGIC)
        self._step = _Step.HELLO
        self._events: deque[PairingEvent] = deque()
        self._hello = b""
        self._theirs: Introduced | None = None
        self._transcript = b""
        self._keys: dict[_Role, bytes] = {}
        self._sealed: dict[_Role, int] = dict.fromkeys(_Role, 0)
        self._invitation: Invitation | None = None
        self._clock: Callable[[], float] = lambda: 0.0

    @classmethod
    def join(cls, me: Me, code: PairingCode, *, entropy: Callable[[int], bytes] = os.urandom) -> Pairing:
        """Begin as the side on which the code was typed."""
        pairing = cls(_Role.JOINING, me, code, entropy)
        pairing._send_hello()
        return pairing

    @classmethod
    def invite(
        cls,
        me: Me,
        invitation: Invitation,
        clock: Callable[[], float],
        *,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> Pairing:
        """Begin as the side that shows the code; ``invitation`` is shared by all its conversations."""
        pairing = cls(_Role.INVITING, me, invitation.code, entropy)
        pairing._invitation, pairing._clock = invitation, clock
        return pairing

    @property
    def finished(self) -> bool:
        """Tell whether nothing more is to come."""
        return self._step is _Step.OVER

    def data_to_send(self) -> bytes:
        """Give the bytes that are ready to go out."""
        data = bytes(self._outbox)
        self._outbox.clear()
        return data

    def next_event(self) -> PairingEvent | None:
        """Give what happened next, if anything did."""
        return self._events.popleft() if self._events else None

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the other side.

        Raises:
            PairingFailed: wrong code, dead code, another version, or the other side declines.
            ProtocolError: these bytes are not pairing.
        """
        try:
            for message, body in self._frames.feed(data):
                self._take(message, body)
        except PeerError:
            self._step = _Step.OVER
            raise

    def receive_eof(self) -> None:
        """Learn that nothing more comes.

        Raises:
            ConnectionLost: the conversation was not over.
        """
        if self._step is not _Step.OVER:
            late = self._role is _Role.JOINING and self._step is _Step.STORED
            self._step = _Step.OVER
            raise ConnectionLost(
                "the other host went away before it said that it took this one as a peer"
                if late
                else "the other host went away in the middle of pairing",
                hint="look at what it says, then pair again with a new code: jilog peer pair",
            )

    def accept(self) -> None:
        """Say yes. The joining side has stored the peer before; the inviting side stores it after.

        On the inviting side it is called twice: when introduced, and when the other has stored.
        """
        if self._role is _Role.INVITING and self._step is _Step.ANSWER:
            self._send_claim()
            self._step = _Step.STORED
        elif self._role is _Role.JOINING and self._step is _Step.ANSWER:
            self._send_sealed(Stored())
            self._step = _Step.STORED
        else:
            assert self._role is _Role.INVITING
            assert self._step is _Step.STORED
            self._send_sealed(Stored())
            self._step = _Step.OVER

    def decline(self, reason: str) -> None:
        """Say no, with one of the words of ``docs/pairing.md``."""
        self._send_sealed(Declined(reason))
        self._step = _Step.OVER

    def refuse(self, reason: str) -> None:
        """Turn the other side away before anything was proved."""
        self._outbox += encode(Sorry(reason, self._invitation.tries_left if self._invitation else 0))
        self._step = _Step.OVER

    def _take(self, message: Message, body: bytes) -> None:
        match message, self._step:
            case Sorry(), _ if self._role is _Role.JOINING and self._step is not _Step.OVER:
                raise turned_away(message)
            case Hello(), _Step.HELLO:
                self._take_hello(message, body)
            case Sealed(), _Step.CLAIM:
                self._take_claim(message)
            case Sealed(), _Step.STORED:
                self._take_stored(message)
            case _:
                raise ProtocolError("the other side sent a pairing message out of turn")

    def _take_hello(self, hello: Hello, body: bytes) -> None:
        if self._role is _Role.INVITING:
            self._check_invitation(hello)
            self._send_hello()
        if hello.version != VERSION:
            raise failed("version")
        if hello.public_key == self._me.public_key:
            raise failed("own_key")
        self._theirs = Introduced(hello.source, hello.public_key, 0)
        ordered = (self._hello, body) if self._role is _Role.JOINING else (body, self._hello)
        digest = hashlib.sha256(CONTEXT)
        for part in ordered:
            digest.update(hashlib.sha256(part).digest())
        self._transcript = digest.digest()
        self._derive(hello.share)
        if self._role is _Role.JOINING:
            self._send_claim()
        self._step = _Step.CLAIM

    def _check_invitation(self, hello: Hello) -> None:
        """Turn away whom no guess is granted; nothing that depends on the code has been sent yet."""
        assert self._invitation is not None
        state = self._invitation.state(self._clock())
        reason = "version" if hello.version != VERSION else state.value
        if hello.code != self._code.public:
            reason = "other_code"
        if reason != CodeState.OPEN.value:
            self.refuse(reason)
            raise failed(reason)

    def _derive(self, share: bytes) -> None:
        try:
            shared = self._exchange.finish(share)
        except (SPAKEError, NotOnCurve, ValueError, AssertionError) as exc:
            # The package asserts some of what it requires of an element.
            raise ProtocolError("the other side's share of the key exchange is not valid") from exc
        keys = HKDF(SHA256(), 64, salt=self._transcript, info=CONTEXT + b"keys").derive(shared)
        self._keys = {_Role.JOINING: keys[:32], _Role.INVITING: keys[32:]}

    def _take_claim(self, sealed: Sealed) -> None:
        # A code that died of other conversations' guesses meanwhile is dead here, too.
        if (
            self._invitation is not None
            and (state := self._invitation.state(self._clock())) is not CodeState.OPEN
        ):
            self.refuse(state.value)
            raise failed(state.value)
        inner = self._open(sealed)
        if inner is None:
            raise self._wrong_code()
        if isinstance(inner, Declined):
            raise failed(inner.reason)
        assert self._theirs is not None
        if not isinstance(inner, Claim):
            raise ProtocolError("the other side sent a pairing message out of turn")
        try:
            verify_signature(self._theirs.public_key, inner.signature, self._proof(_other(self._role)))
        except IntegrityError as exc:
            raise ProtocolError("the other side does not have the key that it shows") from exc
        self._step = _Step.ANSWER
        self._theirs = replace(self._theirs, port=inner.port)
        self._events.append(self._theirs)

    def _wrong_code(self) -> PairingFailed:
        if self._invitation is None:
            return failed("wrong_code")
        self._invitation.count_wrong()
        self.refuse("wrong_code")
        return failed("wrong_code", self._invitation.tries_left)

    def _take_stored(self, sealed: Sealed) -> None:
        inner = self._open(sealed)
        if isinstance(inner, Declined):
            raise failed(inner.reason)
        if not isinstance(inner, Stored):
            raise ProtocolError("the other side sent a pairing message that is not sealed as it must be")
        self._events.append(PeerStored())
        if self._role is _Role.JOINING:
            self._step = _Step.OVER

    def _send_hello(self) -> None:
        share = self._exchange.start()
        frame = encode(Hello(VERSION, self._code.public, self._me.source, self._me.public_key, share))
        self._hello = frame[2:]
        self._outbox += frame

    def _send_claim(self) -> None:
        self._send_sealed(Claim(self._me.sign(self._proof(self._role)), self._me.port))

    def _proof(self, role: _Role) -> bytes:
        """Give what a side signs. Heads and SSH sign texts that begin otherwise: none fits twice."""
        return CONTEXT + b"proof of " + role.name.lower().encode() + b" " + self._transcript

    def _send_sealed(self, inner: Inner) -> None:
        data = encode_inner(inner)
        self._outbox += encode(Sealed(data, self._mac(self._role, data)))
        self._sealed[self._role] += 1

    def _open(self, sealed: Sealed) -> Inner | None:
        """Give what is in a seal; None when it was not made by somebody with the code and this transcript."""
        role = _other(self._role)
        if not hmac.compare_digest(sealed.mac, self._mac(role, sealed.inner)):
            return None
        self._sealed[role] += 1
        return decode_inner(sealed.inner)

    def _mac(self, role: _Role, data: bytes) -> bytes:
        # The number of the seal goes in, so that none fits at another place of the conversation.
        return hmac.digest(self._keys[role], bytes([self._sealed[role]]) + data, "sha256")


def _other(role: _Role) -> _Role:
    return _Role.INVITING if role is _Role.JOINING else _Role.JOINING
