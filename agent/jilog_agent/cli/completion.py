"""``jilog completion``, and the answers that a shell asks for while somebody types."""

from __future__ import annotations

import os

import click
from click.shell_completion import get_completion_class, shell_complete

from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.output import print_line

VARIABLE = "_JILOG_COMPLETE"
"""Set by the script that a shell has loaded: ``bash_complete`` and the like."""

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    cls=JilogCommand,
    examples=(
        'eval "$(jilog completion bash)"     # in ~/.bashrc',
        'eval "$(jilog completion zsh)"      # in ~/.zshrc, after compinit',
        "jilog completion fish > ~/.config/fish/completions/jilog.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(*, shell: str) -> None:
    """Print a script that lets a shell complete jilog's commands, options, zones and peers."""
    kind = get_completion_class(shell)
    assert kind is not None
    root = click.get_current_context().find_root().command
    print_line(kind(root, {}, "jilog", VARIABLE).source())


def answer_shell(root: click.Command) -> int | None:
    """Answer a shell that asks what could come next; None when no shell asks."""
    instruction = os.environ.get(VARIABLE)
    return shell_complete(root, {}, "jilog", VARIABLE, instruction) if instruction else None
