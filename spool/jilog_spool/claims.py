"""Who fetches which segment, when several sessions of one host could."""

from __future__ import annotations

import threading
from typing import TypeAlias

from jilog_ledger.identifiers import Writer

SegmentKey: TypeAlias = tuple[str, Writer, int]
"""Zone, writer, segment number."""


class Claims:
    """The segments that sessions of this process are fetching.

    Peers hold the same segments. A session claims one before it asks for it, so no two peers send the same
    bytes. May be called from several threads.
    """

    def __init__(self) -> None:
        self._owners: dict[SegmentKey, object] = {}
        self._lock = threading.Lock()

    def take(self, key: SegmentKey, owner: object) -> bool:
        """Claim a segment; False while another owner has it."""
        with self._lock:
            return self._owners.setdefault(key, owner) is owner

    def release(self, key: SegmentKey, owner: object) -> None:
        """Give a claim back; one that ``owner`` does not have is left alone."""
        with self._lock:
            if self._owners.get(key) is owner:
                del self._owners[key]

    def release_all(self, owner: object) -> None:
        """Give back every claim of a session that ends."""
        with self._lock:
            for key in [key for key, holder in self._owners.items() if holder is owner]:
                del self._owners[key]
