"""The console script: run one command line and end with its exit status.

Nothing but ``sys`` is imported until the arguments are being looked at, so that Ctrl-C during start-up is
handled like any other, and ``jilog --version`` answers at once.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run ``sys.argv`` and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; every failure has been told on stderr by then."""
    try:
        if arguments in (["--version"], ["-V"]):
            return _print_version()
        if arguments[:2] == ["hooks", "run"] and "--help" not in arguments:
            # An agent's session waits for this one: it goes without the command line's imports.
            from jilog_agent.hooks.entry import run as run_hook

            return run_hook(arguments[2:])
        from jilog_agent.cli.failure import run_reported

        return run_reported(arguments)
    except KeyboardInterrupt:
        # Only a Ctrl-C while modules are being imported arrives here; nothing has been opened yet.
        return 130


def _print_version() -> int:
    from importlib.metadata import version

    sys.stdout.write(f"jilog {version('jilog')}\n")
    return 0
