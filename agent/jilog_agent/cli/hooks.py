"""``jilog hooks``: what coding agents are told at a session's start, and what is recorded at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jilog_agent.cli.entry_options import working_folder
from jilog_agent.cli.failure import note
from jilog_agent.cli.lazy import Entry, JilogCommand, LazyGroup, global_options
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import plain, print_json, print_line, print_table
from jilog_agent.cli.session import open_workspace
from jilog_ledger.errors import FindingsError, InputError
from jilog_ledger.event import JsonValue

if TYPE_CHECKING:
    from jilog_agent.hooks.install import Change, Target
    from jilog_agent.workspace import Workspace

_HERE = "jilog_agent.cli.hooks"
_NAMES = ("claude-code", "codex", "copilot")

group = LazyGroup(
    name="hooks",
    table={
        "install": Entry(f"{_HERE}:install_hooks", "Let a coding agent start jilog."),
        "uninstall": Entry(f"{_HERE}:uninstall_hooks", "Take jilog out of its settings."),
        "status": Entry(f"{_HERE}:status", "Show where hooks are, and what they did."),
        "run": Entry(f"{_HERE}:run_hook", "What coding agents start."),
    },
    help="Tell coding agents what concerns the files at hand, and record what they changed.",
    examples=("jilog hooks install", "jilog hooks install --global --agent codex", "jilog hooks status"),
)

_global = click.option("--global", "for_user", is_flag=True, help="For all of this user's work.")
_agents = click.option(
    "--agent", "agents", multiple=True, type=click.Choice(_NAMES), help="Which agent; repeatable."
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


@click.command(
    "install",
    cls=JilogCommand,
    examples=("jilog hooks install", "jilog hooks install --global --agent claude-code --agent codex"),
)
@_global
@_agents
@_dry_run
@json_option
def install_hooks(*, for_user: bool, agents: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Put jilog into a coding agent's settings, of this repository or with --global of this user.

    Foreign hooks and all other settings stay; doing it again changes nothing. The agent is claude-code
    unless said otherwise. The old file stays beside the new one, as *.jilog-backup.
    """
    from jilog_agent.hooks.install import install

    workspace = open_workspace()
    targets = list(_targets(agents or ("claude-code",), for_user=for_user))
    changes = [install(target, workspace.disk, dry_run=dry_run) for target in targets]
    _tell(changes, "would be installed" if dry_run else "installed", as_json=as_json)
    if not workspace.home.initialised():
        note("hooks do nothing before this host is set up; run: jilog init")
    if any(target.harness.name == "codex" for target in targets):
        note("Codex asks to trust new hooks: see /hooks in it")
    if not for_user:
        import shutil

        if shutil.which("jilog") is None:
            note("jilog is not on the PATH, where hooks of a repository look for it")


