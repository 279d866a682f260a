"""The line of a failure's output that says what went wrong.

Output is long and mostly noise; a signal's fingerprint is made of this one line, so it must be the same line
at every occurrence of one problem.
"""

from __future__ import annotations

import re

from jilog_review.envelope import failure_message

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
_PREAMBLE = re.compile(
    r"\A\s*(?:Error: )?(?:Exit code \d+|exit_code: \d+)\s*\n?|\A\s*<tool_use_error>\s*|\A\s*(?:Error|"
    r"InputValidationError): (?=\S)"
)
_WRAPPER = re.compile(
    r"\A(?:Chunk ID: |Wall time: |Exit code: |Command: |Process exited)[\s\S]{0,600}?\nOutput:\n"
)
_TAIL = re.compile(
    r"\s*</tool_use_error>\s*\Z|\s*<(?:shellId: \S+ completed|exited) with exit code \d+>\s*\Z"
)
_SHELL_PREFIX = re.compile(
    r"\A(?:\(eval\):|(?:/\S*/)?(?:ba|z|da|k)?sh: ?(?:line )?|\S+\.sh: line )(?:\d+: ?)?(?:\d+: )?|\A\(eval\):"
)
_NOT_FOUND = re.compile(r"\A(?P<name>[\w.+/-]{1,60}): (?:command )?not found\Z")
_TELLING = re.compile(
    r"\b(?:error|fatal|fail(?:ed|ure)?|cannot|can't|could(?: not|n't)|unable|not found|no such|denied|"
    r"unknown|unrecogni[sz]ed|"
    r"invalid|undefined|unexpected|refused|time(?:d)? ?out|missing|ambiguous|did not|does not|doesn't|"
    r"not a\b|already exists|"
    r"not (?:been|supported|allowed|permitted|possible|installed)|required|conflict\w*|overwritten|"
    r"too (?:large|many|long)|"
    r"exceeds|parse error|aborted|ignored by|bad credentials|deprecated|no matches|unmatched|E\d{3,4}|"
    r"HTTP [45]\d\d)\b",
    re.IGNORECASE,
)
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning|Panic)\b(?::|$)")
_TRACEBACK = "Traceback (most recent call last)"
_HEADLINE_CHARS_MAX = 240
_TAIL_CHARS = 160
_LINES_MAX = 400


def plain_output(text: str) -> str:
    """Take away what a harness wraps around a command's output, a JSON envelope included."""
    text = failure_message(text)
    text = _ANSI.sub("", text) if "\x1b" in text else text
    for prefix in (_WRAPPER, _PREAMBLE, _PREAMBLE):
        match = prefix.match(text)
        text = text[match.end() :] if match else text
    tail = _TAIL.search(text, max(0, len(text) - _TAIL_CHARS))
    return (text[: tail.start()] if tail else text).strip()


def headline(text: str) -> str:
    """Give the line that says what went wrong."""
    return headline_of(plain_output(text))


def headline_of(output: str) -> str:
    """Give the line of plain output that says what went wrong.

    An exception's last line, else the first line with a telling word, else the first line.
    """
    lines = [line.strip() for line in output.split("\n", _LINES_MAX)[:_LINES_MAX] if line.strip()]
    if not lines:
        return ""
    if _TRACEBACK in output:
        for line in reversed(lines):
            if _EXCEPTION.match(line):
                return line[:_HEADLINE_CHARS_MAX]
    line = next((line for line in lines if _TELLING.search(line)), lines[0])
    return shell_message(line)[:_HEADLINE_CHARS_MAX]


def shell_message(line: str) -> str:
    """Write a shell's own message in one form, whichever shell it was."""
    line = _SHELL_PREFIX.sub("", line, count=1)
    match = _NOT_FOUND.match(line)
    return f"command not found: {match['name']}" if match else line
