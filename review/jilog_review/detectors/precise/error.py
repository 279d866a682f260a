"""Errors: tool calls that failed, by the harness's flag or the command's exit status, sorted by kind.

One problem of a session is one finding, however often it came: it counts its occurrences and names the
command of the same kind that worked in the end. Only friction is tier A. Failures that something hid
(``| tail``, ``|| true``) are looked for by what they print, and are tier B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jilog_review import limits
from jilog_review.detector import Finding, Kind, Tier
from jilog_review.detectors.precise.later import action_of, later_success
from jilog_review.detectors.precise.outcome import Classified, Outcome, SecondStage
from jilog_review.fingerprint import SHELL_TOOLS, canonical_tool, normal_form
from jilog_review.headline import headline_of, plain_output
from jilog_review.needles import any_in_bytes
from jilog_review.rulebook import Rule, Rulebook
from jilog_review.shell import command_family, last_parts, parse_command
from jilog_review.transcript import AnyEntry, ToolResult, Transcript

_EXCERPT_CHARS = 4000
_NAMELESS_CHARS = 80
# Says that something failed and not what: nobody can put that right, so it is listed and not filed.
_NAMELESS = re.compile(
    r"\W*(?:(?:an?\W+)?(?:unknown\W+|unexpected\W+|internal\W+)?(?:error|failure|failed)(?:\W+occurred)?\W*)?"
    r"(?:(?:process|command|script|tool|task)\W+(?:call\W+)?(?:completed|failed|exited|errored)?\W*)?"
    r"(?:(?:exited )?(?:with)?\W*(?:exit|status|code|error)(?:\W+(?:status|code))*\W*\d*)?\W*",
    re.IGNORECASE,
)
_HEADLINE_FROM = 300
_NOT_FOUND_STATUS = 127
_REPORTED = {
    Outcome.FRICTION: Tier.A,
    Outcome.PROGRAM: Tier.B,
    Outcome.DEV_LOOP: Tier.B,
    Outcome.POLICY_DENY: Tier.B,
    Outcome.HOOK_BLOCK: Tier.B,
}
# Without one of these a command line cannot hide the exit status of what it ran.
_HIDING = re.compile(r"[|;\n&]")
# Literal parts of the rules for hidden failures, looked for in the raw bytes: most results stay undecoded.
_may_hold_failure = any_in_bytes(
    (
        b"--- FAIL:",
        b"FAIL\\t",
        b" failed",
        b"FAILED",
        b"command not found",
        b"fatal: ",
        b"Traceback (most",
        b"npm ERR!",
        b"npm error",
        b"error TS",
        b"error: ",
        b"error[E",
        b"panic: ",
    )
)


@dataclass(slots=True)
class _Group:
    """The occurrences of one problem in a session: the first, their number, and where the last one is."""

    result: ToolResult
    output: str
    classified: Classified
    tier: Tier
    family: str
    message: str
    count: int = 0
    last_index: int = 0


def _stages() -> SecondStage:
    book = Rulebook()
    return SecondStage(book.errors()[0], book.lists("shapes")[0])


def _masked_rules() -> tuple[Rule, ...]:
    return tuple(rule for rules in Rulebook().lists("masked") for rule in rules.rule)


@dataclass(frozen=True, slots=True)
class ErrorDetector:
    """Finds failed tool calls and says what kind of failure each was."""

    second_stage: SecondStage = field(default_factory=_stages)
    masked: tuple[Rule, ...] = field(default_factory=_masked_rules)
    name: str = "precise.error"
    version: int = 2

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every new result; results read before were judged then."""
        groups: dict[tuple[str, ...], _Group] = {}
        entries = transcript.entries
        for index in range(transcript.new_from, len(entries)):
            entry = entries[index]
            if isinstance(entry, ToolResult):
                group = self._judge(entry)
                if group is not None:
                    kept = groups.setdefault(_key_of(group), group)
                    kept.count += 1
                    kept.last_index = index
        for group in groups.values():
            yield _finding(group, entries)

    def _judge(self, result: ToolResult) -> _Group | None:
        if result.failed or result.exit_status:
            output = _said(result, plain_output(result.text))
            classified = self.second_stage.classify(result, output)
            tier = _REPORTED.get(classified.outcome)
            if tier is None:
                return None
            group = _group_of(result, output, classified, tier)
            if len(group.message) <= _NAMELESS_CHARS and _NAMELESS.fullmatch(group.message):
                group.tier = Tier.B
            return group
        if result.command is not None and result.denial is None:
            return self._judge_masked(result)
        return None

    def _only_reads(self, command: str) -> bool:
        """Tell whether the command shows files or logs: a failure in its output is somebody else's."""
        readers = self.second_stage.errors.readers
        return all(part.program in readers for part in parse_command(command))

    def _judge_masked(self, result: ToolResult) -> _Group | None:
        command = result.command or ""
        if _HIDING.search(command) is None:
            return None
        if not _may_hold_failure(memoryview(result.body)) or self._only_reads(command):
            return None
        output = plain_output(result.text)
        for rule in self.masked:
            match = rule.search(output)
            if match is not None:
                words = output[match.start() :].partition("\n")[0]
                return _group_of(result, output, Classified(Outcome.DEV_LOOP, rule.name, words), Tier.B)
        return None


