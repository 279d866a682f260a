"""Build a workspace from the running command's flags."""

from __future__ import annotations

from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import global_options
from jilog_agent.config import ConfigSources, load_config
from jilog_agent.home import Home
from jilog_agent.identity import Identity
from jilog_agent.workspace import Workspace


def open_workspace() -> Workspace:
    """Read the configuration and give the workspace; nothing is written yet.

    Raises:
        InputError: the configuration says something that cannot be meant.
    """
    options = global_options()
    config = load_config(ConfigSources.of_process(options.config, options.home))
    return Workspace(config, Home(config.home), warn)


def recording_identity(workspace: Workspace) -> Identity:
    """Give the identity for a command that records: on a new host it is made, and that is said."""
    identity = workspace.ensure_identity()
    if identity.created:
        note(f"set up {workspace.home.root} for source {identity.source}; see: jilog status")
    return identity
