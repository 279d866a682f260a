"""The root of the command tree. The table is all that ``jilog --help`` needs."""

from __future__ import annotations

import os
import sys

import click

from jilog_agent.cli.lazy import Entry, LazyGroup

_COMMANDS = "jilog_agent.cli"

TABLE = {
    "init": Entry(f"{_COMMANDS}.init:command", "Set this host up: key, first zone, config file."),
    "supervise": Entry(f"{_COMMANDS}.supervise:command", "Run a task and record how it went, with retries."),
    "query": Entry(f"{_COMMANDS}.query:command", "Find events by time, class, subsystem or text."),
    "write": Entry(f"{_COMMANDS}.write:command", "Write down a decision, a failed attempt, a question."),
    "log": Entry(f"{_COMMANDS}.log:command", "List entries, the newest first."),
    "search": Entry(f"{_COMMANDS}.search:command", "Find entries by what they say."),
    "show": Entry(f"{_COMMANDS}.show:command", "Show a session, an entry or any event by its id."),
    "blame": Entry(f"{_COMMANDS}.blame:command", "Tell why a file or folder is as it is."),
    "turn": Entry(f"{_COMMANDS}.turn:group", "Record what agents do: ticket, session, turn, commit."),
    "trace": Entry(
        f"{_COMMANDS}.trace:command", "Follow a ticket, commit or id through all that belongs to it."
    ),
    "context": Entry(f"{_COMMANDS}.context:command", "Give an agent what concerns the files at hand."),
    "hooks": Entry(
        f"{_COMMANDS}.hooks:group", "Tell coding agents what concerns them, record what they did."
    ),
    "export": Entry(f"{_COMMANDS}.export:command", "Write decisions as a document, or events as data."),
    "import": Entry(f"{_COMMANDS}.importing:group", "Bring other programs' records in."),
    "review": Entry(f"{_COMMANDS}.review:group", "Learn from agent transcripts, every night."),
    "label": Entry(f"{_COMMANDS}.label:group", "Say of signals whether they are right."),
    "issues": Entry(f"{_COMMANDS}.issues:group", "File what was learned in an issue tracker."),
    "spool": Entry(f"{_COMMANDS}.spool:group", "Replicate with other hosts."),
    "peer": Entry(f"{_COMMANDS}.peer:group", "Say which hosts to replicate with."),
    "identity": Entry(f"{_COMMANDS}.identity:group", "Show this host's key, or change it."),
    "agent": Entry(f"{_COMMANDS}.agent:group", "Run in the background: record, replicate, review."),
    "status": Entry(f"{_COMMANDS}.status:command", "Show the state of every zone on one screen."),
    "doctor": Entry(
        f"{_COMMANDS}.doctor:command", "Find what is wrong with this host's set-up, and its cure."
    ),
    "verify": Entry(f"{_COMMANDS}.verify:command", "Check every segment against its checksums and hashes."),
    "rebuild": Entry(f"{_COMMANDS}.rebuild:command", "Make the projections anew from the segments."),
    "segment": Entry(f"{_COMMANDS}.segment:group", "Look into a segment file."),
    "help": Entry(f"{_COMMANDS}.help:command", "Read about a topic, or about a command."),
    "completion": Entry(f"{_COMMANDS}.completion:command", "Print a script with which a shell completes."),
    "config": Entry(f"{_COMMANDS}.config:group", "Show the settings and where each comes from."),
}

root = LazyGroup(
    name="jilog",
    table=TABLE,
    help="A ledger of what your hosts and agents did, replicated between them, reviewed every night.",
    examples=(
        "jilog init",
        "jilog supervise --task backup --retries 2 -- ./backup.sh",
        "jilog query --since 24h --subsystem 'review-*' --json",
        "jilog spool sync",
        "jilog review nightly",
    ),
    epilog="Exit status: 0 done, 1 error, 2 wrong usage or config, 3 findings, 4 integrity, 5 storage,"
    " 6 busy, 7 peer, 8 tracker, 130 interrupted, 141 closed pipe.",
)


def _version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    # `jilog --version` alone is answered before click is imported; here it is for help and completion.
    if asked and not context.resilient_parsing:
        from jilog_agent.main import print_version

        context.exit(print_version())


root.params.append(
    click.Option(
        ["-V", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_version,
        help="Show the version and exit.",
    )
)


def execute(arguments: list[str]) -> None:
    """Run one command line; click's own exceptions and ours pass through."""
    # Names of files and tasks may hold bytes that are not UTF-8; printing them must not end in a traceback.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if "_JILOG_COMPLETE" in os.environ:
        from jilog_agent.cli.completion import answer_shell

        status = answer_shell(root)
        if status is not None:
            raise click.exceptions.Exit(status)
    with root.make_context("jilog", arguments) as context:
        root.invoke(context)
