"""Workarounds: marks that an edit adds to code, and commands that go around a check.

An agent's prose about shortcuts is almost never a shortcut (measured); a suppression in the code almost
always is. What counts is what an edit adds: marks in the new text less those in the old, and less those that
another edit of the session took away (code that moves is not new).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from jilog_review import limits
from jilog_review.detector import Finding, Kind
from jilog_review.detectors.precise.edits import Edit, edits_of, is_edit
from jilog_review.needles import AnyInBytes, any_in_bytes, found_in_text
from jilog_review.rulebook import Rule, Rulebook, RuleSet
from jilog_review.shell import command_words
from jilog_review.transcript import ToolCall, ToolResult, Transcript

_PROSE = re.compile(
    r"\.(?:md|mdx|markdown|txt|html?|rst|adoc|org|tex|csv|log|svg|jsonl?|ipynb|snap|lock|diff|patch|po)\Z",
    re.IGNORECASE,
)
SUSPECT_PARTS = {
    "--no-": r"--no-verify|--no-gpg-sign|--no-frozen",
    "hooksPath": "",
    "gpgsign": "",
    "commit": r"commit\b[^\n]*\s-\w*n",
    "HUSKY=": "",
    "SKIP=": "",
    "ALLOW_NO_CONFIG": "",
    "LEFTHOOK=": "",
    "777": "",
    "+rwx": "",
    "push": r"push\b",
    "--legacy-peer-deps": "",
    "--ignore-": "",
    "--force": "",
    "--break-system": "",
    "-k": r"\s-k\b",
    "--insecure": "",
    "no-check-cert": "",
    "sslVerify": "",
    "StrictHostKey": "",
}
"""Of which one stands in what a rule for commands matches, and what else must be there, if anything."""
_find_suspect = found_in_text(list(SUSPECT_PARTS))
_SUSPECTS = tuple(re.compile(pattern) for pattern in SUSPECT_PARTS.values())


def _rules(kind: str) -> tuple[Rule, ...]:
    return tuple(rule for rules in Rulebook().lists(kind) for rule in rules.rule)


def json_bytes(text: str) -> bytes:
    """Give a text as it stands inside JSON."""
    return msgspec.json.encode(text)[1:-1]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A mark that an edit added: the rule, the mark's words, and the line it stands in."""

    call: ToolCall
    rule: Rule
    words: str
    line: str
    path: str


