"""Scales: from counts to round axis ends, and from dates to a few that can be written below an axis."""

from __future__ import annotations

from collections.abc import Sequence


def round_up(count: int) -> int:
    """Give the next number of the form 1, 2 or 5 times a power of ten, at least 1."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if count <= step * power:
                return step * power
        power *= 10


def ticks(top: int) -> tuple[int, ...]:
    """Choose the numbers written at an axis that ends at ``top``: whole ones only."""
    if top % 2 == 0:
        return (0, top // 2, top)
    return (0, top)


def spread(count: int, shown_max: int) -> Sequence[int]:
    """Choose the places of ``count`` that are written out: the first, the last and some between."""
    if count <= shown_max:
        return range(count)
    return [round(place * (count - 1) / (shown_max - 1)) for place in range(shown_max)]
