"""Deferrals: sections of a turn's last text, and what must not fire."""

from __future__ import annotations

import pytest

from jilog_review.detectors.precise.deferral import DeferralDetector
from jilog_review.transcript import Provenance
from support.precise_session import Session, rules

DETECTOR = DeferralDetector()
BODY = "- the Windows installer has no test\n- retries are not logged"


def final(text: str) -> list[str]:
    return rules(worked().agent(text).findings(DETECTOR))


def worked(asked: str = "build it") -> Session:
    return Session().human(asked).edit("/w/app.py", "a = 1", "a = 2").result("Edit", "updated", call_id="e1")


@pytest.mark.parametrize(
    "heading",
    [
        "## Out of scope",
        "### Follow-ups",
        "## Follow-up work",
        "**Known limitations**",
        "**Known limitations:**",
        "**Remaining work:**",
        "## Remaining",
        "### Not done",
        "**Not implemented yet**",
        "## Deferred",
        "## 🚧 Still open",
        "## 5. Left for later",
        "Remaining items:",
        "## What's left",
        "**Nicht umgesetzt:**",
        "## Offene Punkte",
        "## Pendiente",
        "**Fuera de alcance**",
        "## What I did not do",
        "**What I didn't test:**",
        "### What this doesn't cover",
        "## Known issues",
        "**Skipped:**",
        "## Intentionally left unchanged",
    ],
)
def test_section_for_what_was_left_undone_fires(heading: str) -> None:
    assert final(f"The installer works.\n\n{heading}\n\n{BODY}\n") == ["A:section"]


def test_label_with_its_text_on_the_same_line_fires() -> None:
    assert final("Works.\n\n**Not covered:** the Windows installer has no test yet.") == ["A:section"]


@pytest.mark.parametrize(
    "text",
    [
        "## Summary\n\n- the installer works",
        "## Remaining\n\nNone.",
        "**Follow-ups:** none",
        "## Known limitations\n\nN/A",
        "I used Go's defer to close the file, and the import is deferred.",
        "The remaining tests pass.",
        "```\n## Out of scope\n\n- x is not part of this\n```",
        "**Limitation:** a fork needs a token with read access.",
        "## Next steps\n\n1. Merge it\n2. Tell the team",
        "All follow-ups of the ticket are closed now.",
        "## Skipped\n\nNothing.",
        "## What this does\n\n- it installs the service",
        "## Issues\n\n- none of them is left",
    ],
)
def test_text_that_puts_nothing_off_does_not_fire(text: str) -> None:
    assert final(text) == []


def test_section_of_a_plan_is_only_listed() -> None:
    assert final(f"# Plan: new installer\n\n## Out of scope\n\n{BODY}") == ["B:section"]


@pytest.mark.parametrize(
    "text",
    [
        "I have left the retry logic for now.",
        "The retry logic can be added later.",
        "Logging is not yet implemented.",
        "I could not run the linter here.",
    ],
)
def test_phrase_that_puts_something_off_is_only_listed(text: str) -> None:
    assert final(f"Works. {text}") == ["B:put-off"]


def test_text_before_further_calls_is_not_the_last_word() -> None:
    session = Session().human("go").agent(f"## Remaining\n\n{BODY}").call("Bash", "c1", command="ls")
    session.shell("ls", "a").agent("All done.")

    assert session.findings(DETECTOR) == []


@pytest.mark.parametrize("heading", ["## Remaining", "**Known limitations**", "## Out of scope"])
def test_section_of_a_turn_that_only_looked_is_only_listed(heading: str) -> None:
    text = f"The importer reads three formats.\n\n{heading}\n\n{BODY}"
    asked = Session().human("what is left to do here?")
    looked = Session().human("review this branch").call("Bash", "c1", command="git log --oneline | head -5")

    assert rules(asked.agent(text).findings(DETECTOR)) == ["B:section"]
    assert rules(looked.shell("git log", "a").agent(text).findings(DETECTOR)) == ["B:section"]


@pytest.mark.parametrize(
    ("tool", "command"), [("Task", None), ("Bash", "git commit -am x"), ("apply_patch", None)]
)
def test_section_of_a_turn_that_may_have_changed_something_is_filed(tool: str, command: str | None) -> None:
    session = Session().human("go").call(tool, "c1", command=command).result(tool, "ok", call_id="c1")

    assert rules(session.agent(f"Done.\n\n## Remaining\n\n{BODY}").findings(DETECTOR)) == ["A:section"]


def test_section_of_a_turn_without_calls_is_filed_unless_it_answers_a_question() -> None:
    text = f"Done.\n\n## Remaining\n\n{BODY}"

    assert rules(Session().human("build it").agent(text).findings(DETECTOR)) == ["A:section"]
    assert rules(Session().human("何が残っていますか？").agent(text).findings(DETECTOR)) == ["B:section"]


def test_work_before_words_typed_meanwhile_is_of_the_same_turn() -> None:
    session = worked().agent("Edited.").human("and be brief", Provenance.QUEUED)

    assert rules(session.agent(f"Fine.\n\n## Remaining\n\n{BODY}").findings(DETECTOR)) == ["A:section"]


def test_turn_whose_start_was_not_read_may_have_worked_before() -> None:
    session = Session().call("Read", "c1", file_path="/w/a.py").result("Read", "x", call_id="c1")

    assert rules(session.agent(f"Fine.\n\n## Remaining\n\n{BODY}").findings(DETECTOR)) == ["A:section"]


def test_last_text_of_every_turn_is_looked_at() -> None:
    session = worked("a").agent(f"## Remaining\n\n{BODY}").human("b")
    session.edit("/w/app.py", "a = 2", "a = 3", "e2").agent(f"## Not done\n\n{BODY}")

    assert rules(session.findings(DETECTOR)) == ["A:section", "A:section"]


def test_excerpt_has_heading_and_body_and_the_label_is_the_heading() -> None:
    (found,) = worked().agent(f"Fine.\n\n## Out of scope\n\n{BODY}\n\n## Tests\n\nok").findings(DETECTOR)

    assert found.label == "## Out of scope"
    assert found.excerpt == f"## Out of scope\n{BODY}"


def test_text_read_before_is_not_judged_again() -> None:
    session = Session().human("a").agent(f"## Remaining\n\n{BODY}").human("thanks")

    assert session.findings(DETECTOR, new_from=2) == []
