"""The guide is true: its examples run, its names exist; and the JavaScript package's own tests pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import jilog_agent.sdk as jilog
from support.jilog_local import LocalHost
from support.sdk_table import JS, NODE, ROOT, working_folder

GUIDE = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
TYPES = (JS / "index.d.ts").read_text(encoding="utf-8")
SECONDS = 120
NPM = shutil.which("npm")

needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: the JavaScript SDK is not run")


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    """A host that is set up."""
    made = LocalHost(tmp_path)
    assert made.run("init", "--source", "alpha").returncode == 0
    return made


def run(host: LocalHost, *command: str, cwd: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env=host.environment(PATH=path),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_af33_the_guides_python_runs(host: LocalHost) -> None:
    folder = working_folder(host.root)

    first, second, third = (run(host, sys.executable, "-c", text, cwd=folder) for text in examples("python"))

    assert "decision Use SQLite for the index\nTrue\nThreads do not help\n" in first
    assert "## What changed\n\n- **Use SQLite for the index** - One file, no server.\n" in first
    assert second.splitlines()[0] == "2026-05-deploy []"
    assert second.splitlines()[1].startswith('invalid type "thought": must be one of')
    assert len(host.json("log", "--type", "assumption")["entries"]) == 3
    assert third == "True Validate expiry\n"


@needs_node
def test_af36_the_guides_javascript_runs(host: LocalHost) -> None:
    folder = working_folder(host.root)
    installed = folder / "node_modules" / "jilog"
    installed.parent.mkdir()
    installed.symlink_to(JS)
    (folder / "example.mjs").write_text(examples("js")[0])

    printed = run(host, str(NODE), "--preserve-symlinks", "example.mjs", cwd=folder)

    assert "decision Use SQLite for the index\n# Relevant decisions\n" in printed
    assert "\ntrue entry 1\n" in printed
    assert 'invalid type "thought": must be one of' in printed


@needs_node
def test_af36_the_packages_own_tests_pass_under_nodes_runner(host: LocalHost) -> None:
    printed = run(host, str(NODE), "--test", cwd=JS)

    passed = re.search(r"^(?:#|ℹ) pass (\d+)$", printed, re.MULTILINE)
    assert passed
    assert int(passed[1]) >= 17


@needs_node
def test_af36_the_types_name_what_the_package_has(host: LocalHost) -> None:
    script = (
        'import * as jilog from "./index.js";'
        "const members = Object.getOwnPropertyNames(jilog.Client.prototype);"
        'const turns = Object.getOwnPropertyNames(new jilog.Client({home: "/"}).turn.constructor.prototype);'
        "console.log(JSON.stringify([Object.keys(jilog), members, turns]));"
    )

    exported, members, turns = json.loads(
        run(host, str(NODE), "--input-type=module", "--eval", script, cwd=JS)
    )

    declared = set(re.findall(r"^export (?:class|function) (\w+)", TYPES, re.MULTILINE)) | {"export"}
    client = TYPES.partition("export class Client {")[2].partition("\n}")[0]
    assert set(exported) == declared
    of_turns = TYPES.partition("export interface TurnCalls {")[2].partition("\n}")[0]
    assert {*re.findall(r"^  (\w+)\(", of_turns, re.MULTILINE)} | {"constructor"} == set(turns)
    assert {"sessionId", *re.findall(r"^  (\w+)\(", client, re.MULTILINE)} | {"constructor"} == set(members)


def test_af33_every_name_of_the_sdks_is_in_the_guide() -> None:
    spoken_of_elsewhere = {
        "default_client",
        "FileRef",
        "Place",
        "FilterOptions",
        "WriteOptions",
        "CheckOptions",
    }

    for name in set(jilog.__all__) - spoken_of_elsewhere:
        assert re.search(rf"`{name}\b", GUIDE), name
    for option in (*jilog.WriteOptions.__annotations__, *jilog.FilterOptions.__annotations__):
        assert f"`{option}`" in GUIDE, option


@pytest.mark.skipif(NPM is None or NODE is None, reason="npm is not installed: the package is not packed")
def test_af45_the_npm_package_is_whole(host: LocalHost) -> None:
    run(host, str(NPM), "pack", "--offline", "--silent", "--pack-destination", str(host.root), cwd=JS)
    (packed,) = host.root.glob("jilog-*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(host.root / "unpacked", filter="data")
    modules = host.root / "node_modules"
    modules.mkdir()
    (host.root / "unpacked" / "package").rename(modules / "jilog")
    script = (
        'import { Client } from "jilog"; import { turnTool } from "jilog/tool";'
        "console.log(typeof Client, typeof turnTool);"
    )

    printed = run(host, str(NODE), "--input-type=module", "--eval", script, cwd=host.root)

    assert printed == "function function\n"
    assert all((modules / "jilog" / name).is_file() for name in ("index.d.ts", "tool.d.ts"))


def test_af36_the_package_depends_on_nothing() -> None:
    package = json.loads((JS / "package.json").read_text())

    assert not [key for key in package if "ependencies" in key]
    for path in (JS / "index.js", *(JS / "src").iterdir()):
        for source in re.findall(r'from "([^"]+)"', path.read_text()):
            assert source.startswith(("./", "node:")), (path.name, source)
