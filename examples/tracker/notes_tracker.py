"""A tracker that keeps each issue as a Markdown file, for a folder of notes that people tick off.

The first line is the state and the title: ``# [ ] title``, and ``# [x] title`` once somebody has done it.

In ~/.jilog.toml:

    [tracker]
    type = "notes"
    path = "~/notes/jilog"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.errors import TrackerError
from jilog_review.files import expand_home
from jilog_review.issue_text import read_fingerprint
from jilog_review.tracker import (
    Issue,
    IssueRef,
    IssueState,
    NewIssue,
    TrackerConfig,
    check_options,
    standing_issue,
    text_option,
)

_HEAD = re.compile(r"# \[([ x])\] (.*)")
_NAME = re.compile(r"[0-9a-f]{16}\.md")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what the operating system refused as a tracker says it: the issue then stays pending."""
    try:
        yield
    except OSError as exc:
        raise TrackerError(f"cannot use {path}: {exc.strerror}", hint=f"ls -la {path.parent}") from exc


@dataclass(frozen=True)
class NotesTracker:
    """One folder. Keeps nothing between calls: people edit the files meanwhile."""

    folder: Path
    name: str = "notes"
    settle_seconds: int = 0

    @property
    def place(self) -> str:
        """The folder's name."""
        return self.folder.name

    def list_issues(self) -> Sequence[Issue]:
        """Give all issues; nobody knows when a file was made, so their names order them."""
        with _told(self.folder):
            names = [path.name for path in self.folder.glob("*.md")] if self.folder.exists() else []
        found = [issue for name in names if (issue := self.get(name)) is not None]
        return sorted(found, key=lambda issue: issue.ref.id)

    def find(self, fingerprint: str) -> Issue | None:
        """Give the issue of a problem."""
        return standing_issue(self.list_issues(), fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Read one file; None for one that is not there or that jilog did not write."""
        path = self._path(issue_id)
        if path is None or not path.is_file():
            return None
        with _told(path):
            text, changed_ns = path.read_text(encoding="utf-8", errors="replace"), path.stat().st_mtime_ns
        head = _HEAD.match(text)
        if head is None:
            return None
        done = head[1] == "x"
        return Issue(
            IssueRef(issue_id, self.name, head[2], path.as_uri()),
            IssueState.DONE if done else IssueState.OPEN,
            read_fingerprint(text),
            closed_ns=changed_ns if done else None,
        )

    def create(self, new: NewIssue) -> Issue | None:
        """Write a file, unless the problem has one."""
        found = self.find(new.fingerprint)
        if found is None:
            self._write(f"{new.fingerprint}.md", f"# [ ] {new.title}\n\n{new.body}")
            found = self.find(new.fingerprint)
        return found

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Add to a file what was not added before."""
        before = self._text(issue_id)
        mark = f"<!-- {key} -->"
        if mark not in before:
            self._write(issue_id, f"{before.rstrip()}\n\n{text}\n{mark}\n")

    def reopen(self, issue_id: str) -> None:
        """Take the tick away."""
        self._write(issue_id, self._text(issue_id).replace("# [x] ", "# [ ] ", 1))

    def is_resolved(self, issue: IssueRef) -> bool:
        """Tell whether somebody ticked it."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _path(self, issue_id: str) -> Path | None:
        # Ids come from the ledger, where other hosts write too: nothing but our own names becomes a path.
        return self.folder / issue_id if _NAME.fullmatch(issue_id) else None

    def _text(self, issue_id: str) -> str:
        path = self._path(issue_id)
        if path is None:
            raise TrackerError(f"{issue_id!r} is no issue of the folder {self.folder}")
        with _told(path):
            return path.read_text(encoding="utf-8", errors="replace")

    def _write(self, issue_id: str, text: str) -> None:
        path = self.folder / issue_id
        with _told(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            # Whole or not at all: a crash before the rename leaves the old file and a part, which the next
            # write replaces.
            part.write_text(text, encoding="utf-8")
            part.replace(path)


def make_tracker(config: TrackerConfig) -> NotesTracker:
    """Make the tracker of the ``[tracker]`` table."""
    check_options(config, ("path", "labels"))
    path = text_option(config, "path", "~/notes/jilog") or ""
    return NotesTracker(Path(expand_home(path, config.environment)))
