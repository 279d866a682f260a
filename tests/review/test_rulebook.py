"""Rule data: every shipped file is sound, and a needle never hides what a pattern would find."""

from __future__ import annotations

import pytest

from jilog_review.rulebook import Rule, Rulebook, RuleSet

BOOK = Rulebook()
LISTS = ("workaround", "bypass", "deferral", "shapes", "masked")


def all_rules() -> list[tuple[str, Rule]]:
    rules = [(f"correction.{c.language}", rule) for c in BOOK.corrections() for rule in c.rule]
    rules += [(f"errors.{e.language}", rule) for e in BOOK.errors() for rule in e.rule]
    return rules + [
        (f"{kind}.{r.language}", rule) for kind in LISTS for r in BOOK.lists(kind) for rule in r.rule
    ]


LOWER_CASE = [(where, rule) for where, rule in all_rules() if not where.startswith("workaround")]
SENTENCES = """
that is not correct|this isn't what I asked|you've removed the test|you haven't run it
you shouldn't have done it|I already said that|as I mentioned, no|how many times|once again the same
don't use it|stop adding tests|let's not push|it shouldn't be there|this needs to be a list, not a set
still fails|it is still not there|why did you do it|you misread the ticket|that's beside the point|wtf
seriously?|come on, please|we don't have it any more|so this is obsolete|use the other one instead
I'd rather wait|not this but that|too long|over-engineered|I thought it was gone|shouldn't it be blue
there is already one|we don't need it|it is broken|CI failed|npm ERR! code|--- FAIL: TestX|why not a set
is there any reason you wait|bash: x: command not found|sh: 1: x: not found|unknown flag: --x
error: unexpected argument '--x'|usage: git x|accepts 1 arg(s), received 2|requires at least 1 arg
flag provided but not defined: -x|too many arguments|cd: x: No such file or directory|no Go files in /x
not a git repository|Missing script: "x"|No module named 'x'|ERROR: file or directory not found: x
parse error near `('|unexpected EOF while looking for matching|event not found: x|Permission denied
HTTP 403|address already in use|could not resolve host: x|connection refused|i/o timeout
Command timed out after 2m|no space left on device|heap out of memory|CONFLICT (content): x|fetch first
fatal: a branch named 'x' already exists|nothing to commit|File does not exist.|cannot stat 'x'
sed: can't read x|FAILED tests/test_a.py::test_b|3 failed, 2 passed|AssertionError|=== RUN   TestX
not ok 3 - x|E   assert x|I have left it for now|this can be done later|retries are not yet implemented
I couldn't run the tests
""".replace("\n", "|").split("|")


def test_every_rule_of_every_file_has_a_name_a_reason_and_a_pattern_that_does_not_match_nothing() -> None:
    for where, rule in all_rules():
        assert rule.name, where
        assert rule.why, where
        assert rule.regex.search("") is None, (where, rule.name)
    assert len(all_rules()) > 80


@pytest.mark.parametrize("sentence", [sentence for sentence in SENTENCES if sentence])
def test_needle_never_hides_what_the_pattern_finds(sentence: str) -> None:
    for where, rule in LOWER_CASE:
        if rule.search(sentence) is not None:
            assert rule in RuleSet((rule,)).in_text(sentence.lower()), (where, rule.name)


@pytest.mark.parametrize("sentence", [sentence for sentence in SENTENCES if sentence])
def test_every_sentence_is_found_by_some_rule(sentence: str) -> None:
    assert any(rule.search(sentence) for _, rule in LOWER_CASE)


def test_needles_are_in_lower_case_but_for_marks_in_code() -> None:
    for where, rule in LOWER_CASE:
        assert all(needle == needle.lower() for needle in rule.needles), (where, rule.name)


def test_lines_of_a_mark_are_given_with_each_occurrence() -> None:
    (rules,) = BOOK.lists("workaround")
    suppression = next(rule for rule in rules.rule if rule.name == "type-suppression")

    found = suppression.lines("a = b  # type: ignore\nc\n  a = b  # type: ignore\nlet x = y as any\n")

    assert {line: len(words) for line, words in found.items()} == {
        "a = b  # type: ignore": 2,
        "let x = y as any": 1,
    }
