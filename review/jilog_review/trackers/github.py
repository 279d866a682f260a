"""Issues on GitHub, through the ``gh`` program that the user is logged in with.

Only ``gh api`` on the REST interface is used: the same in every version of ``gh``, complete through
``--paginate``, and with bodies on standard input, so that no text is ever an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from jilog_ledger.errors import InputError, TrackerError
from jilog_review.issue_text import comment_line, read_detected_on, read_fingerprint
from jilog_review.moments import transcript_time_ns
from jilog_review.tracker import (
    Issue,
    IssueRef,
    IssueState,
    NewIssue,
    TrackerConfig,
    check_options,
    labels_option,
    standing_issue,
    text_option,
)
from jilog_review.trackers.command import (
    Command,
    Completed,
    Runner,
    decode_output,
    decode_output_lines,
    run_command,
)
from jilog_review.trackers.github_errors import github_failure, http_status
from jilog_review.trackers.labels import OWN_LABEL, github_labels

RECURRED_LABEL = "jilog/recurred"
_SETTLE_SECONDS = 60
"""GitHub's listings are served from replicas, which show a new issue within seconds."""

_REPOSITORY = re.compile(
    r"(?:(?P<host>[A-Za-z0-9.-]+)/)?(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.\.?\Z)[\w.-]+)\Z", re.ASCII
)
_KEY = re.compile(r"[0-9A-Za-z:-]+\Z")
_FIELDS = "{number,title,body,state,state_reason,html_url,created_at,closed_at,labels:[.labels[].name]}"
_DECLINING_LABELS = frozenset({"wontfix", "invalid", "won't fix", "not planned"})
_MENTION = re.compile(r"([@#])(?=\w)")
_COLOR = "ededed"


class _Row(msgspec.Struct):
    """One issue as the ``--jq`` expression gives it."""

    number: int
    title: str
    state: str
    html_url: str
    body: str | None = None
    state_reason: str | None = None
    created_at: str | None = None
    closed_at: str | None = None
    labels: list[str] = []

    def issue(self) -> Issue:
        body = self.body or ""
        return Issue(
            ref=IssueRef(f"#{self.number}", "github", self.title, self.html_url),
            state=self._state(),
            fingerprint=read_fingerprint(body),
            detected_on=read_detected_on(body),
            created_ns=transcript_time_ns(self.created_at),
            closed_ns=transcript_time_ns(self.closed_at),
            labels=tuple(self.labels),
        )

    def _state(self) -> IssueState:
        if self.state != "closed":
            return IssueState.OPEN
        names = {label.lower() for label in self.labels}
        if self.state_reason == "duplicate" or "duplicate" in names:
            return IssueState.DUPLICATE
        if self.state_reason == "not_planned" or names & _DECLINING_LABELS:
            return IssueState.DECLINED
        return IssueState.DONE


class _Repository(msgspec.Struct):
    """What the repository says of itself and of this login."""

    has_issues: bool = True
    archived: bool = False
    permissions: dict[str, bool] | None = None


