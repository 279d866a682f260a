"""The reference of all commands, made from the commands themselves: ``docs/cli.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import click

from jilog_agent.cli.lazy import LazyGroup
from jilog_agent.cli.root import root

_GLOBAL = frozenset({"config", "home"})

EXIT_STATUSES: Mapping[int, str] = {
    0: "done",
    1: "an error",
    2: "wrong usage, or a config that cannot be meant",
    3: "the command worked and found what is not in order",
    4: "integrity: bytes are not what their checksum, hash or signature says",
    5: "storage: the disk refused (full, read-only, an error)",
    6: "busy: another process holds what this one needs",
    7: "a peer cannot be reached, is not trusted, or talks nonsense",
    8: "an issue tracker cannot be asked, or refused; its work stays pending",
    130: "interrupted with Ctrl-C",
    141: "the reader of standard output went away",
}

_HEAD = """\
# Commands

Every command with its options, made from the program itself (`make docs`). Two options work everywhere,
before or after the command's name: `--config FILE` reads another config file (default: `$JILOG_CONFIG`,
`~/.jilog.toml`), and `--home DIR` keeps state elsewhere (default: `$JILOG_HOME`, `~/.jilog`). What `--json`
prints is in [cli-json.md](cli-json.md).

## Exit status

| status | meaning |
|---|---|
"""


def reference() -> str:
    """Write the whole reference as Markdown."""
    statuses = "".join(f"| {number} | {meaning} |\n" for number, meaning in EXIT_STATUSES.items())
    parts = [_HEAD, statuses, "\n`jilog supervise` passes on the exit status of its task.\n"]
    for path, command in commands():
        parts.append(_section(path, command))
    return "".join(parts)


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Give every command and group below the root, in the order of their tables."""
    yield from _below((), root)


def _below(path: tuple[str, ...], group: LazyGroup) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group, info_name="jilog")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if command.hidden:
            continue
        yield (*path, name), command
        if isinstance(command, LazyGroup):
            yield from _below((*path, name), command)


def _section(path: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(("jilog", *path))
    parts = [f"\n{'#' * (len(path) + 1)} `{name}`\n\n", _prose(command.help or "")]
    if not isinstance(command, LazyGroup):
        context = click.Context(command, info_name=name)
        usage = " ".join(command.collect_usage_pieces(context))
        parts.append(f"\n```text\n{name} {usage}\n```\n")
    parts.append(_options(command))
    examples = getattr(command, "examples", ())
    if examples:
        lines = "\n".join(examples)
        parts.append(f"\n```sh\n{lines}\n```\n")
    return "".join(parts)


def _prose(text: str) -> str:
    paragraphs = text.replace("\b\n", "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in paragraphs) + "\n"


def _options(command: click.Command) -> str:
    rows = [row for item in command.params if (row := _option(command, item)) is not None]
    if not rows:
        return ""
    return "\n| option | meaning |\n|---|---|\n" + "".join(f"| {names} | {said} |\n" for names, said in rows)


def _option(command: click.Command, item: click.Parameter) -> tuple[str, str] | None:
    if item.name in _GLOBAL or not isinstance(item, click.Option) or item.hidden:
        return None
    record = item.get_help_record(click.Context(command))
    if record is None:
        return None
    names, said = record
    return f"`{names}`".replace("|", "\\|"), " ".join(said.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
