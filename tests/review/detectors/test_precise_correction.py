"""Corrections: provenance first, wording in four languages second, and what must not fire."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from jilog_ledger.errors import InputError
from jilog_review.detectors.precise.correction import CorrectionDetector, Wording, signature_of
from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.rulebook import Rulebook
from jilog_review.transcript import MarkerKind, Provenance
from support.precise_session import Session, rules

DETECTOR = CorrectionDetector()


def after_work(text: str, provenance: Provenance = Provenance.HUMAN, said: str = "Done.") -> list[str]:
    session = Session().human("add a parser").agent(said).human(text, provenance)
    return rules(session.findings(DETECTOR))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("no, the other file", "opens-with-no"),
        ("nope. that one is generated", "opens-with-no"),
        ("Wait, is that the old branch?", "opens-with-wait"),
        ("stop using mocks there", "opens-with-wait"),
        ("don't touch the lock file", "opens-with-prohibition"),
        ("please never push to main", "opens-with-prohibition"),
        ("revert that", "opens-with-undo"),
        ("can you undo the last change", "opens-with-undo"),
        ("that's not what the ticket says", "opens-with-denial"),
        ("it doesn't need a class", "opens-with-denial"),
        ("but we do keep two copies", "opens-with-but"),
        ("yes, but only in tests", "opens-with-but"),
        ("I meant the second column", "says-what-was-meant"),
        ("sorry, I mean the other host", "says-what-was-meant"),
        ("the second test is not correct", "not-correct"),
        ("this is the wrong file", "wrong"),
        ("looks like you forgot the header", "you-did"),
        ("you didn't run the tests", "you-did-not"),
        ("you should have asked first", "you-should"),
        ("I told you to use uv", "already-said"),
        ("as I said, only the reader", "already-said"),
        ("use the fixture, don't mock the clock", "prohibition"),
        ("it should be a tuple", "should-be"),
        ("the header is still missing", "still-amiss"),
        ("why did you delete the test?", "why-did-you"),
        ("I think you are missing the point", "misunderstood"),
        ("we don't have that table anymore", "out-of-date"),
        ("can't we reuse the old one?", "cannot-we"),
        ("hmm no, only the second function", "opens-with-no"),
        ("please stop adding emojis to the output", "opens-with-wait"),
        ("can you please not touch files outside src?", "opens-with-prohibition"),
        ("go back to the previous version", "opens-with-undo"),
        ("you changed the public interface, put it back", "take-it-back"),
        ("this broke the build, please revert your last commit", "take-it-back"),
        ("wrong again. the offset is in bytes", "wrong"),
        ("ugh, you did it again, tabs!", "you-did"),
        ("you're overcomplicating this, just use a regex", "you-are"),
        ("you are guessing. read the source", "you-are"),
        ("you should've checked the existing helpers", "you-should"),
        ("You need to read the file before editing it", "you-should"),
        ("I already told you, move on", "already-said"),
        ("the tests are supposed to run in parallel", "should-be"),
        ("same result. did you even run it?", "why-did-you"),
        ("use pnpm not npm", "use-that-not-this"),
        ("make it a class, not a function", "use-that-not-this"),
        ("no semicolons please", "none-of-it"),
        ("that's a hack, clean it up", "do-it-right"),
        ("nein, die andere Datei", "opens-with-no"),
        ("das ist so nicht richtig", "opens-with-denial"),
        ("du hast die Tests vergessen", "you-did"),
        ("warum benutzt du die alte Version?", "why-did-you"),
        ("no, eso no es", "opens-with-no"),
        ("te olvidaste de las pruebas", "you-did"),
        ("ya te dije que uses la otra rama", "already-said"),
        ("違います、別のファイルです", "opens-with-no"),
        ("そのファイルは変更しないでください", "prohibition"),
        ("元に戻して", "undo"),
    ],
)
def test_wording_of_a_correction_fires_its_rule_at_tier_a(text: str, rule: str) -> None:
    assert after_work(text) == [f"A:{rule}"]


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "ok, go ahead",
        "looks good, thanks",
        "no problem",
        "no rush, take your time",
        "what does this function do?",
        "now add a test for it",
        "commit and push please",
        "1",
        "is there a test for the parser?",
        "show me the diff",
        "what is wrong with the build?",
        "if you haven't already, add a changelog line",
        "can you stop the server and start it again",
        "I got this feedback: the loop should be removed, it is wrong",
        "Implement the following plan:\n- it should not be a class",
        "don't stop until all tests pass",
        "put it back on the list for tomorrow",
        "commit this but do not push yet",
        "add an undo button which reverts the last edit",
        "how is it supposed to work?",
        "use two workers if not already running",
        "is this a hack or an official API?",
        "do you know if you are rate limited?",
        "what's the difference between revert and reset?",
        "make sure it does not crash",
        "I already pushed the branch, please rebase on it",
        "kannst du noch einen Test schreiben?",
        "wie funktioniert das?",
        "puedes añadir una prueba?",
        "テストを追加してください",
        "gut, danke",
        "muy bien, gracias",
    ],
)
def test_approval_question_or_new_task_does_not_fire(text: str) -> None:
    assert after_work(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("actually, let's use the other one", "actually"),
        ("use the pool instead", "rather"),
        ("the message is too long", "too-much"),
        ("I thought we had one of these", "expected-otherwise"),
        ("that helper is redundant", "redundant"),
        ("the login page is broken", "defect"),
        ("your fix broke the login page", "defect"),
        ("same error", "defect"),
        ("this is ugly. split it into two functions", "dislike"),
        ("if it breaks, revert that commit", "take-it-back"),
        ("let's work on the login page. It should have two fields", "should-be"),
        ("why not a set?", "why-not"),
    ],
)
def test_weak_wording_is_only_listed(text: str, rule: str) -> None:
    assert after_work(text) == [f"B:{rule}"]


def test_words_given_while_refusing_a_call_are_a_correction_whatever_they_say() -> None:
    assert after_work("put it next to the reader", Provenance.REJECTION) == ["A:rejected-with-text"]


def test_refusal_to_answer_a_question_of_the_agents_is_none() -> None:
    session = Session().human("go").call("AskUserQuestion", "q", questions=[])
    session.result("AskUserQuestion", "refused", failed=True)
    (said,) = Session().human("let me think about these", Provenance.REJECTION).entries
    session.entries.append(replace(said, line=session.entries[-1].line, part=1000))

    assert session.findings(DETECTOR) == []


def test_first_message_after_an_interrupt_is_a_correction() -> None:
    session = Session().human("go").agent("Writing.").mark(MarkerKind.INTERRUPT).human("the table goes first")

    assert rules(session.findings(DETECTOR)) == ["A:after-interrupt"]


def test_request_after_an_interrupt_is_only_listed() -> None:
    session = Session().human("go").agent("x").mark(MarkerKind.INTERRUPT).human("can you show the plan again")

    assert rules(session.findings(DETECTOR)) == ["B:after-interrupt"]


def test_approval_and_repetition_after_an_interrupt_are_none() -> None:
    approved = Session().human("go").agent("x").mark(MarkerKind.INTERRUPT).human("ok continue")
    repeated = (
        Session().human("make the table").agent("x").mark(MarkerKind.INTERRUPT).human("make the  table")
    )

    assert approved.findings(DETECTOR) == []
    assert repeated.findings(DETECTOR) == []


def test_prompt_queued_while_the_agent_works_is_judged_by_its_words() -> None:
    assert after_work("no, not that file", Provenance.QUEUED) == ["A:opens-with-no"]
    assert after_work("then update the docs", Provenance.QUEUED) == []


def test_injected_text_is_never_a_correction() -> None:
    assert after_work("no, that is wrong", Provenance.INJECTED) == []


def test_no_is_an_answer_when_the_agent_had_asked() -> None:
    question = "Shall I also change the default?"

    assert after_work("no, don't change it", said=question) == []
    assert after_work("no, that is the wrong file", said=question) == ["A:wrong"]


def test_message_before_the_agents_first_act_is_a_task() -> None:
    assert Session().human("no, don't use mocks").agent().findings(DETECTOR) == []


def test_approval_with_a_contrast_is_a_correction() -> None:
    assert after_work("looks good but you forgot the docs") == ["A:you-did"]


def test_long_message_or_paste_is_no_correction() -> None:
    assert after_work("no, " + "word " * 300) == []
    assert after_work("no, see:\n" + "line\n" * 30) == []


def test_words_far_into_a_message_do_not_count() -> None:
    assert after_work("the layout " * 30 + "you forgot the header") == []


def test_code_and_quoted_lines_do_not_count() -> None:
    assert after_work("here:\n```\nno, wrong, you forgot\n```\nand a second table") == []
    assert after_work("> that is wrong\nadd this to the page") == []


def test_sub_agents_turns_of_an_older_file_are_left_out() -> None:
    session = Session().human("go").agent().human("no, wrong file")
    session.entries[-1] = replace(session.entries[-1], sidechain=True)

    assert session.findings(DETECTOR) == []


def test_piece_that_is_not_the_first_has_the_agents_acts_before_it() -> None:
    session = Session().agent("context").human("no, the other one")

    assert rules(session.findings(DETECTOR, new_from=1)) == ["A:opens-with-no"]


def test_finding_says_on_which_words_it_fired() -> None:
    (found,) = Session().human("go").agent().human("hm, you forgot the header").findings(DETECTOR)

    assert found.label == "you forgot"
    assert found.excerpt == "hm, you forgot the header"


def test_same_matter_in_other_words_and_order_has_the_same_signature() -> None:
    assert signature_of("don't use pytest, use uv") == signature_of(
        "Use uv instead, please don't use pytest!"
    )
    assert signature_of("don't use pytest") != signature_of("don't use tox")


def test_folder_of_the_users_own_rules_adds_a_language(tmp_path: Path) -> None:
    (tmp_path / "correction.nl.toml").write_text(
        'kind = "correction"\nlanguage = "nl"\napprovals = "ja"\ncontrasts = "maar"\nrequests = "kun je"\n'
        '[[rule]]\nname = "opens-with-no"\nat = "start"\nwhy = "begins by saying no"\npattern = "nee"\n'
    )
    own = CorrectionDetector(Wording(Rulebook((tmp_path,)).corrections()))

    assert rules(Session().human("x").agent().human("nee niet dat").findings(own)) == ["A:opens-with-no"]
    assert precise_detectors((tmp_path,))[0].name == "precise.correction"


HEAD = 'kind = "correction"\nlanguage = "xx"\napprovals = ""\ncontrasts = ""\nrequests = ""\n'
RULE = '[[rule]]\nname = "a"\nwhy = "b"\npattern = "{}"\n'


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        'kind = "correction"\nlanguage = "xx"\n',
        HEAD + "colour = 1\nrule = []\n",
        HEAD + RULE.format("("),
        HEAD + RULE.format("x") + 'at = "end"\n',
        HEAD + RULE.format("x" * 300_000),
    ],
)
def test_rule_file_that_is_damaged_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "correction.xx.toml").write_text(text)

    with pytest.raises(InputError, match=r"correction\.xx\.toml"):
        Rulebook((tmp_path,)).corrections()


def test_missing_rule_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Rulebook((tmp_path / "none",)).corrections()
