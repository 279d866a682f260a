"""The nearest known word to one that nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """Ask ``did you mean …?`` when a known word is near enough to be what was meant."""
    originals = {candidate.lower(): candidate for candidate in known}
    matches = difflib.get_close_matches(word.lower(), list(originals), n=1, cutoff=0.5)
    return f"did you mean {originals[matches[0]]!r}?" if matches else None
