"""The line of an output that says what went wrong."""

from __future__ import annotations

import pytest

from jilog_review.headline import headline, plain_output


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Exit code 128\nfatal: needed a single revision", "fatal: needed a single revision"),
        ("<tool_use_error>File does not exist.</tool_use_error>", "File does not exist."),
        ("Error: Exit code 1\nbad thing failed", "bad thing failed"),
        ("copying a\ncopying b\nerror: disk full\nbye", "error: disk full"),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'a'", "KeyError: 'a'"),
        ("bash: line 3: pytst: command not found", "command not found: pytst"),
        ("zsh:1: command not found: pytst", "command not found: pytst"),
        ("(eval):1: command not found: pytst", "command not found: pytst"),
        ("/bin/sh: 1: pytst: not found", "command not found: pytst"),
        ("\x1b[31merror: red\x1b[0m", "error: red"),
        (
            "ls: x: No such file or directory\n<shellId: 0 completed with exit code 1>",
            "ls: x: No such file or directory",
        ),
        (
            "Chunk ID: a1\nWall time: 0.1 seconds\nProcess exited with code 1\nOutput:\nunknown flag: --x",
            "unknown flag: --x",
        ),
        ("just words\nand more", "just words"),
        ("", ""),
    ],
)
def test_headline_is_the_line_that_tells(text: str, line: str) -> None:
    assert headline(text) == line


def test_wrapping_of_a_harness_is_taken_away() -> None:
    assert plain_output("Exit code 2\n<tool_use_error>no\nyes</tool_use_error>\n") == "no\nyes"


@pytest.mark.parametrize(
    ("envelope", "line"),
    [
        ('{"success": false, "error": "rg: command not found"}', "command not found: rg"),
        ('{"success": false, "output": null, "error": {"message": "no such branch"}}', "no such branch"),
        ('{"success": false, "error": ["first", "second"]}', "first"),
        ('{"success": false, "error": null, "output": {"stdout": "", "stderr": "fatal: no"}}', "fatal: no"),
        ('{"success": true, "output": {"stdout": "cannot go", "returncode": 2}}', "cannot go"),
        ('{"success": false, "error": "disk full", "output": "aaa\n… 9 characters …\n', "disk full"),
        ('{"success": false, "info": 3}', '{"success": false, "info": 3}'),
    ],
)
def test_a_failed_envelope_is_opened_so_that_two_failures_stay_two(envelope: str, line: str) -> None:
    assert headline(envelope) == line


@pytest.mark.parametrize(
    "text",
    ['{"success": true, "output": "rg"}', '{"error": "in a file that was shown"}', '{"success": false'],
)
def test_json_that_is_no_failed_envelope_stays_as_it_is(text: str) -> None:
    assert plain_output(text) == text
