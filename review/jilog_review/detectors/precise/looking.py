"""Whether a tool call only looked at things, or may have changed something."""

from __future__ import annotations

import re

from jilog_review.fingerprint import canonical_tool
from jilog_review.shell import Part, parse_command
from jilog_review.transcript import ToolCall

_TOOLS = frozenset(
    [
        *("read", "grep", "glob", "LS", "ls", "list_directory", "list_dir", "read_many_files"),
        *("NotebookRead", "LSP", "rg", "search", "WebFetch", "WebSearch", "web_fetch"),
        *("web_search", "webfetch", "google_web_search", "fetch", "TodoWrite", "TodoRead"),
        *("update_plan", "write_todos", "todowrite", "todoread", "update_todo", "TaskCreate"),
        *("TaskUpdate", "TaskList", "TaskGet", "report_intent", "save_memory", "think"),
        *("BashOutput", "TaskOutput", "read_bash", "list_bash", "AskUserQuestion", "ask_user"),
        *("ToolSearch", "EnterPlanMode", "ExitPlanMode", "Skill", "skill", "view_image"),
        *("get_diagnostics",),
    ]
)
_PROGRAMS = frozenset(
    [
        *("cat", "head", "tail", "less", "more", "bat", "nl", "ls", "tree", "find", "fd", "wc"),
        *("column", "stat", "grep", "rg", "egrep", "fgrep", "zgrep", "ag", "ack", "diff", "cmp"),
        *("jq", "yq", "awk", "sort", "uniq", "cut", "tr", "file", "du", "df", "pwd", "env"),
        *("printenv", "which", "type", "command", "test", "[", "[[", "realpath", "readlink"),
        *("basename", "dirname", "date", "ps", "lsof", "sed", "xargs", "tee", "strings"),
    ]
)
_FAMILIES = frozenset(
    [
        *("git log", "git diff", "git show", "git status", "git blame", "git grep"),
        *("git rev-parse", "git shortlog", "git ls-files", "git ls-tree", "git ls-remote"),
        *("git cat-file", "git merge-base", "git describe", "git rev-list", "git reflog"),
        *("git name-rev", "git show-ref", "git range-diff", "git for-each-ref", "gh pr view"),
        *("gh pr list", "gh pr diff", "gh pr checks", "gh pr status", "gh issue view"),
        *("gh issue list", "gh run view", "gh run list", "gh repo view", "gh release view"),
        *("gh release list", "gh search", "go doc", "go list", "go env", "npm view", "npm ls"),
        *("pip show", "pip list"),
    ]
)
_WRITES = re.compile(
    r"(?<![0-9&<=>-])>{1,2}(?![>&=(]|\s*/dev/null)|\bsed\b[^|;&\n]*\s(?:-\w*i|--in-place)|"
    r"\bfind\b[^|;&\n]*\s-(?:delete|exec)|\b(?:xargs|tee)\s"
)
# What is quoted is text to look for, unless a shell is to run it.
_QUOTED = re.compile(r"""(?<!c )(?:'[^']*'|"[^"]*")""")


def only_looks(call: ToolCall) -> bool:
    """Tell whether a call can have done no work: it read, searched, asked or planned.

    A tool or program that is not known to only look may have changed something.
    """
    if call.command is None:
        return canonical_tool(call.tool) in _TOOLS
    if _WRITES.search(_QUOTED.sub("''", call.command)) is not None:
        return False
    parts = parse_command(call.command)
    return bool(parts) and all(map(_part_looks, parts))


def _part_looks(part: Part) -> bool:
    return part.program in _PROGRAMS or part.family in _FAMILIES
