"""Choosing signals: by what they are, or by the beginning of an id."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from jilog_ledger.errors import InputError
from jilog_ledger.event import Event
from jilog_review.detector import Kind, Tier
from jilog_review.labels import LabelBook
from jilog_review.signal import Signal, signal_from_event

ID_CHARS_MIN = 4
"""A shorter beginning of an id is nearly always shared."""


@dataclass(frozen=True, slots=True)
class SignalFilter:
    """Which signals to list; all that are set must hold. ``detectors`` and ``rules`` match by whole name."""

    tiers: Collection[Tier] = ()
    kinds: Collection[Kind] = ()
    detectors: Collection[str] = ()
    hosts: Collection[str] = ()
    fingerprint: str | None = None

    def takes(self, signal: Signal) -> bool:
        """Tell whether a signal is wanted."""
        return (
            (not self.tiers or signal.tier in self.tiers)
            and (not self.kinds or signal.kind in self.kinds)
            and (not self.detectors or _named(signal.detector, self.detectors))
            and (not self.hosts or signal.host in self.hosts)
            and (self.fingerprint is None or signal.fingerprint.startswith(self.fingerprint))
        )


def _named(detector: str, wanted: Collection[str]) -> bool:
    """Tell whether a detector is meant by its whole name or by what stands after its profile's."""
    return detector in wanted or detector.partition(".")[2] in wanted


def signals_by_id(events: Iterable[Event]) -> dict[str, Signal]:
    """Read all signals, of every profile; of several copies the first in the total order stays."""
    found: dict[str, tuple[tuple[int, str, str, int], Signal]] = {}
    for event in events:
        signal = signal_from_event(event) if event.stored.event_class == "learning" else None
        if signal is None:
            continue
        kept = found.get(signal.id)
        if kept is None or event.order < kept[0]:
            found[signal.id] = (event.order, signal)
    return {signal_id: signal for signal_id, (_, signal) in found.items()}


def signal_by_prefix(signals: dict[str, Signal], text: str) -> Signal:
    """Find the one signal whose id begins with ``text``.

    Raises:
        InputError: none does, or several; the hint names the nearest, or those that do.
    """
    wanted = text.strip().lower()
    if wanted in signals:
        return signals[wanted]
    matching = sorted(signal_id for signal_id in signals if wanted and signal_id.startswith(wanted))
    if len(matching) == 1 and len(wanted) >= ID_CHARS_MIN:
        return signals[matching[0]]
    if matching:
        shown = ", ".join(matching[:3]) + (" …" if len(matching) > 3 else "")
        raise InputError(
            f"signal id {text[:40]!r} is the beginning of {len(matching)}", hint=f"give more of it: {shown}"
        )
    raise InputError(f"no signal has the id {text[:40]!r}", hint=_nearest(wanted, signals))


def _nearest(wanted: str, signals: dict[str, Signal]) -> str:
    # Comparing with every id of a large ledger would take seconds: a slip of the finger is rarely the first.
    near = [signal_id for signal_id in signals if signal_id[:1] == wanted[:1]]
    cut = max(len(wanted), 1)
    found = difflib.get_close_matches(
        wanted, sorted({signal_id[:cut] for signal_id in near}), n=1, cutoff=0.6
    )
    if not found:
        return "list them with: jilog review signals"
    full = min(signal_id for signal_id in near if signal_id.startswith(found[0]))
    return f"did you mean {full} ({signals[full].summary[:60]})?"


def to_review(signals: Iterable[Signal], labels: LabelBook) -> Sequence[Signal]:
    """Choose what to ask a person about: one signal of each fingerprint that nobody judged yet.

    They come in the order of their ids, which are hashes: whoever stops early has labelled a fair sample.
    """
    seen = {given.label.fingerprint for given in labels.standing.values()} | set(labels.mutes)
    first: dict[str, Signal] = {}
    for signal in sorted(signals, key=lambda signal: signal.id):
        if signal.fingerprint not in seen:
            first.setdefault(signal.fingerprint, signal)
    return list(first.values())
