"""Precision: how far each detector can be trusted, from people's labels and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from jilog_ledger.event import JsonValue
from jilog_review.labels import Given, Verdict

Z_95 = 1.959964
"""The normal deviate of a two-sided interval of 95 %."""

_RIGHT = frozenset({Verdict.RIGHT, Verdict.WONTFIX})
"""A problem that nobody will fix is a problem all the same."""


@dataclass(frozen=True, slots=True, order=True)
class Precision:
    """How many of a detector's labelled signals of one tier are right. ``count`` is never 0."""

    detector: str
    tier: str
    right: int
    count: int

    @property
    def share(self) -> float:
        """The share that is right, 0 to 1."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true share lies with 95 % confidence."""
        return wilson(self.right, self.count)

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object; shares are rounded to three decimals."""
        low, high = self.interval
        return {
            "detector": self.detector,
            "tier": self.tier,
            "right": self.right,
            "labelled": self.count,
            "precision": round(self.share, 3),
            "low": round(low, 3),
            "high": round(high, 3),
        }

    def line(self) -> str:
        """Write it for people: ``precise.error tier A: 82 % right (n=34, 66–92 %)``."""
        low, high = self.interval
        share = f"{_percent(self.share)} % right (n={self.count}, {_percent(low)}–{_percent(high)} %)"
        return f"{self.detector} tier {self.tier}: {share}"


def wilson(right: int, count: int, z: float = Z_95) -> tuple[float, float]:
    """Give Wilson's score interval of a share: honest for small samples, never outside 0 to 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if count == 0:
        return 0.0, 1.0
    share, square = right / count, z * z
    middle = share + square / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    scale = 1 + square / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def precision_of(labels: Iterable[Given], profile: str | None = None) -> tuple[Precision, ...]:
    """Count right and wrong by detector and tier, sorted; labels that leave it open do not count.

    ``profile`` leaves out the signals of other profiles.
    """
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for given in labels:
        label = given.label
        if label.verdict is Verdict.UNSURE or (profile is not None and label.profile != profile):
            continue
        key = (label.detector, label.tier.value)
        right, count = counts.get(key, (0, 0))
        counts[key] = (right + (label.verdict in _RIGHT), count + 1)
    return tuple(Precision(*key, right, count) for key, (right, count) in sorted(counts.items()))


def _percent(share: float) -> int:
    # Half up, on integers: the same digits on every machine.
    return math.floor(share * 100 + 0.5)
