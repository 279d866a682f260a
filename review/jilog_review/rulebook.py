"""Rule data: wording rules read from TOML files, those of the package and those of a user's own folders."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec

from jilog_ledger.errors import InputError
from jilog_review import limits
from jilog_review.detector import Tier
from jilog_review.needles import FoundInText, folded, found_in_text

T = TypeVar("T")
NO_PATTERN = "(?!)"
"""Matches nothing: what a language does not say."""
# What a language has besides its rules.
_PATTERN_KEYS = ("approvals", "contrasts", "harmless", "requests", "tasks", "supposes", "relayed", "hint")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One rule: a regular expression (whatever the letters' case), its tier, and why it is a rule.

    ``at`` is ``start`` or ``anywhere``. A rule with ``answer`` may as well be the answer to a question and
    does not count after one. A rule with ``claim`` is only tier B in a message that gives new work, and in a
    sentence that asks, supposes or reports. ``chars_max`` passes over longer texts. ``case`` makes the
    letters' case count. ``by_line`` promises that nothing the pattern matches spans two lines: then only the
    lines are searched in which a needle stands.
    ``needles`` are literal texts of which one stands wherever the pattern can match: a cheap way to pass over
    the rest. They are in lower case, but for marks in code, where they stand in the line as written.
    """

    name: str
    pattern: str
    why: str
    tier: Tier = Tier.A
    at: str = "anywhere"
    answer: bool = False
    claim: bool = False
    case: bool = False
    by_line: bool = False
    chars_max: int | None = None
    needles: list[str] = []

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, re.MULTILINE if self.case else re.MULTILINE | re.IGNORECASE)

    def search(self, text: str) -> re.Match[str] | None:
        """Give the first place where the rule holds."""
        if self.at == "start":
            return self.regex.match(text)
        return self._search_lines(text) if self.by_line else self.regex.search(text)

    def _search_lines(self, text: str) -> re.Match[str] | None:
        lowered = folded(text)
        if len(lowered) != len(text):  # some letters become two: places in the one are not those in the other
            return self.regex.search(text)
        for start in self._line_starts(lowered):
            stop = text.find("\n", start)
            match = self.regex.search(text, start, len(text) if stop < 0 else stop)
            if match is not None:
                return match
        return None

    def lines(self, text: str) -> dict[str, list[str]]:
        """Give the lines that match, stripped, each with the matched words of its occurrences."""
        found: dict[str, list[str]] = {}
        for line in self._candidate_lines(text):
            match = self.regex.search(line)
            if match is not None:
                found.setdefault(line.strip()[: limits.RULE_LINE_CHARS_MAX], []).append(match[0].strip())
        return found

    def _candidate_lines(self, text: str) -> Iterator[str]:
        """Give the lines in which a needle stands, once each and in order."""
        for start in self._line_starts(text):
            stop = text.find("\n", start)
            yield text[start : len(text) if stop < 0 else stop][: limits.RULE_LINE_CHARS_MAX]

    def _line_starts(self, text: str) -> list[int]:
        starts: set[int] = set()
        for needle in self.needles:
            position = text.find(needle)
            while position >= 0:
                starts.add(text.rfind("\n", 0, position) + 1)
                stop = text.find("\n", position)
                position = text.find(needle, stop) if stop >= 0 else -1
        return sorted(starts)


@dataclass(frozen=True)
class RuleSet:
    """Rules in their order, whose needles are looked for together."""

    rules: tuple[Rule, ...]

    @cached_property
    def _find(self) -> FoundInText:
        return found_in_text(["", *(needle for rule in self.rules for needle in rule.needles)])

    @cached_property
    def _owners(self) -> tuple[tuple[int, ...], ...]:
        """The places of the rules to which each text that is looked for belongs."""
        everywhere = tuple(place for place, rule in enumerate(self.rules) if not rule.needles)
        return (everywhere, *((place,) for place, rule in enumerate(self.rules) for _ in rule.needles))

    def in_text(self, text: str) -> list[Rule]:
        """Give the rules that may match: those of which a needle stands in a text, and those without any.

        For rules whose needles are in lower case, the text is, too.
        """
        places = {place for found in self._find(text) for place in self._owners[found]}
        return [self.rules[place] for place in sorted(places)]


class CorrectionRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How people of one language correct, agree and ask; each text but the rules' is one pattern.

    ``hint`` (a pattern) or one of ``hint_words`` stands in nearly every message of the language: without it
    the rules are passed over.
    ``harmless_needles`` and ``relayed_needles`` are to those patterns what ``needles`` are to a rule.
    ``harmless`` phrases are passed over wherever they stand; ``tasks`` begin a message that gives new work;
    ``supposes`` are words after which a clause is a condition or somebody else's report.
    ``fillers`` are words, with blanks between, that say nothing of what a correction is about.
    """

    kind: str
    language: str
    approvals: str
    contrasts: str
    requests: str
    rule: list[Rule]
    relayed: str = NO_PATTERN
    harmless: str = NO_PATTERN
    tasks: str = NO_PATTERN
    supposes: str = NO_PATTERN
    harmless_needles: list[str] = []
    relayed_needles: list[str] = []
    hint: str = ""
    hint_words: str = ""
    fillers: str = ""

    @cached_property
    def common_words(self) -> frozenset[str]:
        """Words of which nearly every message of the language holds one; empty: judge every message."""
        return frozenset(self.hint_words.split())

    @cached_property
    def hint_regex(self) -> re.Pattern[str]:
        """The compiled hint."""
        return re.compile(self.hint, re.IGNORECASE)


class RuleList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plain list of rules of one kind."""

    kind: str
    language: str
    rule: list[Rule]


class ErrorRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The second stage of errors: families of commands, and what output of each class looks like.

    ``targets`` is a pattern for the targets of task runners whose red is the work itself.
    """

    kind: str
    language: str
    searches: list[str]
    probes: list[str]
    network_probes: list[str]
    readers: list[str]
    programs: list[str]
    runners: list[str]
    targets: str
    rule: list[Rule]

    @cached_property
    def target_regex(self) -> re.Pattern[str]:
        """The compiled pattern of targets."""
        return re.compile(self.targets, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Where rules come from: the package's own folder first, then a user's folders in their order."""

    folders: tuple[Path, ...] = ()

    def corrections(self) -> tuple[CorrectionRules, ...]:
        """Read every language's correction rules.

        Raises:
            InputError: a file cannot be read, is no TOML, or has a wrong key or pattern.
        """
        return _load("correction", CorrectionRules, self.folders)

    def errors(self) -> tuple[ErrorRules, ...]:
        """Read what the second stage of errors goes by.

        Raises:
            InputError: as for :meth:`corrections`.
        """
        return _load("errors", ErrorRules, self.folders)

    def lists(self, kind: str) -> tuple[RuleList, ...]:
        """Read the rule lists of a kind, such as ``workaround``.

        Raises:
            InputError: as for :meth:`corrections`.
        """
        return _load(kind, RuleList, self.folders)

    def rules(self, kind: str) -> tuple[Rule, ...]:
        """Read the rules of all lists of a kind, in their order.

        Raises:
            InputError: as for :meth:`corrections`.
        """
        return tuple(rule for listed in self.lists(kind) for rule in listed.rule)


@cache
def _load(kind: str, shape: type[T], folders: tuple[Path, ...]) -> tuple[T, ...]:
    own = (_read(file, shape) for file in _own_files(kind))
    # The package's patterns are compiled when a text first asks for them: most nights need few.
    users = (_checked(file, _read(file, shape)) for file in _user_files(kind, folders))
    return (*own, *users)


@cache
def _package_files() -> tuple[Traversable, ...]:
    return tuple(sorted(resources.files("jilog_review.rules").iterdir(), key=lambda file: file.name))


def _own_files(kind: str) -> Iterator[Traversable]:
    return (file for file in _package_files() if _is_of_kind(file.name, kind))


def _user_files(kind: str, folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        try:
            names = sorted(file.name for file in folder.iterdir() if _is_of_kind(file.name, kind))
        except OSError as exc:
            raise InputError(
                f"the folder of review rules {str(folder)!r} cannot be read: {exc.strerror or exc}",
                hint="create it, or take it out of the config",
            ) from exc
        yield from (folder / name for name in names)


def _is_of_kind(name: str, kind: str) -> bool:
    return name.endswith(".toml") and name.split(".", 1)[0] == kind


def _read(file: Traversable, shape: type[T]) -> T:
    """Parse one file."""
    try:
        with file.open("rb") as stream:
            data = stream.read(limits.RULE_FILE_BYTES_MAX + 1)
        if len(data) > limits.RULE_FILE_BYTES_MAX:
            raise ValueError(f"is larger than {limits.RULE_FILE_BYTES_MAX} bytes")
        return msgspec.convert(tomllib.loads(data.decode()), shape)
    except (OSError, ValueError, RecursionError) as exc:
        raise _unusable(file, exc) from exc


def _checked(file: Traversable, rules: T) -> T:
    """Give a user's rules back; every pattern is tried, so that a bad one is refused at once."""
    try:
        _check_patterns(rules)
    except (ValueError, re.error, RecursionError) as exc:
        raise _unusable(file, exc) from exc
    return rules


def _unusable(file: Traversable, exc: Exception) -> InputError:
    return InputError(
        f"the rule file {_shown(file)!r} cannot be used: {exc}"[:600],
        hint="docs/detectors-precise.md describes its keys",
    )


def _check_patterns(rules: object) -> None:
    if not isinstance(rules, CorrectionRules | RuleList | ErrorRules):
        return
    for rule in rules.rule:
        if rule.at not in {"start", "anywhere"}:
            raise ValueError(f"rule {rule.name!r}: at must be 'start' or 'anywhere', not {rule.at!r}")
        _check_pattern(f"rule {rule.name!r}: pattern", rule.pattern)
    if isinstance(rules, ErrorRules):
        _check_pattern("targets", rules.targets)
    if isinstance(rules, CorrectionRules):
        for key in _PATTERN_KEYS:
            _check_pattern(key, getattr(rules, key))


def _check_pattern(key: str, pattern: str) -> None:
    try:
        re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError) as exc:
        raise ValueError(f"{key} is no regular expression: {exc}") from exc


def _shown(file: Traversable) -> str:
    return str(file) if isinstance(file, Path) else file.name
