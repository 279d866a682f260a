"""The tracker seam: where learnings become issues that somebody closes.

A tracker is one place (a repository, a project, a folder) asked by one run. It keeps nothing of its own: the
ledger remembers what was filed, and every issue carries its problem's fingerprint in a hidden line of its
body, so that an issue is found again however it was retitled, relabelled or closed.

A third party adds a tracker by an entry point of the group ``jilog.trackers``: its name is the ``type`` in
the config, its object a callable that takes a :class:`TrackerConfig` and returns a :class:`Tracker`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from jilog_ledger.errors import InputError
from jilog_review import plug_in
from jilog_review.detector import Kind

ENTRY_POINT_GROUP = "jilog.trackers"


class IssueState(StrEnum):
    """What became of an issue. Only one that was closed as done says that its problem should be gone."""

    OPEN = "open"
    DONE = "done"
    DECLINED = "declined"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class IssueRef:
    """One issue in a tracker: ``id`` as a person writes it (``#12``), ``backend`` the tracker's name."""

    id: str
    backend: str
    title: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as the tracker knows it now. Times are Unix nanoseconds, None where the tracker has none.

    ``fingerprint`` is None when somebody removed the hidden line from the body. ``detected_on`` is the
    review date (YYYY-MM-DD) that the body begins with.
    """

    ref: IssueRef
    state: IssueState
    fingerprint: str | None
    detected_on: str | None = None
    created_ns: int | None = None
    closed_ns: int | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewIssue:
    """What is to be filed: plain facts, of which each tracker makes its own labels.

    ``priority`` runs from 0, the most urgent, to 4. ``type`` is bug, chore or task. ``body`` is Markdown
    and ends with the hidden line. All text is redacted.
    """

    fingerprint: str
    kind: Kind
    title: str
    body: str
    type: str
    priority: int
    p0: bool = False
    tool: str | None = None
    pattern: str | None = None


class Tracker(Protocol):
    """Files issues in one place. Every method may block up to the time limit of the tracker's program.

    Every method raises :class:`~jilog_ledger.errors.TrackerError` when the tracker cannot be asked, refuses,
    or answers what cannot be read; ``uncertain`` in it tells that a change may have been made all the same.
    No method retries.
    """

    @property
    def name(self) -> str:
        """The name the config uses."""
        ...

    @property
    def place(self) -> str:
        """Where issues go: a repository, a project, a folder's name. The ledger's records name it."""
        ...

    @property
    def settle_seconds(self) -> int:
        """How long a listing may go on without an issue that was just created."""
        ...

    def list_issues(self) -> Sequence[Issue]:
        """Give every issue that jilog filed here, open or closed, without a page limit, oldest first."""
        ...

    def find(self, fingerprint: str) -> Issue | None:
        """Give the issue that stands for a fingerprint, as :func:`standing_issue` chooses it."""
        ...

    def get(self, issue_id: str) -> Issue | None:
        """Give one issue by its id, labelled as jilog's or not; None when it was deleted."""
        ...

    def create(self, new: NewIssue) -> Issue | None:
        """File an issue, or give the one that stands for its fingerprint, whatever its state.

        Safe to repeat: a second call for one fingerprint files nothing, in this run or in a later one, as
        soon as listings show the first. None from a tracker that files nothing.
        """
        ...

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Add a comment unless the issue has one of this ``key`` (hexadecimal digits, letters, ``:-``)."""
        ...

    def reopen(self, issue_id: str) -> None:
        """Open a closed issue and label it as recurred; an open one stays as it is."""
        ...

    def is_resolved(self, issue: IssueRef) -> bool:
        """Tell whether an issue was closed as done."""
        ...


def standing_issue(issues: Iterable[Issue], fingerprint: str) -> Issue | None:
    """Choose, among the issues of one fingerprint, the one that stands for it.

    An open one before a closed one, the oldest if several; then the one that was closed last; one that was
    closed as a duplicate only if there is nothing else, for it points to an issue that somebody wrote.
    """
    matching = [issue for issue in issues if issue.fingerprint == fingerprint]
    for issue in matching:
        if issue.state is IssueState.OPEN:
            return issue
    closed = [issue for issue in matching if issue.state is not IssueState.DUPLICATE]
    return max(closed or matching, key=lambda issue: issue.closed_ns or 0, default=None)


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """The ``[tracker]`` table: its type and its other keys as written, and the process's environment."""

    type: str = "none"
    options: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


TrackerFactory: TypeAlias = Callable[[TrackerConfig], Tracker]


def make_tracker(config: TrackerConfig) -> Tracker:
    """Make the tracker of a config table, from the built-in ones or an entry point.

    Raises:
        InputError: no tracker of that type is installed, or an option is not one of its own.
    """
    from jilog_review.trackers import BUILT_IN

    return plug_in.make(
        "tracker",
        config.type,
        config,
        built_in=BUILT_IN,
        group=ENTRY_POINT_GROUP,
        remedy="choose another type in [tracker]",
    )


def check_options(config: TrackerConfig, known: tuple[str, ...]) -> None:
    """Refuse an option that the tracker does not have.

    Raises:
        InputError: the message names the option, the hint the nearest known one.
    """
    for key in config.options:
        if key not in known:
            raise plug_in.unknown(f"key of a {config.type} tracker:", key, list(known))


def text_option(config: TrackerConfig, key: str, example: str | None = None) -> str | None:
    """Give an option that must be text; with an ``example`` it is required.

    Raises:
        InputError: it is missing, empty or something else.
    """
    value = config.options.get(key)
    if value is None and example is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"[tracker] of type {config.type!r} needs {key} as text",
            hint=f'write {key} = "{example or "..."}" under [tracker]',
        )
    return value.strip()


def labels_option(config: TrackerConfig) -> tuple[str, ...]:
    """Give the further labels that every issue gets.

    Raises:
        InputError: they are no list of texts.
    """
    value = config.options.get("labels", ())
    if not isinstance(value, list | tuple) or not all(
        isinstance(item, str) and item.strip() for item in value
    ):
        raise InputError(
            "labels in [tracker] must be a list of texts", hint='write labels = ["jilog-learning"]'
        )
    return tuple(str(item).strip() for item in value)
