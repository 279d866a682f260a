"""What happened, line by line: a hash over all of it, and the last lines for a person."""

from __future__ import annotations

import hashlib
from collections import Counter, deque

LINES_KEPT = 400


class Trace:
    """Two runs with equal hashes did the same."""

    def __init__(self) -> None:
        self._digest = hashlib.blake2b(digest_size=16)
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.counts: Counter[str] = Counter()

    def note(self, now: float, kind: str, detail: str) -> None:
        """Add a line."""
        line = f"{now:11.3f} {kind:<14} {detail}"
        self._digest.update(line.encode() + b"\n")
        self._lines.append(line)

    def count(self, kind: str, number: int = 1) -> None:
        """Count something that really happened."""
        self.counts[kind] += number

    def hash(self) -> str:
        """Give the hash so far."""
        return self._digest.hexdigest()

    def tail(self, lines: int) -> list[str]:
        """Give the last lines."""
        return list(self._lines)[-lines:]
