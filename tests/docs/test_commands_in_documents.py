"""A command that a document names can be typed: it exists, and so do its options."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from jilog_agent.cli.lazy import LazyGroup
from jilog_agent.cli.root import root

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
]
_INLINE = re.compile(r"`((?:\$ )?jilog(?: [^`\n|]+(?:\n[^`\n|]+)?)?)`")
_BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
_LINE = re.compile(r"^(?:\w*\$ )?(?:\w+=\S+ )*(jilog .*)$", re.MULTILINE)
_PLAIN_WORD = re.compile(r"[a-z][a-z-]*")
_SIGNED = re.compile(r"jilog [a-z ]+ 1(\\n)?")
"""What signatures begin with, in the documents of formats; no command."""
_OPTION = re.compile(r"--[a-z][a-z-]*")


def named(text: str) -> list[str]:
    """Give the command lines that a document names, up to where another program begins."""
    lines = [" ".join(found.split()) for found in _INLINE.findall(_BLOCK.sub("", text))]
    for kind, block in _BLOCK.findall(text):
        if kind in ("", "sh", "console"):
            lines += _LINE.findall(block)
    lines = [line for line in lines if not _SIGNED.fullmatch(line)]
    return [re.split(r" -- | [|&>;]+ ?|  |#|\|\|", line)[0] for line in lines]


def problem(line: str) -> str | None:
    """Tell what of a command line does not exist."""
    words = line.split()[1:]
    command: click.Command = root
    context = click.Context(root, info_name="jilog")
    while isinstance(command, LazyGroup) and words and _PLAIN_WORD.fullmatch(words[0]):
        below = command.get_command(context, words[0])
        if below is None:
            # A group may take a word of its own, as `jilog label ID fp` does.
            return None if command.invoke_without_command else f"no command {words[0]!r}"
        command, context = below, click.Context(below, parent=context)
        words = words[1:]
    known = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}
    known |= {"--help", "--config", "--home", "--version"}
    for option in _OPTION.findall(" ".join(words)):
        if option not in known and not isinstance(command, LazyGroup):
            return f"no option {option}"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_a_document_exist(document: Path) -> None:
    lines = named(document.read_text(encoding="utf-8"))

    wrong = {line: why for line in lines if (why := problem(line)) is not None}

    assert wrong == {}


@pytest.mark.parametrize("line", ["jilog spool snyc", "jilog query --sinse 7d", "jilog nonsense"])
def test_a_command_that_does_not_exist_is_found_out(line: str) -> None:
    assert named(f"Type `{line}`, or:\n\n```sh\n{line}\n```\n") == [line, line]
    assert problem(line) is not None