@dataclass(slots=True)
class GitHubTracker:
    """One repository. The listing is asked once a run and kept; own changes are added to it."""

    repository: str
    environment: Mapping[str, str]
    host: str | None = None
    labels: tuple[str, ...] = ()
    run: Runner = run_command
    name: str = field(default="github", init=False)
    settle_seconds: int = field(default=_SETTLE_SECONDS, init=False)
    _listed: list[Issue] | None = field(default=None, init=False)
    _known_labels: set[str] | None = field(default=None, init=False)

    @property
    def place(self) -> str:
        """The repository's name, in lower case as GitHub compares it, with a host that is not github.com."""
        return (f"{self.host}/{self.repository}" if self.host else self.repository).lower()

    def list_issues(self) -> Sequence[Issue]:
        """Ask for all issues labelled ``jilog``, page by page; pull requests are no issues."""
        query = f"state=all&labels={OWN_LABEL}&sort=created&direction=asc&per_page=100"
        command, completed = self._ask(
            "list issues",
            f"repos/{self.repository}/issues?{query}",
            "--paginate",
            "--jq",
            f".[] | select(.pull_request | not) | {_FIELDS}",
        )
        rows = decode_output_lines(command, completed, _Row)
        self._listed = [row.issue() for row in sorted(rows, key=lambda row: row.number)]
        return tuple(self._listed)

    def find(self, fingerprint: str) -> Issue | None:
        """Look in this run's listing."""
        return standing_issue(self._listing(), fingerprint)

    def get(self, issue_id: str) -> Issue | None:
        """Ask for one issue; GitHub answers 404 or 410 for one that was deleted."""
        path = f"repos/{self.repository}/issues/{_number(issue_id)}"
        command, completed = self._call(path, "--jq", _FIELDS)
        if completed.status != 0:
            if http_status(completed) in (404, 410):
                return None
            raise self._failure(completed, f"read issue {issue_id}")
        return decode_output(command, completed, _Row).issue()

    def create(self, new: NewIssue) -> Issue | None:
        """File an issue with its labels; the listing of this run tells whether there is one already."""
        known = self.find(new.fingerprint)
        if known is not None:
            return known
        labels = github_labels(new, self.labels)
        if self._known_labels is None:
            self._check_repository()
        self._make_labels(labels)
        request = {"title": _inert(new.title), "body": _inert_body(new.body), "labels": labels}
        command, completed = self._ask(
            "create an issue", f"repos/{self.repository}/issues", "--jq", _FIELDS, request=request
        )
        issue = decode_output(command, completed, _Row).issue()
        if self._listed is not None:
            self._listed.append(issue)
        return issue

    def comment(self, issue_id: str, text: str, key: str) -> None:
        """Comment, unless a comment with this key is there."""
        assert _KEY.match(key), key
        path = f"repos/{self.repository}/issues/{_number(issue_id)}/comments"
        marker = comment_line(key)
        _, completed = self._ask(
            f"read the comments of {issue_id}",
            f"{path}?per_page=100",
            "--paginate",
            "--jq",
            f'.[] | select((.body // "") | contains("{marker}")) | .id',
        )
        if completed.stdout.strip():
            return
        body = {"body": f"{_inert(text)}\n\n{marker}\n"}
        self._ask(f"comment on {issue_id}", path, "--jq", ".id", request=body)

    def reopen(self, issue_id: str) -> None:
        """Open an issue, then label it: dying between the two leaves it open without the label."""
        path = f"repos/{self.repository}/issues/{_number(issue_id)}"
        action = f"reopen {issue_id}"
        self._ask(action, path, "--method", "PATCH", "--jq", ".number", request={"state": "open"})
        self._make_labels((RECURRED_LABEL,))
        self._ask(action, f"{path}/labels", "--jq", ".[].name", request={"labels": [RECURRED_LABEL]})

    def is_resolved(self, issue: IssueRef) -> bool:
        """Ask for the issue's state."""
        found = self.get(issue.id)
        return found is not None and found.state is IssueState.DONE

    def _listing(self) -> Sequence[Issue]:
        return self.list_issues() if self._listed is None else self._listed

    def _check_repository(self) -> None:
        """Make sure that labels will stick: GitHub drops them silently for a login without the right.

        An issue without the label ``jilog`` would not be listed, and would be filed again.
        """
        command, completed = self._ask(
            "look at the repository", f"repos/{self.repository}", "--jq", "{has_issues,archived,permissions}"
        )
        found = decode_output(command, completed, _Repository)
        rights = found.permissions or {}
        if found.archived or not found.has_issues:
            why = "it is archived" if found.archived else "issues are disabled there"
            raise TrackerError(
                f"cannot file issues in {self.repository}: {why}", hint="choose another repo in [tracker]"
            )
        if found.permissions is not None and not (rights.get("push") or rights.get("triage")):
            raise TrackerError(
                f"cannot file issues in {self.repository}: this login may not set labels there",
                hint="give the login of gh the triage or write role on the repository",
            )

    def _make_labels(self, labels: Sequence[str]) -> None:
        """Create the labels that the repository does not have."""
        if self._known_labels is None:
            path = f"repos/{self.repository}/labels?per_page=100"
            _, completed = self._ask("list labels", path, "--paginate", "--jq", ".[].name")
            names = completed.stdout.decode("utf-8", "replace").splitlines()
            self._known_labels = {name.lower() for name in names}
        for label in labels:
            if label.lower() in self._known_labels:
                continue
            request = {"name": label, "color": _COLOR, "description": "filed by jilog"}
            _, completed = self._call(f"repos/{self.repository}/labels", request=request)
            # 422: somebody else made it in the meantime.
            if completed.status != 0 and http_status(completed) != 422:
                raise self._failure(completed, f"create the label {label!r}")
            self._known_labels.add(label.lower())

    def _ask(
        self, action: str, path: str, *options: str, request: Mapping[str, object] | None = None
    ) -> tuple[Command, Completed]:
        """Call the interface, and raise unless it succeeded."""
        command, completed = self._call(path, *options, request=request)
        if completed.status != 0:
            raise self._failure(completed, action)
        return command, completed

    def _call(
        self, path: str, *options: str, request: Mapping[str, object] | None = None
    ) -> tuple[Command, Completed]:
        arguments = ["gh", "api", path, *options]
        if self.host:
            arguments += ["--hostname", self.host]
        if request is not None:
            arguments += ["--input", "-"]
            if "--method" not in options:
                arguments += ["--method", "POST"]
        quiet = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
        command = Command(
            tuple(arguments),
            {**self.environment, **quiet},
            stdin=msgspec.json.encode(request) if request is not None else b"",
        )
        try:
            return command, self.run(command)
        except TrackerError as error:
            if error.hint is None:
                error.hint = "install the GitHub CLI (https://cli.github.com), then run: gh auth login"
            raise

    def _failure(self, completed: Completed, action: str) -> TrackerError:
        return github_failure(completed, action, self.repository)


def _number(issue_id: str) -> int:
    text = issue_id.removeprefix("#")
    if not text.isascii() or not text.isdecimal():
        raise TrackerError(f"{issue_id[:40]!r} is no issue of GitHub", hint="run: jilog issues sync")
    return int(text)


def _inert(text: str) -> str:
    """Keep ``@name`` and ``#12`` in quoted text from notifying people and from linking to other issues."""
    return _MENTION.sub("\\1\u200b", text)


def _inert_body(body: str) -> str:
    """The same for a body, and no HTML comment but our own last line."""
    text, mark, line = body.rpartition("<!-- jilog-fingerprint: ")
    return _inert(text).replace("<!--", "<\u200b!--") + mark + line


def make_github(config: TrackerConfig) -> GitHubTracker:
    """Make the tracker of ``type = "github"``: ``repo``, and further ``labels``.

    Raises:
        InputError: ``repo`` is missing or is no ``owner/name`` (``host/owner/name`` for another host).
    """
    check_options(config, ("repo", "labels"))
    repository = text_option(config, "repo", "your-org/your-repo") or ""
    match = _REPOSITORY.match(repository)
    if match is None:
        raise InputError(
            f"repo in [tracker] is no repository: {repository[:80]!r}",
            hint='write repo = "your-org/your-repo"',
        )
    return GitHubTracker(match["name"], config.environment, host=match["host"], labels=labels_option(config))