def _said(result: ToolResult, output: str) -> str:
    """Give what a failure printed; where nothing but status 127 tells of it, what a shell would have said."""
    if result.exit_status != _NOT_FOUND_STATUS or result.command is None or len(output) > _NAMELESS_CHARS:
        return output
    parts = last_parts(result.command)
    if len(parts) != 1 or _NAMELESS.fullmatch(output) is None:
        return output
    return f"command not found: {parts[0].program}"


def _group_of(result: ToolResult, output: str, classified: Classified, tier: Tier) -> _Group:
    message = headline_of(output) if classified.rule not in _MASKED_NAMES else classified.words
    family = _family(result, classified, message)
    return _Group(result, output, classified, tier, family, message)


_MASKED_NAMES = frozenset({"masked-tests", "masked-failure"})


def _family(result: ToolResult, classified: Classified, message: str) -> str:
    """Name what failed: the command's family; the shell itself where it never got to a command."""
    if result.command is None and canonical_tool(result.tool) != "shell":
        return ""
    if classified.rule == "shell-syntax":
        return "shell"
    # A program that is not there is named by the message, also where the record has no command.
    if message.startswith("command not found: "):
        return message.removeprefix("command not found: ").split()[0][:60]
    return command_family(result.command, message) if result.command is not None else ""


def _key_of(group: _Group) -> tuple[str, ...]:
    tool = canonical_tool(group.result.tool)
    if group.classified.outcome is Outcome.DEV_LOOP:
        # A red test run says something else each time: one runner is one problem of the session.
        return (
            tool,
            group.family,
            group.classified.outcome,
            (group.classified.rule in _MASKED_NAMES and "m") or "",
        )
    return (tool, group.family, group.classified.outcome, normal_form(group.message))


def _finding(group: _Group, entries: Sequence[AnyEntry]) -> Finding:
    result = group.result
    text = group.output
    if group.message and text.find(group.message[:80]) > _HEADLINE_FROM:
        text = f"{group.message}\n{text}"
    later = None
    if group.tier is Tier.A:
        later = later_success(
            result, group.family, entries[group.last_index + 1 :][: limits.LATER_ENTRIES_MAX]
        )
    return Finding(
        entry=result,
        kind=Kind.ERROR,
        rule=f"{group.classified.outcome}.{group.classified.rule}",
        excerpt=text[:_EXCERPT_CHARS],
        label=group.classified.words or None,
        tier=group.tier,
        tool=result.tool,
        command=action_of(result),
        signature=signature_of(group.family, group.message, group.classified.outcome),
        occurrences=group.count,
        later_command=later,
    )


def signature_of(family: str, message: str, outcome: Outcome) -> str:
    """Give what makes a failure the same problem: what failed, and the message unless it is a red test's."""
    if outcome is Outcome.DEV_LOOP:
        return f"{family} {outcome}"
    return f"{family}: {message}" if family else message


__all__ = ["SHELL_TOOLS", "ErrorDetector", "signature_of"]