@click.command("uninstall", cls=JilogCommand, examples=("jilog hooks uninstall --global",))
@_global
@_agents
@_dry_run
@json_option
def uninstall_hooks(*, for_user: bool, agents: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Take jilog out of the settings of all agents, or of those named; everything else stays."""
    from jilog_agent.hooks.install import uninstall

    workspace = open_workspace()
    changes = [
        uninstall(target, workspace.disk, dry_run=dry_run)
        for target in _targets(agents or _NAMES, for_user=for_user)
    ]
    _tell(changes, "would be removed" if dry_run else "removed", as_json=as_json)


@click.command("status", cls=JilogCommand, examples=("jilog hooks status", "jilog hooks status --json"))
@json_option
def status(*, as_json: bool) -> None:
    """Show where hooks are installed, and what they told and recorded.

    An installed command that is not what this version would install is outdated: the exit status is 3.
    """
    from jilog_agent.hooks.install import condition

    workspace = open_workspace()
    scopes = (False, True) if _tree() is not None else (True,)
    rows = [
        (target, condition(target)) for for_user in scopes for target in _targets(_NAMES, for_user=for_user)
    ]
    counters = _counters(workspace)
    if as_json:
        print_json(
            {
                "settings": [
                    {
                        "agent": target.harness.name,
                        "scope": target.scope,
                        "path": str(target.path),
                        "condition": found,
                    }
                    for target, found in rows
                ],
                **counters,
            }
        )
    else:
        print_table(
            ("AGENT", "SCOPE", "HOOKS", "SETTINGS"),
            [(target.harness.title, target.scope, found, str(target.path)) for target, found in rows],
        )
        told = f"{counters['injected']} entries told, {counters['recorded']} entries recorded"
        print_line(f"{counters['sessions']} sessions: {told}")
    outdated = [target for target, found in rows if found == "outdated"]
    if outdated:
        where = " --global" if outdated[0].scope == "global" else ""
        raise FindingsError(
            f"{plain(str(outdated[0].path))} has hooks of another version",
            hint=f"run: jilog hooks install{where} --agent {outdated[0].harness.name}",
        )


@click.command(
    "run",
    cls=JilogCommand,
    examples=("jilog hooks run claude-code start < hook.json", "jilog hooks run codex stop --dry-run -v"),
)
@click.argument("agent", type=click.Choice(_NAMES))
@click.argument("event", type=click.Choice(("start", "prompt", "stop")))
@click.option("--verbose", "-v", is_flag=True, help="Say on stderr what is done ($JILOG_HOOK_VERBOSE).")
@click.option("--dry-run", is_flag=True, help="Tell and record nothing ($JILOG_HOOK_DRY_RUN).")
def run_hook(*, agent: str, event: str, verbose: bool, dry_run: bool) -> None:
    """Do what a coding agent's hook does; it is what the agents start, and reads their JSON.

    Silent unless there is something to tell. The exit status is always 0; failures are in hooks/hooks.log
    of the home.
    """
    from jilog_agent.hooks.entry import run

    options = global_options()
    words = [agent, event, *(["--verbose"] if verbose else []), *(["--dry-run"] if dry_run else [])]
    for name in ("home", "config"):
        value = getattr(options, name)
        words += [f"--{name}", value] if value else []
    run(words)


def _targets(names: Sequence[str], *, for_user: bool) -> Iterator[Target]:
    from jilog_agent.hooks.harness import HARNESSES
    from jilog_agent.hooks.install import Target, command_line

    scope = "global" if for_user else "project"
    options = _options() if for_user else ()
    root = None if for_user else _root()
    for name in names:
        harness = HARNESSES[name]
        path = harness.global_path(Path.home(), os.environ) if root is None else harness.project_path(root)
        commands = {
            theirs: command_line(harness, ours, scope, options) for theirs, ours in harness.events.items()
        }
        yield Target(harness, path, scope, commands)


def _options() -> tuple[str, ...]:
    """Give the flags that hooks need to find the home that is meant here."""
    options = global_options()
    found: list[str] = []
    for name, variable in (("home", "JILOG_HOME"), ("config", "JILOG_CONFIG")):
        value = getattr(options, name) or os.environ.get(variable)
        if value:
            found += [f"--{name}", str(Path(value).expanduser().absolute())]
    return tuple(found)


def _tree() -> Path | None:
    """Give the root of the repository around the working folder."""
    from jilog_agent.vcs.capture import working_tree

    tree = working_tree(Path(os.path.realpath(working_folder())))
    return None if tree.kind == "none" else tree.root


def _root() -> Path:
    root = _tree()
    if root is None:
        raise InputError(
            f"{working_folder()} is in no repository", hint="go to one, or install for the user: --global"
        )
    return root


def _tell(changes: Sequence[Change], done: str, *, as_json: bool) -> None:
    if as_json:
        fields: list[dict[str, JsonValue]] = [
            {
                "agent": change.target.harness.name,
                "scope": change.target.scope,
                "path": str(change.target.path),
                "outcome": change.outcome,
            }
            for change in changes
        ]
        print_json({"changes": [*fields]})
        return
    for change in changes:
        outcome = done if change.outcome in ("installed", "removed") else change.outcome
        print_line(f"{change.target.harness.title}: {outcome}: {plain(str(change.target.path))}")


def _counters(workspace: Workspace) -> dict[str, int]:
    from jilog_agent.hooks.state import states

    found = states(workspace.disk, workspace.home.hooks_dir)
    return {
        "sessions": len(found),
        "injected": sum(state.injected for state in found),
        "recorded": sum(state.recorded for state in found),
    }
