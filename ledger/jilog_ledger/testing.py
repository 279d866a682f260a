"""A disk in memory that forgets what was not synced, and fails where it is told to.

``MemoryDisk`` keeps the promises of :class:`jilog_ledger.disk.Disk` and not one more. Bytes that no sync
covered, and names whose directory was not synced, may be lost, torn or zeroed by :meth:`MemoryDisk.crash`. It
counts every elementary operation (open, write, sync, rename, …), so that a test can cut the power or inject
an error at each of them in turn. After a failed sync the bytes stay readable but a later sync does not save
them, which is what Linux does.

Model: file systems persist the data of different files, and the names of different directories, in any order
(Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014); a rename is atomic.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jilog_ledger import limits
from jilog_ledger.errors import BusyError, StorageError, SyncFailed


class PowerCut(BaseException):
    """The power is gone. Not an Exception: no code of a machine without power handles anything."""


class Aftermath(enum.Enum):
    """What a power cut leaves of the changes that were not synced."""

    LOST = "nothing"
    KEPT = "everything"
    NAMES_ONLY = "new names, no new bytes"
    BYTES_ONLY = "new bytes, no new names"
    TORN = "names, and the first half of each write"
    HOLED = "names, and the second half of each write after zeros"
    ZEROED = "names and lengths, with zeros for bytes"

    @property
    def keeps_names(self) -> bool:
        """Tell whether directory entries that were not synced survive."""
        return self not in (Aftermath.LOST, Aftermath.BYTES_ONLY)


@dataclass(slots=True)
class _Change:
    """A write at ``offset``, or a cut to ``offset`` bytes when there is no data."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
            return
        end = self.offset + len(self.data)
        content.extend(bytes(max(0, end - len(content))))
        content[self.offset : end] = self.data

    def apply_after_crash(self, content: bytearray, aftermath: Aftermath) -> None:
        if aftermath in (Aftermath.LOST, Aftermath.NAMES_ONLY):
            return
        if self.data is None or aftermath in (Aftermath.KEPT, Aftermath.BYTES_ONLY):
            self.apply(content)
            return
        half = len(self.data) // 2
        if aftermath is Aftermath.TORN:
            _Change(self.offset, self.data[:half]).apply(content)
            return
        content.extend(bytes(max(0, self.offset + len(self.data) - len(content))))
        if aftermath is Aftermath.HOLED:
            _Change(self.offset + half, self.data[half:]).apply(content)


@dataclass(slots=True)
class _File:
    """What readers see, what is on stable storage, and the changes that lie between."""

    cached: bytearray = field(default_factory=bytearray)
    stable: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)
    rotten: dict[int, int] = field(default_factory=dict)
    """Bytes that rot changed: offset to the value it left there."""

    def change(self, change: _Change) -> None:
        change.apply(self.cached)
        self.pending.append(change)

    def sync(self) -> None:
        for change in self.pending:
            change.apply(self.stable)
        self.pending.clear()


@dataclass(slots=True)
class _NameChange:
    """Names that appear and vanish together, and the directories whose sync makes that durable."""

    directories: tuple[Path, ...]
    added: dict[Path, _File | None]
    removed: tuple[Path, ...] = ()

    def apply(self, names: dict[Path, _File | None]) -> None:
        for path in self.removed:
            names.pop(path, None)
        names.update(self.added)


