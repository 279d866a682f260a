"""Why a signal is one: the rule that fired, in a sentence, and the words it fired on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jilog_ledger.event import JsonValue
from jilog_review.rulebook import Rule, Rulebook
from jilog_review.signal import Signal

# Rules that are structure rather than wording, and so stand in no rule file.
_STRUCTURAL = {
    "rejected-with-text": "the person refused a tool call and said why",
    "after-interrupt": "the person stopped the agent and wrote this",
    "denied": "the call was not carried out: somebody, a policy or a hook stopped it",
    "tool-failed": "the tool reported a failure",
    "command-failed": "the command ended with a status, and it is neither a question nor a test",
    "runner": "a test, a linter or a build ended red",
    "program": "the program under work ended with a status",
    "signal": "the command was ended by a signal",
    "compaction-storm": "the context was compacted several times within minutes",
    "resume-storm": "the session was resumed several times within half an hour",
    "stuck-loop": "one call was repeated with the same arguments",
    "iteration-runaway": "many calls passed without a word of the person's",
    "edit-churn": "one file was edited again and again while something failed in between",
    "window": "a short message of a person stands between two of the assistant's",
    "structured-failure": "the tool's result says that it failed",
    "phrase": "the assistant's text holds one of the listed phrases",
}
_OUTCOMES = {
    "friction": "a nuisance worth somebody's time",
    "dev_loop": "red tests, lint or builds: normal work",
    "program": "the program under work, not the tools",
    "policy_deny": "a guardrail did its work",
    "hook_block": "a hook did its work",
}
_KINDS = ("workaround", "bypass", "deferral", "shapes", "masked")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which rule made a signal, why it is a rule, on which words it fired, and what its tier means here."""

    detector: str
    version: int
    rule: str
    why: str
    words: str | None
    tier: str
    occurrences: int
    later_command: str | None

    def lines(self) -> tuple[str, ...]:
        """Give the explanation as lines for a terminal."""
        lines = [
            f"rule: {self.detector} v{self.version}, {self.rule} (tier {self.tier})",
            f"why: {self.why}",
        ]
        if self.words:
            lines.append(f"on: {self.words}")
        if self.occurrences > 1:
            lines.append(f"times in this session: {self.occurrences}")
        if self.later_command:
            lines.append(f"worked later: {self.later_command}")
        return tuple(lines)

    def to_json(self) -> dict[str, JsonValue]:
        """Give the explanation as a JSON object."""
        return {
            "detector": self.detector,
            "version": self.version,
            "rule": self.rule,
            "why": self.why,
            "words": self.words,
            "tier": self.tier,
            "occurrences": self.occurrences,
            "later_command": self.later_command,
        }


def explain(signal: Signal, rule_folders: Sequence[Path] = ()) -> Explanation:
    """Explain a signal from what it carries; its transcript is not needed, and may be on another host.

    ``rule_folders`` are a user's own, in which the reasons of its rules stand.
    """
    return Explanation(
        detector=signal.detector,
        version=signal.version,
        rule=signal.rule,
        why=why_of(signal.rule, rule_folders),
        words=signal.label,
        tier=signal.tier.value,
        occurrences=signal.occurrences,
        later_command=signal.later_command,
    )


def why_of(rule: str, rule_folders: Sequence[Path] = ()) -> str:
    """Say in a sentence what a rule goes by; a rule of an older or newer version may be unknown here."""
    outcome, dot, name = rule.partition(".")
    if not dot:
        outcome, name = "", rule
    reason = _reasons(tuple(rule_folders)).get(name) or _STRUCTURAL.get(name)
    if reason is None:
        return "this version of jilog does not know the rule"
    meaning = _OUTCOMES.get(outcome) if outcome else None
    return f"{reason} ({meaning})" if meaning else reason


@cache
def _reasons(rule_folders: tuple[Path, ...]) -> dict[str, str]:
    book = Rulebook(rule_folders)
    rules: list[Rule] = [rule for language in book.corrections() for rule in language.rule]
    rules.extend(rule for errors in book.errors() for rule in errors.rule)
    rules.extend(rule for kind in _KINDS for listed in book.lists(kind) for rule in listed.rule)
    return {rule.name: rule.why for rule in reversed(rules)}
