"""``jilog segment``: look into one segment file, wherever it lies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import format_bytes, print_json, print_line
from jilog_agent.decisions.text import json_text
from jilog_ledger.errors import IntegrityError, StorageError
from jilog_ledger.event import Event, JsonValue
from jilog_ledger.limits import SEGMENT_BYTES_MAX
from jilog_ledger.segment import (
    BLOCK,
    SegmentReader,
    check_seal_signature,
    decode_header,
    read_block,
    read_frames,
    read_segment,
)
from jilog_ledger.times import format_time

_THIS = "jilog_agent.cli.segment"

group = LazyGroup(
    name="segment",
    help="Look into a segment file.",
    examples=(
        "jilog segment info FILE",
        "jilog segment cat FILE | jq .payload",
        "jilog segment cat --raw FILE",
    ),
    table={
        "cat": Entry(f"{_THIS}:cat", "Print the events, one JSON object a line."),
        "info": Entry(f"{_THIS}:info", "Print what the header and the seal say, and check them."),
    },
)

file_argument = click.argument("file", type=click.Path(path_type=Path))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            data = stream.read(SEGMENT_BYTES_MAX + 1)
    except OSError as exc:
        raise StorageError(
            f"cannot read {file}: {exc.strerror}", hint="see where segments lie: jilog status"
        ) from exc
    if len(data) > SEGMENT_BYTES_MAX:
        raise IntegrityError(f"{file} is larger than any segment ({SEGMENT_BYTES_MAX} bytes)")
    return data


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Put the file's name in front of what is wrong with it."""
    try:
        yield
    except IntegrityError as error:
        hint = error.hint or "if it belongs to a zone, run: jilog verify"
        raise IntegrityError(f"{file}: {error.message}", hint=hint) from error


@click.command("cat", cls=JilogCommand, examples=("jilog segment cat FILE", "jilog segment cat --raw FILE"))
@click.option(
    "--raw", is_flag=True, help="Read with the independent msgpack reader and print every part as it is."
)
@file_argument
def cat(*, raw: bool, file: Path) -> None:
    """Print the events of a segment, one JSON object a line, up to the first byte that is damaged."""
    data = _read(file)
    with _naming(file):
        if raw:
            _cat_raw(data)
        else:
            _cat(data)


def _cat(data: bytes) -> None:
    header, offset = decode_header(data)
    sequence = header.first_sequence
    for frame in read_frames(data, offset):
        if frame.kind == BLOCK:
            for stored in read_block(data, frame, sequence):
                _print_object(Event(header.zone, header.writer, stored).to_json())
                sequence += 1


def _cat_raw(data: bytes) -> None:
    from jilog_agent.raw_segment import read_raw

    for part in read_raw(data):
        place: dict[str, JsonValue] = {"part": part.kind, "offset": part.offset, "length": part.length}
        _print_object({**place, "body": _visible(part.body)})


def _visible(value: object) -> JsonValue:
    """Write what msgpack holds as JSON: bytes become hex digits, keys text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _visible(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(item) for item in value]
    return repr(value)


def _print_object(document: dict[str, JsonValue]) -> None:
    sys.stdout.write(json_text(document, indent=None) + "\n")


@click.command(
    "info", cls=JilogCommand, examples=("jilog segment info FILE", "jilog segment info --json FILE")
)
@json_option
@file_argument
def info(*, as_json: bool, file: Path) -> None:
    """Check a segment's checksums, sequence, hashes and signature, and print what it says of itself."""
    data = _read(file)
    with _naming(file):
        reader = read_segment(data)
        if reader.seal is not None:
            check_seal_signature(reader)
    document = _document(reader)
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        shown = value
        if isinstance(value, bool):
            shown = "yes" if value else "no"
        elif name == "bytes" and isinstance(value, int):
            shown = format_bytes(value)
        print_line(f"{name.replace('_', ' '):16} {shown}")


def _document(reader: SegmentReader) -> dict[str, JsonValue]:
    header = reader.header
    return {
        "zone": header.zone,
        "source": header.writer.source,
        "epoch": header.writer.epoch,
        "number": header.number,
        "sealed": reader.seal is not None,
        "local": header.local,
        "events": reader.events,
        "blocks": reader.blocks,
        "first_sequence": header.first_sequence,
        "last_sequence": reader.last_sequence,
        "first_time": format_time(reader.first_time_ns),
        "last_time": format_time(reader.last_time_ns),
        "created": format_time(header.created_ns),
        "bytes": reader.length,
        "xxh3": reader.xxh3.hex(),
        "sha256": reader.sha256.hex(),
        "previous_sha256": header.previous_sha256.hex(),
        "public_key": header.public_key.hex(),
    }
