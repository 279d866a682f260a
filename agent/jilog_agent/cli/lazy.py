"""Groups that import a command only when it runs, and commands whose help starts with examples.

A table names each command's module and its one line of help; ``jilog --help`` prints the table and imports
nothing else. ``asyncssh`` and SQLAlchemy would make it twenty times slower (a fifth to a third of a second).
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives (``module:attribute``), and its line in the list of commands."""

    target: str
    help: str


@dataclass(slots=True)
class GlobalOptions:
    """What ``--config`` and ``--home`` said, wherever on the command line they stood."""

    config: str | None = None
    home: str | None = None


def global_options() -> GlobalOptions:
    """Give the running command's global options."""
    root = click.get_current_context().find_root()
    return root.ensure_object(GlobalOptions)


def _remember(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    options = context.find_root().ensure_object(GlobalOptions)
    if value is not None and parameter.name is not None:
        setattr(options, parameter.name, value)


def _make_global_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            help="Read this config file (default: $JILOG_CONFIG, ~/.jilog.toml).",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--home"],
            metavar="DIR",
            help="Keep state here (default: $JILOG_HOME, ~/.jilog).",
            expose_value=False,
            callback=_remember,
        ),
    ]


class _ExamplesFirst(click.Command):
    """Help in the order in which people read it: what, examples, usage, options."""

    examples: Sequence[str] = ()

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text."""
        self.format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)


class JilogCommand(_ExamplesFirst):
    """A command that also takes ``--config`` and ``--home``."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.examples = tuple(examples)
        self.params.extend(_make_global_options())


class LazyGroup(_ExamplesFirst, click.Group):
    """A group whose commands are imported when they are called."""

    def __init__(
        self, *args: Any, table: Mapping[str, Entry], examples: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.table = table
        self.examples = tuple(examples)
        self.params.extend(_make_global_options())

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the table's order, which follows the work and not the alphabet."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        entry = self.table.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Give the commands from the table alone: a shell must not wait for what nobody runs."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [
            CompletionItem(name, help=entry.help)
            for name, entry in self.table.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.table.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        name = args[0]
        if name.startswith("-") or name in self.table:
            return super().resolve_command(ctx, args)
        raise UnknownName("command", name, tuple(self.table), ctx)


class UnknownName(click.UsageError):
    """A name that is not in a list of names; the nearest one goes into the hint."""

    def __init__(
        self, kind: str, name: str, known: Sequence[str], context: click.Context | None = None
    ) -> None:
        super().__init__(f"no such {kind}: {name}", context)
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        self.hint = f"did you mean {nearest[0]!r}?" if nearest else f"the {kind}s are: {', '.join(known)}"