class MemoryDisk:
    """A simulated disk. ``operations`` counts elementary operations; ``log`` names each."""

    def __init__(self, *, lock_wait_seconds: float = limits.LOCK_WAIT_SECONDS) -> None:
        self.operations = 0
        self.log: list[tuple[str, Path]] = []
        self._names: dict[Path, _File | None] = {Path("/"): None}
        self._stable_names = dict(self._names)
        self._name_changes: list[_NameChange] = []
        self._faults: dict[int, int] = {}
        self._failing: dict[str, int] = {}
        self._cut_at: int | None = None
        self._dark = False
        self.full = False
        """Refuse every write with ENOSPC, after what still fits, until it is set back."""

        self._locks: dict[Path, _Lock] = {}
        self._lock_wait_seconds = lock_wait_seconds

    # What a test does to the disk.

    def cut_power_at(self, operation: int) -> None:
        """Raise PowerCut instead of elementary operation number ``operation`` (from 1) and ever after."""
        self._cut_at = operation

    def fail_at(self, operation: int, error: int = errno.EIO) -> None:
        """Refuse elementary operation number ``operation`` (from 1) with ``error``, once."""
        self._faults[operation] = error

    def fail_next(self, kind: str, error: int = errno.EIO) -> None:
        """Refuse the next elementary operation of a kind (as in ``log``) with ``error``, once."""
        self._failing[kind] = error

    def spare(self) -> None:
        """Take back the power cut and the errors that were told and have not come yet."""
        self._faults.clear()
        self._failing.clear()
        self._cut_at = None

    def restart_process(self) -> None:
        """Become what the next process finds after a kill: what was not synced is readable, and not safe."""
        self._faults.clear()
        self._failing.clear()
        self._locks.clear()
        self._cut_at, self._dark = None, False

    def crash(self, aftermath: Aftermath) -> None:
        """Become what is found after a power cut and a reboot: power on, no faults, no locks."""
        if aftermath.keeps_names:
            for change in self._name_changes:
                change.apply(self._stable_names)
        self._name_changes.clear()
        self._drop_orphans()
        for file in self._stable_names.values():
            if file is not None:
                for pending in file.pending:
                    pending.apply_after_crash(file.stable, aftermath)
                file.pending.clear()
                file.cached = bytearray(file.stable)
        self._names = dict(self._stable_names)
        self.restart_process()

    def copy(self) -> MemoryDisk:
        """Give what `cp -a` of this disk gives: what readers see now, all of it on stable storage."""
        twin = MemoryDisk(lock_wait_seconds=self._lock_wait_seconds)
        for path, file in self._names.items():
            content = None if file is None else bytes(file.cached)
            twin._names[path] = None if content is None else _File(bytearray(content), bytearray(content))
            copied = twin._names[path]
            if file is not None and copied is not None:
                copied.rotten = dict(file.rotten)
        twin._stable_names = dict(twin._names)
        return twin

    def stable_files(self) -> Iterator[tuple[Path, bytes]]:
        """Give the files that a power cut now would leave for certain, with the bytes it would leave."""
        for path in sorted(self._stable_names):
            file = self._stable_names[path]
            if file is not None:
                yield path, bytes(file.stable)

    def _drop_orphans(self) -> None:
        for path in sorted(self._stable_names):
            if path.parent not in self._stable_names:
                del self._stable_names[path]

    def alter(self, path: Path, data: bytes) -> None:
        """Replace a file's bytes behind everybody's back, as rot does."""
        file = self._file(path)
        file.cached, file.stable = bytearray(data), bytearray(data)
        file.pending.clear()

    def flip_bit(self, path: Path, bit: int) -> None:
        """Let one bit of a file rot, and remember it for :meth:`rot_in`."""
        file = self._file(path)
        offset = bit // 8
        for content in (file.cached, file.stable):
            if offset < len(content):
                content[offset] ^= 1 << (bit % 8)
        file.rotten[offset] = file.cached[offset]

    def rot_in(self, path: Path) -> dict[int, int]:
        """Give the rotten bytes that are still in a file: offset and value."""
        file = self._names.get(path)
        if file is None:
            return {}
        return {at: value for at, value in file.rotten.items() if file.cached[at : at + 1] == bytes([value])}

    # What the ledger asks of a disk.

    def make_directory(self, path: Path) -> None:
        with _explained("make directory", path):
            missing = [step for step in (path, *path.parents) if step not in self._names]
            self._sync_directory((missing[-1].parent if missing else path).parent)
            for directory in reversed(missing):
                self._operate("mkdir", directory)
                self._rename_all(_NameChange((directory.parent,), {directory: None}))
                try:
                    self._sync_directory(directory.parent)
                except SyncFailed:
                    self._unlink(directory)
                    raise

    def list_directory(self, path: Path) -> list[str]:
        self._check_power()
        return sorted(name.name for name in self._names if name.parent == path and name != path)

    def size(self, path: Path) -> int | None:
        self._check_power()
        file = self._names.get(path)
        return None if file is None else len(file.cached)

    def read(self, path: Path, offset: int = 0, length: int | None = None) -> bytes:
        with _explained("read", path):
            self._check_power()
            end = None if length is None else offset + length
            return bytes(self._file(path).cached[offset:end])

    def create(self, path: Path, data: bytes) -> None:
        with _explained("create", path):
            self._open_new(path)
            self._write(path, 0, data)
            self._sync(path)
            self._sync_directory(path.parent)

    def append(self, path: Path, offset: int, data: bytes) -> None:
        with _explained("append to", path):
            self._write(path, offset, data)
            self._sync(path)

    def overwrite(self, path: Path, offset: int, data: bytes, *, durable: bool) -> None:
        with _explained("write", path):
            existed = path in self._names
            if not existed:
                self._open_new(path)
            self._write(path, offset, data)
            if durable:
                self._sync(path)
            if durable and not existed:
                self._sync_directory(path.parent)

    def extend(self, path: Path, offset: int, data: bytes) -> None:
        self.overwrite(path, offset, data, durable=False)

    def truncate(self, path: Path, length: int) -> None:
        with _explained("truncate", path):
            file = self._file(path)
            self._operate("ftruncate", path)
            file.change(_Change(length, None))
            self._sync(path)

    def publish(self, path: Path, data: bytes) -> None:
        with _explained("publish", path):
            temporary = self._write_temporary(path, data)
            try:
                self._operate("link", path)
                if path in self._names:
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                self._rename_all(_NameChange((path.parent,), {path: self._names[temporary]}))
            finally:
                self._unlink(temporary)
            self._sync_directory(path.parent)

    def replace(self, path: Path, data: bytes) -> None:
        with _explained("replace", path):
            temporary = self._write_temporary(path, data)
            try:
                self._rename(temporary, path)
            except OSError:
                self._unlink(temporary)
                raise
            self._sync_directory(path.parent)

    def move(self, source: Path, target: Path) -> None:
        with _explained("move", source):
            self._file(source)
            self._directory(target.parent)
            self._rename(source, target)
            self._sync_directory(target.parent)
            if source.parent != target.parent:
                self._sync_directory(source.parent)

    def remove(self, path: Path) -> None:
        with _explained("remove", path):
            self._check_power()
            if path in self._names:
                self._unlink(path)
                self._sync_directory(path.parent)

    @contextlib.contextmanager
    def lock(self, path: Path, *, shared: bool = False) -> Iterator[None]:
        with _explained("open lock", path):
            if path not in self._names:
                self._open_new(path)
        lock = self._locks.setdefault(path, _Lock(self._lock_wait_seconds))
        lock.take(path, shared=shared)
        try:
            yield
        finally:
            lock.release(shared=shared)

    # Elementary operations.

    def _check_power(self) -> None:
        if self._dark:
            raise PowerCut

    def _operate(self, kind: str, path: Path) -> None:
        self._check_power()
        self.operations += 1
        self.log.append((kind, path))
        if self.operations == self._cut_at:
            self._dark = True
            raise PowerCut(f"{kind} {path}")
        error = self._faults.pop(self.operations, None) or self._failing.pop(kind, None)
        if self.full and kind in ("open", "pwrite", "mkdir"):
            error = errno.ENOSPC
        if error is not None:
            raise OSError(error, os.strerror(error))

    def _file(self, path: Path) -> _File:
        file = self._names.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return file

    def _directory(self, path: Path) -> None:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _rename_all(self, change: _NameChange) -> None:
        change.apply(self._names)
        self._name_changes.append(change)

    def _open_new(self, path: Path) -> None:
        self._directory(path.parent)
        self._operate("open", path)
        if path in self._names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self._rename_all(_NameChange((path.parent,), {path: _File()}))

    def _write(self, path: Path, offset: int, data: bytes) -> None:
        file = self._file(path)
        try:
            self._operate("pwrite", path)
        except OSError as exc:
            if exc.errno == errno.ENOSPC:
                # A disk that gets full takes what still fits before it refuses.
                file.change(_Change(offset, data[: len(data) // 2]))
            raise
        file.change(_Change(offset, data))

    def _sync(self, path: Path) -> None:
        file = self._file(path)
        try:
            self._operate("fsync", path)
        except OSError as exc:
            file.pending.clear()
            raise SyncFailed(f"cannot sync {path} to stable storage: {exc.strerror}") from exc
        file.sync()

    def _sync_directory(self, path: Path) -> None:
        try:
            self._operate("fsync", path)
        except OSError as exc:
            raise SyncFailed(f"cannot sync {path} to stable storage: {exc.strerror}") from exc
        for change in [change for change in self._name_changes if path in change.directories]:
            change.apply(self._stable_names)
            self._name_changes.remove(change)

    def _write_temporary(self, path: Path, data: bytes) -> Path:
        temporary = path.with_name(f".{path.name}.{self.operations}.tmp")
        self._open_new(temporary)
        try:
            self._write(temporary, 0, data)
            self._sync(temporary)
        except (OSError, StorageError):
            self._unlink(temporary)
            raise
        return temporary

    def _rename(self, source: Path, target: Path) -> None:
        self._operate("rename", target)
        change = _NameChange((target.parent, source.parent), {target: self._names[source]}, (source,))
        self._rename_all(change)

    def _unlink(self, path: Path) -> None:
        self._operate("unlink", path)
        self._rename_all(_NameChange((path.parent,), {}, (path,)))


class _Lock:
    """A lock that several may share or one may hold, with flock's meaning between processes."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._shared = 0
        self._held = False

    def take(self, path: Path, *, shared: bool) -> None:
        deadline = time.monotonic() + self._wait_seconds
        with self._changed:
            while self._held or (self._shared and not shared):
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise BusyError(f"another process has held {path} for {self._wait_seconds:.0f} seconds")
            if shared:
                self._shared += 1
            else:
                self._held = True

    def release(self, *, shared: bool) -> None:
        with self._changed:
            if shared:
                self._shared -= 1
            else:
                self._held = False
            self._changed.notify_all()


@contextlib.contextmanager
def _explained(action: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StorageError(f"cannot {action} {path}: {exc.strerror}", hint="run: jilog verify") from exc
