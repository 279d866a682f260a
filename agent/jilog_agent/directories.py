"""Wire spool directories to this host: whose keys count, which zones go there, and how each one stands."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from jilog_agent.endpoint import known_keys
from jilog_agent.home import Home
from jilog_agent.identity import Identity
from jilog_agent.replication import granted_zones, peer_table, raw_key
from jilog_agent.sightings import fingerprint, public_key_text
from jilog_agent.workspace import Workspace
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, JilogError, StorageError
from jilog_ledger.identifiers import check_name
from jilog_ledger.limits import MIB
from jilog_ledger.times import format_time, now_ns
from jilog_spool.causes import cause_of
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_files import DirectoryUnusable, DiskShelf
from jilog_spool.directory_report import DirectoryReport, Stranger
from jilog_spool.directory_survey import Member
from jilog_spool.replica import Replica

HOSTS_FILE_BYTES_MAX = MIB
"""Of ``directory_hosts``: thousands of hosts fit."""

MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Place:
    """A directory to exchange with: where, for which peer or zones, and how long files stay there.

    Without ``peer`` and ``zones`` the shared zones go there; ``keep_seconds`` None keeps everything.
    """

    path: Path
    peer: str | None = None
    zones: tuple[str, ...] = ()
    keep_seconds: int | None = None
    trust: tuple[str, ...] = ()


def directory_zones(workspace: Workspace, place: Place) -> tuple[str, ...]:
    """Name the zones that may go to a directory.

    Raises:
        InputError: a zone or the peer is unknown, both are given, or nothing is shared.
    """
    if place.peer is not None and place.zones:
        raise InputError(
            "a directory is for a peer or for some zones, not both", hint="leave one of them out"
        )
    if place.zones:
        return tuple(dict.fromkeys(workspace.config.zone(zone).id for zone in place.zones))
    table = peer_table(workspace.config, workspace.home, workspace.disk)
    peer = table.resolve(place.peer) if place.peer is not None else None
    return granted_zones(workspace.config, peer)


def open_directory(
    workspace: Workspace,
    identity: Identity,
    replicas: Mapping[str, Replica],
    place: Place,
    *,
    fresh: bool = False,
) -> SpoolDirectory:
    """Give this host's view of a directory; ``fresh`` forgets that it has been there before."""
    zones = directory_zones(workspace, place)
    record = DirectoryHistory(workspace.home, workspace.disk).load().get(str(place.path))
    own = identity.key
    trusted = {*known_keys(workspace), *HostsFile(workspace.home, workspace.disk).keys()}
    trusted |= {key for line in place.trust if (key := raw_key(line))}
    member = Member(identity.source, own, instance_of(workspace.home), frozenset(trusted))
    return SpoolDirectory(
        DiskShelf(place.path, workspace.home.directories_path.with_suffix(".lock"), workspace.disk),
        member,
        {zone: replicas[zone] for zone in zones},
        keep_seconds=place.keep_seconds,
        joined=record is not None and member.folder in record.folders and not fresh,
    )


def instance_of(home: Home) -> bytes:
    """Tell this home from its clones: they lie elsewhere, or on another machine."""
    try:
        machine = MACHINE_ID.read_bytes()[:100].strip()
    except OSError:
        machine = b""
    return hashlib.sha256(machine + b"\0" + str(home.root.absolute()).encode()).digest()


class HostsFile:
    """Hosts that are trusted in directories only, in lines of ``NAME ssh-ed25519 AAAA…``."""

    def __init__(self, home: Home, disk: Disk) -> None:
        self.path = home.directory_hosts_path
        self._disk = disk

    def hosts(self) -> dict[bytes, str]:
        """Give the names by raw key.

        Raises:
            InputError: a line is not of that form.
        """
        size = self._disk.size(self.path)
        if size is None:
            return {}
        if size > HOSTS_FILE_BYTES_MAX:
            raise InputError(f"{self.path} has {size} bytes; {HOSTS_FILE_BYTES_MAX} are allowed")
        found = {}
        for number, line in enumerate(self._disk.read(self.path).decode("utf-8", "replace").splitlines(), 1):
            words = line.split()
            if not words or line.startswith("#"):
                continue
            key = raw_key(" ".join(words[1:3]))
            if not key:
                raise InputError(
                    f"{self.path} line {number} is not of the form NAME ssh-ed25519 AAAA…",
                    hint=f"correct or remove the line: {self.path}",
                )
            found[key] = words[0]
        return found

    def keys(self) -> Iterable[bytes]:
        """Give the raw keys."""
        return self.hosts()

    def add(self, stranger: Stranger) -> None:
        """Trust a host from now on; a crash leaves the old file or the new one."""
        known = {**self.hosts(), stranger.public_key: check_name("source", stranger.source)}
        lines = [f"{name} {public_key_text(key)}\n" for key, name in known.items()]
        heading = "# Hosts trusted in spool directories. Written by: jilog spool ingest DIR --trust NAME\n"
        self._disk.replace(self.path, (heading + "".join(lines)).encode())


