"""The files of a spool directory, byte by byte, by a second reader that was written from the document."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from jilog_ledger.errors import IntegrityError
from jilog_ledger.store import ZoneStore
from jilog_spool.directory_format import Ask, State, ZoneState, decode_state, encode_state
from jilog_spool.directory_names import folder_name
from support.spool_directory import START_NS, directory
from support.spool_fleet import drafts, key_of, zone_store


@pytest.fixture
def store(tmp_path: Path) -> ZoneStore:
    made = zone_store(tmp_path, "a")
    made.append(drafts(2))
    made.seal()
    made.append(drafts(3))
    return made


def _parts(data: bytes, magic: bytes) -> tuple[bytes, bytes]:
    """Take a file apart as the tables say: magic, length, checksum, body, rest."""
    assert data[:8] == magic
    length = int.from_bytes(data[8:12], "big")
    body = data[16 : 16 + length]
    assert int.from_bytes(data[12:16], "big") == zlib.crc32(body)
    return body, data[16 + length :]


def test_sealed_segment_is_the_segment_file_and_named_for_its_content(
    store: ZoneStore, tmp_path: Path
) -> None:
    directory(tmp_path / "shared", store).emit()

    (path,) = (tmp_path / "shared").glob("*/*.seg")

    assert path.read_bytes() == store.layout.segment(store.own_writer, 1).read_bytes()
    (info, _) = store.segments(store.own_writer)
    content = path.read_bytes()[: info.content_length]
    digest = hashlib.sha256(content).hexdigest()[:32]
    assert path.name == f"s+main+a+{store.own_writer.epoch}+00000001+{digest}.seg"


def test_tail_is_laid_out_as_the_document_says(store: ZoneStore, tmp_path: Path) -> None:
    directory(tmp_path / "shared", store).emit()
    (path,) = (tmp_path / "shared").glob("*/*.tail")

    body, rest = _parts(path.read_bytes(), b"JLTAIL1\n")
    zone, source, epoch, number, start, end, sequence, sha256, signature, origin = msgpack.unpackb(body)

    segment = store.layout.segment(store.own_writer, 2).read_bytes()
    assert (zone, source, epoch.hex(), number) == ("main", "a", store.own_writer.epoch, 2)
    assert (start, end, sequence, origin) == (0, len(segment), 5, b"")
    assert rest == segment
    assert sha256 == hashlib.sha256(segment).digest()
    head = msgpack.packb([zone, source, epoch, number, end, sequence, sha256, False])
    key = Ed25519PublicKey.from_public_bytes(key_of("a").public_key)
    key.verify(signature, b"jilog head 1\n" + head)
    assert path.name.endswith(f"+00000002+0-{end}+{sha256.hex()[:32]}.tail")


def test_statement_is_laid_out_as_the_document_says(store: ZoneStore, tmp_path: Path) -> None:
    place = directory(tmp_path / "shared", store, clock=lambda: START_NS)
    place.emit()
    (path,) = (tmp_path / "shared").glob("*/*.state")

    body, signature = _parts(path.read_bytes(), b"JLSTATE1")
    version, source, public_key, counter, time_ns, zones, asks, seen = msgpack.unpackb(body)

    assert (version, source, public_key) == (1, "a", key_of("a").public_key)
    assert (counter, time_ns, asks, seen) == (START_NS // 10**6, START_NS, [], [])
    ((zone, (entry,), keys),) = zones
    (held,) = store.frontier().entries
    epoch = bytes.fromhex(store.own_writer.epoch)
    assert (zone, keys) == ("main", [["a", key_of("a").public_key]])
    assert entry == ["a", epoch, 5, 2, held.length, held.sha256, False, []]
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, b"jilog directory state 1\n" + body)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    assert path.name == f"i+{counter}+{digest}.state"


def test_folder_is_named_for_host_key_and_home() -> None:
    key = key_of("Laptop")

    name = folder_name("Laptop", key, b"x" * 32)

    digest = hashlib.sha256(b"jilog directory host 1\n" + key.public_key + b"Laptop\n" + b"x" * 32)
    assert name == f"h+laptop+{digest.hexdigest()[:16]}"
    assert name != folder_name("Laptop", key, b"y" * 32)


def test_statement_survives_its_own_reader(store: ZoneStore) -> None:
    key = key_of("a")
    state = State(
        "a",
        key.public_key,
        7,
        START_NS,
        {"main": ZoneState(store.frontier().entries, {"a": frozenset({key.public_key})})},
        (Ask("main", store.own_writer, 3),),
        {"h+b+0123456789abcdef": (4, START_NS)},
    )

    assert decode_state(encode_state(state, key)) == state


def test_statement_of_a_later_version_is_not_understood_and_says_so(store: ZoneStore) -> None:
    key = key_of("a")
    data = encode_state(State("a", key.public_key, 1, 0, {}), key)
    body, _ = _parts(data, b"JLSTATE1")
    later = msgpack.packb([2, *msgpack.unpackb(body)[1:]])
    lengths = len(later).to_bytes(4, "big") + zlib.crc32(later).to_bytes(4, "big")
    signed = b"JLSTATE1" + lengths + later + key.sign(b"jilog directory state 1\n" + later)

    with pytest.raises(IntegrityError, match="has version 2; 1 is known"):
        decode_state(signed)
