"""Proof that a writer's key signed two histories, to be checked years later without a store or a network."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from jilog_ledger.errors import IntegrityError
from jilog_ledger.head import Head, SignedHead, content_hash
from jilog_ledger.identifiers import EPOCH_PATTERN, Writer
from jilog_ledger.limits import SEGMENT_BYTES_MAX

PROOF_BYTES_MAX = 2 * SEGMENT_BYTES_MAX + 4096
"""Two segments and their heads."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signed head; ``content`` are the bytes it covers, where the heads alone do not say enough."""

    signed: SignedHead
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two heads of one segment, signed with one key, that cannot both be true of one history."""

    public_key: bytes
    first: Evidence
    second: Evidence

    @classmethod
    def of(cls, public_key: bytes, ours: Evidence, theirs: Evidence) -> ForkProof:
        """Make a proof, in the order of hashes; contents are left out when lengths or a seal say enough."""
        first, second = sorted((ours, theirs), key=lambda evidence: evidence.signed.head.sha256)
        if _heads_conflict(first.signed.head, second.signed.head):
            first, second = Evidence(first.signed), Evidence(second.signed)
        return cls(public_key, first, second)

    @property
    def writer(self) -> Writer:
        """The writer that has two histories."""
        return self.first.signed.head.writer

    @property
    def zone(self) -> str:
        """The zone it writes in."""
        return self.first.signed.head.zone

    @property
    def number(self) -> int:
        """The segment in which the histories part."""
        return self.first.signed.head.number

    @property
    def file_name(self) -> str:
        """Where the proof is kept: the same name for the same two heads."""
        heads = "-".join(side.signed.head.sha256[:4].hex() for side in (self.first, self.second))
        return f"{self.writer.source}.{self.writer.epoch}.{self.number:08d}.{heads}.fork"

    def verify(self) -> None:
        """Check the proof by itself.

        Raises:
            IntegrityError: a signature, a hash or the contradiction is missing.
        """
        one, two = self.first.signed.head, self.second.signed.head
        if (one.zone, one.writer, one.number) != (two.zone, two.writer, two.number):
            raise IntegrityError(f"the heads are of {one.writer} {one.number} and {two.writer} {two.number}")
        for evidence in (self.first, self.second):
            evidence.signed.verify(self.public_key)
        if _heads_conflict(one, two):
            return
        for evidence in (self.first, self.second):
            if content_hash(evidence.content) != evidence.signed.head.sha256:
                raise IntegrityError(
                    f"the content of {one.writer} segment {one.number} is not what was signed"
                )
        shared = min(len(self.first.content), len(self.second.content))
        if self.first.content[:shared] == self.second.content[:shared]:
            raise IntegrityError(f"the heads of {one.writer} segment {one.number} agree: no fork")

    def encode(self) -> bytes:
        """Give the proof's file."""
        return msgspec.msgpack.encode(_Proof(self.public_key, [_pack(self.first), _pack(self.second)]))


class _Evidence(msgspec.Struct, array_like=True, frozen=True):
    zone: str
    source: str
    epoch: str
    number: int
    length: int
    last_sequence: int
    sha256: bytes
    sealed: bool
    signature: bytes
    content: bytes


class _Proof(msgspec.Struct, array_like=True, frozen=True):
    public_key: bytes
    evidence: list[_Evidence]


def decode_proof(data: bytes) -> ForkProof:
    """Read a proof's file, without checking what it proves.

    Raises:
        IntegrityError: it is not a proof's file.
    """
    try:
        proof = msgspec.msgpack.decode(data, type=_Proof)
        first, second = (_unpack(evidence) for evidence in proof.evidence)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as exc:
        raise IntegrityError(f"not the proof of a fork: {exc}") from exc
    return ForkProof(proof.public_key, first, second)


def _heads_conflict(one: Head, two: Head) -> bool:
    if one.length == two.length:
        return one.sha256 != two.sha256
    shorter = min(one, two, key=lambda head: head.length)
    return shorter.sealed


def _pack(evidence: Evidence) -> _Evidence:
    head = evidence.signed.head
    return _Evidence(
        head.zone,
        head.writer.source,
        head.writer.epoch,
        head.number,
        head.length,
        head.last_sequence,
        head.sha256,
        head.sealed,
        evidence.signed.signature,
        evidence.content,
    )


def _unpack(item: _Evidence) -> Evidence:
    if not EPOCH_PATTERN.match(item.epoch):
        raise ValueError(f"epoch {item.epoch!r}")
    writer = Writer(item.source, item.epoch)
    head = Head(item.zone, writer, item.number, item.length, item.last_sequence, item.sha256, item.sealed)
    return Evidence(SignedHead(head, item.signature), item.content)
