"""``jilog help``."""

from __future__ import annotations

import shutil
import sys

import click

from jilog_agent.cli.lazy import JilogCommand, LazyGroup, UnknownName
from jilog_agent.cli.output import print_line, print_table
from jilog_agent.manual.topics import Topic, topics, wrapped


@click.command(
    "help", cls=JilogCommand, examples=("jilog help", "jilog help operating", "jilog help spool sync")
)
@click.argument("words", nargs=-1, metavar="[TOPIC|COMMAND]...")
def command(*, words: tuple[str, ...]) -> None:
    """Read about a topic, or about a command; without one, list the topics.

    The topics are the project's documents. On a terminal they are shown with $PAGER.
    """
    found = topics()
    if not words:
        print_table(("TOPIC", "ABOUT"), [(topic.name, topic.heading) for topic in found])
        print_line()
        print_line("read one: jilog help TOPIC; a command: jilog help COMMAND; all commands: jilog --help")
        return
    topic = next((item for item in found if [item.name] == list(words)), None)
    if topic is not None:
        _read(topic)
    else:
        _explain(words, found)


def _read(topic: Topic) -> None:
    columns = shutil.get_terminal_size().columns
    lines = "".join(f"{line}\n" for line in wrapped(topic.path.read_text(encoding="utf-8"), columns))
    if sys.stdout.isatty():
        click.echo_via_pager(lines)
    else:
        sys.stdout.write(lines)


def _explain(words: tuple[str, ...], found: list[Topic]) -> None:
    """Show a command's own help."""
    context = click.get_current_context().find_root()
    here: click.Command = context.command
    for depth, word in enumerate(words):
        below = here.get_command(context, word) if isinstance(here, LazyGroup) else None
        if below is None:
            known = tuple(topic.name for topic in found) if depth == 0 else ()
            names = tuple(here.table) if isinstance(here, LazyGroup) else ()
            raise UnknownName("topic or command", word, (*names, *known), click.get_current_context())
        context = click.Context(below, info_name=word, parent=context)
        here = below
    print_line(here.get_help(context))
