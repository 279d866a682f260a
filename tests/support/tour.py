"""Documents whose commands are typed and whose output is compared: the README's tour and the tutorials.

A block of kind ``console`` has commands after a prompt, ``$`` or ``laptop$`` where there are several hosts,
and below each what it prints. Lines after ``>`` belong to the command above. ``…`` at the end of a line
stands for whatever follows.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_PROMPT = re.compile(r"(\w*)\$ (.*)")
_VARIABLE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "UUID"),
    (re.compile(r"SHA256:[\w+/]+"), "FINGERPRINT"),
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "HEX"),
    (re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?(\.\d+)?Z?)?"), "TIME"),
    (re.compile(r"\d+(\.\d+)? (B|KiB|MiB)\b"), "SIZE"),
    (re.compile(r"\d+(\.\d+)?"), "N"),
    # Columns are as wide as what is in them.
    (re.compile(r" {2,}"), "  "),
)
STEP_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Step:
    """One command, the host that it is typed on ("" where there is one), and what is printed below it."""

    host: str
    command: str
    shown: str


def steps(document: Path) -> list[Step]:
    """Give each command of a document with the output printed below it."""
    found: list[Step] = []
    for block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if prompt := _PROMPT.fullmatch(line):
                found.append(Step(prompt[1], prompt[2], ""))
                continue
            last = found[-1]
            if line == ">" or line.startswith("> "):
                found[-1] = Step(last.host, f"{last.command}\n{line[2:]}", last.shown)
            else:
                found[-1] = Step(last.host, last.command, f"{last.shown}{line}\n")
    return found


def same(printed: str, shown: str, home: Path) -> bool:
    """Tell whether a command printed what a document shows, but for what differs from run to run."""
    parts = (re.escape(_plain(part, home)) for part in re.split(r"…$", shown, flags=re.MULTILINE))
    return re.fullmatch(r".*".join(parts), _plain(printed, home), re.DOTALL) is not None


def _plain(text: str, home: Path) -> str:
    text = text.replace(str(home), "~")
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def environment(home: Path, programs: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of somebody whose home is ``home`` and who has jilog among ``programs``."""
    kept = {name: value for name, value in inherited.items() if not name.startswith("JILOG_")}
    return kept | {
        "HOME": str(home),
        "PATH": f"{programs}:{inherited['PATH']}",
        "NO_COLOR": "1",
        "TZ": "UTC",
    }


def typed(command: str, where: dict[str, str]) -> str:
    """Type one command into a shell, as a reader does, and give all that it prints.

    It must succeed: a document shows a failure as ``command || echo failed``.
    """
    done = subprocess.run(
        ["bash", "-c", command],
        env=where,
        cwd=where["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=STEP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def taken(found: list[Step], home: Path, where: dict[str, str]) -> Iterator[str]:
    """Take all steps on one host; give each command whose output is not what its document shows."""
    for step in found:
        printed = typed(step.command, where)
        if not same(printed, step.shown, home):
            yield f"$ {step.command}\n--- printed\n{printed}\n--- shown\n{step.shown}"
