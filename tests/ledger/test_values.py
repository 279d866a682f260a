"""Times, names, ids, keys, heads and errors."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger import errors
from jilog_ledger.errors import InputError, IntegrityError, JilogError, StorageError
from jilog_ledger.frontier import Frontier, FrontierEntry, Span
from jilog_ledger.head import SLOT_BYTES, Head, RecordedHead, SignedHead, decode_head_file
from jilog_ledger.identifiers import (
    Writer,
    check_epoch,
    check_name,
    derived_event_id,
    format_uuid,
    new_epoch,
    new_event_id,
    parse_uuid,
)
from jilog_ledger.keys import SigningKey, verify_signature
from jilog_ledger.layout import ZoneLayout, parse_part_name, segment_number
from jilog_ledger.times import (
    SECOND_NS,
    format_time,
    parse_date,
    parse_duration_seconds,
    parse_moment,
    parse_rfc3339,
)
from support.stores import NOON_NS, key_of

# Times.


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-05-09T12:00:00Z", NOON_NS),
        ("2026-05-09 12:00:00", NOON_NS),
        ("2026-05-09t12:00:00z", NOON_NS),
        ("2026-05-09T14:00:00+02:00", NOON_NS),
        ("2026-05-09T06:30:00-0530", NOON_NS),
        ("2026-05-09T12:00:00.5Z", NOON_NS + 500_000_000),
        ("2026-05-09T12:00:00.123456789Z", NOON_NS + 123_456_789),
        ("2026-05-09T12:00:00.1234567899999Z", NOON_NS + 123_456_789),
        ("2016-12-31T23:59:60Z", 1_483_228_799 * SECOND_NS),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
    ],
)
def test_rfc3339_is_read_to_the_nanosecond(text: str, ns: int) -> None:
    assert parse_rfc3339(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-05-09", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-05-09T24:00:00Z",
        "2026-05-09T12:00Z", "2026-05-09T12:00:00.Z", "1969-12-31T23:59:59Z", "2262-04-11T23:47:17Z",
        "2026-05-09T12:00:00Z\n", "٢٠٢٦-05-09T12:00:00Z", "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ],
)  # fmt: skip
def test_what_is_no_rfc3339_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


@given(st.integers(0, 2**63 - 1))
def test_time_when_written_and_read_is_the_same(ns: int) -> None:
    assert parse_rfc3339(format_time(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (NOON_NS, "2026-05-09T12:00:00Z"),
        (NOON_NS + 5_000_000, "2026-05-09T12:00:00.005Z"),
        (NOON_NS + 5_000, "2026-05-09T12:00:00.000005Z"),
        (NOON_NS + 5, "2026-05-09T12:00:00.000000005Z"),
    ],
)
def test_time_is_written_with_the_fewest_decimals(ns: int, text: str) -> None:
    assert format_time(ns) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2W", 1_209_600), (" 1h ", 3600)],
)
def test_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration_seconds(text) == seconds
    assert parse_moment(text, now=NOON_NS) == NOON_NS - seconds * SECOND_NS


@pytest.mark.parametrize(
    "text", ["", "7", "d", "0h", "-1h", "1.5h", "1y", "1h30m", "9999999999d", "7 d", "٧d"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError, match="invalid duration") as caught:
        parse_duration_seconds(text)

    assert "90s, 30m, 24h, 7d or 2w" in str(caught.value.hint)


def test_moment_may_be_a_date_or_a_time_and_never_lies_before_1970() -> None:
    assert parse_moment("2026-05-09", now=0) == NOON_NS - 12 * 3600 * SECOND_NS
    assert parse_moment("2026-05-09T12:00:00", now=0) == NOON_NS
    assert parse_moment("999999999w", now=NOON_NS) == 0


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "2026-5-9", "12:00"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InputError, match="invalid time") as caught:
        parse_moment(text, now=NOON_NS)

    assert "2026-05-09T08:02:11Z" in str(caught.value.hint)


def test_date_is_read_or_refused() -> None:
    assert parse_date("2026-05-09") == date(2026, 5, 9)
    for text in ("2026-02-30", "20260509", "", "2026-05-09x"):
        with pytest.raises(InputError, match="invalid date"):
            parse_date(text)


# Names and ids.


@pytest.mark.parametrize("name", ["a", "A.b_c-9", "0", "x" * 64])
def test_good_names_are_given_back(name: str) -> None:
    assert check_name("zone", name) == name


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "é", "x" * 65, "a\0"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="invalid source name"):
        check_name("source", name)


def test_epochs_are_sixteen_hex_digits_and_differ() -> None:
    assert check_epoch(new_epoch()) != new_epoch()
    for epoch in ("", "0" * 15, "0" * 17, "G" * 16, "A" * 16, "0" * 16 + "\n"):
        with pytest.raises(InputError):
            check_epoch(epoch)


@given(st.integers(0, 2**63 - 1))
def test_new_event_id_is_a_uuid7_of_its_time(ns: int) -> None:
    identifier = UUID(bytes=new_event_id(ns))

    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert identifier.int >> 80 == ns // 1_000_000


def test_new_event_ids_differ_and_sort_by_time() -> None:
    ids = [new_event_id(NOON_NS + i * 1_000_000) for i in range(100)]

    assert ids == sorted(ids)
    assert len({new_event_id(NOON_NS) for _ in range(100)}) == 100
    assert datetime.fromtimestamp(int.from_bytes(new_event_id()[:6], "big") / 1000, UTC).year >= 2025


def test_derived_event_id_is_a_uuid8_of_its_parts() -> None:
    identifier = derived_event_id("a", "b")

    assert UUID(bytes=identifier).version == 8
    assert identifier == derived_event_id("a", "b")
    assert (
        len({identifier, derived_event_id("ab"), derived_event_id("a", "b", ""), derived_event_id("b", "a")})
        == 4
    )
    assert derived_event_id("\ud800") != derived_event_id("?")


@given(st.binary(min_size=16, max_size=16))
def test_uuid_when_written_and_read_is_the_same(raw: bytes) -> None:
    assert format_uuid(raw) == str(UUID(bytes=raw))
    assert parse_uuid(format_uuid(raw)) == parse_uuid(raw.hex()) == raw


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "g" * 32, "0" * 30 + "  ", "é" * 32])
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="invalid event id"):
        parse_uuid(text)


def test_file_names_of_segments_and_parts_are_read_back() -> None:
    layout = ZoneLayout(Path("/z"))
    writer = Writer("host.with.dots-1", "0123456789abcdef")

    assert segment_number(layout.segment(writer, 123_456_789).name) == 123_456_789
    assert parse_part_name(layout.part(writer, 7, 4096).name) == (writer, 7, 4096)
    for name in ("1.seg", "00000001.seg.tmp", "x0000001.seg", "head", "00000001.segx"):
        assert segment_number(name) is None
    for name in ("a.b.c.d.part", "lock", "h.0123456789abcdef.00000001.x.part"):
        assert parse_part_name(name) is None


# Keys and heads.

HEAD = Head("main", Writer("alpha", "0123456789abcdef"), 3, 1000, 42, bytes(32), sealed=False)


def test_key_when_saved_and_loaded_is_the_same_and_private(tmp_path: Path) -> None:
    key = SigningKey.generate()

    key.save(tmp_path / "key")

    assert SigningKey.load(tmp_path / "key").public_key == key.public_key
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert (tmp_path / "key").read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")


def test_key_is_never_saved_over_another(tmp_path: Path) -> None:
    key_of("one").save(tmp_path / "key")

    with pytest.raises(StorageError):
        key_of("two").save(tmp_path / "key")

    assert SigningKey.load(tmp_path / "key").public_key == key_of("one").public_key


def test_key_that_cannot_be_used_is_refused_with_its_path(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_ssh_private_key,
    )

    ed25519 = load_ssh_private_key(key_of("x").to_openssh(), None)
    files = {
        "garbage": b"not a key",
        "empty": b"",
        "other": generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        ),
    }
    try:
        files["locked"] = ed25519.private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"secret")
        )
    except Exception:  # an installation without bcrypt cannot write encrypted keys
        files.pop("locked", None)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

        with pytest.raises(InputError, match=name):
            SigningKey.load(tmp_path / name)

    with pytest.raises(StorageError) as caught:
        SigningKey.load(tmp_path / "missing")
    assert caught.value.hint == "run: jilog init"


def test_signature_of_anything_else_is_refused() -> None:
    key = key_of("alpha")
    signature = key.sign(b"message")

    verify_signature(key.public_key, signature, b"message")

    for public_key, signed, message in (
        (key.public_key, signature, b"other"),
        (key_of("beta").public_key, signature, b"message"),
        (key.public_key, bytes(64), b"message"),
        (key.public_key, b"short", b"message"),
        (b"short", signature, b"message"),
    ):
        with pytest.raises(IntegrityError):
            verify_signature(public_key, signed, message)


@pytest.mark.parametrize(
    "change",
    [
        {"zone": "other"},
        {"writer": Writer("beta", HEAD.writer.epoch)},
        {"writer": Writer("alpha", "f" * 16)},
        {"number": 4},
        {"length": 1001},
        {"last_sequence": 43},
        {"sha256": b"\1" * 32},
        {"sealed": True},
    ],
)
def test_signature_of_a_head_covers_each_of_its_fields(change: dict[str, object]) -> None:
    key = key_of("alpha")
    signature = key.sign(HEAD.message())
    SignedHead(HEAD, signature).verify(key.public_key)

    with pytest.raises(IntegrityError):
        SignedHead(replace(HEAD, **change), signature).verify(key.public_key)  # type: ignore[arg-type]


def test_head_file_gives_its_newest_whole_slot() -> None:
    older, newer = RecordedHead(6, HEAD, b""), RecordedHead(7, replace(HEAD, length=2000), b"s" * 64)
    file = older.encode() + newer.encode()

    def read(data: bytes) -> RecordedHead | None:
        return decode_head_file(data, HEAD.zone, HEAD.writer)

    assert (older.slot_offset, newer.slot_offset) == (0, SLOT_BYTES)
    assert read(file) == newer
    assert read(file[: SLOT_BYTES + 40]) == older
    assert read(bytes(SLOT_BYTES) + newer.encode()) == newer
    assert read(b"") is None
    assert read(bytes(2 * SLOT_BYTES)) is None


@given(position=st.integers(0, 2 * SLOT_BYTES - 1), noise=st.binary(min_size=1, max_size=600))
def test_head_file_with_garbage_gives_a_whole_slot_or_none(position: int, noise: bytes) -> None:
    slots = [RecordedHead(6, HEAD, b""), RecordedHead(7, replace(HEAD, length=2000), b"s" * 64)]
    file = slots[0].encode() + slots[1].encode()

    found = decode_head_file(file[:position] + noise + file[position + len(noise) :], HEAD.zone, HEAD.writer)

    assert found is None or found in slots


# Frontiers.


def test_fleet_root_depends_on_everything_that_is_held() -> None:
    writer = Writer("a", "0" * 16)
    entry = FrontierEntry(writer, 5, 2, 300, b"h" * 32, sealed=False, above=(Span(4, 5, 9, 12, b"i" * 32),))
    frontiers = [
        Frontier("main", ()),
        Frontier("other", ()),
        Frontier("main", (entry,)),
        Frontier("main", (replace(entry, writer=Writer("b", "0" * 16)),)),
        Frontier("main", (replace(entry, writer=Writer("a", "1" * 16)),)),
        Frontier("main", (replace(entry, sequence=6),)),
        Frontier("main", (replace(entry, number=3),)),
        Frontier("main", (replace(entry, length=301),)),
        Frontier("main", (replace(entry, sha256=b"j" * 32),)),
        Frontier("main", (replace(entry, sealed=True),)),
        Frontier("main", (replace(entry, above=()),)),
        Frontier("main", (replace(entry, above=(Span(4, 5, 9, 12, b"k" * 32),)),)),
    ]

    assert len({frontier.root() for frontier in frontiers}) == len(frontiers)
    assert frontiers[2].entry(writer) == entry
    assert frontiers[2].entry(Writer("z", "0" * 16)) is None
    assert (entry.last_sequence, replace(entry, above=()).last_sequence) == (12, 5)


# Errors.


def test_each_branch_of_the_error_tree_has_its_exit_status() -> None:
    statuses = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, JilogError)
    }

    assert (
        statuses.items()
        >= {
            "JilogError": 1,
            "InputError": 2,
            "FindingsError": 3,
            "IntegrityError": 4,
            "SegmentDamaged": 4,
            "StorageError": 5,
            "SyncFailed": 5,
            "BusyError": 6,
            "PeerError": 7,
        }.items()
    )
    assert JilogError("it broke", hint="mend it").hint == "mend it"
