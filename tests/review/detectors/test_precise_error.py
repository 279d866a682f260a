"""Errors: every class of the second stage, what counts as one problem, and what worked in the end."""

from __future__ import annotations

import pytest

from jilog_review.detectors.precise.error import ErrorDetector
from jilog_review.fingerprint import fingerprint
from jilog_review.transcript import Denial
from support.precise_session import Session, fit_to_file, rules

DETECTOR = ErrorDetector()


def of_shell(command: str, output: str, status: int | None = 1) -> list[str]:
    return rules(Session().shell(command, output, status).findings(DETECTOR))


def of_tool(tool: str, output: str) -> list[str]:
    return rules(Session().result(tool, output, failed=True).findings(DETECTOR))


@pytest.mark.parametrize(
    ("command", "output", "status", "rule"),
    [
        ("pytst -q", "bash: line 1: pytst: command not found", 127, "command-not-found"),
        ("pytst -q", "zsh:1: command not found: pytst", 127, "command-not-found"),
        ("gh pr diff 8 --stat", "unknown flag: --stat\n\nUsage:  gh pr diff [flags]", 1, "wrong-usage"),
        ("git gc --dry-run", "error: unknown option `dry-run'\nusage: git gc", 129, "wrong-usage"),
        ("go test ./x | grep -E '--- FAIL'", "grep: unrecognized option `--- FAIL'", 2, "wrong-usage"),
        ("cd lib && go test ./...", "(eval):cd:1: no such file or directory: lib", 1, "wrong-place"),
        ("go test -run X", "# .\nno Go files in /w/app\nFAIL\t. [setup failed]", 1, "wrong-place"),
        ("npm run lint", 'npm error Missing script: "lint"', 1, "wrong-place"),
        (
            "python3 -c 'import yaml'",
            "Traceback (most recent call last):\n  x\nModuleNotFoundError: No module named 'yaml'",
            1,
            "wrong-place",
        ),
        (
            "git status",
            "fatal: not a git repository (or any of the parent directories): .git",
            128,
            "wrong-place",
        ),
        ("echo $(cat x", "(eval):1: parse error near `('", 1, "shell-syntax"),
        ("rg foo src docs", "rg: docs: No such file or directory (os error 2)", 2, "missing-file"),
        ("grep -n x a.go", "grep: a.go: No such file or directory", 2, "missing-file"),
        ("sed -n 1,5p a.md", "sed: can't read a.md: No such file or directory", 2, "missing-file"),
        ("cat notes.txt", "cat: notes.txt: No such file or directory", 1, "missing-file"),
        ("gh pr view 3 --json x", "HTTP 401: Bad credentials", 1, "refused"),
        ("git commit -m x", "fatal: Unable to create '/w/.git/index.lock': File exists.", 128, "refused"),
        (
            "git stash pop",
            "error: Your local changes to the following files would be overwritten by merge:",
            1,
            "git-state",
        ),
        ("git checkout -b x origin/y", "fatal: Needed a single revision", 128, "git-state"),
        (
            "gh api repos/a/b --jq '.[0'",
            "failed to parse jq expression (line 1, column 3)\n    .[0",
            1,
            "command-failed",
        ),
        ("docker compose up", "Command timed out after 2m 0.0s\nstarting", 124, "out-of-space-or-time"),
    ],
)
def test_nuisance_of_a_command_is_friction_and_fit_to_file(
    command: str, output: str, status: int, rule: str
) -> None:
    assert of_shell(command, output, status) == [f"A:friction.{rule}"]


@pytest.mark.parametrize(
    ("tool", "output", "rule"),
    [
        ("Read", "<tool_use_error>File does not exist.</tool_use_error>", "missing-file"),
        ("Grep", "<tool_use_error>Path does not exist: cmd/app</tool_use_error>", "missing-file"),
        (
            "Edit",
            "<tool_use_error>String to replace not found in file.\nString: x</tool_use_error>",
            "tool-failed",
        ),
        (
            "Edit",
            "<tool_use_error>File has not been read yet. Read it first.</tool_use_error>",
            "tool-failed",
        ),
        (
            "apply_patch",
            "apply_patch verification failed: Failed to find expected lines in a.py",
            "tool-failed",
        ),
        ("mcp__tracker__create", "Error: team is required", "tool-failed"),
    ],
)
def test_failed_file_or_server_tool_is_friction(tool: str, output: str, rule: str) -> None:
    assert of_tool(tool, output) == [f"A:friction.{rule}"]