def chosen_stranger(strangers: Sequence[Stranger], wish: str, place: Place) -> Stranger:
    """Find the host that ``NAME`` or ``NAME=FINGERPRINT`` means among those nobody trusts yet.

    Raises:
        InputError: there is none, or there are several.
    """
    name, _, wanted = wish.partition("=")
    found = {
        item.public_key: item
        for item in strangers
        if item.source == name and wanted in ("", fingerprint(item.public_key))
    }
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        keys = ", ".join(fingerprint(key) for key in sorted(found))
        raise InputError(
            f"{place.path} has several hosts called {name}: {keys}",
            hint=f"name one: jilog spool ingest {place.path} --trust {name}=SHA256:…",
        )
    shown = ", ".join(f"{item.source} {fingerprint(item.public_key)}" for item in strangers)
    raise InputError(
        f"{place.path} has no untrusted host {wish[:100]!r}",
        hint=f"not trusted yet: {shown}" if shown else "every host there is trusted already",
    )


class DirectoryRecord(msgspec.Struct, frozen=True):
    """How a directory stood after the last pass, for ``jilog status``. ``folders`` are those of this host."""

    at: str
    reason: str
    detail: str
    next: str
    folders: list[str] = []
    taken_at: str | None = None
    events_received: int = 0
    unreadable: int = 0
    hosts: int = 0


class DirectoryHistory:
    """Remembers the last pass over each directory. The file may be lost at any time.

    What is lost with it is the protection of an empty mount point from being written to.
    """

    def __init__(self, home: Home, disk: Disk) -> None:
        self._path = home.directories_path
        self._disk = disk

    def load(self) -> dict[str, DirectoryRecord]:
        """Give what is remembered; nothing when the file is missing or not ours."""
        if self._disk.size(self._path) is None:
            return {}
        try:
            return msgspec.json.decode(self._disk.read(self._path), type=dict[str, DirectoryRecord])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}

    def add(self, path: Path, record: DirectoryRecord) -> None:
        """Remember a pass; nothing is written when it found what the last one found."""
        records = self.load()
        before = records.get(str(path))
        if before is not None and msgspec.structs.replace(before, at=record.at) == record:
            return
        records[str(path)] = record
        self._disk.make_directory(self._path.parent)
        self._disk.replace(self._path, msgspec.json.encode(records))


def record_of(
    place: Place,
    outcome: DirectoryReport | JilogError,
    folder: str,
    before: DirectoryRecord | None,
    *,
    clock: Callable[[], int] = now_ns,
) -> DirectoryRecord:
    """Sum one pass up; ``folder`` is this host's in that directory."""
    reason, detail, step = judge(place.path, outcome)
    at = format_time(clock())
    if isinstance(outcome, JilogError):
        kept = before or DirectoryRecord(at, reason, detail, step)
        return msgspec.structs.replace(kept, at=at, reason=reason, detail=detail, next=step)
    return DirectoryRecord(
        at,
        reason,
        detail,
        step,
        folders=[folder] if outcome.error is None else before.folders if before else [],
        taken_at=at if outcome.events_received else before.taken_at if before else None,
        events_received=outcome.events_received or (before.events_received if before else 0),
        unreadable=len(outcome.unreadable),
        hosts=len(outcome.hosts),
    )


def remember(workspace: Workspace, place: Place, outcome: DirectoryReport | JilogError, folder: str) -> None:
    """Keep how a pass went, for ``jilog status``; a disk that refuses that is no reason to fail the pass."""
    history = DirectoryHistory(workspace.home, workspace.disk)
    before = history.load().get(str(place.path))
    with contextlib.suppress(StorageError):
        history.add(place.path, record_of(place, outcome, folder, before))


def remember_pause(workspace: Workspace, place: Place, detail: str, step: str) -> None:
    """Keep that replication rests; what was known of the directory stays."""
    history = DirectoryHistory(workspace.home, workspace.disk)
    at = format_time(now_ns())
    before = history.load().get(str(place.path)) or DirectoryRecord(at, PAUSED, detail, step)
    with contextlib.suppress(StorageError):
        history.add(place.path, msgspec.structs.replace(before, reason=PAUSED, detail=detail, next=step))


IN_ORDER = "in_order"
PAUSED = "paused"


def judge(path: Path, outcome: DirectoryReport | JilogError) -> tuple[str, str, str]:
    """Give the reason code of a directory, what it means, and the next command to type."""
    if isinstance(outcome, DirectoryUnusable):
        return outcome.problem.value, outcome.message, (outcome.hint or "").replace("DIR", str(path))
    if isinstance(outcome, JilogError):
        return cause_of(outcome).value, outcome.message, outcome.hint or ""
    if outcome.error is not None:
        return judge(path, outcome.error)
    if outcome.strangers:
        first = outcome.strangers[0]
        shown = f"host {first.source} ({fingerprint(first.public_key)}) is not trusted here"
        return "host_not_trusted", shown, f"jilog spool ingest {path} --trust {first.source}"
    if outcome.unvouched:
        detail = f"{outcome.unvouched} files are of writers that no trusted host vouches for"
        return "writer_not_vouched", detail, f"jilog spool ingest {path} --json"
    if outcome.refused:
        item = outcome.refused[0]
        detail = f"{item.writer} segment {item.number} of zone {item.zone}: {item.reason}"
        return "refused", detail, f"jilog spool ingest {path} --json"
    if outcome.unreadable:
        name, why = next(iter(outcome.unreadable.items()))
        return (
            "unreadable_files",
            f"{len(outcome.unreadable)} files are not whole yet: {name}: {why}",
            f"wait for the sync tool, or look: ls -l {path}",
        )
    if outcome.forks:
        return "fork", f"{outcome.forks[0].writer} has two histories; both are kept", "jilog spool forks"
    return IN_ORDER, "nothing is in the way", ""
