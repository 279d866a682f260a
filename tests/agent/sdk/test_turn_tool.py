"""The tool for agents: each action's command line, and what it does with the real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.turn_repo import GIT_SETTINGS, TurnHost, git_repository, program

TOOL = (Path(__file__).parents[3] / "agent" / "js" / "tool.js").as_uri()
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed: the JavaScript tool is not run")

LOGGING = 'printf "%s\\n" "$@" >> "$LOG"; printf "\\n" >> "$LOG"; echo said; echo more >&2; exit ${STATUS:-0}'


def tool(script: str, *, cwd: Path, environment: dict[str, str]) -> Any:
    """Run lines of JavaScript that leave their result in ``result``."""
    code = f'import {{ suggestedSummary, turnTool }} from "{TOOL}";\nlet result;\n{script}\n'
    done = subprocess.run(
        [str(NODE), "--input-type=module", "--eval", f"{code}console.log(JSON.stringify(result));"],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("call", "argv"),
    [
        ("{action: 'status'}", [["turn", "status"]]),
        ("{action: 'init'}", [["turn", "init"]]),
        ("{action: 'start', goal: 'a b', ticket: 'T-1'}", [["turn", "start", "--goal=a b", "--ticket=T-1"]]),
        ("{action: 'record', summary: ' a\\n b '}", [["turn", "record", "--if-dirty", "--summary=a b"]]),
        ("{action: 'report', id: 'sess_1'}", [["turn", "report", "--stdout", "sess_1"]]),
        (
            "{action: 'record', summary: 'x', autoInit: true, autoStart: true, goal: 'g'}",
            [["turn", "init"], ["turn", "record", "--if-dirty", "--summary=x", "--auto-start=g"]],
        ),
    ],
)
def test_pf01_each_action_runs_its_command(tmp_path: Path, call: str, argv: list[list[str]]) -> None:
    log = tmp_path / "log"
    bin_folder = program(tmp_path / "bin", "jilog", LOGGING)
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "LOG": str(log)}

    answer = tool(f"result = await turnTool().execute({call});", cwd=tmp_path, environment=environment)

    assert answer == {"text": "said\nmore", "code": 0}
    assert [part.splitlines() for part in log.read_text().split("\n\n") if part] == argv


def test_pf01_another_program_is_run_when_it_is_named_and_failures_are_text_with_code_2(
    tmp_path: Path,
) -> None:
    other = program(tmp_path / "bin", "mine", LOGGING) / "mine"
    environment = {**os.environ, "JILOG_BIN": str(other), "LOG": str(tmp_path / "log"), "STATUS": "6"}
    script = (
        "const tool = turnTool();\n"
        "const gone = turnTool({command: ['/not/there']});\n"
        "result = [await tool.execute({action: 'status'}), await gone.execute({action: 'status'}),"
        " await tool.execute({action: 'constructor'})];"
    )

    failed, gone, unknown = tool(script, cwd=tmp_path, environment=environment)

    assert failed == {"text": "said\nmore", "code": 2}
    assert (gone["code"], unknown["code"]) == (2, 2)
    assert "cannot be started" in gone["text"]
    assert (tmp_path / "log").exists()


@pytest.fixture
def app(tmp_path: Path) -> TurnHost:
    return TurnHost.at(tmp_path, git_repository(tmp_path / "app"))


def real(app: TurnHost, script: str) -> Any:
    command = json.dumps([sys.executable, "-m", "jilog_agent"])
    return tool(
        f"const tool = turnTool({{command: {command}}});\n{script}",
        cwd=app.folder,
        environment=app.host.environment(**GIT_SETTINGS),
    )


def test_pf02_only_a_dirty_tree_is_recorded_and_what_is_missing_is_made_when_asked(app: TurnHost) -> None:
    missing, clean, dirty = real(
        app,
        """
        import { writeFileSync } from "node:fs";
        import { execFileSync } from "node:child_process";
        const missing = await tool.execute({ action: "record", summary: "x" });
        const asked = { action: "record", summary: "x", autoInit: true, autoStart: true };
        await tool.execute({ action: "init" });
        execFileSync("git", ["add", "."]);
        execFileSync("git", ["commit", "-qm", "ignore"]);
        const clean = await tool.execute(asked);
        writeFileSync("a.txt", "two\\n");
        result = [missing, clean, await tool.execute(asked)];
        """,
    )

    assert missing["code"] == 2
    assert "not recorded: nothing has changed" in clean["text"]
    assert "recorded turn_" in dirty["text"]
    assert [item["type"] for item in app.records()] == ["session_started", "turn_recorded"]


def test_pf03_automatic_recording_is_off_at_first_and_takes_each_message_once_even_after_a_restart(
    app: TurnHost,
) -> None:
    (app.folder / "a.txt").write_text("two\n")
    message = "{ id: 'm1', text: 'changed a' }"

    off, on, again = real(
        app,
        f"const off = await tool.onMessage({message}); await tool.execute({{ action: 'auto' }});"
        f" result = [off, await tool.onMessage({message}), await tool.onMessage({message})];",
    )
    restarted = real(
        app, f"await tool.execute({{ action: 'auto' }}); result = await tool.onMessage({message});"
    )

    assert off is None
    assert {on["code"], again["code"], restarted["code"]} == {0}
    assert [item["type"] for item in app.records()] == ["session_started", "turn_recorded"]


def test_pf04_summary_is_squeezed_and_cut_at_120_characters(tmp_path: Path) -> None:
    texts = "['  a\\n\\n b\\tc ', 'x'.repeat(121), 'é😀'.repeat(60), 'y'.repeat(120)]"
    script = f"result = {texts}.map(suggestedSummary);"

    squeezed, cut, characters, whole = tool(script, cwd=tmp_path, environment=dict(os.environ))

    assert squeezed == "a b c"
    assert cut == "x" * 119 + "…"
    assert characters == "é😀" * 60
    assert whole == "y" * 120
