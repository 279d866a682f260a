"""What there is in a spool directory, and what this host holds: taken once before each pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jilog_ledger.errors import InputError, IntegrityError
from jilog_ledger.identifiers import Writer
from jilog_ledger.keys import SigningKey
from jilog_ledger.manifest import SegmentInfo
from jilog_spool import limits
from jilog_spool.directory_files import Entry, Shelf, Unreadable
from jilog_spool.directory_format import State, decode_state
from jilog_spool.directory_names import (
    SegmentName,
    StateName,
    digest_text,
    folder_name,
    is_conflict,
    is_partial,
    parse_segment,
    parse_state,
)
from jilog_spool.directory_report import DirectoryReport, Stranger
from jilog_spool.replica import Replica


@dataclass(frozen=True, slots=True)
class Member:
    """This host, as one of those that share a directory.

    ``instance`` tells it from clones with the same key; ``trusted`` are the raw keys of the hosts it trusts.
    """

    source: str
    key: SigningKey
    instance: bytes
    trusted: frozenset[bytes] = frozenset()

    @property
    def folder(self) -> str:
        """The folder that only this host writes in."""
        return folder_name(self.source, self.key, self.instance)

    def trusts(self, key: bytes) -> bool:
        """Tell whether what a key signs about other writers counts."""
        return key == self.key.public_key or key in self.trusted


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that, by its name, holds a segment or bytes of one."""

    folder: str
    file: str
    entry: Entry
    name: SegmentName


@dataclass(slots=True)
class Folder:
    """One host's folder. ``state`` is its newest whole statement, None when it has none."""

    name: str
    pieces: list[Piece] = field(default_factory=list)
    states: list[tuple[StateName, str]] = field(default_factory=list)
    temporary: list[str] = field(default_factory=list)
    state: State | None = None


class Survey:
    """The folders of a directory, and who vouches for which key."""

    def __init__(self, member: Member, folders: Mapping[str, Folder]) -> None:
        self.member = member
        self.folders = folders
        self._vouched: dict[tuple[str, str], set[bytes]] = {}
        for folder in folders.values():
            state = folder.state
            if state is None or not member.trusts(state.public_key):
                continue
            for zone, item in state.zones.items():
                self._vouched.setdefault((zone, state.source), set()).add(state.public_key)
                for source, keys in item.keys.items():
                    self._vouched.setdefault((zone, source), set()).update(keys)

    @property
    def own(self) -> Folder:
        """This host's own folder, empty when there is none yet."""
        return self.folders.get(self.member.folder, Folder(self.member.folder))

    def others(self) -> Iterator[Folder]:
        """Give the folders of other hosts."""
        return (folder for folder in self.folders.values() if folder.name != self.member.folder)

    def readers(self) -> Iterator[tuple[str, State]]:
        """Give the statements of other hosts that this one trusts, with their folders."""
        for folder in self.others():
            if folder.state is not None and self.member.trusts(folder.state.public_key):
                yield folder.name, folder.state

    def vouched(self, zone: str, source: str, key: bytes) -> bool:
        """Tell whether a key is trusted, or a trusted host says that ``source`` signs with it."""
        return self.member.trusts(key) or key in self._vouched.get((zone, source), ())

    def pieces(self) -> Iterator[Piece]:
        """Give every file of every host, this one's among them: they outlive its store."""
        for folder in self.folders.values():
            yield from folder.pieces


def take_survey(
    shelf: Shelf, member: Member, report: DirectoryReport, known: dict[tuple[str, str], State]
) -> Survey:
    """List a directory and read the statements in it.

    ``known`` are statements read before, by folder and name; their files never change.

    Raises:
        DirectoryUnusable: the directory cannot be listed.
    """
    folders = {}
    for name in shelf.folders():
        folder = _sorted_out(name, shelf.entries(name), report)
        folder.state = _newest_state(shelf, folder, report, known)
        folders[name] = folder
        state = folder.state
        if state is None or name == member.folder:
            continue
        if member.trusts(state.public_key):
            report.hosts[name] = state.counter
        else:
            report.strangers.append(Stranger(name, state.source, state.public_key))
    return Survey(member, folders)


def _sorted_out(name: str, entries: Mapping[str, Entry], report: DirectoryReport) -> Folder:
    folder = Folder(name)
    for file, entry in sorted(entries.items()):
        state, segment = parse_state(file), parse_segment(file)
        if file.startswith(".") and file.endswith(".tmp") and not file.startswith(".syncthing."):
            folder.temporary.append(file)
            report.partial += 1
        elif state is not None:
            folder.states.append((state, file))
        elif segment is not None:
            folder.pieces.append(Piece(name, file, entry, segment))
        elif is_partial(file):
            report.partial += 1
        else:
            report.foreign += 1
        report.conflicts += is_conflict(file)
    return folder


def _newest_state(
    shelf: Shelf, folder: Folder, report: DirectoryReport, known: dict[tuple[str, str], State]
) -> State | None:
    folder.states.sort(key=lambda item: (item[0].counter, item[0].digest), reverse=True)
    for name, file in folder.states[: limits.DIRECTORY_STATES_TRIED_MAX]:
        key = (folder.name, name.file_name)
        if key in known:
            return known[key]
        state = _read_state(shelf, folder.name, file, report)
        if state is not None:
            for stale in [other for other in known if other[0] == folder.name]:
                del known[stale]
            known[key] = state
            return state
    return None


def _read_state(shelf: Shelf, folder: str, file: str, report: DirectoryReport) -> State | None:
    try:
        data = shelf.read(folder, file, limits.DIRECTORY_STATE_BYTES_MAX)
        if data is None:
            report.vanished += 1
            return None
        return decode_state(data)
    except (Unreadable, IntegrityError) as exc:
        report.cannot_read(f"{folder}/{file}", exc.message)
        return None


class Holdings:
    """What this host holds of the zones that the directory may have."""

    def __init__(self, replicas: Mapping[str, Replica]) -> None:
        self.segments: dict[str, dict[Writer, list[SegmentInfo]]] = {}
        self._digests: set[tuple[str, str, int, int, str]] = set()
        self._keys: dict[tuple[str, str], set[bytes]] = {}
        for zone, replica in replicas.items():
            held = self.segments[zone] = {}
            for entry in replica.frontier().entries:
                held[entry.writer] = list(replica.segments(entry.writer))
                for info in held[entry.writer]:
                    self._note(zone, info)

    def _note(self, zone: str, info: SegmentInfo) -> None:
        end = 0 if info.sealed else info.content_length
        source = info.writer.source
        self._digests.add((zone.lower(), source.lower(), info.number, end, digest_text(info.sha256)))
        self._keys.setdefault((zone, source), set()).add(info.public_key)

    def has(self, name: SegmentName) -> bool:
        """Tell whether the very bytes that a name promises are held, under whatever epoch."""
        zone, source, _, number = name.key
        return (zone, source, number, name.end, name.digest) in self._digests

    def pinned(self, zone: str, source: str, key: bytes) -> bool:
        """Tell whether something of ``source`` that is signed with ``key`` is held."""
        return key in self._keys.get((zone, source), ())

    def keys(self, zone: str) -> dict[str, frozenset[bytes]]:
        """Give the keys of the sources held in a zone."""
        return {source: frozenset(keys) for (held, source), keys in self._keys.items() if held == zone}


def check_shareable(replicas: Mapping[str, Replica]) -> None:
    """Refuse a stream that is local to this host: it would leave it.

    Raises:
        InputError: a replica is local.
    """
    for zone, replica in replicas.items():
        if replica.local:
            raise InputError(f"zone {zone}: events that are local to this host must not be shared")
