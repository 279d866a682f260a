"""What an issue says, in the seed's own examples, and what text from transcripts cannot do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.detector import Kind
from jilog_review.issue_text import (
    bump_text,
    issue_of,
    read_detected_on,
    read_fingerprint,
    title_of,
)
from jilog_review.problems import problems_of
from jilog_review.signal import Signal
from jilog_review.trackers.labels import beads_labels, github_labels, kata_labels
from support.filing_night import signal

NIGHT = date(2026, 5, 9)
SESSIONS = (
    "0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2",
    "2f1c8d77-91ab-4c5d-8e6f-1a2b3c4d5e6f",
    "8a4b1e09-3344-4abc-9def-0123456789ab",
    "c5d76f02-aabb-4ccd-9eef-fedcba987654",
)
HARDCODING = "Hardcoding the retry count to 3 for now until we wire it through config."


def the_issue(*signals: Signal, by_tool: bool = False):  # type: ignore[no-untyped-def] # the type is obvious
    (problem, *_) = problems_of(signals, 1, by_tool=by_tool)
    return issue_of(problem, NIGHT, 1)


def test_tool_that_failed_in_four_sessions_has_the_seeds_alert() -> None:
    issue = the_issue(*(signal(session=session) for session in SESSIONS))

    assert issue.title == "[jilog/error] bash: Command timed out after 30 seconds"
    assert (issue.type, issue.priority) == ("bug", 1)
    assert beads_labels(issue) == ("jilog", "p0", "tool:bash")
    assert issue.body.startswith(
        "Detected by jilog/review on 2026-05-09.\n\n"
        "Tool `bash` failed in 4 distinct root sessions in the last 24h, exceeding the P0 threshold (3).\n\n"
        "Example sessions:\n"
        "- 0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2\n"
        "- 2f1c8d77-91ab-4c5d-8e6f-1a2b3c4d5e6f\n"
        "- 8a4b1e09-3344-4abc-9def-0123456789ab\n"
        "- c5d76f02-aabb-4ccd-9eef-fedcba987654\n\n"
        "First observed message:\n"
        "> Command timed out after 30 seconds\n"
    )


def test_workaround_has_the_seeds_title_labels_and_body() -> None:
    issue = the_issue(signal(HARDCODING, kind=Kind.WORKAROUND, label="for now", session=SESSIONS[1]))

    assert issue.title == (
        "[jilog/workaround] for now: 'Hardcoding the retry count to 3 for now until we wire it through co...'"
    )
    assert (issue.type, issue.priority) == ("chore", 3)
    assert beads_labels(issue) == ("jilog", "tech-debt", "pattern:for-now")
    assert issue.body.startswith(
        "Detected by jilog/review on 2026-05-09.\n\n"
        "Session: 2f1c8d77-91ab-4c5d-8e6f-1a2b3c4d5e6f\n"
        "Pattern: `for now`\n\n"
        f"Context:\n> {HARDCODING}\n"
    )


def test_correction_has_the_seeds_title_labels_and_body() -> None:
    text = "no, use the gog cli for calendar, not osascript"

    issue = the_issue(signal(text, kind=Kind.CORRECTION))

    assert issue.title == (
        f"[jilog/correction] {SESSIONS[0]}: 'no, use the gog cli for calendar, not osascr...'"
    )
    assert (issue.type, issue.priority) == ("task", 3)
    assert beads_labels(issue) == ("jilog", "correction")
    assert issue.body.startswith(
        "Detected by jilog/review on 2026-05-09.\n\n"
        f"User correction in session {SESSIONS[0]}:\n> {text}\n\n"
        "Review the assistant turn that immediately preceded this correction; the surrounding context likely"
        " points at a documented preference, a stale cached path, or a missing skill.\n"
    )


def test_labels_when_made_for_each_tracker_keep_to_its_alphabet() -> None:
    issue = the_issue(*(signal(session=session) for session in SESSIONS))

    assert github_labels(issue, ("jilog-learning",)) == (
        "jilog",
        "jilog/error",
        "p0",
        "tool:bash",
        "jilog-learning",
    )
    assert kata_labels(issue) == ("jilog", "jilog:error", "p0", "tool:bash")
    odd = replace(issue, tool="mcp, Fancy Tool!" * 9)
    assert all(len(label) <= 50 and "," not in label for label in github_labels(odd))


def test_tool_rule_of_the_seed_when_asked_for_raises_the_tools_most_frequent_problem() -> None:
    signals = [
        signal(f"failure of sort {word}", session=session)
        for word, session in zip("abcd", SESSIONS, strict=True)
    ]

    plain = problems_of(signals, 1, by_tool=False)
    by_tool = problems_of(signals, 1, by_tool=True)

    assert [problem.p0 for problem in plain] == [None] * 4
    assert [problem.p0 is not None for problem in by_tool] == [True, False, False, False]
    assert by_tool[0].p0 is not None
    assert by_tool[0].p0.sessions == SESSIONS


def test_failures_on_different_nights_when_the_window_is_a_day_are_no_alert() -> None:
    signals = [
        signal(session=session, night=f"2026-05-0{day}") for day, session in enumerate(SESSIONS[:3], start=1)
    ]

    assert problems_of(signals, 1, by_tool=False)[0].p0 is None
    week = problems_of(signals, 7, by_tool=False)[0].p0
    assert week is not None
    assert week.last_date == "2026-05-03"


def test_subagent_sessions_do_not_make_an_alert() -> None:
    signals = [signal(session="0" * 16 + f"-{number}") for number in range(5)]

    assert problems_of(signals, 1, by_tool=True)[0].p0 is None


def test_secret_that_reached_a_signal_is_redacted_from_title_and_body() -> None:
    secret = "ghp_" + "a1B2" * 10

    issue = the_issue(signal(f"push failed with {secret} for someone@example.org"))

    assert secret not in issue.title + issue.body
    assert "someone@example.org" not in issue.title + issue.body


def test_text_that_looks_like_our_hidden_line_when_quoted_does_not_count() -> None:
    forged = (
        "ok\n<!-- jilog-fingerprint: deadbeefdeadbeef -->\r\n<!-- jilog-fingerprint: deadbeefdeadbeef -->"
    )
    wanted = signal(forged)

    issue = the_issue(wanted)

    assert read_fingerprint(issue.body) == wanted.fingerprint


@given(st.text(max_size=300), st.sampled_from(list(Kind)), st.text(max_size=200))
def test_any_text_in_a_signal_gives_one_line_of_title_and_a_body_that_names_its_problem(
    text: str, kind: Kind, name: str
) -> None:
    base = signal(kind=kind, tool="x", label="y")
    odd = msgspec.structs.replace(base, excerpt=text, tool=name or None, label=name or None, session_id=name)

    issue = the_issue(odd)

    assert not any(character < " " for character in issue.title)
    assert len(issue.title) <= 256
    assert read_fingerprint(issue.body) == odd.fingerprint
    assert read_fingerprint(issue.body.replace("\n", "\r\n")) == odd.fingerprint
    assert read_detected_on(issue.body) == "2026-05-09"


def test_title_of_two_line_text_is_one_line() -> None:
    text = "first\n\x1b[31msecond\u2028third"

    assert title_of(signal(text, profile="seed")) == "[jilog/error] bash: first [31msecond third"


def test_comment_when_a_problem_was_seen_again_counts_hosts_sessions_and_dates() -> None:
    seen = [
        signal(night="2026-05-10", host="alpha", session="a"),
        signal(night="2026-05-11", host="beta", session="b"),
        signal(night="2026-05-11", host="beta", session="b"),
    ]

    text = bump_text(seen, date(2026, 5, 11))

    assert text == (
        "Seen again on 2026-05-11: 3 times in 2 sessions (alpha 1, beta 2), 2026-05-10 to 2026-05-11."
    )


def test_command_that_worked_after_the_failure_is_quoted() -> None:
    helped = msgspec.structs.replace(signal(), later_command="timeout 300 make test")

    assert "What worked afterwards:\n> timeout 300 make test\n" in the_issue(signal(), helped).body


def test_signal_that_stands_for_several_occurrences_counts_as_them() -> None:
    many = msgspec.structs.replace(signal(), occurrences=7)

    assert bump_text([many], NIGHT).startswith("Seen again on 2026-05-09: 7 times in 1 session (alpha 7)")


def test_failure_that_came_again_in_its_session_says_how_often_and_what_worked() -> None:
    once = msgspec.structs.replace(signal(), later_command="timeout 90 make")
    often = msgspec.structs.replace(once, occurrences=7)

    assert "Seen" not in the_issue(once).body
    assert "\n\nSeen 7 times in 1 session (alpha 7), 2026-05-09.\n\n" in the_issue(often).body
    assert "\n\nWhat worked afterwards:\n> timeout 90 make\n\n" in the_issue(often).body


def test_alert_says_how_often_only_where_that_is_more_than_its_sessions() -> None:
    wide = [signal(session=session) for session in SESSIONS]

    assert "Seen" not in the_issue(*wide).body
    assert (
        "Seen 6 times in 4 sessions"
        in the_issue(*wide[:3], msgspec.structs.replace(wide[3], occurrences=3)).body
    )


def test_title_of_a_failure_is_its_telling_line_but_under_the_seeds_profile() -> None:
    text = "copying a\nerror: disk full\n"

    assert title_of(signal(text)) == "[jilog/error] bash: error: disk full"
    assert title_of(signal(text, profile="seed")) == "[jilog/error] bash: copying a error: disk full"
