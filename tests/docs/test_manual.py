"""The manual is whole: every command, option and exit status is in it, and it can be read in a terminal."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from jilog_agent.cli.failure import CLOSED_PIPE, INTERRUPTED
from jilog_agent.manual.reference import EXIT_STATUSES, commands, reference
from jilog_agent.manual.topics import topics, wrapped
from jilog_ledger.errors import JilogError
from support.jilog_cli import Host

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_reference_is_what_the_program_says_of_itself() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == reference(), "write it anew: make docs"


def test_every_option_has_words_for_what_it_does() -> None:
    silent = [
        f"{' '.join(path)} {item.opts[0]}"
        for path, command in commands()
        for item in command.params
        if isinstance(item, click.Option) and not item.hidden and not item.help
    ]

    assert silent == []


def test_every_command_says_what_it_does_and_how_it_is_typed() -> None:
    silent = [
        " ".join(path)
        for path, command in commands()
        if not command.help or not getattr(command, "examples", ())
    ]

    assert silent == []


def test_every_command_has_an_example_of_itself() -> None:
    for path, command in commands():
        lines = getattr(command, "examples", ())

        assert any(f" {path[-1]}" in line for line in lines), path


def below(kind: type[JilogError]) -> set[int]:
    return {kind.exit_code}.union(*(below(child) for child in kind.__subclasses__()))


def test_every_exit_status_has_its_meaning() -> None:
    assert set(EXIT_STATUSES) == {0, INTERRUPTED, CLOSED_PIPE} | below(JilogError)


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in DOCS.rglob("*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]

    assert broken == []


def test_help_lists_every_document_and_prints_one(host: Host) -> None:
    listed = host.run("help").stdout
    shown = host.run("help", "operating").stdout

    assert all(topic.name in listed for topic in topics())
    assert {topic.name for topic in topics()} == {path.stem for path in DOCS.glob("*.md")}
    assert shown.startswith("# Operating jilog\n")


def test_help_of_a_command_is_that_commands_help(host: Host) -> None:
    assert "Usage: jilog spool sync" in host.run("help", "spool", "sync").stdout


@pytest.mark.parametrize(
    ("words", "near"),
    [(("oprating",), "'operating'"), (("spool", "snyc"), "'sync'"), (("querry",), "'query'")],
)
def test_a_topic_nobody_wrote_names_the_nearest(host: Host, words: tuple[str, ...], near: str) -> None:
    done = host.run("help", *words)

    assert done.returncode == 2
    assert near in done.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_paragraphs_fit_the_terminal_and_nothing_is_lost(columns: int) -> None:
    for topic in topics():
        document = topic.path.read_text(encoding="utf-8")

        lines = list(wrapped(document, columns))

        assert "".join(document.split()) == "".join("".join(lines).split()), topic.name


def test_code_and_tables_stay_as_they_are_written() -> None:
    document = (
        "one two three four five six\n\n```sh\na  very   long line of code that goes on\n```\n\n| a | b |\n"
    )

    assert list(wrapped(document, 20)) == [
        "one two three four",
        "five six",
        "",
        "```sh",
        "a  very   long line of code that goes on",
        "```",
        "",
        "| a | b |",
    ]