@pytest.mark.parametrize(
    ("command", "output", "status"),
    [
        ("grep -rn foo src", "", 1),
        ("cat a | grep foo", "", 1),
        ("git ls-tree -r main | rg '^docs/'", "", 1),
        ("diff a b", "1c1\n< x\n---\n> y", 1),
        ("git diff --exit-code", "diff --git a/x b/x\n+y", 1),
        ("test -f pyproject.toml", "", 1),
        ("[ -d build ] && echo yes", "", 1),
        ("which uv", "uv not found", 1),
        ("command -v uv", "", 1),
        (
            "ls a b; echo ---; ls -la /w/app/.git/gc.log",
            "x\n---\nls: /w/app/.git/gc.log: No such file or directory",
            1,
        ),
        ("git config --global fetch.prune", "", 1),
        (
            "git rev-parse --abbrev-ref origin/HEAD",
            "fatal: ambiguous argument 'origin/HEAD': unknown revision",
            128,
        ),
        ("gh pr view --json url", 'no pull requests found for branch "main"', 1),
        ("gh pr checks 7", "Build\tpending\t0\tx", 8),
        ("gh api repos/a/b/protection", "gh: Branch not protected (HTTP 404)", 1),
        ("npm view pkg@9.9.9 version", "npm error code E404\nnpm error 404 No match found", 1),
        ("curl -sf localhost:8080/health", "curl: (7) Failed to connect: Connection refused", 7),
        ("pgrep -f server", "", 1),
        ("find / -name x.toml", "/x.toml\nfind: /proc/1/fd: Permission denied", 1),
        ("sh ./probe", "no", 1),
    ],
)
def test_answer_to_a_question_is_no_error(command: str, output: str, status: int) -> None:
    assert of_shell(command, output, status) == []


@pytest.mark.parametrize(
    ("command", "output", "status"),
    [
        ("go test ./...", "--- FAIL: TestX (0.00s)\nFAIL\tapp/x\t0.1s", 1),
        ("uv run pytest -q", "E   AssertionError\n1 failed, 3 passed in 0.1s", 1),
        ("npm run lint && npm test", "✖ 3 problems (3 errors)", 1),
        (
            "mise run fmt && mise run lint 2>&1",
            "a.go:1:2: G304: Potential file inclusion (gosec)\n1 issues:",
            1,
        ),
        (
            "cargo build",
            "error[E0425]: cannot find value `x` in this scope\nerror: could not compile `app`",
            101,
        ),
        ("npx tsc --noEmit", "src/a.ts(3,5): error TS2322: Type 'a' is not assignable", 2),
        ("git push", "pre-push: running tests\n--- FAIL: TestX (0.0s)\nerror: failed to push some refs", 1),
        ("./scripts/check.sh", "✗ FAIL: extra.js should not exist", 1),
        ("make test", "make: *** [test] Error 1", 2),
        ("git commit -m x", "ruff....Failed\n- hook id: ruff\n- exit code: 1\na.py:1:1: F401", 1),
    ],
)
def test_red_test_lint_or_build_is_listed_as_normal_work(command: str, output: str, status: int) -> None:
    (rule,) = of_shell(command, output, status)

    assert rule.startswith("B:dev_loop.")


def test_program_under_work_that_fails_is_only_listed() -> None:
    assert of_shell(
        "go run ./cmd/app --once", "2026/01/02 panic-free exit: config rejected by validator\n" * 2
    ) == ["B:program.program"]


@pytest.mark.parametrize(
    ("denial", "fires"),
    [
        (Denial.USER, []),
        (Denial.SIBLING, []),
        (Denial.ABORTED, []),
        (Denial.POLICY, ["B:policy_deny.denied"]),
        (Denial.HOOK, ["B:hook_block.denied"]),
    ],
)
def test_call_that_was_not_carried_out_is_no_friction(denial: Denial, fires: list[str]) -> None:
    session = Session().result("Bash", "refused", command="rm -rf build", failed=True, denial=denial)

    assert rules(session.findings(DETECTOR)) == fires


@pytest.mark.parametrize(
    "text",
    [
        "The user doesn't want to proceed with this tool use.",
        "Sibling tool call errored",
        "aborted by user after 3.2s",
        "[Request interrupted by user for tool use]",
    ],
)
def test_stop_that_only_the_text_tells_is_no_friction(text: str) -> None:
    assert of_tool("Write", text) == []


def test_command_ended_by_a_signal_is_no_friction() -> None:
    assert of_shell("npm run dev", "ready in 300 ms", 143) == []


def test_page_or_poll_that_fails_is_no_friction() -> None:
    assert of_tool("WebFetch", "Request failed with status code 404") == []
    assert of_tool("write_stdin", "write_stdin failed: stdin is closed") == []


