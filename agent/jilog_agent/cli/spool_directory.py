"""``jilog spool emit``, ``ingest`` and ``watch``: exchange through a directory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import click

from jilog_agent.cli.failure import note, report
from jilog_agent.cli.lazy import JilogCommand
from jilog_agent.cli.options import json_option
from jilog_agent.cli.output import format_bytes, print_json, print_line
from jilog_agent.cli.progress import ProgressLine
from jilog_agent.cli.session import open_workspace, recording_identity
from jilog_ledger.errors import FindingsError, InputError, JilogError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import parse_duration_seconds

if TYPE_CHECKING:
    from jilog_agent.directories import Place
    from jilog_agent.identity import Identity
    from jilog_agent.workspace import Workspace
    from jilog_spool.directory import SpoolDirectory
    from jilog_spool.directory_report import DirectoryReport
    from jilog_spool.replica import Replica

F = TypeVar("F", bound=Callable[..., Any])
EVERY_DEFAULT = "10s"

_place_options = (
    click.argument("directory", metavar="DIR"),
    click.option("--peer", metavar="NAME", help="Share the zones that this peer may see."),
    click.option("--zone", "zones", metavar="ID", multiple=True, help="Share this zone; may be repeated."),
)
_keep_option = click.option(
    "--keep", metavar="AGE", help="Take away, after this time, what every other host there has (30d)."
)
_fresh_option = click.option(
    "--fresh", is_flag=True, help="Write although this host's folder, which was there, is gone."
)
_dry_run_option = click.option("--dry-run", is_flag=True, help="Say how much there is to do, and do nothing.")


def _with_place(command: F) -> F:
    """Add what all three commands are told about the directory."""
    for option in reversed(_place_options):
        command = option(command)
    return command


@click.command(
    "emit",
    cls=JilogCommand,
    examples=("jilog spool emit ~/Sync/jilog", "jilog spool emit /media/stick --zone main --dry-run"),
)
@_with_place
@_keep_option
@_fresh_option
@_dry_run_option
@json_option
def emit(
    *,
    directory: str,
    peer: str | None,
    zones: tuple[str, ...],
    keep: str | None,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put what this host holds into a directory, for other hosts to ingest.

    Any file-sync tool, network mount or USB stick may carry it. Only this host's own folder in it is written.
    """
    place = _place(directory, peer, zones, keep)
    workspace = open_workspace()
    with _Pass(workspace, place, fresh=fresh) as doing, ProgressLine() as progress:
        done = doing.emit(dry_run=dry_run, on_bytes=lambda n, total: progress.bytes("writing", n, total))
    if as_json:
        print_json(_document(place, dry_run=dry_run, emitted=done))
        return
    word = "would write" if dry_run else "wrote"
    print_line(f"{word} {done.files_written} files, {format_bytes(done.bytes_written)}, in {place.path}")
    if done.files_pruned:
        print_line(f"took away {done.files_pruned} files, {format_bytes(done.bytes_pruned)}, that all have")


