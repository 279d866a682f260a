"""What the commands of ``jilog turn`` have in common: where they work, and for whom."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from jilog_agent.cli.entry_options import working_folder
from jilog_agent.cli.names import ZONE
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_agent.turns.store import TurnStore, store_around
from jilog_agent.vcs.capture import WorkingTree, choice, working_tree
from jilog_ledger.errors import InputError
from jilog_ledger.times import now_ns

if TYPE_CHECKING:
    from jilog_agent.turns.site import Site, Wanted

SESSION_VARIABLE = "JILOG_SESSION"
AGENT_VARIABLE = "JILOG_AGENT"
_FOLDER_KEY = "jilog.turn.folder"

Command = TypeVar("Command", bound=Callable[..., Any])


def _remember(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_FOLDER_KEY] = value


def folder_parameter() -> click.Option:
    """Make the option -C, which may stand before and after the subcommand."""
    return click.Option(
        ["-C", "--cwd"],
        metavar="DIR",
        help="Work in this folder.",
        expose_value=False,
        callback=_remember,
    )


def folder_option(command: click.Command) -> click.Command:
    """Add -C to a command."""
    command.params.append(folder_parameter())
    return command


agent_option = click.option(
    "--agent",
    default="",
    envvar=AGENT_VARIABLE,
    show_envvar=True,
    metavar="NAME",
    help="Which agent; each has a current session of its own.",
)
zone_option = click.option("--zone", metavar="ID", type=ZONE, help="Use this zone (default: the first).")


def chosen_folder() -> Path:
    """Give the folder to work in, absolute and without symbolic links.

    Raises:
        InputError: there is no such folder.
    """
    base = working_folder()
    text = click.get_current_context().meta.get(_FOLDER_KEY)
    if text is None:
        return Path(os.path.realpath(base))
    folder = Path(os.path.realpath(base / Path(text).expanduser()))
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint="see: jilog turn --help")
    return folder


def find_tree() -> tuple[Path, WorkingTree]:
    """Give the folder to work in, and the working tree around it."""
    folder = chosen_folder()
    return folder, working_tree(folder, choice(os.environ))


def found_store() -> tuple[WorkingTree, TurnStore | None]:
    """Give the working tree and its store, if it has one."""
    folder, tree = find_tree()
    return tree, store_around(folder, tree.root)


@contextmanager
def open_site(
    tree: WorkingTree, store: TurnStore, zone: str | None, *, record: bool = False
) -> Iterator[Site]:
    """Open the ledger beside a store; a command that records may have to set the host up."""
    workspace = open_workspace()
    target = workspace.config.zone(zone)
    identity = recording_identity(workspace) if record else workspace.identity()
    from jilog_agent.decisions.zones import open_zones
    from jilog_agent.redaction import zone_redactor
    from jilog_agent.turns.site import Site

    redactor = zone_redactor(target)
    with open_zones(workspace, [target], identity) as zones:
        yield Site(zones[0], store, tree, identity.source, now_ns, redactor)


def wanted_session(flag: str | None, agent: str) -> Wanted:
    """Say which session is meant."""
    from jilog_agent.turns.site import Wanted

    return Wanted(flag, os.environ.get(SESSION_VARIABLE) or None, agent)
