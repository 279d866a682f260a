"""Interleaved timing: machines drift, so alternatives run in turn and medians are compared."""

from __future__ import annotations

import gc
import os
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timed:
    """One alternative: ``work`` does ``units`` of something and is timed as a whole."""

    name: str
    units: int
    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Figure:
    """A median over rounds, and its ratio to the reference of the same rounds."""

    name: str
    rate: float
    ratio: float
    low: float
    high: float
    unit: str


def processor_seconds() -> float:
    """Read the processor time of this process and of those it waited for, in seconds.

    On a machine that others use as well this tells more than a clock: it leaves out the time of waiting.
    """
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def compare(
    reference: Timed,
    *others: Timed,
    unit: str,
    rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Figure]:
    """Time all alternatives ``rounds`` times in random order after one warm-up; rates in units a second.

    A ratio above 1 means faster than the reference; ``low`` and ``high`` are the extremes over the rounds.
    """
    alternatives = [reference, *others]
    rates: dict[str, list[float]] = {alternative.name: [] for alternative in alternatives}
    order = random.Random(0)
    for round_number in range(rounds + 1):
        order.shuffle(alternatives)
        for alternative in alternatives:
            gc.collect()
            start = clock()
            alternative.work()
            seconds = clock() - start
            if round_number:
                rates[alternative.name].append(alternative.units / seconds)
    return [
        _figure(name, rates, reference.name, unit) for name in [reference.name, *(o.name for o in others)]
    ]


def _figure(name: str, rates: dict[str, list[float]], reference: str, unit: str) -> Figure:
    ratios = [mine / theirs for mine, theirs in zip(rates[name], rates[reference], strict=True)]
    return Figure(
        name, statistics.median(rates[name]), statistics.median(ratios), min(ratios), max(ratios), unit
    )


def table(title: str, figures: list[Figure]) -> str:
    """Render figures as aligned text."""
    width = max(len(figure.name) for figure in figures)
    rows = (
        f"  {figure.name:{width}}  {figure.rate:>14,.0f} {figure.unit}/s"
        f"  {figure.ratio:>8.2f} x  ({figure.low:.2f} to {figure.high:.2f})"
        for figure in figures
    )
    return "\n".join([title, *rows])
