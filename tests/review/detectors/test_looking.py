"""Which calls only look: what a turn of nothing else says of open work is no work put off."""

from __future__ import annotations

import pytest

from jilog_review.detectors.precise.looking import only_looks
from jilog_review.transcript import ToolCall
from support.precise_session import Session


def the_call(tool: str, **arguments: object) -> ToolCall:
    (call,) = Session().call(tool, "c1", **arguments).entries
    assert isinstance(call, ToolCall)
    return call


@pytest.mark.parametrize(
    "command",
    [
        "git status --short && git diff main...HEAD",
        "rg -n 'x > y' src | head -20",
        "cat a.py 2>/dev/null",
        "ls -la; wc -l *.py",
        "git -C /w/app log --oneline 2>&1 | tail -5",
        "gh pr view 12 --json title",
        "sed -n '1,20p' a.py",
        "bash -lc 'cat README.md'",
    ],
)
def test_command_that_reads_or_searches_only_looks(command: str) -> None:
    assert only_looks(the_call("Bash", command=command))


@pytest.mark.parametrize(
    "command",
    [
        "git commit -m 'x'",
        "git status && git push",
        "cat > a.py <<'EOF'\nx = 1\nEOF",
        "echo x >> notes.md",
        "sed -i 's/a/b/' a.py",
        "find . -name '*.tmp' -delete",
        "git ls-files | xargs rm",
        "make build",
        "python migrate.py",
        "bash -lc 'echo x > a.txt'",
        "gh pr create --fill",
    ],
)
def test_command_that_may_change_something_does_not_only_look(command: str) -> None:
    assert not only_looks(the_call("exec_command", command=command))


@pytest.mark.parametrize("tool", ["Read", "view", "Grep", "WebSearch", "update_plan", "TodoWrite"])
def test_tool_that_reads_searches_or_plans_only_looks(tool: str) -> None:
    assert only_looks(the_call(tool, file_path="/w/a.py"))


@pytest.mark.parametrize(
    "tool", ["Edit", "apply_patch", "Task", "mcp__tracker__create_issue", "some_new_tool"]
)
def test_tool_that_is_not_known_to_only_look_may_change_something(tool: str) -> None:
    assert not only_looks(the_call(tool, file_path="/w/a.py"))
