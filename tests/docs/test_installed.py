"""The wheel in a clean virtual environment: the README's tour, the manual, and every example run from it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.tour import environment, steps, taken, typed

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE = shutil.which("node")
INSTALL_SECONDS = 280

# One worker takes all of them: the environment is made once.
pytestmark = pytest.mark.xdist_group("installed")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel and both plug-ins, and nothing of this working tree."""
    folder = tmp_path_factory.mktemp("installed")
    _quietly(sys.executable, "-m", "venv", str(folder / "venv"))
    python = str(folder / "venv" / "bin" / "python")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    sources = [str(ROOT), str(EXAMPLES / "reader"), str(EXAMPLES / "tracker")]
    _quietly(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder / "wheels"), *sources)
    _quietly(*pip, "install", *(str(wheel) for wheel in sorted((folder / "wheels").glob("*.whl"))))
    return folder / "venv" / "bin"


def _quietly(*command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, env=kept, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who installed jilog: a home, and the environment to type in."""

    home: Path
    where: dict[str, str]

    def types(self, command: str) -> str:
        return typed(command, self.where)


@pytest.fixture
def reader(tmp_path: Path, programs: Path) -> Reader:
    where = environment(tmp_path, programs, os.environ)
    where.pop("PYTHONPATH", None)
    return Reader(tmp_path, where)


def test_nothing_is_imported_from_the_working_tree(reader: Reader) -> None:
    found = reader.types(
        "python -c 'import jilog_agent as a, jilog_ledger as l; print(a.__file__, l.__file__)'"
    )

    assert all("site-packages" in path for path in found.split())


def test_the_tour_of_the_readme_runs_from_the_wheel(reader: Reader) -> None:
    (reader.home / ".claude" / "projects").mkdir(parents=True)

    different = list(taken(steps(ROOT / "README.md"), reader.home, reader.where))

    assert not different, different[0]


def test_the_manual_is_inside_the_wheel(reader: Reader) -> None:
    listed = reader.types("jilog help")

    assert all(path.stem in listed for path in (ROOT / "docs").glob("*.md"))
    assert reader.types("jilog help operating").startswith("# Operating jilog\n")


def test_the_backup_script_packs_a_folder_and_records_it(reader: Reader) -> None:
    (reader.home / "notes").mkdir()
    (reader.home / "notes" / "a.txt").write_text("kept")
    reader.types("jilog init --source laptop")

    reader.types(f"sh {EXAMPLES}/supervise/backup.sh ~/notes ~/backups")

    (archive,) = (reader.home / "backups").iterdir()
    with tarfile.open(archive) as packed:
        assert "./a.txt" in packed.getnames()
    events = json.loads(reader.types("jilog query --since 1h --json"))["events"]
    said = {(item["event"]["payload"]["task"], item["event"]["payload"]["status"]) for item in events}
    assert said == {
        (task, status) for task in ("backup", "backup-check") for status in ("started", "succeeded")
    }


def test_the_backup_script_fails_as_its_task_does_and_leaves_no_archive(reader: Reader) -> None:
    reader.types("jilog init --source laptop")

    ended = reader.types(f"sh {EXAMPLES}/supervise/backup.sh ~/missing ~/backups || echo ended $?")

    assert "ended 2" in ended
    assert not list((reader.home / "backups").glob("*.tar.gz"))
    events = json.loads(reader.types("jilog query --since 1h --json"))["events"]
    assert [item["event"]["payload"]["status"] for item in events].count("retrying") == 2


@pytest.mark.parametrize(
    "command",
    [
        "python {examples}/python/deploy.py",
        pytest.param(
            "node {here}/deploy.js",
            marks=pytest.mark.skipif(NODE is None, reason="node is not installed: its example is not run"),
        ),
    ],
    ids=["python", "javascript"],
)
def test_the_deploy_scripts_remember_what_was_deployed_and_what_failed(reader: Reader, command: str) -> None:
    here = reader.home / "javascript"
    shutil.copytree(EXAMPLES / "javascript", here)
    (here / "node_modules").mkdir()
    (here / "node_modules" / "jilog").symlink_to(ROOT / "agent" / "js")
    script = command.format(examples=EXAMPLES, here=here)
    reader.types("jilog init --source laptop")

    refused = reader.types(f"{script} production || echo ended $?")
    staged = reader.types(f"{script} staging")
    live = reader.types(f"{script} production")

    assert "no release was on staging yet" in refused
    assert "ended 1" in refused
    assert "deployed release-1" in staged
    assert "mind: Deploying to production" in live
    assert "deployed release-1" in live
    assert "production runs release-1" in reader.types("jilog search production")


PLUG_INS = """
[[reader]]
type = "shellmate"
path = "~/.shellmate"

[tracker]
type = "notes"
path = "~/notes"
"""


def shellmate_session(home: Path, name: str, day: str) -> None:
    folder = home / ".shellmate"
    folder.mkdir(exist_ok=True)
    at = f"{day}T10:00:0"
    lines = [
        {"at": f"{at}0Z", "id": "m1", "kind": "human", "text": "run the tests of the importer"},
        {"at": f"{at}1Z", "id": "m2", "kind": "run", "call": "c1", "command": "pytst -q"},
        {
            "at": f"{at}2Z",
            "id": "m3",
            "kind": "ran",
            "call": "c1",
            "status": 127,
            "output": "bash: pytst: not found",
        },
        {"at": f"{at}3Z", "id": "m4", "kind": "hum"},
        {"at": f"{at}4Z", "id": "m5", "kind": "mate", "text": "The runner is not installed."},
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_plug_ins_read_sessions_and_file_each_problem_once(reader: Reader) -> None:
    (reader.home / ".jilog.toml").write_text(PLUG_INS)
    shellmate_session(reader.home, "one", "2026-05-09")
    reader.types("jilog init --source laptop")

    night = json.loads(reader.types("jilog review nightly --date 2026-05-09 --json 2>/dev/null"))
    again = reader.types("jilog review nightly --date 2026-05-09")

    assert night["sessions_scanned"] == 1
    (note,) = (reader.home / "notes").iterdir()
    assert note.read_text().startswith("# [ ] ")
    assert "pytst" in note.read_text()
    assert "1 errors" in again
    assert re.search(r"1 line of unknown types \([^)]*hum", reader.types("cat ~/.jilog/digests/*.md"))


def test_an_issue_that_was_ticked_is_opened_again_when_its_problem_is_back(reader: Reader) -> None:
    (reader.home / ".jilog.toml").write_text(PLUG_INS)
    reader.types("jilog init --source laptop")
    shellmate_session(reader.home, "one", "2026-05-09")
    reader.types("jilog review nightly --date 2026-05-09")
    (note,) = (reader.home / "notes").iterdir()

    note.write_text(note.read_text().replace("# [ ] ", "# [x] "))
    ticked_ns = int(datetime(2026, 5, 10, tzinfo=UTC).timestamp()) * 1_000_000_000
    os.utime(note, ns=(ticked_ns, ticked_ns))
    reader.types("jilog issues sync")
    shellmate_session(reader.home, "two", "2026-05-11")
    reader.types("jilog review nightly --date 2026-05-11")

    assert note.read_text().startswith("# [ ] ")
    assert "2026-05-11" in note.read_text()
