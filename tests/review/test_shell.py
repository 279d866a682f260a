"""Shell commands: families, the parts that may have failed, and words that are not quoted text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.shell import command_family, command_words, last_parts, parse_command


@pytest.mark.parametrize(
    ("command", "family"),
    [
        ("ls -la", "ls"),
        ("cd /w/app && git -C x push origin main", "git push"),
        ("FOO=1 sudo timeout 30 make test", "make test"),
        ("bash -lc 'cd x && go test ./...'", "go test"),
        ("npm run lint", "npm run lint"),
        ("pnpm exec vitest run", "vitest"),
        ("uv run --extra dev pytest -q", "pytest"),
        ("npx tsc --noEmit", "tsc"),
        ("python3.12 -m pytest -x", "python -m pytest"),
        ("python3 x.py", "python"),
        ("gh pr view 7 --json url", "gh pr view"),
        ("./scripts/check.sh --all", "check.sh"),
        ("mise run test:ci", "mise run test:ci"),
        ("cat a | sort | uniq -c", "uniq"),
        ("make; echo done", "make"),
        ("a || b", "b"),
        ("(cd x && tox)", "tox"),
        ("cat <<'EOF' > x\nmake; rm -rf y\nEOF\nruff check", "ruff"),
        ("git commit -m \"$(cat <<'EOF'\nwords; and | more\nEOF\n)\"", "git commit"),
        ("gh pr edit 3 --body $'it\\'s; rm x'", "gh pr edit"),
        ("", ""),
        ("FOO=1", ""),
    ],
)
def test_family_is_the_program_that_may_have_failed_with_its_subcommand(command: str, family: str) -> None:
    assert command_family(command) == family


def test_program_that_the_message_names_is_the_one_that_failed() -> None:
    assert command_family("mkdir x && cp a b && tar cf y x", "cp: a: No such file or directory") == "cp"


def test_only_the_last_of_a_pipe_and_the_last_of_a_list_decide_the_status() -> None:
    assert [part.program for part in last_parts("a; b | c && d | e")] == ["c", "e"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("git commit -m 'use --no-verify'", ["git commit -m"]),
        ("A=1 git push -f", ["A=1", "git push -f"]),
        ("x && git commit --no-verify -m fix", ["x", "git commit --no-verify -m fix"]),
        ("cat <<EOF\ngit push -f\nEOF", ["cat"]),
    ],
)
def test_words_of_a_command_leave_quoted_text_out(command: str, words: list[str]) -> None:
    assert list(command_words(command)) == words


@given(st.text(alphabet="ab;|&'\"\\ $()`<>\n-=./", max_size=60))
def test_any_text_is_cut_without_an_error(command: str) -> None:
    parse_command(command)
    last_parts(command)
    list(command_words(command))

    assert isinstance(command_family(command), str)
