"""Redaction: what must not enter the ledger, because the ledger is replicated and stays.

Replacement is one way: nothing of the original is kept. Placeholders are fixed words, so that two texts which
differ only in a secret have the same fingerprint. Secrets are always replaced; a zone may keep e-mail
addresses or home folders, and may name more that must go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from jilog_ledger.errors import InputError
from jilog_review.needles import found_in_text
from jilog_review.secret_rules import SECRET_RULES, SecretRule


class Redacted(NamedTuple):
    """A text without what must not be stored, and how many places were replaced."""

    text: str
    places: int


Redactor: TypeAlias = Callable[[str], Redacted]
"""Redacts one text. Deterministic: the same text gives the same result on every host."""

_EMAIL = (
    r"(?<![A-Za-z0-9._%+-])(?!git@)[A-Za-z0-9._%+-]{1,64}"
    # After the @ of a package comes its version, which is no domain.
    r"@(?!v?\d+\.\d)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b"
)
_NAME = r"[^\s/\\:'\"`,;()<>|\]]{1,64}"
_ENCODED_NAME = r"(?:(?!%2[fF])[^\s/\\:'\"`,;()<>|\]]){1,64}"

EMAIL_RULES = (SecretRule("email", ("@",), re.compile(_EMAIL), "[email]"),)
HOME_RULES = tuple(
    SecretRule("home", hints, re.compile(pattern), replacement)
    for hints, pattern, replacement in (
        (("/home/", "/users/"), rf"(?:/var)?/(?:home|Users)/(?!Shared\b){_NAME}", "~"),
        (("%2fhome%2f", "%2fusers%2f"), rf"%2F(?:home|Users)%2F(?!Shared\b){_ENCODED_NAME}", "~"),
        (("\\users\\",), rf"(?i)\b[A-Z]:\\{{1,2}}Users\\{{1,2}}{_NAME}", "~"),
        # Claude Code names a project's folder after its path, with '-' for each separator.
        (("-home-", "-users-"), r"(?<=/)-(?:home|Users)-[A-Za-z0-9_]{1,64}(?=[-/]|$)", "-~"),
    )
)
_PASSES_MAX = 4
_OPTIONS = ("emails", "home_paths", "patterns")
_PATTERNS_MAX = 50
_PATTERN_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """What a zone replaces beside secrets, which it always does.

    ``patterns`` are regular expressions of the user's own (a customer's name, an internal host); what they
    match becomes ``[redacted]``.
    """

    emails: bool = True
    home_paths: bool = True
    patterns: tuple[str, ...] = ()


def make_redactor(policy: RedactionPolicy) -> Redactor:
    """Make the redactor of a policy.

    Raises:
        InputError: a pattern is no regular expression, is too long, or matches the empty text.
    """
    rules = [*_own_rules(policy.patterns), *SECRET_RULES]
    if policy.emails:
        rules.extend(EMAIL_RULES)
    if policy.home_paths:
        rules.extend(HOME_RULES)
    hints = [(hint, place) for place, rule in enumerate(rules) for hint in rule.hints]
    places = tuple(place for _, place in hints)
    find = found_in_text([hint for hint, _ in hints])
    chosen = tuple(rules)

    def redactor(text: str) -> Redacted:
        return _redact(text, chosen, lambda lowered: {places[hint] for hint in find(lowered)})

    return redactor


def policy_from(options: Mapping[str, object]) -> RedactionPolicy:
    """Read a zone's ``redaction`` table: ``emails``, ``home_paths`` and ``patterns``.

    Raises:
        InputError: a key is unknown or has a wrong value.
    """
    for key in options:
        if key not in _OPTIONS:
            raise InputError(
                f"unknown key {key[:80]!r} in redaction", hint=f"use one of {', '.join(_OPTIONS)}"
            )
    patterns = options.get("patterns", ())
    if not isinstance(patterns, list | tuple) or not all(isinstance(item, str) for item in patterns):
        raise InputError("redaction.patterns must be a list of regular expressions")
    policy = RedactionPolicy(_flag(options, "emails"), _flag(options, "home_paths"), tuple(patterns))
    _own_rules(policy.patterns)
    return policy


def _flag(options: Mapping[str, object], key: str) -> bool:
    value = options.get(key, True)
    if not isinstance(value, bool):
        raise InputError(f"redaction.{key} must be true or false, not {value!r}"[:200])
    return value


def _own_rules(patterns: Sequence[str]) -> list[SecretRule]:
    if len(patterns) > _PATTERNS_MAX:
        raise InputError(
            f"redaction.patterns has {len(patterns)} entries, at most {_PATTERNS_MAX} are allowed"
        )
    rules = []
    for pattern in patterns:
        try:
            compiled = re.compile(pattern[: _PATTERN_CHARS_MAX + 1])
        except (re.error, OverflowError, RecursionError) as exc:
            raise InputError(f"redaction pattern {pattern[:80]!r} is no regular expression: {exc}") from exc
        if len(pattern) > _PATTERN_CHARS_MAX or compiled.search("") or compiled.search("[redacted]"):
            raise InputError(
                f"redaction pattern {pattern[:80]!r} is too long, or matches the empty text or '[redacted]'",
                hint="anchor it to something that only the secret has",
            )
        rules.append(SecretRule("own", ("",), compiled, "[redacted]"))
    return rules


def _redact(text: str, rules: Sequence[SecretRule], hinted: Callable[[str], set[int]]) -> Redacted:
    """Replace until nothing more is found: what one rule leaves may be what another one looks for.

    ``hinted`` tells which rules a text in lower case has a hint of: in most texts there are few.
    """
    total = 0
    for _ in range(_PASSES_MAX):
        before = total
        for place in sorted(hinted(text.lower())):
            rule = rules[place]
            text, count = rule.pattern.subn(rule.replacement, text)
            total += count
        if total == before:
            break
    return Redacted(text, total)


redact: Redactor = make_redactor(RedactionPolicy())
"""Replace secrets, e-mail addresses and home folders: the policy of a zone that says nothing else."""
