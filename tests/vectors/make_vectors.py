"""Make the golden vectors of the segment format from what ``docs/format.md`` says.

Nothing here imports jilog: the bytes come from struct, zlib, msgpack, xxhash, hashlib and cryptography, so
that the document defines the format and not the program. ``python make_vectors.py DIRECTORY`` writes one
``.seg`` file per vector and ``index.json``, the same bytes every time.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import msgpack
import xxhash
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ZONE, SOURCE, EPOCH = "main", "host-1", bytes.fromhex("0123456789abcdef")
NOON_NS = 1_778_328_000_000_000_000
BLOCK, SEAL = 1, 2


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def preamble(body_length: int, *, magic: bytes = b"JILOGSEG", version: int = 1, reserved: int = 0) -> bytes:
    return struct.pack("<8sHHI", magic, version, reserved, body_length)


def header(*extra: object, **changes: Any) -> bytes:
    fields: dict[str, object] = {
        "zone": ZONE,
        "source": SOURCE,
        "epoch": EPOCH,
        "number": 1,
        "first_sequence": 1,
        "previous": bytes(32),
        "public_key": PUBLIC_KEY,
        "created_ns": NOON_NS,
        "local": False,
    }
    body = pack([*(fields | {k: v for k, v in changes.items() if k in fields}).values(), *extra])
    start = preamble(len(body), **{k: v for k, v in changes.items() if k not in fields}) + body
    return start + struct.pack("<I", zlib.crc32(start))


def frame(kind: int, body: bytes) -> bytes:
    start = struct.pack("<BBBBI", kind, 0, 0, 0, len(body))
    return start + struct.pack("<I", zlib.crc32(start + body)) + body


def event(sequence: int, **changes: Any) -> list[object]:
    fields: dict[str, object] = {
        "sequence": sequence,
        "event_id": hashlib.sha256(b"event %d" % sequence).digest()[:16],
        "timestamp_ns": NOON_NS + sequence,
        "event_class": "decision",
        "tier": 1,
        "payload": {"n": sequence},
        "object_ref": None,
        "actor_ref": None,
        "correlation_id": None,
        "causation_id": None,
    }
    return list((fields | changes).values())


def block(*events: list[object]) -> bytes:
    return frame(BLOCK, pack(list(events)))


def head_message(length: int, last_sequence: int, sha256: bytes, *, sealed: bool, number: int = 1) -> bytes:
    return b"jilog head 1\n" + pack([ZONE, SOURCE, EPOCH, number, length, last_sequence, sha256, sealed])


def seal(
    content: bytes, batches: list[list[list[Any]]], *extra: object, number: int = 1, **changes: Any
) -> bytes:
    events = [item for items in batches for item in items]
    times = [item[2] for item in events]
    sha256 = hashlib.sha256(content).digest()
    signer = changes.pop("signer", KEY)
    message = head_message(len(content), events[-1][0], sha256, sealed=True, number=number)
    fields: dict[str, object] = {
        "events": len(events),
        "blocks": len(batches),
        "first_sequence": events[0][0],
        "last_sequence": events[-1][0],
        "first_time_ns": min(times),
        "last_time_ns": max(times),
        "length": len(content),
        "xxh3": xxhash.xxh3_128_digest(content),
        "sha256": sha256,
        "signature": signer.sign(message),
    }
    return frame(SEAL, pack([*(fields | changes).values(), *extra]))


def segment(blocks: list[list[list[object]]], *, start: bytes | None = None) -> bytes:
    return (header() if start is None else start) + b"".join(block(*items) for items in blocks)


def sealed(blocks: list[list[list[object]]], *, start: bytes | None = None, **changes: Any) -> bytes:
    content = segment(blocks, start=start)
    return content + seal(content, blocks, **changes)


def flip(data: bytes, place: int, mask: int = 1) -> bytes:
    return data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]


PAYLOADS = [
    None,
    True,
    -1,
    2**63,
    1.5,
    "größe · 大きさ",
    [1, [2, [3]]],
    {"nested": {"list": [None, False, "x" * 300]}, "": 0},
]
THREE = [[event(1), event(2)], [event(3)], [event(4), event(5), event(6)]]


def good_vectors() -> dict[str, tuple[bytes, str]]:
    rich = [[event(i + 1, payload=payload) for i, payload in enumerate(PAYLOADS)]]
    full = event(
        1,
        object_ref="src/main.py",
        actor_ref="agent:someone",
        correlation_id=bytes(range(16)),
        causation_id=bytes(range(16, 32)),
    )
    first = sealed([[event(1)]])
    previous = hashlib.sha256(segment([[event(1)]])).digest()
    second = header(number=2, first_sequence=2, previous=previous)
    backwards = [[event(1, timestamp_ns=NOON_NS + 50), event(2, timestamp_ns=NOON_NS - 50)]]
    return {
        "sealed-one-event": (first, "the smallest sealed segment"),
        "sealed-three-blocks": (sealed(THREE), "blocks of two, one and three events"),
        "sealed-second": (sealed([[event(2)]], start=second, number=2), "names the hash of sealed-one-event"),
        "sealed-payloads": (sealed(rich), "every kind of JSON value"),
        "sealed-references": (sealed([[full]]), "all optional fields set"),
        "sealed-clock-back": (
            sealed(backwards),
            "times out of order: the seal has the least and the greatest",
        ),
        "active-header-only": (header(), "no block yet"),
        "active-three-blocks": (segment(THREE), "no seal yet"),
        "active-local": (segment([[event(1, tier=2)]], start=header(local=True)), "never leaves its host"),
        "newer-fields": (
            sealed([[[*event(1), "later"]]], start=header("later")),
            "one more element in header and event, which this version skips",
        ),
        "newer-class-and-tier": (sealed([[event(1, event_class="dream", tier=9)]]), "carried, not refused"),
    }


def bad_vectors() -> dict[str, tuple[bytes, int, bool, str]]:
    """Name, bytes, offset of the damage, whether it is torn, and why."""
    start = header()
    one = block(event(1))
    whole = segment([[event(1)], [event(2)]])
    second_at = len(start) + len(one)
    done = sealed([[event(1)]])
    seal_at = len(start) + len(one)
    content = segment([[event(1)]])
    wrong = {"events": 2, "blocks": 2, "first_sequence": 2, "last_sequence": 2, "first_time_ns": 0}
    wrong_seals: dict[str, Any] = wrong | {
        "last_time_ns": 0,
        "length": len(content) - 1,
        "xxh3": bytes(16),
        "sha256": bytes(32),
    }
    found: dict[str, tuple[bytes, int, bool, str]] = {
        "empty": (b"", 0, True, "no byte at all"),
        "header-cut": (start[:-1], 0, True, "ends inside the header"),
        "magic": (flip(start, 0), 0, False, "does not start with JILOGSEG"),
        "version": (header(version=2), 8, False, "a version this reader does not know"),
        "reserved": (header(reserved=1), 8, False, "reserved bytes that are not zero"),
        "header-too-large": (preamble(4097) + bytes(5000), 12, False, "a body length past the limit"),
        "header-crc": (flip(start, 20), 0, False, "one bit of the header's body"),
        "header-zone": (header(zone="../up"), 0, False, "a zone that is no name"),
        "header-source": (header(source=""), 0, False, "an empty source"),
        "header-epoch": (header(epoch=EPOCH[:7]), 0, False, "an epoch of seven bytes"),
        "header-number": (header(number=0), 0, False, "numbers count from one"),
        "header-first-sequence": (header(first_sequence=0), 0, False, "sequences count from one"),
        "header-key": (header(public_key=bytes(31)), 0, False, "a key of 31 bytes"),
        "header-previous": (header(previous=b""), 0, False, "no hash where 32 bytes are due"),
        "header-map": (_header_of({"zone": ZONE}), 0, False, "a map where an array is due"),
        "block-cut": (whole[:-1], second_at, True, "the last block lacks one byte"),
        "frame-cut": (whole[: second_at + 5], second_at, True, "ends inside a frame's first twelve bytes"),
        "block-flip": (flip(whole, second_at - 1), len(start), False, "a bit of a block that others follow"),
        "last-block-flip": (flip(whole, len(whole) - 1), second_at, True, "nothing whole follows it"),
        "padding-flip": (flip(whole, len(start) + 2), len(start), False, "the CRC covers the padding, too"),
        "kind": (start + frame(3, pack([event(1)])), len(start), True, "a frame of unknown kind"),
        "block-too-large": (
            start + struct.pack("<BBBBII", 1, 0, 0, 0, 4 * 1024 * 1024 + 1, 0) + bytes(64),
            len(start),
            True,
            "a length past the limit",
        ),
        "block-empty": (start + block(), len(start), False, "a block without events"),
        "block-map": (start + frame(BLOCK, pack({})), len(start), False, "a map where an array is due"),
        "block-garbage": (start + frame(BLOCK, b"\xc1"), len(start), False, "no msgpack"),
        "block-trailing": (
            start + frame(BLOCK, pack([event(1)]) + b"\0"),
            len(start),
            False,
            "bytes after the array",
        ),
        "event-short": (start + block(event(1)[:5]), len(start), False, "five fields of ten"),
        "event-id": (start + block(event(1, event_id=bytes(15))), len(start), False, "an id of 15 bytes"),
        "event-time": (start + block(event(1, timestamp_ns=-1)), len(start), False, "before 1970"),
        "event-class": (
            start + block(event(1, event_class=7)),
            len(start),
            False,
            "a number where text is due",
        ),
        "sequence-start": (start + block(event(2)), len(start), False, "two where the header says one"),
        "sequence-hole": (start + one + block(event(3)), second_at, False, "three after one"),
        "sequence-again": (start + one + block(event(1)), second_at, False, "one after one"),
        "seal-cut": (done[:-1], seal_at, True, "the seal lacks one byte"),
        "seal-flip": (flip(done, len(done) - 1), seal_at, True, "a bit of the signature"),
        "seal-then-block": (done + block(event(2)), len(done), False, "a segment that goes on"),
        "seal-twice": (done + done[seal_at:], len(done), False, "a second seal"),
        "seal-garbage": (content + frame(SEAL, b"\xc1"), seal_at, False, "no msgpack"),
    }
    for name, value in wrong_seals.items():
        body = content + seal(content, [[event(1)]], **{name: value})
        found[f"seal-{name.replace('_', '-')}"] = (body, seal_at, False, f"a wrong {name} in the seal")
    return found


def _header_of(body: object) -> bytes:
    packed = pack(body)
    start = preamble(len(packed)) + packed
    return start + struct.pack("<I", zlib.crc32(start))


def forged_vectors() -> dict[str, tuple[bytes, str]]:
    """Right in every byte but the signature."""
    return {
        "forged-by-another-key": (
            sealed([[event(1)]], signer=OTHER_KEY),
            "signed by a key not in the header",
        ),
        "forged-signature": (sealed([[event(1)]], signature=bytes(64)), "no signature"),
    }


def describe(data: bytes) -> dict[str, Any]:
    """Say what a reader must find, from the spec's own reading of the bytes."""
    (length,) = struct.unpack_from("<I", data, 12)
    fields = msgpack.unpackb(data[16 : 16 + length], raw=False)
    offset, blocks, seal_fields = 16 + length + 4, [], None
    content_length = len(data)
    while offset < len(data):
        kind, size, _ = struct.unpack_from("<B3xII", data, offset)
        body = msgpack.unpackb(data[offset + 12 : offset + 12 + size], raw=False, strict_map_key=False)
        if kind == SEAL:
            seal_fields, content_length = body, offset
        else:
            blocks.append(body)
        offset += 12 + size
    events = [row for rows in blocks for row in rows]
    return {
        "zone": fields[0],
        "source": fields[1],
        "epoch": fields[2].hex(),
        "number": fields[3],
        "first_sequence": fields[4],
        "local": fields[8],
        "sealed": seal_fields is not None,
        "blocks": len(blocks),
        "events": [
            {
                "sequence": row[0],
                "event_id": row[1].hex(),
                "timestamp_ns": row[2],
                "event_class": row[3],
                "tier": row[4],
                "payload": row[5],
                "object_ref": row[6],
                "actor_ref": row[7],
                "correlation_id": row[8].hex() if row[8] else None,
                "causation_id": row[9].hex() if row[9] else None,
            }
            for row in events
        ],
        "content_length": content_length,
        "sha256": hashlib.sha256(data[:content_length]).hexdigest(),
        "xxh3": xxhash.xxh3_128_hexdigest(data[:content_length]),
    }


