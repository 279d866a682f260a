"""What is looked for before a rule is asked only saves time: without it every rule finds the same.

Two ways to be sure of it: each pattern is proved to hold one of its needles, and made-up sessions are judged
with every search for needles answering "may be".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from jilog_review import rulebook
from jilog_review.detector import Detector, Finding
from jilog_review.detectors.precise import correction, error, workaround
from jilog_review.detectors.precise.deferral import DeferralDetector
from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.needles import folded
from jilog_review.rulebook import NO_PATTERN, Rule, Rulebook
from jilog_review.transcript import AnyEntry, Message, Provenance, ToolCall, ToolResult, Transcript, raw_json
from support.pattern_proof import always_holds_one_of, stays_on_a_line

BOOK = Rulebook()
# Their needles take some blanks to be one: what else they could match is nowhere written.
NOT_PROVED = {"type-suppression", "skipped-test", "check-switched-off", "todo"}
# A blank in it may be a newline: the next line matches by itself.
MAY_SPAN_LINES = {"test-output"}
FRAGMENTS = """
no,|wait, stop|that is wrong|this isn't what I asked|don't use it|dammit|you forgot the file
please leave it alone|we always use tabs here|not net, but gross|I MEANT the other|ſtop|STİLL not there
nein, nicht so|das habe ich nicht gesagt|wie oft|aber bitte nicht|no, eso no es así|deja de usar eso
todavía no funciona|いいえ、違います|元に戻して|まだ動かない|thanks|no problem|if it is not there
copilot said so|address this feedback|but first
## Out of scope|**Follow-ups**: none|Remaining:|### Noch offen|## 今後の課題
- **What is left**|## Pendientes|this can be done later|I wasn't able to run it|not yet implemented
the rest of it|bash: x: command not found|unknown option --x|error: unexpected argument|usage: git x
requires at least 1 arg|cd: x: not a directory|not a git repository|parse error near `)'
Host key verification failed|temporary failure in name resolution|no space left on device
fatal: it already exists|cannot stat 'x'|--- FAIL: TestX|2 files would be reformatted
error: could not compile `x`|3 failed, 1 passed|FAIL\tx|E   assert x|Traceback (most recent call last)
ValueError: x|panic: x|npm ERR! x|error TS2304: x|ok|done in 3 s|x = 1|# TODO: later|x = y  # noqa
// eslint-disable|# flake8: noqa|# type: ignore|t.Skip()|verify=False|pytest || true
git commit --no-verify -m x|git commit -n|git push --force|curl -k https://x|chmod 777 x
SKIP=x git commit|npm ci --force|ls -k|git commit -m 'x'|git status|make test|cat x; echo done
go test ./... | tail -3
""".replace("\n", "|").split("|")
TEXTS = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=6).flatmap(
    lambda parts: st.sampled_from([" ", "\n", ". ", ", "]).map(lambda blank: blank.join(parts))
)


def all_rules() -> list[Rule]:
    corrections = [rule for rules in BOOK.corrections() for rule in rules.rule]
    lists = ("workaround", "bypass", "deferral", "shapes", "masked")
    listed = [rule for kind in lists for rules in BOOK.lists(kind) for rule in rules.rule]
    return [*corrections, *(rule for rules in BOOK.errors() for rule in rules.rule), *listed]


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if rule.needles], ids=lambda rule: rule.name)
def test_pattern_with_needles_holds_one_of_them_wherever_it_matches(rule: Rule) -> None:
    marks = {mark.name for rules in BOOK.lists("workaround") for mark in rules.rule}

    proved = always_holds_one_of(rule.pattern, rule.needles, lowered=rule.name not in marks)

    assert proved or rule.name in NOT_PROVED


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if rule.by_line], ids=lambda rule: rule.name)
def test_pattern_that_is_looked_for_by_line_stays_on_a_line(rule: Rule) -> None:
    assert rule.needles
    assert stays_on_a_line(rule.pattern) or rule.name in MAY_SPAN_LINES


@pytest.mark.parametrize("language", BOOK.corrections(), ids=lambda rules: rules.language)
def test_phrases_of_a_language_hold_one_of_their_needles(language: object) -> None:
    for name in ("harmless", "relayed"):
        pattern, needles = getattr(language, name), getattr(language, f"{name}_needles")
        if pattern != NO_PATTERN:
            assert always_holds_one_of(pattern, needles, lowered=True), name


@pytest.mark.parametrize(
    "rule", [rule for rules in BOOK.lists("bypass") for rule in rules.rule], ids=lambda r: r.name
)
def test_command_that_goes_around_a_check_has_a_suspect_part(rule: Rule) -> None:
    assert always_holds_one_of(rule.pattern, list(workaround.SUSPECT_PARTS), lowered=False)


@pytest.mark.parametrize(
    ("pattern", "needles", "proved"),
    [
        ("a(?:b|cd)?e", ["ae", "abe", "acde"], True),
        ("a(?:b|cd)?e", ["ae", "abe"], False),
        (r"foo\s+(?:bar|baz)", ["ba"], True),
        (r"foo\s+(?:bar|baz)?", ["ba"], False),
        (r"(?:x|y)+z", ["x"], False),
        ("No[A-Z]", ["no"], True),
    ],
)
def test_proof_knows_a_needle_that_is_missing(pattern: str, needles: list[str], proved: bool) -> None:
    assert always_holds_one_of(pattern, needles, lowered=True) is proved


def test_letters_that_a_pattern_takes_for_an_ascii_one_are_folded_to_it() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    pattern = re.compile(f"[{letters}]", re.IGNORECASE)

    alike = [char for char in map(chr, range(0x110000)) if pattern.match(char)]

    assert len(alike) > len(letters) * 2
    assert {char for char in alike if not set(folded(char)) & set(letters)} == set()
    for char in alike:
        matched = next(letter for letter in letters if re.fullmatch(letter, char, re.IGNORECASE))
        assert matched in folded(char)


def everything_may_stand(needles: Sequence[str]) -> Callable[[str], list[int]]:
    return lambda _: list(range(len(needles)))


def all_lines(_: Rule, text: str) -> Iterator[str]:
    return iter(text.split("\n"))


def plain_detectors(patch: pytest.MonkeyPatch) -> tuple[Detector, ...]:
    """Make the detectors so that each rule is asked about everything."""
    for module in (rulebook, correction):
        patch.setattr(module, "found_in_text", everything_may_stand)
    patch.setattr(error, "_may_hold_failure", lambda _: True)
    patch.setattr(workaround, "_is_suspect", lambda _: True)
    patch.setattr(workaround, "any_in_bytes", lambda _: lambda _: True)
    patch.setattr(Rule, "_search_lines", lambda rule, text: rule.regex.search(text))
    patch.setattr(Rule, "_candidate_lines", all_lines)
    return precise_detectors()


def session(texts: Sequence[str]) -> Transcript:
    """Use each text as everything that a rule looks at."""
    entries: list[AnyEntry] = []
    for number, text in enumerate(texts):
        place = {"line": number + 1, "offset": number * 1000, "timestamp": "2026-01-05T00:00:00Z"}
        edit = raw_json({"file_path": "/x/a.py", "old_string": texts[number - 1], "new_string": text})
        command = text.replace("\n", " ")
        call = {"call_id": f"c{number}", "tool": "Bash", "command": command}
        entries += [
            ToolCall(part=0, call_id=f"e{number}", tool="Edit", paths=("/x/a.py",), arguments=edit, **place),
            ToolCall(part=1, **call, **place),
            ToolResult(
                part=2, body=raw_json(f"Exit code 1\n{text}"), failed=True, exit_status=1, **call, **place
            ),
            ToolResult(
                part=3, body=raw_json(text), failed=False, **{**call, "command": "make | cat"}, **place
            ),
            Message(part=4, role="assistant", text=text, provenance=Provenance.ASSISTANT, **place),
            Message(part=5, role="user", text=text, provenance=Provenance.HUMAN, **place),
        ]
    return Transcript("claude-code", "s", "s", "/x/s.jsonl", entries=tuple(entries))


def findings(detectors: Sequence[Detector], transcript: Transcript) -> list[Finding]:
    return [finding for detector in detectors for finding in detector.detect(transcript)]


FAST = precise_detectors()


@settings(max_examples=150, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
def test_every_rule_finds_the_same_when_it_is_asked_about_everything(texts: list[str]) -> None:
    transcript = session(texts)

    with pytest.MonkeyPatch.context() as patch:
        plain = findings(plain_detectors(patch), transcript)

    assert findings(FAST, transcript) == plain


def test_needle_that_is_wrong_shows_as_a_difference() -> None:
    rules = tuple(structs.replace(rule, needles=["nowhere"]) for rule in BOOK.rules("deferral"))
    transcript = session(["done\n\n## Out of scope\nthe other half of the work"])
    with pytest.MonkeyPatch.context() as patch:
        plain = findings(plain_detectors(patch), transcript)

    hidden = findings([DeferralDetector(rules)], transcript)

    assert any(finding.rule == "section" for finding in plain)
    assert not hidden
