"""Events as one Parquet table, for data tools: the only place that knows pyarrow, which is an extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from jilog_agent.decisions.text import json_text
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event
from jilog_ledger.identifiers import format_uuid

FORMAT_VERSION = "1"
"""Kept in the file's metadata as ``jilog_export``; it grows when a column changes its meaning."""


def check_installed() -> None:
    """Refuse before anything is read when the library is not there.

    Raises:
        InputError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError("format parquet needs the library pyarrow", hint="run: pip install 'jilog[parquet]'")


def events_table(events: Sequence[Event]) -> bytes:
    """Write events as a Parquet file, in their order: one row each, the payload as JSON text."""
    import pyarrow as pa
    from pyarrow import parquet

    text, moment = pa.string(), pa.timestamp("ns", tz="UTC")
    columns = [
        ("event_id", text, False, [format_uuid(event.stored.event_id) for event in events]),
        ("zone", text, False, [event.zone for event in events]),
        ("source", text, False, [event.writer.source for event in events]),
        ("epoch", text, False, [event.writer.epoch for event in events]),
        ("source_seq", pa.int64(), False, [event.stored.sequence for event in events]),
        ("timestamp", moment, False, [event.stored.timestamp_ns for event in events]),
        ("event_class", text, False, [event.stored.event_class for event in events]),
        ("payload_tier", text, False, [str(event.to_json()["payload_tier"]) for event in events]),
        ("correlation_id", text, True, [_uuid(event.stored.correlation_id) for event in events]),
        ("causation_id", text, True, [_uuid(event.stored.causation_id) for event in events]),
        ("actor_ref", text, True, [event.stored.actor_ref for event in events]),
        ("object_ref", text, True, [event.stored.object_ref for event in events]),
        ("payload", text, False, [json_text(event.payload(), indent=None) for event in events]),
    ]
    schema = pa.schema(
        [pa.field(name, kind, nullable=absent) for name, kind, absent, _ in columns],
        metadata={"jilog_export": FORMAT_VERSION},
    )
    arrays = [pa.array(values, type=kind) for _, kind, _, values in columns]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _uuid(raw: bytes | None) -> str | None:
    return format_uuid(raw) if raw else None