def head_vectors() -> list[dict[str, Any]]:
    found = []
    for length, last, is_sealed in ((500, 7, False), (2**32 + 1, 2**40, True)):
        sha256 = hashlib.sha256(str(length).encode()).digest()
        message = head_message(length, last, sha256, sealed=is_sealed)
        signature = KEY.sign(message)
        slots = {}
        for counter in (6, 7):
            body = pack([counter, 1, length, last, sha256, is_sealed, signature])
            slot = b"JLH1" + struct.pack("<HI", len(body), zlib.crc32(body)) + body
            slots[counter % 2] = slot.ljust(512, b"\0")
        found.append(
            {
                "length": length,
                "last_sequence": last,
                "sealed": is_sealed,
                "sha256": sha256.hex(),
                "message": message.hex(),
                "signature": signature.hex(),
                "head_file": (slots[0] + slots[1]).hex(),
                "counter": 7,
            }
        )
    return found


def frontier_vectors() -> list[dict[str, Any]]:
    hashes = [hashlib.sha256(bytes([i])).digest() for i in range(3)]
    frontiers: list[list[list[Any]]] = [
        [],
        [["a", EPOCH, 10, 1, 700, hashes[0], False, []]],
        [
            ["a", EPOCH, 10, 1, 700, hashes[0], True, [[3, 4, 40, hashes[1]], [6, 6, 60, hashes[2]]]],
            ["b", EPOCH, 0, 0, 0, b"", False, [[2, 2, 9, hashes[1]]]],
        ],
    ]
    found = []
    for entries in frontiers:
        root = hashlib.sha256(b"jilog fleet root 1\n" + pack([ZONE, entries])).hexdigest()
        found.append(
            {"zone": ZONE, "entries": json.loads(json.dumps(entries, default=bytes.hex)), "root": root}
        )
    return found