@pytest.mark.parametrize(
    ("command", "output", "rule"),
    [
        ("go test ./... | tail -20", "--- FAIL: TestX (0.0s)", "masked-tests"),
        ("pytst -q || true", "bash: pytst: command not found", "masked-failure"),
        (
            "python3 gen.py; echo done",
            "Traceback (most recent call last):\n  x\nKeyError: 'a'\ndone",
            "masked-failure",
        ),
        ("npm ci 2>&1 | tail -5", "npm ERR! code ERESOLVE", "masked-failure"),
    ],
)
def test_failure_that_the_command_line_hid_is_listed(command: str, output: str, rule: str) -> None:
    assert of_shell(command, output, 0) == [f"B:dev_loop.{rule}"]


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("cat build.log | tail -5", "fatal: the old failure in a log"),
        ("rg -n 'fatal: ' src | head", "src/a.go:3: fatal: message"),
        ("go test ./...", "ok  \tapp/x\t0.1s"),
        ("pytest -q", "--- FAIL: is only quoted, nothing hides the status"),
    ],
)
def test_failure_in_what_a_command_shows_is_not_its_own(command: str, output: str) -> None:
    assert of_shell(command, output, 0) == []


def test_problem_that_comes_again_in_a_session_is_one_finding_that_counts() -> None:
    session = Session()
    for name in ("a.go", "b.go", "c.go"):
        session.result(
            "Read", "<tool_use_error>File does not exist.</tool_use_error>", failed=True, paths=(name,)
        )

    (found,) = session.findings(DETECTOR)

    assert found.occurrences == 3
    assert found.entry.line == 1


def test_two_problems_of_one_program_are_two_findings() -> None:
    session = Session().shell("gh pr diff --stat", "unknown flag: --stat", 1)
    session.shell("gh pr diff 9999", "GraphQL: Could not resolve to a PullRequest with the number of 9999", 1)

    assert len(session.findings(DETECTOR)) == 2


def test_later_command_of_the_same_family_that_worked_is_attached() -> None:
    session = Session().shell("gh pr diff 8 --stat", "unknown flag: --stat", 1)
    session.shell("gh pr diff 8 --patch | wc -l", "", 1).shell("gh pr diff 8 --name-only", "a.go")

    (found,) = fit_to_file(session.findings(DETECTOR))

    assert found.later_command == "gh pr diff 8 --name-only"


def test_misspelt_program_gets_the_likest_command_that_worked() -> None:
    session = Session().shell("pytst -q tests/review", "bash: pytst: command not found", 127)
    session.shell("ls", "tests").shell("pytest -q tests/review", "3 passed")

    assert session.findings(DETECTOR)[0].later_command == "pytest -q tests/review"


def test_missing_file_gets_the_path_under_which_it_was_found() -> None:
    session = Session().result("Read", "File does not exist.", failed=True, paths=("/w/app/reader.py",))
    session.result("Read", "text", paths=("/w/app/src/reader.py",))

    assert session.findings(DETECTOR)[0].command == "Read /w/app/reader.py"
    assert session.findings(DETECTOR)[0].later_command == "Read /w/app/src/reader.py"


def test_failure_without_a_later_success_names_none() -> None:
    session = Session().shell("gh pr diff --stat", "unknown flag: --stat", 1).shell("ls", "x")

    assert session.findings(DETECTOR)[0].later_command is None


def test_results_read_before_are_not_judged_again() -> None:
    session = Session().shell("gh pr diff --stat", "unknown flag: --stat", 1)

    assert session.findings(DETECTOR, new_from=1) == []


def test_one_problem_in_two_harnesses_and_shells_has_one_fingerprint() -> None:
    claude = Session().shell("cd /home/alex/app && pytst -q", "(eval):1: command not found: pytst", 127)
    codex = Session().result(
        "exec_command", "bash: line 1: pytst: command not found\n", command="pytst tests", status=127
    )
    gemini = Session().result("run_shell_command", "Exit Code: 127", command="pytst", failed=True, status=127)
    prints = {
        fingerprint(found.kind, found.tool, found.signature or "")
        for session in (claude, codex, gemini)
        for found in session.findings(DETECTOR)
    }

    assert len(prints) == 1


def test_status_of_a_missing_program_says_nothing_of_which_of_several_it_was() -> None:
    session = Session().result("Bash", "Exit code 127", command="make && ./deploy", failed=True, status=127)

    assert fit_to_file(session.findings(DETECTOR)) == []


def test_error_deep_in_an_output_comes_first_in_the_excerpt() -> None:
    output = "copying\n" * 100 + "fatal: refusing to merge unrelated histories"

    (found,) = Session().shell("git pull", output, 128).findings(DETECTOR)

    assert found.excerpt.startswith("fatal: refusing to merge unrelated histories\n")


@pytest.mark.parametrize(
    "text", ["Error", "", "Exit code 1", "An error occurred", "Command failed with exit code 1", "error: 1"]
)
def test_failure_that_does_not_say_what_failed_is_never_fit_to_file(text: str) -> None:
    failed = Session().human("x").agent().result("Task", text, failed=True)
    ran = Session().human("x").agent().shell("python x.py", text, 1)

    assert [found for found in failed.findings(DETECTOR) if found.tier.value == "A"] == []
    assert [found for found in ran.findings(DETECTOR) if found.tier.value == "A"] == []
