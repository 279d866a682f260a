"""Personas: what each voice of a chat agent met, beside what it consumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jilog_ledger.event import JsonValue
from jilog_review.detector import Kind
from jilog_review.signal import Signal
from jilog_review.spend import SpendGroup

_Pair = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Persona:
    """One persona in one channel. ``key`` is how it is shown; no two of a window have the same one."""

    key: str
    persona: str
    channel: str | None
    counts: dict[Kind, int]
    spend: SpendGroup

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object with the reference's keys."""
        counts: dict[str, JsonValue] = {f"{kind.value}s": self.counts[kind] for kind in Kind}
        return {
            "persona": self.persona,
            "channel": self.channel,
            "sessions": self.spend.sessions,
            **counts,
            "input_tokens": self.spend.input_tokens,
            "output_tokens": self.spend.output_tokens,
            "cost_usd": self.spend.cost_usd,
        }


def personas_of(signals: Iterable[Signal], groups: Iterable[SpendGroup]) -> tuple[Persona, ...]:
    """Count signals and sessions by persona and channel, in the order of their keys."""
    counts: dict[_Pair, Counter[Kind]] = {}
    for signal in signals:
        if signal.persona:
            counts.setdefault((signal.persona, signal.channel), Counter())[signal.kind] += 1
    spend: dict[_Pair, SpendGroup] = {}
    for group in groups:
        if group.persona:
            pair = (group.persona, group.channel)
            spend[pair] = spend.get(pair, SpendGroup()) + group
    return tuple(
        Persona(
            key,
            *pair,
            {kind: counts.get(pair, Counter())[kind] for kind in Kind},
            spend.get(pair, SpendGroup()),
        )
        for key, pair in sorted(_keys(counts.keys() | spend.keys()).items())
    )


def _keys(pairs: Iterable[_Pair]) -> dict[str, _Pair]:
    """Give each pair a key of its own: pairs that would be shown alike are numbered in their order."""
    keys: dict[str, _Pair] = {}
    for pair in sorted(pairs, key=lambda pair: (pair[0], pair[1] or "")):
        plain = shown_name(pair[0], pair[1])
        key, number = plain, 1
        while key in keys:
            number += 1
            key = f"{plain} ({number})"
        keys[key] = pair
    return keys


def shown_name(persona: str, channel: str | None) -> str:
    """Write a persona and its channel as a digest shows them, fit to stand between backticks."""
    name = f"{persona}@{channel}" if channel else persona
    return "".join("'" if c == "`" else " " if c < " " or c == "\x7f" else c for c in name)