def manifest_vector() -> dict[str, Any]:
    content = segment(THREE)
    whole = sealed(THREE)
    fields = msgpack.unpackb(seal(content, THREE)[12:], raw=False)
    epoch = EPOCH.hex()
    numbers = [1, 1, 6, fields[4], fields[5], 6, len(whole), len(content)]
    rows = [
        ["w", SOURCE, epoch, 1, *[0] * 7, b"", b"", b"", b""],
        ["s", SOURCE, epoch, *numbers, fields[7], fields[8], fields[9], PUBLIC_KEY],
        ["q", SOURCE, epoch, 1, *[0] * 7, b"", b"", b"", b""],
    ]
    data = b"JILOGMAN1\n"
    for row in rows:
        body = pack(row)
        data += struct.pack("<II", len(body), zlib.crc32(body)) + body
    return {"bytes": data.hex(), "kinds": "wsq", "segment": "sealed-three-blocks"}


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.glob("*.seg"):
        stale.unlink()
    index: dict[str, Any] = {
        "public_key": PUBLIC_KEY.hex(),
        "good": {},
        "forged": {},
        "bad": {},
        "heads": head_vectors(),
        "frontiers": frontier_vectors(),
        "manifest": manifest_vector(),
    }
    for name, (data, why) in good_vectors().items():
        (directory / f"{name}.seg").write_bytes(data)
        index["good"][name] = {"why": why, **describe(data)}
    for name, (data, why) in forged_vectors().items():
        (directory / f"{name}.seg").write_bytes(data)
        index["forged"][name] = {"why": why}
    for name, (data, offset, torn, why) in bad_vectors().items():
        (directory / f"{name}.seg").write_bytes(data)
        index["bad"][name] = {"why": why, "offset": offset, "torn": torn}
    (directory / "index.json").write_text(
        json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
