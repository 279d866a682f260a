"""Segments as bytes: small ones of every shape, and Hypothesis strategies for events."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from jilog_ledger.event import EVENT_CLASSES, TIERS, EventDraft
from jilog_ledger.head import SignedHead
from jilog_ledger.testing import MemoryDisk
from support.stores import Epochs, draft, open_store


def segment_bytes(*, blocks: int = 3, sealed: bool = True) -> tuple[bytes, SignedHead]:
    """Give one segment of ``blocks`` small blocks, and its head."""
    store = open_store(Path("/made"), "beta", disk=MemoryDisk(), epochs=Epochs("beta"))
    for number in range(blocks):
        store.append([draft(number), draft(100 + number)][: 1 + number % 2])
    if sealed:
        store.seal()
    return store.read(store.own_writer, 1, 0, 1 << 30), store.signed_head(store.own_writer, 1)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)

references = st.none() | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f"), min_size=1, max_size=40
)
ids = st.binary(min_size=16, max_size=16)

drafts = st.builds(
    EventDraft,
    event_class=st.sampled_from(EVENT_CLASSES),
    payload=json_values,
    tier=st.sampled_from(TIERS),
    object_ref=references,
    actor_ref=references,
    correlation_id=st.none() | ids,
    causation_id=st.none() | ids,
    timestamp_ns=st.integers(0, 2**63 - 1),
    event_id=ids,
)
