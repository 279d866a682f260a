"""Which repository a folder belongs to, found by reading a few small files.

No ``git`` is run: it may be missing, hang on a network mount, or refuse a folder of another owner. What is
read is git's own layout (gitrepository-layout(5), git-worktree(1)) and jj's ``.jj`` folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

CONFIG_BYTES_MAX = 1_048_576
"""A git config is some kilobytes; what is larger is not read."""

_SECTION = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]')
_URL = re.compile(r"\s*url\s*=\s*(.*?)\s*$", re.IGNORECASE)
_REMOTE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/@]*@)?([^/:]+)(?::\d+)?/+(.+)")
_SCP_LIKE = re.compile(r"(?:[^/@:]+@)?([^/:@]{2,}):(?!//)/*(.+)")


@dataclass(frozen=True, slots=True)
class Repository:
    """A working tree. ``names`` are what it is known by, the one that is the same on every host first."""

    root: Path
    names: tuple[str, ...]


def find_repository(folder: Path, host: str) -> Repository | None:
    """Find the repository around ``folder``, an absolute path; None when there is none."""
    for root in (folder, *folder.parents):
        if os.path.lexists(root / ".git"):
            return _repository(root, _common_directory(root / ".git"), host)
        # As above, not is_dir(): a folder that may not be looked into is no error.
        if os.path.lexists(root / ".jj"):
            return _repository(root, _jj_store(root), host)
    return None


def local_name(host: str, root: Path | str) -> str:
    """Name a folder of one host."""
    return f"{host}:{root}"


def _repository(root: Path, git_directory: Path | None, host: str) -> Repository:
    names = []
    main = root
    if git_directory is not None:
        url = _remote_url(git_directory / "config")
        name = repository_name(url, root, host) if url else None
        if name:
            names.append(name)
        if git_directory.name == ".git":
            # A linked working tree belongs to the repository it was made from.
            main = git_directory.parent
    names.extend((local_name(host, main), local_name(host, root)))
    return Repository(root, tuple(dict.fromkeys(names)))


def _common_directory(dot_git: Path) -> Path | None:
    """Find the directory that holds the config; ``.git`` is a file in submodules and linked trees."""
    if dot_git.is_dir():
        return dot_git
    text = _read(dot_git)
    if text is None or not text.startswith("gitdir:"):
        return None
    directory = _resolved(dot_git.parent, text.removeprefix("gitdir:").strip())
    common = _read(directory / "commondir")
    return _resolved(directory, common.strip()) if common else directory


def _jj_store(root: Path) -> Path | None:
    store = root / ".jj" / "repo" / "store"
    target = _read(store / "git_target")
    return _resolved(store, target.strip()) if target else None


def _resolved(base: Path, target: str) -> Path:
    return Path(os.path.realpath(base / target))


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError:
        return None
    return data.decode("utf-8", "surrogateescape") if len(data) <= CONFIG_BYTES_MAX else None


def _remote_url(config: Path) -> str | None:
    """Read the URL of ``origin``, else that of the first remote."""
    urls: dict[str, str] = {}
    remote: str | None = None
    for line in (_read(config) or "").splitlines():
        section = _SECTION.match(line)
        if section:
            remote = section[2] if section[1].lower() == "remote" else None
        url = _URL.match(line)
        if url and remote is not None:
            urls.setdefault(remote, url[1].strip('"'))
    return urls.get("origin") or next(iter(urls.values()), None)


def repository_name(url: str, root: Path, host: str) -> str | None:
    """Name a repository by its remote, the same however it was cloned: ``github.com/acme/app``.

    Users, passwords, ports and the ending ``.git`` are left out. A remote on this host is named as a folder.
    """
    match = _REMOTE_URL.match(url)
    if match and not url.lower().startswith("file:"):
        return f"{match[1].lower()}/{_trimmed(match[2])}"
    match = _SCP_LIKE.match(url)
    if match and not url.startswith("/"):
        return f"{match[1].lower()}/{_trimmed(match[2])}"
    path = re.sub(r"\Afile://[^/]*", "", url)
    if not path:
        return None
    return local_name(host, str(_resolved(root, path)).removesuffix("/.git"))


def _trimmed(path: str) -> str:
    return re.split(r"[?#]", path)[0].strip("/").removesuffix(".git")
