"""Hosts that share a directory, and a file-sync tool that does everything such tools do."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jilog_ledger.store import ZoneStore
from jilog_spool.directory import SpoolDirectory
from jilog_spool.directory_files import DiskShelf
from jilog_spool.directory_report import DirectoryReport
from jilog_spool.directory_survey import Member
from support.spool_fleet import AnyReplica, key_of, root_of

START_NS = 1_800_000_000 * 10**9


def member(source: str, trusted: Iterable[str], *, instance: bytes = b"one") -> Member:
    """Make a host that trusts the keys of others, by their names."""
    return Member(source, key_of(source), instance, frozenset(key_of(name).public_key for name in trusted))


def directory(
    root: Path,
    replica: AnyReplica | dict[str, AnyReplica],
    *,
    source: str = "",
    trusted: Iterable[str] = (),
    instance: bytes = b"one",
    **options: object,
) -> SpoolDirectory:
    """Give one host's view of the directory ``root``, which is made."""
    replicas = replica if isinstance(replica, dict) else {replica.zone: replica}
    source = source or next(iter(replicas.values())).own_writer.source
    root.mkdir(exist_ok=True)
    shelf = DiskShelf(root, root.parent / f"{root.name}-{source}-{instance.hex()}.lock")
    host = member(source, trusted, instance=instance)
    return SpoolDirectory(shelf, host, replicas, **options)  # type: ignore[arg-type]


def pump(*places: SpoolDirectory, rounds: int = 12) -> list[DirectoryReport]:
    """Let every host take and put until nothing changes any more; give all reports."""
    reports = []
    for _ in range(rounds):
        done = [report for place in places for report in (place.ingest(), place.emit())]
        reports += done
        if not any(report.files_written or report.grown for report in done):
            return reports
    raise AssertionError("the hosts still write after many rounds")


def equal(*stores: ZoneStore) -> bool:
    """Tell whether stores hold the same."""
    return len({root_of(store) for store in stores}) == 1


@dataclass
class SyncTool:
    """Copies files between folders that are meant to be one, late, twice, in any order, and in halves.

    Like the real ones it takes over deletions of files that it has seen at both ends, shows files while they
    are being written, and makes conflict copies.
    """

    folders: list[Path]
    chance: random.Random
    _seen: list[dict[str, tuple[int, int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._seen = [{} for _ in self.folders]

    def step(self) -> None:
        """Do some of what there is to do, badly."""
        for source, target in self._pairs():
            for path in self._changed(source, target):
                doing = self.chance.random()
                if doing < 0.3:
                    continue  # later
                data = path.read_bytes()
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                if doing < 0.45:
                    place.write_bytes(data[: self.chance.randrange(len(data) + 1)])
                elif doing < 0.55:
                    place.with_name(f".syncthing.{place.name}.tmp").write_bytes(data[: len(data) // 2])
                elif doing < 0.65:
                    mark = f".sync-conflict-20260101-{self.chance.randrange(10**6):06d}-ABCDEFG"
                    place.with_name(f"{place.stem}{mark}{place.suffix}").write_bytes(data)
                elif doing < 0.7:
                    copy = place.with_name(f"{place.stem} (someone's conflicted copy){place.suffix}")
                    copy.write_bytes(data[: len(data) // 3])
                else:
                    place.write_bytes(data)

    def finish(self) -> None:
        """Bring everything to where it belongs, whole; what was deleted by its owner goes everywhere."""
        for source, target in self._pairs():
            for path in self._changed(source, target):
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(path.read_bytes())
            self._delete(source, target)

    def _pairs(self) -> list[tuple[Path, Path]]:
        pairs = [(a, b) for a in self.folders for b in self.folders if a != b]
        self.chance.shuffle(pairs)
        return pairs

    def _owned(self, folder: Path) -> list[Path]:
        """Only the owner of a folder's files makes new ones; others have copies."""
        host = folder.name
        return [
            path
            for path in sorted(folder.glob(f"h+{host}+*/*"))
            if not path.name.startswith(".") and "conflict" not in path.name
        ]

    def _changed(self, source: Path, target: Path) -> list[Path]:
        found = []
        for path in self._owned(source):
            place = target / path.relative_to(source)
            if not place.exists() or place.read_bytes() != path.read_bytes():
                found.append(path)
        self.chance.shuffle(found)
        return found

    def _delete(self, source: Path, target: Path) -> None:
        kept = {path.relative_to(source) for path in self._owned(source)}
        for path in sorted(target.glob(f"h+{source.name}+*/*")):
            if path.relative_to(target) not in kept and "conflict" not in path.name:
                path.unlink()
