"""The digest's lines: quoting, cutting, dimensions, and the sections that came later."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.aggregate import Alert, Report, Summary, window_of
from jilog_review.detector import Kind, Tier
from jilog_review.digest import digest_name, render_digest
from jilog_review.digest_lines import full_line, quoted
from jilog_review.runs import Run
from jilog_review.signal import Signal
from jilog_review.transcript import Coverage

DAY = date(2026, 5, 9)


def signal(kind: Kind, excerpt: str, **fields: Any) -> Signal:
    values: dict[str, Any] = {
        "id": "0" * 20,
        "kind": kind,
        "detector": "d",
        "version": 1,
        "rule": "r",
        "tier": Tier.A,
        "profile": "seed",
        "reader": "generic",
        "host": "alpha",
        "session_id": "s1",
        "root_session": "s1",
        "source_file": "/s1",
        "line": 1,
        "part": 0,
        "fingerprint": "f",
        "excerpt": excerpt,
        "review_date": "2026-05-09",
        **fields,
    }
    return Signal(**values)


def reports(*runs: Run) -> tuple[Report, ...]:
    return tuple(Report(run, 1_778_310_000_000_000_000) for run in runs)


def page(
    *signals: Signal, plain: bool = True, runs: tuple[Run, ...] = (), alerts: tuple[Alert, ...] = ()
) -> str:
    return render_digest(Summary(window_of(DAY, 1), "seed", signals, alerts, reports(*runs)), plain=plain)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it's", r"'it\'s'"),
        ('say "x"', "'say \"x\"'"),
        ("a\\b", r"'a\\b'"),
        ("a\nb\tc\rd", r"'a\nb\tc\rd'"),
        ("bell\x07", r"'bell\x07'"),
        ("wrong path — déjà", "'wrong path — déjà'"),
    ],
)
def test_quoted_text_is_escaped_as_the_seed_does(text: str, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text(max_size=200))
def test_quoted_text_stays_on_one_line(text: str) -> None:
    assert not any(character < " " for character in quoted(text))


def test_long_failure_is_cut_and_says_so() -> None:
    body = page(signal(Kind.ERROR, "x" * 501, tool="bash"))

    assert f"- `s1` / `bash`: {'x' * 500} … [truncated]\n" in body
    assert "truncated" not in page(signal(Kind.ERROR, "x" * 500, tool="bash"))


def test_failure_over_several_lines_is_as_it_is_in_the_seeds_layout_and_on_one_line_elsewhere() -> None:
    failure = signal(Kind.ERROR, "one\n## two", tool="bash")

    assert "`bash`: one\n## two\n" in page(failure)
    assert "`bash`: one ## two\n" in page(failure, plain=False)


def test_persona_channel_and_seat_stand_before_the_session() -> None:
    spoken = signal(Kind.CORRECTION, "no", persona="ada`s", channel="team", seat="work")

    assert "- `ada's@team` `seat:work` `s1` — 'no'\n" in page(spoken)


def test_deferral_line_has_only_its_pattern_in_the_seeds_layout() -> None:
    body = page(signal(Kind.DEFERRAL, "we defer it", label="defer"))

    assert "## Deferrals\n\n- `s1` pattern=`defer`\n\n" in body


def test_every_page_ends_with_one_blank_line() -> None:
    assert page().endswith("detected._\n\n")
    assert page(signal(Kind.DEFERRAL, "x", label="defer")).endswith("`defer`\n\n")


def test_seeds_layout_knows_no_patterns_and_no_later_sections() -> None:
    run = Run(host="alpha", profile="seed", review_date="2026-05-09", coverage=Coverage(lines=5, bad_lines=1))
    storm = signal(Kind.PATTERN, "3 compactions", label="compaction_storm")

    plain = page(storm, runs=(run,))
    full = page(storm, plain=False, runs=(run,))

    assert "patterns" not in plain.lower()
    assert "signals_captured: 0\n" in plain
    assert "Fleet coverage" not in plain
    assert "patterns: 1\n---\n" in full
    assert full.endswith(
        "## Patterns\n\n- `s1` kind=`compaction_storm`: 3 compactions\n\n"
        "## Fleet coverage\n\n- `alpha`: reviewed up to 2026-05-09 (2026-05-09T07:00:00Z), 0 sessions,"
        " 0 files, 5 lines, 1 bad line\n\n"
    )


def test_alert_line_names_the_sessions() -> None:
    body = page(alerts=(Alert("bash", ("a", "b", "c")),))

    assert "- **P0 ALERT**: `bash` failed in 3 distinct sessions: a, b, c\n\n## Corrections" in body
    assert "p0_count: 1\n" in body


@pytest.mark.parametrize(
    ("seconds", "first"),
    [(1, "2026-05-09"), (86_400, "2026-05-09"), (86_401, "2026-05-08"), (604_800, "2026-05-03")],
)
def test_window_is_of_whole_days_that_end_with_the_date(seconds: int, first: str) -> None:
    window = window_of(DAY, seconds)

    assert (window.first.isoformat(), window.last) == (first, DAY)
    assert window.covers(first)
    assert not window.covers("2026-05-10")


def test_name_of_the_file_carries_the_date() -> None:
    assert digest_name(DAY) == "learning-digest-2026-05-09.md"


HIDDEN = "wrong \u202eelif\u202c \u2066file\x07 \x9bhere"


@pytest.mark.parametrize("kind", [Kind.CORRECTION, Kind.ERROR, Kind.WORKAROUND, Kind.DEFERRAL, Kind.PATTERN])
def test_marks_that_make_a_line_read_as_another_one_are_shown(kind: Kind) -> None:
    line = full_line(signal(kind, HIDDEN, label=HIDDEN, tool=HIDDEN, later_command=HIDDEN))

    assert not set(line) & set("\u202e\u202c\u2066\x9b\x07")
    assert "�" in line
