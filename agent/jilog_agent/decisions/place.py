"""Where somebody stands, and what the paths they type mean: from words to file references and back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from jilog_agent.decisions.repository import Repository, find_repository, local_name
from jilog_ledger.decision import FileRef, FileScope, Place, valid_text
from jilog_ledger.errors import InputError


@dataclass(frozen=True, slots=True)
class Standpoint:
    """A host and a working folder (absolute, without symbolic links), from which paths are understood."""

    host: str
    folder: Path
    _found: dict[Path, Repository | None] = field(default_factory=dict)

    @classmethod
    def of(cls, host: str, folder: Path | str) -> Standpoint:
        """Stand in a folder."""
        return cls(host, Path(os.path.realpath(folder)))

    def place(self) -> Place:
        """Say where this is, as an entry keeps it."""
        repository = self._repository(self.folder)
        name = repository.names[0] if repository else ""
        return Place(self.host, valid_text(str(self.folder)), valid_text(name))

    def absolute(self, text: str) -> Path:
        """Make a typed path absolute; its last part may itself be a symbolic link and stays.

        Raises:
            InputError: no file can have this name.
        """
        if not text or "\0" in text:
            raise InputError(f"invalid path {text[:80]!r}", hint="name a file or a folder")
        path = os.path.join(self.folder, os.path.expanduser(text))  # noqa: PTH111 -- text with any bytes
        parent, name = os.path.split(path)
        if name in ("", ".", ".."):
            return Path(os.path.realpath(path))
        return Path(os.path.realpath(parent)) / name

    def ref(self, text: str) -> FileRef:
        """Understand a typed path as the file reference to store."""
        return self._names(self.absolute(text))[0]

    def scope(self, text: str) -> FileScope:
        """Understand a typed path as the file or folder to ask for, under each of its names.

        References of which nobody knows the repository match what was typed, if that is relative.
        """
        path = self.absolute(text)
        names = self._names(path)
        if not Path(text).is_absolute():
            names.append(FileRef("", valid_text(os.path.normpath(text))))
            names.extend(FileRef("", name.path) for name in names[:1])
        return FileScope(tuple(dict.fromkeys(ref for ref in names if ref.repository or ref.path)))

    def _names(self, path: Path) -> list[FileRef]:
        """Give all references that mean a path, the one to store first."""
        repository = self._repository(path if path.is_dir() and not path.is_symlink() else path.parent)
        names = []
        if repository is not None:
            inside = path.relative_to(repository.root).as_posix()
            inside = "" if inside == "." else inside
            names = [FileRef(name, inside) for name in repository.names]
        names.append(FileRef(local_name(self.host, "/"), path.as_posix().lstrip("/")))
        return [FileRef(valid_text(ref.repository), valid_text(ref.path)) for ref in names]

    def _repository(self, folder: Path) -> Repository | None:
        if folder not in self._found:
            self._found[folder] = find_repository(folder, self.host)
        return self._found[folder]


def shown_path(ref: FileRef) -> str:
    """Write a file reference for people: the path in its repository, absolute when it is in none."""
    return f"/{ref.path}" if ref.repository.endswith(":/") else ref.path or "."