@click.command(
    "ingest",
    cls=JilogCommand,
    examples=("jilog spool ingest ~/Sync/jilog", "jilog spool ingest /media/stick --trust desktop"),
)
@_with_place
@click.option(
    "--trust",
    "trusts",
    metavar="HOST[=SHA256:…]",
    multiple=True,
    help="Trust this host in directories from now on, by the key it shows there; may be repeated.",
)
@_dry_run_option
@json_option
def ingest(
    *,
    directory: str,
    peer: str | None,
    zones: tuple[str, ...],
    trusts: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take what other hosts put into a directory.

    Everything is checked as if it came from a peer. Only what a trusted host wrote or vouches for is taken:
    known peers, and those of --trust. Exit status 3 when something there could not be taken.
    """
    place = _place(directory, peer, zones, None)
    workspace = open_workspace()
    with _Pass(workspace, place) as doing, ProgressLine() as progress:
        for wish in trusts:
            doing.trust(wish)
        done = doing.ingest(dry_run=dry_run, on_bytes=lambda n, total: progress.bytes("reading", n, total))
    if as_json:
        print_json(_document(place, dry_run=dry_run, ingested=done))
    elif dry_run:
        print_line(f"would read {done.files_read} files, {format_bytes(done.bytes_read)}, in {place.path}")
    else:
        print_line(
            f"took {done.events_received} events from {done.files_read} files,"
            f" {format_bytes(done.bytes_read)}, in {place.path}"
        )
    _raise_findings(place, done)


@click.command(
    "watch",
    cls=JilogCommand,
    examples=("jilog spool watch ~/Sync/jilog", "jilog spool watch /mnt/shared --every 1m --keep 30d"),
)
@_with_place
@_keep_option
@_fresh_option
@click.option("--every", metavar="TIME", default=EVERY_DEFAULT, show_default=True, help="Look this often.")
@json_option
def watch(
    *,
    directory: str,
    peer: str | None,
    zones: tuple[str, ...],
    keep: str | None,
    fresh: bool,
    every: str,
    as_json: bool,
) -> None:
    """Ingest and emit again and again, until Ctrl-C; a running agent does it for each [[directory]].

    With --json one object is printed for each time that something was read, written or in the way.
    """
    place = _place(directory, peer, zones, keep)
    seconds = parse_duration_seconds(every)
    workspace = open_workspace()
    told = ""
    with _Pass(workspace, place, fresh=fresh) as doing:
        while True:
            try:
                taken, put = doing.ingest(), doing.emit()
            except JilogError as error:
                # A stick that is unplugged comes back; what is wrong is said once.
                if error.message != told:
                    report(error)
                told = error.message
            else:
                told = _tell_pass(place, taken, put, told, as_json=as_json)
            time.sleep(seconds)


class _Pass:
    """One directory, opened with the zones that go there; each pass is remembered for ``jilog status``."""

    def __init__(self, workspace: Workspace, place: Place, *, fresh: bool = False) -> None:
        self._workspace = workspace
        self._place = place
        self._fresh = fresh

    def __enter__(self) -> Self:
        from contextlib import ExitStack

        from jilog_agent.replication import replicas_of

        self._stack = ExitStack()
        self._identity: Identity = recording_identity(self._workspace)
        ledgers = self._stack.enter_context(self._workspace.zones(None, self._identity))
        self._replicas: Mapping[str, Replica] = replicas_of(ledgers)
        self._directory = self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> SpoolDirectory:
        from jilog_agent.directories import open_directory

        return open_directory(self._workspace, self._identity, self._replicas, self._place, fresh=self._fresh)

    def trust(self, wish: str) -> None:
        """Trust one of the hosts that have a folder there."""
        from jilog_agent.directories import HostsFile, chosen_stranger
        from jilog_agent.sightings import fingerprint

        strangers = self._directory.ingest(dry_run=True).strangers
        chosen = chosen_stranger(strangers, wish, self._place)
        HostsFile(self._workspace.home, self._workspace.disk).add(chosen)
        note(f"trusting {chosen.source} in directories from now on: {fingerprint(chosen.public_key)}")
        self._directory = self._open()

    def emit(self, **options: Any) -> DirectoryReport:
        return self._remembered(self._directory.emit, **options)

    def ingest(self, **options: Any) -> DirectoryReport:
        return self._remembered(self._directory.ingest, **options)

    def _remembered(
        self, action: Callable[..., DirectoryReport], *, dry_run: bool = False, **options: Any
    ) -> DirectoryReport:
        from jilog_agent.directories import remember

        try:
            done = action(dry_run=dry_run, **options)
        except JilogError as error:
            if not dry_run:
                remember(self._workspace, self._place, error, self._directory.member.folder)
            raise _naming(error, self._place) from error
        if not dry_run:
            remember(self._workspace, self._place, done, self._directory.member.folder)
        return done


def _naming(error: JilogError, place: Place) -> JilogError:
    """Put the directory's path where a hint stands for any."""
    if error.hint:
        error.hint = error.hint.replace("DIR", str(place.path))
    return error


def _place(directory: str, peer: str | None, zones: Sequence[str], keep: str | None) -> Place:
    from jilog_agent.directories import Place

    if not directory.strip():
        raise InputError("the directory's name is empty", hint="see: jilog spool emit --help")
    keep_seconds = parse_duration_seconds(keep) if keep is not None else None
    return Place(Path(directory).expanduser().absolute(), peer, tuple(zones), keep_seconds)


def _raise_findings(place: Place, done: DirectoryReport) -> None:
    from jilog_agent.directories import IN_ORDER, judge

    for item in done.refused:
        note(f"refused {item.writer} segment {item.number} of zone {item.zone}: {item.reason}")
    for name, why in list(done.unreadable.items())[:10]:
        note(f"not whole: {name}: {why}")
    if done.error is not None:
        note(f"what was taken could not be acknowledged there: {done.error.message}")
    reason, detail, step = judge(place.path, replace(done, error=None))
    if reason not in (IN_ORDER, "fork"):
        raise FindingsError(f"{place.path}: {detail}", hint=step)


def _tell_pass(
    place: Place, taken: DirectoryReport, put: DirectoryReport, told: str, *, as_json: bool
) -> str:
    from jilog_agent.directories import IN_ORDER, judge

    reason, detail, step = judge(place.path, taken)
    moved = taken.events_received or put.files_written or put.files_pruned
    trouble = "" if reason == IN_ORDER else detail
    if as_json and (moved or trouble != told):
        print_json(_document(place, dry_run=False, ingested=taken, emitted=put))
    elif moved:
        print_line(
            f"took {taken.events_received} events, wrote {put.files_written} files,"
            f" {format_bytes(put.bytes_written)}"
        )
    if trouble and trouble != told:
        note(f"{place.path}: {trouble}{f'; {step}' if step else ''}")
    sys.stdout.flush()
    return trouble


def _document(
    place: Place,
    *,
    dry_run: bool,
    ingested: DirectoryReport | None = None,
    emitted: DirectoryReport | None = None,
) -> dict[str, JsonValue]:
    from jilog_agent.directories import judge

    done = ingested or emitted
    assert done is not None
    reason, detail, step = judge(place.path, done)
    document: dict[str, JsonValue] = {
        "directory": str(place.path),
        "dry_run": dry_run,
        "reason": reason,
        "detail": detail,
        "next": step or None,
        "hosts": len(done.hosts),
        "strangers": [_stranger(item.source, item.public_key) for item in done.strangers],
    }
    if emitted is not None:
        document["emitted"] = {
            "files": emitted.files_written,
            "bytes": emitted.bytes_written,
            "pruned_files": emitted.files_pruned,
            "pruned_bytes": emitted.bytes_pruned,
        }
    if ingested is not None:
        document["ingested"] = _ingested(ingested)
    return document


def _stranger(source: str, key: bytes) -> JsonValue:
    from jilog_agent.sightings import fingerprint

    return {"source": source, "fingerprint": fingerprint(key)}


def _ingested(done: DirectoryReport) -> dict[str, JsonValue]:
    return {
        "files": done.files_read,
        "bytes": done.bytes_read,
        "segments": done.segments_received,
        "events": done.events_received,
        "duplicates": done.duplicates,
        "unvouched": done.unvouched,
        "foreign": done.foreign,
        "partial": done.partial,
        "conflicts": done.conflicts,
        "vanished": done.vanished,
        "zones_not_shared": [*sorted(done.zones_not_shared)],
        "unreadable": [{"file": name, "reason": why} for name, why in done.unreadable.items()],
        "refused": [
            {
                "zone": item.zone,
                "source": item.writer.source,
                "epoch": item.writer.epoch,
                "segment": item.number,
                "reason": item.reason,
            }
            for item in done.refused
        ],
        "forks": [
            {
                "zone": fork.zone,
                "source": fork.writer.source,
                "epoch": fork.writer.epoch,
                "segment": fork.number,
            }
            for fork in done.forks
        ],
    }
