"""Explanations of signals, and exposure of tools."""

from __future__ import annotations

from datetime import date

import pytest

from jilog_review import limits
from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.explain import explain, why_of
from jilog_review.exposure import ToolSessions, ToolUse, session_key, tools_used
from jilog_review.redact import redact
from jilog_review.signal import Signal, Stamp, make_signal
from support.precise_session import Session

STAMP = Stamp("alpha", "precise", date(2026, 5, 9), redact)


def signals(session: Session) -> list[Signal]:
    transcript = session.transcript()
    return [
        make_signal(found, transcript, detector, STAMP)
        for detector in precise_detectors()
        for found in detector.detect(transcript)
    ]


def test_signal_is_explained_by_rule_reason_words_and_what_worked_later() -> None:
    session = Session().shell("gh pr diff --stat", "unknown flag: --stat", 1)
    session.shell("gh pr diff --stat", "unknown flag: --stat", 1).shell("gh pr diff --name-only", "a")

    (signal,) = signals(session)

    assert explain(signal).lines() == (
        f"rule: precise.error v{signal.version}, friction.wrong-usage (tier A)",
        "why: the command was called in a way it does not know (a nuisance worth somebody's time)",
        "on: unknown flag",
        "times in this session: 2",
        "worked later: gh pr diff --name-only",
    )
    assert explain(signal).to_json()["words"] == "unknown flag"


def test_words_and_later_command_of_a_signal_are_redacted() -> None:
    key = "AK" + "IA" + "ABCDEFGHIJKLMNOP"
    session = Session().human("go").agent().human(f"no, you forgot {key}")
    session.shell("gh pr diff --stat", "unknown flag: --stat", 1).shell(f"gh pr diff --key {key}", "a")

    for signal in signals(session):
        assert key not in str(signal.to_json())


@pytest.mark.parametrize(
    "session",
    [
        Session().human("a").agent().human("no, wrong"),
        Session().human("a").agent().human("don't do that"),
        Session().shell("pytest | tail", "Traceback (most recent call last):\n x\nKeyError: 1"),
        Session().shell("make test", "make: *** [test] Error 1", 2),
        Session().edit("a.py", "x", "x  # noqa"),
        Session().call("Bash", "c1", command="chmod 777 x"),
        Session().human("a").agent("Ok.\n\n## Remaining\n\n- the Windows installer"),
    ],
)
def test_every_rule_that_fires_has_a_reason(session: Session) -> None:
    for signal in signals(session):
        assert "does not know the rule" not in explain(signal).why


def test_rule_of_another_version_is_said_to_be_unknown() -> None:
    assert why_of("friction.of-the-future") == "this version of jilog does not know the rule"
    assert why_of("nothing") == "this version of jilog does not know the rule"


def test_exposure_counts_sessions_that_used_a_tool_under_any_name() -> None:
    twice = Session(session_id="s1").call("Bash", "c", command="ls").call("Bash", "d", command="ls")
    other = Session(session_id="s2").call("exec_command", "c", command="ls")
    use = ToolUse()
    for session in (twice, other):
        use.add(session.transcript().root_session, tools_used(session.transcript()))
    use.merge([ToolSessions(tool="shell", sessions=(session_key("s3"), session_key("s1")))])

    keys = tuple(sorted(map(session_key, ("s1", "s2", "s3"))))
    assert use.record() == (ToolSessions(tool="shell", sessions=keys),)
    assert str(use.share("bash", ["s1", "s1"])) == "1 of 3 sessions"
    assert use.share("Read", []).rate == 0.0
    assert use.share("Read", ["s9"]).rate == 1.0


def test_exposure_beyond_what_an_event_holds_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOOL_SESSIONS_MAX", 4)
    use = ToolUse()
    for number in range(5):
        use.add(f"s{number}", ["Bash"])
    use.add("s1", ["rare"])

    recorded = use.record()
    again = ToolUse()
    again.merge(recorded)

    assert [(used.tool, len(used.sessions), used.more) for used in recorded] == [
        ("rare", 1, 0),
        ("shell", 3, 2),
    ]
    assert again.using({"Bash"}) == 5
