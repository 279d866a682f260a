"""Issues in ``.beads/issues.jsonl``: one JSON object a line, kept in git, written by several programs.

The file is read and replaced under a lock. Lines of others, and what jilog cannot read, stay as they are,
byte for byte; of its own lines, fields that jilog does not know stay too.
"""

from __future__ import annotations

import contextlib
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from jilog_ledger.disk import Disk, RealDisk
from jilog_ledger.errors import TrackerError
from jilog_ledger.event import JsonValue
from jilog_ledger.times import now_ns
from jilog_review import filing_limits as limits
from jilog_review.issue_text import comment_line
from jilog_review.tracker import Issue, IssueRef, IssueState, NewIssue, standing_issue
from jilog_review.trackers.beads_format import BeadsIssue, commented, new_issue_id, new_line, reopened

_CONFLICT = (b"<<<<<<< ", b">>>>>>> ")
_PREFIX = re.compile(r"""^\s*issue-prefix:\s*["']?([A-Za-z0-9._-]+)""", re.MULTILINE)
_DECODER = msgspec.json.Decoder(BeadsIssue)


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the file; ``issue`` is None when it is not an issue that jilog can read."""

    data: bytes
    issue: BeadsIssue | None


@dataclass(slots=True)
class BeadsFileTracker:
    """The ``.beads`` folder of one project. Every method reads the file afresh."""

    folder: Path
    labels: tuple[str, ...] = ()
    disk: Disk = field(default_factory=RealDisk)
    now_ns: Callable[[], int] = now_ns
    name: str = field(default="beads", init=False)
    settle_seconds: int = field(default=0, init=False)

    @property
    def place(self) -> str:
        """The project's name: the folder may lie elsewhere on another host."""
        return self.folder.resolve().name

    @property
    def path(self) -> Path:
        """Where the issues are."""
        return self.folder / ".beads" / "issues.jsonl"

    def list_issues(self) -> Sequence[Issue]:
        """Read all issues of ours, in the file's order by time of creation."""
        issues = [line.issue.issue() for line in self._read() if line.issue is not None and line.issue.own]
        return tuple(sorted(issues, key=lambda issue: issue.created_ns or 0))

    def find(self, fingerprint: str) -> Issue | None:
        """Look through the file."""
        return standing_issue(self.list_issues(), fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Look one issue up; a tombstone counts as deleted."""
        for line in self._read():
            if line.issue is not None and line.issue.id == issue_id and line.issue.status != "tombstone":
                return line.issue.issue()
        return None

    def create(self, new: NewIssue) -> Issue | None:
        """Add a line; the look-up and the writing are one step under the lock."""
        with self._locked():
            known = self.find(new.fingerprint)
            if known is not None:
                return known
            lines = self._read()
            ids = [line.issue.id for line in lines if line.issue is not None]
            issue_id = new_issue_id(new.fingerprint, self._prefix(ids), set(ids))
            data = msgspec.json.encode(new_line(new, issue_id, self.now_ns(), self.labels))
            self._write([*lines, _Line(data, None)])
            return _DECODER.decode(data).issue()

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Add a comment to the issue's line unless one of this key is there."""
        marker = comment_line(key)

        def change(line: dict[str, JsonValue], issue: BeadsIssue) -> dict[str, JsonValue] | None:
            if any(marker in comment.text for comment in issue.comments or ()):
                return None
            return commented(line, f"{text}\n\n{marker}", self.now_ns())

        self._change(issue_id, change)

    def reopen(self, issue_id: str) -> None:
        """Set the issue's line back to open."""

        def change(line: dict[str, JsonValue], issue: BeadsIssue) -> dict[str, JsonValue] | None:
            return None if issue.issue().state is IssueState.OPEN else reopened(line, self.now_ns())

        self._change(issue_id, change)

    def is_resolved(self, issue: IssueRef) -> bool:
        """Look the issue's state up."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _change(
        self,
        issue_id: str,
        change: Callable[[dict[str, JsonValue], BeadsIssue], dict[str, JsonValue] | None],
    ) -> None:
        """Replace one issue's line by what ``change`` makes of it; None leaves the file alone."""
        with self._locked():
            lines = self._read()
            for place, line in enumerate(lines):
                if line.issue is None or line.issue.id != issue_id:
                    continue
                changed = change(msgspec.json.decode(line.data), line.issue)
                if changed is not None:
                    lines[place] = _Line(msgspec.json.encode(changed), None)
                    self._write(lines)
                return
        raise TrackerError(f"there is no issue {issue_id} in {self.path}", hint="run: jilog issues sync")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of this folder among jilog's processes; bd does not know of it."""
        if not self.path.parent.is_dir():
            self.disk.make_directory(self.path.parent)
        with self.disk.lock(self.path.parent / ".jilog.lock"):
            yield

    def _read(self) -> list[_Line]:
        size = self.disk.size(self.path)
        if size is None:
            return []
        if size > limits.ISSUES_FILE_BYTES_MAX:
            raise TrackerError(f"{self.path} has {size} bytes, too many to be read", hint="run: bd compact")
        lines = self.disk.read(self.path).split(b"\n")
        for number, data in enumerate(lines, start=1):
            if data.startswith(_CONFLICT):
                raise TrackerError(
                    f"{self.path} has a merge conflict at line {number}",
                    hint="resolve it and commit, then run: jilog issues file",
                )
        if lines[-1] == b"":
            lines.pop()
        return [_Line(data, _decoded(data)) for data in lines]

    def _write(self, lines: Sequence[_Line]) -> None:
        # Whole old or whole new at any crash: dying before this line files nothing, dying after it leaves an
        # issue that the next run finds by its fingerprint.
        mode = stat.S_IMODE(self.path.stat().st_mode) if self.path.exists() else None
        self.disk.replace(self.path, b"".join(line.data + b"\n" for line in lines))
        if mode is not None:
            # The file is shared with the project's other users and tools; a replaced one is ours alone.
            self.path.chmod(mode)

    def _prefix(self, ids: Sequence[str]) -> str:
        """Give what ids begin with: what beads is configured to use, else what most ids have, else a name."""
        config = self.folder / ".beads" / "config.yaml"
        if config.is_file():
            match = _PREFIX.search(config.read_text(encoding="utf-8", errors="replace"))
            if match is not None:
                return match[1]
        prefixes = Counter(issue_id.rpartition("-")[0] for issue_id in ids if "-" in issue_id)
        if prefixes:
            return prefixes.most_common(1)[0][0]
        return re.sub(r"[^a-z0-9_.]+", "-", self.place.lower()).strip("-") or "issue"


def _decoded(data: bytes) -> BeadsIssue | None:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
