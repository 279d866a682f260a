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
        _occupy_standard_descriptors()
        if arguments in (["--version"], ["-V"]):
            return print_version()
        if arguments[:2] == ["hooks", "run"] and "--help" not in arguments:
            # An agent's session waits for this one: it goes without the command line's imports.
            from jilog_agent.hooks.entry import run as run_hook

            return run_hook(arguments[2:])
        from jilog_agent.cli.failure import run_reported

        return run_reported(arguments)
    except KeyboardInterrupt:
        # Only a Ctrl-C while modules are being imported arrives here; nothing has been opened yet.
        return 130


def _occupy_standard_descriptors() -> None:
    """Put something in the place of standard streams that the caller closed.

    Else the next file that is opened, a segment perhaps, would become standard output, and what a child
    prints would end in it. Writing to the closed output stays an error: it is open for reading only.
    """
    if sys.stdin is not None and sys.stdout is not None and sys.stderr is not None:
        return
    import os

    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is taken, which is this one.
            os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def print_version() -> int:
    """Print name and version; 0."""
    from importlib.metadata import version

    sys.stdout.write(f"jilog {version('jilog')}\n")
    return 0
