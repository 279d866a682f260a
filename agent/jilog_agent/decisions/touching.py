"""Whether a signal touches a file: by the paths that its call named, and by those in its texts.

Signals come from transcripts of any host. Their paths are as the agent saw them there, with home folders
masked, so a file is known by three things: where it is here, its repository's name, and its path in that.
Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jilog_ledger.decision import FileScope
from jilog_review.redact import redact
from jilog_review.signal import Signal

_PATH = re.compile(r"[\w.@+~/-]+")
_LINE_NUMBER = re.compile(r"(?::\d+)+\Z")


@dataclass(frozen=True, slots=True)
class Touched:
    """A file, or a folder with all below it, as signals of any host may speak of it.

    ``here`` are absolute paths as signals of this host have them. ``inside`` are paths in a repository, and
    ``repositories`` the folder names that clones of it usually have.
    """

    here: tuple[str, ...]
    inside: tuple[str, ...]
    repositories: frozenset[str]

    @classmethod
    def of(cls, scope: FileScope) -> Touched:
        """Understand a scope."""
        here, inside, repositories = [], [], set()
        for name in scope.names:
            if name.repository.endswith(":/"):
                # A zone may say that home folders are not masked.
                here += [f"/{name.path}", redact(f"/{name.path}").text]
            else:
                inside.append(name.path)
                if name.repository:
                    repositories.add(name.repository.rstrip("/").rpartition("/")[2])
        return cls(tuple(dict.fromkeys(here)), tuple(dict.fromkeys(inside)), frozenset(repositories))

    def search_texts(self) -> tuple[str, ...]:
        """Give texts one of which every signal about this contains."""
        whole = [path for path in self.inside if any(char.isalnum() for char in path)]
        names = whole or [*sorted(self.repositories), *self.here]
        # A phrase of the path's words: it is found in absolute and relative paths alike.
        return tuple(dict.fromkeys("/".join(name.split()) for name in names))

    def touched_by(self, signal: Signal) -> bool:
        """Tell whether a signal is about this."""
        at_home = self._at_home(signal.project)
        return any(self._is_meant(path, at_home) for path in _paths_of(signal))

    def _at_home(self, project: str | None) -> bool | None:
        """Tell whether a session worked in this repository; None when nobody knows where it worked."""
        if not project:
            return None
        if any(_at_or_below(home, project) for home in self.here):
            return True
        return bool(self.repositories & set(project.split("/")))

    def _is_meant(self, path: str, at_home: bool | None) -> bool:
        if path.startswith(("/", "~")):
            return any(_at_or_below(path, own) for own in self.here) or self._is_in_a_clone(path)
        if at_home is None:
            # A bare name such as README.md is in every repository.
            return any("/" in own and _at_or_below(path, own) for own in self.inside)
        return at_home and any(_at_or_below(path, own) for own in self.inside)

    def _is_in_a_clone(self, path: str) -> bool:
        for repository in self.repositories:
            _, found, rest = path.partition(f"/{repository}/")
            while found:
                if any(_at_or_below(rest, own) for own in self.inside):
                    return True
                _, found, rest = rest.partition(f"{repository}/")
        return False


def _paths_of(signal: Signal) -> Iterator[str]:
    yield from signal.paths
    for text in (signal.command, signal.later_command, signal.excerpt, signal.label):
        for match in _PATH.finditer(text or ""):
            path = match[0].rstrip(".,")
            yield path.removeprefix("./")


def _at_or_below(path: str, own: str) -> bool:
    path = _LINE_NUMBER.sub("", path)
    return not own or path == own or path.startswith(f"{own.rstrip('/')}/")
