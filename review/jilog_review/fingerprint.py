"""Fingerprints: the same problem has the same one in every session, on every host, on every night.

What varies between two occurrences of one problem (numbers, ids, paths, quotes, durations, home folders) is
replaced by its kind before hashing. Names of one word stay, quoted or not: another missing module is another
problem.
"""

from __future__ import annotations

import hashlib
import re

_SIGNATURE_CHARS_MAX = 240

_FILE_ENDINGS = (
    "py|pyi|go|rs|ts|tsx|js|jsx|mjs|cjs|json|jsonl|toml|ya?ml|md|txt|html?|css|scss|sh|bash|zsh|rb|php|java|kt|swift|c|cc|cpp|"
    "h|hpp|cs|sql|lock|log|cfg|ini|env|xml|csv|svg|png|jpe?g|gif|pdf|zip|t?gz|tar|db|sqlite3?|ipynb|vue|svelte|ex|exs|lua|tf|"
    "proto|gradle|mod|sum|diff|patch|bak|tmp|example|sock|pid|out"
)
_UNIT = r"(?:ms|milliseconds?|µs|us|ns|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"

_QUOTES = ('"', "'", "`", "“", "‘")
_NUMBERED: tuple[str, ...] = ()
"""The sign of what holds a digit."""
_DIGIT = re.compile(r"\d")

# A pattern can only match where one of its signs stands, which is far cheaper to look for.
_VARIABLE: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), replacement, signs)
    for pattern, replacement, signs in (
        (r"\x1b\[[0-9;?]{0,20}[a-z]", "", ("\x1b",)),
        (r"https?://[^\s'\"`)>\]]+", "<url>", ("://",)),
        # Quotes: around one word or path they go, what else they hold is somebody's text.
        (
            r"(?<!\w)(?:\"([^\s\"]{1,200})\"|'([^\s']{1,200})'|`([^\s`']{1,200})[`']|“([^\s”]{1,200})”|‘([^\s’]{1,200})’)",
            r"\1\2\3\4\5",
            _QUOTES,
        ),
        (
            r"(?<!\w)(?:\"[^\"\n]{1,400}\"|'[^'\n]{1,400}'(?!\w)|`[^`\n]{1,400}`|“[^”\n]{1,400}”|‘[^’\n]{1,400}’)",
            "<text>",
            _QUOTES,
        ),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "#", ("-",)),
        (
            r"\b\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:z|[+-]\d\d:?\d\d)?)?\b",
            "<time>",
            ("-",),
        ),
        (r"\b[a-z]:\\[^\s'\"`,;:()<>|]*", "<path>", (":\\",)),
        (r"(?<![\w<])(?:~(?:\\[\w.@+~$-]+)+|(?:\\[\w.@+~$-]+){2,})\\?", "<path>", ("\\",)),
        (
            r"(?<![\w<./~])(?:~|\.{1,2})?(?:/[\w.@+~=%$-]+)+/?|(?<!\w)~/?(?![\w~])|(?<![\w<.])\.{1,2}/(?!\w)",
            "<path>",
            ("/", "~"),
        ),
        (r"(?<![\w<])@?[\w.-]+(?:/[\w.@+~=%-]+)+/?", "<path>", ("/",)),
        (rf"(?<![\w<.])[\w@+-][\w.@+-]*\.(?:{_FILE_ENDINGS})\b(?![\w(])", "<path>", (".",)),
        (r"<path>(?::\d+){1,2}", "<path>", ("<path>:",)),
        # Not the hashes that happen to be digits and a final d.
        (
            rf"(?<![\w.])(?:(?!\d{{6,}}d\b)\d+(?:[.,]\d+)?\s?{_UNIT}\b[ ,]?(?:and )?)+",
            "<duration> ",
            _NUMBERED,
        ),
        # Ids, hashes and numbers share one sign: a hash may happen to have no letter in it.
        (r"\b0x[0-9a-f]+\b", "#", ("0x",)),
        (r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b", "#", _NUMBERED),
        (r"\b(?=[a-z0-9_]*\d)(?=[a-z0-9_]*[a-z])[a-z0-9_]{20,}\b", "#", _NUMBERED),
        (r"\d+(?:[.,:]\d+)*", "#", _NUMBERED),
        (r"# (?:more )?([a-z]{3,}?)s?\b", r"# \1", ("#",)),
    )
)

SHELL_TOOLS = frozenset(
    {
        "Bash",
        "bash",
        "container.exec",
        "exec_command",
        "execute_command",
        "local_shell",
        "powershell",
        "run_in_terminal",
        "run_shell_command",
        "run_terminal_cmd",
        "shell",
        "terminal",
    }
)
"""Names under which harnesses offer one tool: a shell."""

_TOOL_NAMES = {
    **dict.fromkeys(SHELL_TOOLS, "shell"),
    **dict.fromkeys(("Read", "read", "view", "read_file", "ReadFile"), "read"),
    **dict.fromkeys(
        ("Edit", "edit", "MultiEdit", "str_replace", "replace", "edit_file", "str_replace_editor"), "edit"
    ),
    **dict.fromkeys(("Write", "write", "create", "write_file", "create_file"), "write"),
    **dict.fromkeys(("Grep", "grep", "search_file_content", "grep_search"), "grep"),
    **dict.fromkeys(("Glob", "glob", "find_files"), "glob"),
}


def canonical_tool(tool: str) -> str:
    """Give one name to the tools that harnesses name differently: a shell, a reader, an editor."""
    return _TOOL_NAMES.get(tool, tool)


def normal_form(text: str) -> str:
    """Give what stays equal between occurrences: lower case, variable parts by their kind, one line."""
    text = text[: 4 * _SIGNATURE_CHARS_MAX].lower()
    # No replacement has a digit in it.
    numbered = _DIGIT.search(text) is not None
    for pattern, replacement, signs in _VARIABLE:
        if signs is _NUMBERED:
            if numbered:
                text = pattern.sub(replacement, text)
            continue
        for sign in signs:
            if sign in text:
                text = pattern.sub(replacement, text)
                break
    return " ".join(text.split())[:_SIGNATURE_CHARS_MAX].rstrip()


def fingerprint(kind: str, tool: str | None, signature: str) -> str:
    """Give 16 hex digits (the head of a SHA-256) for a kind, a tool and the normal form of a signature."""
    digest = hashlib.sha256()
    for part in (kind, canonical_tool(tool or ""), normal_form(signature)):
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()[:16]
