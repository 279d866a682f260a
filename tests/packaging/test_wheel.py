"""AF45: what a user installs, alone in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from jilog_agent.cli.lazy import LazyGroup
from jilog_agent.cli.root import root
from support.turn_repo import GIT_SETTINGS, git_repository

ROOT = Path(__file__).parents[2]
SECONDS = 280


def run(*command: str | Path, cwd: Path, home: Path) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JILOG_", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **GIT_SETTINGS, "HOME": str(home), "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout[-2_000:], done.stderr[-2_000:])
    return done.stdout


@pytest.fixture
def jilog(tmp_path: Path) -> Path:
    """Make the source distribution, a wheel of that, and install it into an empty environment."""
    folder = tmp_path / "wheel"
    folder.mkdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    home = Path.home()
    builder = folder / "builder"
    run(*pip, "install", "--target", builder, "hatchling>=1.26", cwd=folder, home=home)
    build = f"import sys; sys.path.insert(0, {str(builder)!r}); from hatchling.build import *; "
    make_source = f"{build}print(build_sdist({str(folder)!r}))"
    made = run(sys.executable, "-c", make_source, cwd=ROOT, home=home).split()[-1]
    with tarfile.open(folder / made) as archive:
        archive.extractall(folder, filter="data")
    source = folder / made.removesuffix(".tar.gz")
    assert (source / "agent" / "js" / "index.js").is_file()
    run(sys.executable, "-c", f"{build}build_wheel({str(folder)!r})", cwd=source, home=home)
    (wheel,) = folder.glob("jilog-*.whl")
    environment = folder / "env"
    venv.create(environment, with_pip=False)
    run(*pip, "--python", environment / "bin" / "python", "install", wheel, cwd=folder, home=home)
    return environment / "bin" / "jilog"


def commands(group: LazyGroup = root, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Name all commands."""
    import click

    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += commands(command, (*path, name)) if isinstance(command, LazyGroup) else [(*path, name)]
    return found


def test_af45_a_wheel_made_of_the_source_distribution_has_every_command_and_they_work(
    jilog: Path, tmp_path: Path
) -> None:
    assert_each_command_explains_itself(jilog, tmp_path)
    assert_it_does_its_work(jilog, tmp_path)


def assert_each_command_explains_itself(jilog: Path, tmp_path: Path) -> None:
    script = (
        "import sys, contextlib, io\nfrom jilog_agent.main import run\n"
        "for line in sys.argv[1:]:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "        status = run([*line.split(), '--help'])\n"
        "    assert status == 0 and 'Usage' in out.getvalue(), line\n"
        "print(len(sys.argv) - 1)\n"
    )
    names = [" ".join(path) for path in commands()]

    told = run(jilog.with_name("python"), "-c", script, *names, cwd=tmp_path, home=tmp_path)

    assert int(told) == len(names) > 50


def assert_it_does_its_work(jilog: Path, tmp_path: Path) -> None:
    app = git_repository(tmp_path / "app")

    def told(*words: str) -> str:
        return run(jilog, *words, cwd=app, home=tmp_path)

    told("init", "--source", "alpha")
    told("write", "--type", "decision", "--title", "Keep it short", "--file", "a.txt", "--session", "s1")
    told("turn", "start", "--goal", "fix it", "--ticket", "A-1")
    told("turn", "record", "--summary", "done", "--verify", "git --version")
    for words in (("log",), ("search", "short"), ("show", "s1"), ("blame", "a.txt"), ("export",)):
        assert "Keep it short" in told(*words), words
    assert "Keep it short" in told("context", "--files", "a.txt")
    assert "fix it" in told("trace", "A-1")
    assert told("review", "nightly", "--dry-run")
    assert json.loads(told("verify", "--json"))["zones"][0]["findings"] == []
    told("hooks", "install")
    assert "installed" in told("hooks", "status")
    told("rebuild")
    told("agent", "start")
    try:
        assert "Keep it short" in told("log")
    finally:
        told("agent", "stop")
