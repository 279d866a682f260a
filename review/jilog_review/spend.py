"""Spend: what sessions consumed, by persona, role and model. Money is decimal, never float.

A scan counts what is new in each session and puts it into groups small enough for the ledger; a digest adds
the groups of all hosts up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from jilog_ledger.event import JsonValue
from jilog_review.limits import NAME_CHARS_MAX
from jilog_review.money import money_text, parse_money
from jilog_review.transcript import Usage

GROUPS_MAX = 200
"""Groups that one scan writes to the ledger; what is beyond goes into one group without a name."""

ROOT_ROLE = "(root)"
SUBAGENT_ROLE = "(sub-agent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendGroup:
    """Sessions that have persona, channel, role and model in common, and what was new in them.

    A session counts once in ``sessions``, ``with_usage`` (it says how many tokens) and ``priced`` (it says
    what they cost), in the group of its first part. ``cost_usd`` is decimal text.
    """

    persona: str | None = None
    channel: str | None = None
    role: str = ROOT_ROLE
    model: str | None = None
    sessions: int = 0
    with_usage: int = 0
    priced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: str | None = None

    @property
    def usage(self) -> Usage:
        """What the group consumed."""
        return Usage(self.input_tokens, self.output_tokens, parse_money(self.cost_usd))

    def __add__(self, other: SpendGroup) -> SpendGroup:
        """Add counts; the names stay those of the first."""
        usage = self.usage + other.usage
        return replace(
            self,
            sessions=self.sessions + other.sessions,
            with_usage=self.with_usage + other.with_usage,
            priced=self.priced + other.priced,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=money_text(usage.cost),
        )


class Consumer(Protocol):
    """What is asked of a piece of a transcript: whose it is, and what its new lines say was consumed."""

    @property
    def reader(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def is_subagent(self) -> bool: ...
    @property
    def persona(self) -> str | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def usage(self) -> Usage: ...


_GroupKey = tuple[str | None, str | None, str, str | None]


@dataclass(slots=True)
class SpendTally:
    """Adds one scan's transcripts up, piece by piece."""

    groups: dict[_GroupKey, SpendGroup] = field(default_factory=dict)
    _counted: set[tuple[str, str, str]] = field(default_factory=set)

    def add(self, transcript: Consumer) -> None:
        """Count what is new in a piece of a transcript."""
        usage = transcript.usage
        used = bool(usage.input_tokens or usage.output_tokens or usage.cost is not None)
        group = SpendGroup(
            persona=transcript.persona,
            channel=transcript.channel,
            role=SUBAGENT_ROLE if transcript.is_subagent else ROOT_ROLE,
            model=transcript.model[:NAME_CHARS_MAX] if transcript.model else None,
            sessions=self._once("session", transcript),
            with_usage=self._once("usage", transcript) if used else 0,
            priced=self._once("price", transcript) if usage.cost is not None else 0,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=money_text(usage.cost),
        )
        if not used and not group.sessions:
            return
        key = (group.persona, group.channel, group.role, group.model)
        if key not in self.groups and len(self.groups) >= GROUPS_MAX:
            key = (None, None, ROOT_ROLE, None)
            group = replace(group, persona=None, channel=None, role=ROOT_ROLE, model=None)
        before = self.groups.get(key)
        self.groups[key] = group if before is None else before + group

    def _once(self, what: str, transcript: Consumer) -> int:
        key = (what, transcript.reader, transcript.session_id)
        if key in self._counted:
            return 0
        self._counted.add(key)
        return 1

    def sorted(self) -> tuple[SpendGroup, ...]:
        """Give the groups in the order of their names."""
        return tuple(
            self.groups[key] for key in sorted(self.groups, key=lambda key: tuple(part or "" for part in key))
        )


@dataclass(frozen=True, slots=True)
class Spend:
    """What the sessions of a window consumed. Names are in sorted order."""

    total: SpendGroup
    by_role: tuple[tuple[str, SpendGroup], ...]
    by_model: tuple[tuple[str, SpendGroup], ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Give a JSON object; money is decimal text, null where no price is known."""
        return {
            "total_usd": self.total.cost_usd,
            "input_tokens": self.total.input_tokens,
            "output_tokens": self.total.output_tokens,
            "sessions": self.total.sessions,
            "sessions_with_usage": self.total.with_usage,
            "sessions_priced": self.total.priced,
            "by_role": {name: _amounts(group) for name, group in self.by_role},
            "by_model": {name: _amounts(group) for name, group in self.by_model},
        }


def _amounts(group: SpendGroup) -> JsonValue:
    return {
        "cost_usd": group.cost_usd,
        "input_tokens": group.input_tokens,
        "output_tokens": group.output_tokens,
    }


def spend_of(groups: Iterable[SpendGroup]) -> Spend:
    """Add groups up; nothing that was consumed is left out for want of a model's name."""
    everything = tuple(groups)
    return Spend(
        total=sum(everything, SpendGroup()),
        by_role=_by(everything, lambda group: group.role),
        by_model=_by(everything, lambda group: group.model or "(unknown)"),
    )


def _by(
    groups: tuple[SpendGroup, ...], name_of: Callable[[SpendGroup], str]
) -> tuple[tuple[str, SpendGroup], ...]:
    sums: dict[str, SpendGroup] = {}
    for group in groups:
        if group.with_usage or group.input_tokens or group.output_tokens or group.cost_usd is not None:
            name = name_of(group)
            sums[name] = sums.get(name, SpendGroup()) + group
    return tuple(sorted(sums.items()))
