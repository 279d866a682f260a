"""The messages of pairing, and their frames: bytes in, typed values out, and nothing past a limit.

A direction starts with ``JLPA``; frames follow: two bytes of length, big-endian, at most FRAME_BYTES_MAX, and
a msgpack array whose first element is the type. A conversation has at most FRAMES_MAX frames a direction.
``docs/pairing.md`` is the definition.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from jilog_spool.errors import ProtocolError

MAGIC = b"JLPA"
VERSION = 1
FRAME_BYTES_MAX = 512
"""The largest message is a hello with the longest name, below 200 bytes."""

FRAMES_MAX = 4
"""Hello, claim, stored, and one word of refusal."""

Key: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Share: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=33, max_length=33)]
Signature: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Word: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,32}\Z")]
Port: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Who speaks: version, public part of the code, name, Ed25519 key, and the share of the key exchange."""

    version: Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]
    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-z]{2}\Z")]
    source: Name
    public_key: Key
    share: Share


class Sealed(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What only somebody with the code can say: an inner message, and its HMAC-SHA-256."""

    inner: Annotated[bytes, msgspec.Meta(max_length=256)]
    mac: Key


class Sorry(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """The end, with a word for why. It is not proved, so it is believed for its text only."""

    reason: Word
    tries_left: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


class Claim(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Inside a seal: the signature of the key over what was said, and the port of the own endpoint or 0."""

    signature: Signature
    port: Port


class Stored(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Inside a seal: the other host is a trusted peer here from now on."""


class Declined(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Inside a seal: the code was right, and yet this host does not take the other as a peer."""

    reason: Word


Message: TypeAlias = Hello | Sealed | Sorry
Inner: TypeAlias = Claim | Stored | Declined

_messages: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_inner: msgspec.msgpack.Decoder[Inner] = msgspec.msgpack.Decoder(Inner)


def encode(message: Message) -> bytes:
    """Write a message as a frame."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(2, "big") + body


def encode_inner(inner: Inner) -> bytes:
    """Write what goes into a seal."""
    return msgspec.msgpack.encode(inner)


def decode_inner(data: bytes) -> Inner:
    """Read what was in a seal.

    Raises:
        ProtocolError: it is none of the three.
    """
    try:
        return _inner.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ProtocolError("the other side sealed something that is no pairing message") from exc


class Frames:
    """Cuts a stream of bytes into messages. It holds one frame at most."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._begun = False
        self._count = 0

    def feed(self, data: bytes) -> list[tuple[Message, bytes]]:
        """Take bytes; give each whole message with the bytes of its body.

        Raises:
            ProtocolError: they are not what the protocol allows; nothing after that counts.
        """
        self._data += data
        found = []
        while (body := self._cut()) is not None:
            try:
                found.append((_messages.decode(body), body))
            except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                raise ProtocolError("the other side sent something that is no pairing message") from exc
        return found

    def _cut(self) -> bytes | None:
        data = self._data
        if not self._begun:
            if not MAGIC.startswith(data[: len(MAGIC)]):
                raise ProtocolError(
                    "whoever answers there does not speak jilog's pairing",
                    hint="on the other host: jilog peer pair",
                )
            if len(data) < len(MAGIC):
                return None
            del data[: len(MAGIC)]
            self._begun = True
        if len(data) < 2:
            return None
        length = int.from_bytes(data[:2], "big")
        if not 0 < length <= FRAME_BYTES_MAX:
            raise ProtocolError(f"the other side announced a pairing message of {length} bytes")
        if len(data) < 2 + length:
            return None
        self._count += 1
        if self._count > FRAMES_MAX:
            raise ProtocolError("the other side sent more pairing messages than there are")
        body = bytes(data[2 : 2 + length])
        del data[: 2 + length]
        return body
