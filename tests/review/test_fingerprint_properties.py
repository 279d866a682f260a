"""Properties of fingerprints: what varies between two occurrences of one problem never shows."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.fingerprint import canonical_tool, fingerprint, normal_form
from jilog_review.redact import redact

NUMBERS = st.integers(0, 10**9).map(str)
UUIDS = st.uuids().map(str)
HEXES = st.text("0123456789abcdef", min_size=8, max_size=40).filter(lambda t: any(c.isdigit() for c in t))
FOLDERS = st.text(string.ascii_lowercase, min_size=1, max_size=8)
NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"{name}.py")
HOMES = st.sampled_from(["/home/alex", "/Users/sam", "~", "/srv/w", "/root", "C:\\Users\\alex"])
PATHS = st.tuples(HOMES, FOLDERS, NAMES).map(lambda p: ("\\" if "\\" in p[0] else "/").join(p))
DURATIONS = st.tuples(
    st.integers(1, 9999), st.sampled_from(["s", "ms", " seconds", " minutes", "m 3s", " secs", "h"])
).map(lambda d: f"{d[0]}{d[1]}")
QUOTES = st.sampled_from(["'{}'", '"{}"', "`{}`", "“{}”", "{}"])
TIMES = st.datetimes().map(lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ") if t.year > 999 else "2026-01-01")

HOLES = {
    "no such file: {}": PATHS,
    "session {} was lost": UUIDS,
    "bad object {}": HEXES,
    "timed out after {}": DURATIONS,
    "exit status {} of the child": NUMBERS,
    "line {}, column 7": NUMBERS,
    "{} tests were skipped": NUMBERS,
    "started at {} and died": TIMES,
    "cannot open {} for writing": PATHS,
    "fetch https://h.example/{} failed": NUMBERS,
}


@st.composite
def occurrences(draw: st.DrawFn) -> tuple[str, str]:
    """Draw two occurrences of one problem: the same sentence with other values in its hole."""
    template = draw(st.sampled_from(sorted(HOLES)))
    return template.format(draw(HOLES[template])), template.format(draw(HOLES[template]))


@given(occurrences())
def test_two_occurrences_of_one_problem_have_one_fingerprint(pair: tuple[str, str]) -> None:
    one, other = pair

    assert fingerprint("error", "Bash", redact(one).text) == fingerprint(
        "error", "exec_command", redact(other).text
    )


@given(st.lists(occurrences(), min_size=2, max_size=3))
def test_problem_of_several_sentences_has_one_fingerprint(pairs: list[tuple[str, str]]) -> None:
    ones, others = zip(*pairs, strict=True)

    assert normal_form("; ".join(ones)) == normal_form("; ".join(others))


@given(QUOTES, QUOTES, st.one_of(PATHS, NAMES, FOLDERS))
def test_quotes_around_a_name_or_a_path_do_not_matter(one: str, other: str, value: str) -> None:
    text = "cannot find {} in the index"

    assert normal_form(text.format(one.format(value))) == normal_form(text.format(other.format(value)))


@given(occurrences())
def test_redaction_on_one_host_only_does_not_matter(pair: tuple[str, str]) -> None:
    assert normal_form(redact(pair[0]).text) == normal_form(pair[1])


@given(st.text(max_size=200))
def test_normal_form_of_any_text_is_one_short_line(text: str) -> None:
    form = normal_form(text)

    assert "\n" not in form
    assert len(form) <= 240
    assert fingerprint("error", None, text) == fingerprint("error", "", text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("No module named 'yaml'", "No module named 'toml'"),
        ("unknown flag: --stat", "unknown flag: --json"),
        ("command not found: pytst", "command not found: ruf"),
        ("String to replace not found in file.", "File has not been read yet."),
        ("HTTP error: not found", "HTTP error: forbidden"),
    ],
)
def test_two_problems_have_two_fingerprints(one: str, other: str) -> None:
    assert fingerprint("error", "Bash", one) != fingerprint("error", "Bash", other)


def test_tools_that_are_one_tool_by_another_name_are_one() -> None:
    assert {
        canonical_tool(name) for name in ("Bash", "bash", "exec_command", "run_shell_command", "shell")
    } == {"shell"}
    assert canonical_tool("mcp__x__y") == "mcp__x__y"
