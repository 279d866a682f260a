"""``jilog export``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jilog_agent.cli.entry_options import Filters, Reading, filter_options, open_reading
from jilog_agent.cli.failure import note, warn
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import zone_option
from jilog_agent.cli.output import print_line
from jilog_agent.config.nearest import did_you_mean
from jilog_ledger.errors import InputError, StorageError

if TYPE_CHECKING:
    from jilog_agent.decisions.select import EntryFilter
    from jilog_ledger.event import Event

DOCUMENT_FORMATS = ("markdown", "json", "text")
EVENT_FORMATS = ("jsonl", "jilog", "parquet")
TEMPLATES = ("pr", "retro", "handoff")


@click.command(
    "export",
    cls=JilogCommand,
    examples=(
        "jilog export --since 7d",
        "jilog export --template pr --session 0dfe43a2-5a53-4b7e-9d0f-2f1f8d5b7c11",
        "jilog export --format jsonl --since 24h",
        "jilog export --format jilog --output segments",
        "jilog export --format parquet --output events.parquet",
    ),
)
@click.option(
    "--format",
    "format_name",
    metavar="FORMAT",
    help="Decisions as markdown (default), json or text; all events as jsonl, jilog or parquet.",
)
@click.option(
    "--template",
    metavar="NAME",
    help="Decisions for a pull request, retrospective or handoff: pr, retro, handoff.",
)
@filter_options
@click.option(
    "--output",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Write here: a file, or for jilog a folder.",
)
@click.option("--confidential", is_flag=True, help="Also what is kept on this host alone.")
@zone_option
def command(
    *,
    format_name: str | None,
    template: str | None,
    output: Path | None,
    confidential: bool,
    zone: str | None,
    **filters: Any,
) -> None:
    """Write decisions as a document, or events as data. All filters combine; the oldest come first.

    The format decides: markdown, json, text and the templates hold decisions; jsonl has one event of any
    vocabulary a line, jilog writes JSON segments with their checksums, as jilog 0.8 reads them, and parquet
    one table for data tools (it needs: pip install 'jilog[parquet]').
    """
    typed = Filters(**filters).check()
    _check_formats(format_name, template, output)
    as_events = format_name in EVENT_FORMATS
    with open_reading(zone) as reading:
        wanted = typed.resolve(reading.standpoint, all_records=as_events, shared_only=not confidential)
        if not as_events:
            _emit(_document(reading, wanted, format_name, template), output)
        elif format_name == "jsonl":
            _export_lines(_events(reading, wanted), output)
        elif format_name == "parquet":
            assert output is not None
            _export_table(reading, wanted, output)
        else:
            assert output is not None
            _export_segments(_events(reading, wanted), output, reading)


def _check_formats(format_name: str | None, template: str | None, output: Path | None) -> None:
    for kind, name, known in (
        ("format", format_name, DOCUMENT_FORMATS + EVENT_FORMATS),
        ("template", template, TEMPLATES),
    ):
        if name is not None and name not in known:
            raise InputError(
                f'invalid {kind} "{name[:80]}": must be one of {", ".join(known)}',
                hint=did_you_mean(name, known),
            )
    if template is not None and format_name not in (None, "markdown"):
        raise InputError(
            f"template {template} is markdown and cannot be written as {format_name}",
            hint="leave --format out, or --template",
        )
    if format_name == "jilog" and output is None:
        raise InputError("format jilog needs a folder to write segments into", hint="add: --output DIR")
    if format_name == "parquet":
        if output is None:
            raise InputError("format parquet needs a file to write to", hint="add: --output FILE")
        from jilog_agent.decisions.parquet import check_installed

        check_installed()


def _document(reading: Reading, wanted: EntryFilter, format_name: str | None, template: str | None) -> str:
    from jilog_agent.decisions.export import export_entries
    from jilog_agent.decisions.select import select_entries

    entries = select_entries(reading.zones, wanted, limit=None, oldest_first=True)
    return export_entries(entries, format_name=format_name, template=template).rstrip("\n") + "\n"


def _events(reading: Reading, wanted: EntryFilter) -> list[Event]:
    from jilog_agent.decisions.zones import find_events

    return find_events(reading.zones, wanted.query(limit=None, oldest_first=True))


def _emit(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise StorageError(f"cannot write {output}: {exc.strerror}", hint="choose another --output") from exc


def _export_lines(events: Sequence[Event], output: Path | None) -> None:
    from jilog_agent.decisions.text import json_text

    _emit("".join(json_text(event.to_json(), indent=None) + "\n" for event in events), output)


def _export_table(reading: Reading, wanted: EntryFilter, output: Path) -> None:
    """Write a table, whole or not at all; a file of that name is replaced."""
    from jilog_agent.decisions.parquet import events_table

    events = _events(reading, wanted)
    target = output.absolute()
    if target.is_dir():
        raise InputError(f"{target} is a folder", hint="name a file: --output events.parquet")
    reading.workspace.disk.replace(target, events_table(events))
    print_line(f"{len(events)} events written to {target}")


def _export_segments(events: Sequence[Event], folder: Path, reading: Reading) -> None:
    """Write segments, each whole or not at all; one that is there with other content is not touched."""
    from jilog_agent.imports.json_segments import export_json_segments
    from jilog_ledger.json_segment import CLASSES

    disk = reading.workspace.disk
    folder = folder.absolute()
    disk.make_directory(folder)
    written = 0
    for name, content in export_json_segments(events):
        path = folder / name
        if disk.size(path) is None:
            disk.publish(path, content)
            written += 1
        elif disk.read(path) != content:
            raise StorageError(
                f"{path} is there with other content, and is not overwritten", hint="choose an empty folder"
            )
    print_line(f"{len(events)} events, {written} segments written to {folder}")
    unknown = {event.stored.event_class for event in events} - CLASSES
    if unknown:
        warn(
            f"jilog 0.8 refuses segments with events of class {', '.join(sorted(unknown))}",
            "export decisions alone with: --type decision",
        )
    if not events:
        note("nothing matched")