@dataclass(frozen=True)
class WorkaroundDetector:
    """Finds marks of workarounds added to code, and commands that go around a check."""

    marks: tuple[Rule, ...] = field(default_factory=lambda: _rules("workaround"))
    bypasses: tuple[Rule, ...] = field(default_factory=lambda: _rules("bypass"))
    name: str = "precise.workaround"
    version: int = 1

    @cached_property
    def _mark_set(self) -> RuleSet:
        return RuleSet(self.marks)

    @cached_property
    def _may_hold_mark(self) -> AnyInBytes:
        return any_in_bytes([json_bytes(needle) for rule in self.marks for needle in rule.needles])

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every new edit and command; those that failed or were refused did nothing."""
        failed: frozenset[str] | None = None
        for finding, call in self._candidates(transcript):
            if failed is None:
                failed = _failed_calls(transcript)
            if call.call_id not in failed:
                yield finding

    def _candidates(self, transcript: Transcript) -> Iterator[tuple[Finding, ToolCall]]:
        removed: Counter[str] = Counter()
        marks: list[_Mark] = []
        found: list[tuple[Finding, ToolCall]] = []
        # Most edits hold no mark: their arguments stay undecoded.
        may_hold_mark = self._may_hold_mark
        for index, entry in enumerate(transcript.entries):
            if not isinstance(entry, ToolCall):
                continue
            if entry.command is not None:
                if index >= transcript.new_from and _is_suspect(entry.command):
                    found.extend(self._bypasses(entry))
            elif is_edit(entry) and may_hold_mark(memoryview(entry.arguments)):
                for edit in edits_of(entry):
                    removed.update(self._removed_lines(edit))
                    if index >= transcript.new_from:
                        marks.extend(self._added(entry, edit, transcript.entries[:index]))
        found.extend((_mark_finding(mark), mark.call) for mark in _without_moved(marks, removed))
        found.sort(key=lambda pair: (pair[1].offset, pair[1].part))
        return iter(found)

    def _added(self, call: ToolCall, edit: Edit, before: Sequence[object]) -> Iterator[_Mark]:
        """Give the marks by which the new text has more of a rule's than the old."""
        if _PROSE.search(edit.path):
            return
        old: str | None = edit.old
        for rule in self._mark_set.in_text(edit.new):
            added = rule.lines(edit.new)
            if not added:
                continue
            if old is None:
                old = _last_seen(edit.path, before)
            known = rule.lines(old)
            surplus = _count(added) - _count(known)
            for line, words in added.items():
                fresh = words[len(known.get(line, ())) :][: max(0, surplus)]
                surplus -= len(fresh)
                yield from (_Mark(call, rule, word, line, edit.path) for word in fresh)

    def _removed_lines(self, edit: Edit) -> Iterator[str]:
        if not edit.old:
            return
        rules = self._mark_set.in_text(edit.old)
        new_lines = {line.strip() for line in edit.new.split("\n")} if rules else set()
        for rule in rules:
            for line, words in rule.lines(edit.old).items():
                if line not in new_lines:
                    yield from [line] * len(words)

    def _bypasses(self, call: ToolCall) -> Iterator[tuple[Finding, ToolCall]]:
        for words in command_words(call.command or ""):
            for rule in self.bypasses:
                match = rule.search(words)
                if match is not None:
                    yield _bypass_finding(call, rule, words), call
                    break


def _is_suspect(command: str) -> bool:
    return any(_SUSPECTS[place].search(command) for place in set(_find_suspect(command)))


def _count(lines: dict[str, list[str]]) -> int:
    return sum(map(len, lines.values()))


def _without_moved(marks: Sequence[_Mark], removed: Counter[str]) -> Iterator[_Mark]:
    """Give the marks that no edit of the session took away elsewhere, one for each edit and rule."""
    given: set[tuple[str, str]] = set()
    for mark in marks:
        if removed[mark.line] > 0:
            removed[mark.line] -= 1
            continue
        key = (mark.call.call_id, mark.rule.name)
        if key not in given:
            given.add(key)
            yield mark


def _mark_finding(mark: _Mark) -> Finding:
    return Finding(
        entry=mark.call,
        kind=Kind.WORKAROUND,
        rule=mark.rule.name,
        excerpt=f"{mark.path.rsplit('/', 1)[-1]}: {mark.line}",
        label=mark.words,
        tier=mark.rule.tier,
        tool=mark.call.tool,
        signature=f"{mark.rule.name} {mark.line}",
    )


def _bypass_finding(call: ToolCall, rule: Rule, words: str) -> Finding:
    return Finding(
        entry=call,
        kind=Kind.WORKAROUND,
        rule=rule.name,
        excerpt=call.command or "",
        label=words,
        tier=rule.tier,
        tool=call.tool,
        command=call.command,
        signature=rule.name,
    )


def _failed_calls(transcript: Transcript) -> frozenset[str]:
    return frozenset(
        entry.call_id
        for entry in transcript.entries
        if isinstance(entry, ToolResult) and (entry.failed or entry.denial is not None)
    )


def _last_seen(path: str, before: Sequence[object]) -> str:
    """Give what the session last saw of a file that is now written whole; nothing when it never did."""
    for entry in reversed(before[-limits.LATER_ENTRIES_MAX :]):
        if isinstance(entry, ToolResult) and path and path in entry.paths and not entry.failed:
            return entry.text
        if isinstance(entry, ToolCall) and path and path in entry.paths and is_edit(entry):
            for edit in edits_of(entry):
                if edit.path == path and edit.old is None:
                    return edit.new
    return ""
