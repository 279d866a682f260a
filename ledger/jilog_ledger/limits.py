"""Every limit of the ledger, with its reason. Everything that grows or waits has one here."""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

EVENT_BYTES_MAX = 2 * MIB
"""One stored event. A decision with a body of 1 MB fits; a transcript pasted whole does not."""

PAYLOAD_DEPTH_MAX = 64
"""Nesting of a payload. Deeper input is an attack or a mistake, and decoders recurse."""

REFERENCE_CHARS_MAX = 1024
"""``actor_ref`` and ``object_ref``: long enough for a path, short enough for an index."""

BLOCK_EVENTS_MAX = 4096
"""Events in one durable batch: past this a bigger block no longer makes the append rate better."""

BLOCK_BYTES_MAX = 4 * MIB
"""The body of one block. Readers allocate this much at most before a checksum has passed."""

SEGMENT_BYTES_TARGET = 4 * MIB
"""A segment is sealed once it reaches this size: one read, one hash and one transfer stay short."""

SEGMENT_BYTES_MAX = 2 * SEGMENT_BYTES_TARGET + MIB
"""A segment just below the target that takes one largest block, with room for its seal."""

SEGMENT_AGE_SECONDS_MAX = 86_400
"""A segment is sealed after a day, so that a quiet host's history becomes hash-addressed too."""

HEADER_BYTES_MAX = 4 * KIB
"""The variable part of a segment header: names and keys only."""

WRITERS_MAX = 100_000
"""Writers (source and epoch) in one zone; a frontier beyond this is refused, not processed."""

LOCK_WAIT_SECONDS = 10.0
"""How long a command waits for another process's durable batch; such a batch takes milliseconds."""
