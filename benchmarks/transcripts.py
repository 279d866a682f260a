"""Synthetic transcripts of any size, of the mix that long coding sessions have.

Each thousand lines hold some 215 tool calls with results of 2 KB (which the harness repeats in a field of
its own), 150 thoughts, 110 short texts, 38 messages of a person, 185 notices of progress and 80 other lines:
3 KB a line on average. One result in fourteen is a failure.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

LINES = 220
TEMPLATES = 24
APPENDED_LINES = 20
_PLACE = "00000000"
_PROSE = (
    "the parser reads each line and keeps what it knows of the session so that nothing is read twice when "
    "a file grows while its settings change and the cache of the index is written next to its source "
    "before any caller asks"
)
_WORDS = _PROSE.split()
_FAILURES = (
    "error: cannot find module 'left-pad' in the tree",
    "fatal: not a git repository (or any of the parent directories)",
    "FAILED tests/test_cache.py::test_entry - AssertionError: 3 != 4\n1 failed, 212 passed",
    "bash: rgx: command not found",
)
_CORRECTIONS = (
    "no, that is the wrong file, use the settings module instead",
    "you forgot the second caller",
    "looks good, please go on with the next part",
    "why is the index written twice?",
)
_FILLER = b"x" * (1024 * 1024)
_STARTED = datetime(2026, 1, 5, tzinfo=UTC)


class Session:
    """Makes the lines of one session; ids hold a placeholder, so that copies of a session are sessions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0
        self._parent: str | None = None

    def lines(self) -> Iterator[str]:
        """Give LINES lines."""
        yield from self._line({"type": "user", "message": {"role": "user", "content": self._words(60)}})
        while self._number < LINES:
            yield from self._turn(self._random.random())

    def _turn(self, kind: float) -> Iterator[str]:
        if kind < 0.41:
            yield from self._call()
        elif kind < 0.69:
            yield from self._assistant(
                {"type": "thinking", "thinking": self._words(260), "signature": "c2ln" * 90}
            )
        elif kind < 0.80:
            yield from self._assistant({"type": "text", "text": self._words(55)})
        elif kind < 0.84:
            text = self._random.choice((*_CORRECTIONS, self._words(40)))
            yield from self._line({"type": "user", "message": {"role": "user", "content": text}})
        elif kind < 0.93:
            for _ in range(4):
                data = {"type": "hook_progress", "output": self._words(110)}
                yield from self._line({"type": "progress", "data": data})
        else:
            yield json.dumps({"type": "file-history-snapshot", "snapshot": {"files": self._words(60)}}) + "\n"
            yield from self._line({"type": "system", "subtype": "turn_duration", "content": self._words(70)})

    def _call(self) -> Iterator[str]:
        self._number += 1
        call_id = f"toolu_{_PLACE}{self._number:012d}"
        kind = self._random.random()
        if kind < 0.45:
            name, value = "Bash", {"command": f"rg -n {self._words(2)!r} src | head -40"}
        elif kind < 0.75:
            name, value = "Read", {"file_path": f"/home/bench/app/src/{self._words(1)}.py"}
        else:
            edit = {"old_string": self._code(6), "new_string": self._code(9)}
            name, value = "Edit", {"file_path": f"/home/bench/app/src/{self._words(1)}.py", **edit}
        yield from self._assistant({"type": "tool_use", "id": call_id, "name": name, "input": value})
        failed = self._random.random() < 1 / 14
        text = self._code(self._random.randrange(4, 75))
        content = f"Exit code 1\n{self._random.choice(_FAILURES)}\n{text[:400]}" if failed else text
        result = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": failed}
        repeated = {
            "stdout": content,
            "stderr": "",
            "structuredPatch": [self._code(30)],
            "originalFile": text * 2,
        }
        message = {"role": "user", "content": [result]}
        yield from self._line({"type": "user", "message": message, "toolUseResult": repeated})

    def _assistant(self, block: dict[str, object]) -> Iterator[str]:
        usage = {
            "input_tokens": 4,
            "cache_read_input_tokens": 81000,
            "output_tokens": 210,
            "service_tier": "standard",
        }
        identity = {
            "id": f"msg_{_PLACE}{self._number:012d}",
            "type": "message",
            "role": "assistant",
            "model": "bench",
        }
        yield from self._line(
            {"type": "assistant", "message": {**identity, "content": [block], "usage": usage}}
        )

    def _line(self, record: dict[str, object]) -> Iterator[str]:
        self._number += 1
        identity = f"{_PLACE}-0000-4000-8000-{self._number:012d}"
        moment = _STARTED + timedelta(seconds=9 * self._number)
        head = {
            "parentUuid": self._parent,
            "isSidechain": False,
            "userType": "external",
            "cwd": "/home/bench/app",
            "sessionId": f"{_PLACE}-0000-4000-8000-000000000000",
            "version": "2.1.200",
            "gitBranch": "main",
        }
        tail = {"uuid": identity, "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
        self._parent = identity
        yield json.dumps({**head, **record, **tail}) + "\n"

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=count))

    def _code(self, count: int) -> str:
        return "\n".join(f"{number:5d}\t    self.{self._words(6)} = {number}" for number in range(count))


def write_sessions(folder: Path, size_bytes: int) -> list[Path]:
    """Write sessions of at least ``size_bytes`` together; the same bytes every time."""
    templates = ["".join(Session(seed).lines()) for seed in range(TEMPLATES)]
    project = folder / "-home-bench-app"
    project.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    written = 0
    while written < size_bytes:
        number = len(paths)
        data = templates[number % TEMPLATES].replace(_PLACE, f"{number + 1:08x}").encode()
        path = project / f"{number + 1:08x}-0000-4000-8000-000000000000.jsonl"
        path.write_bytes(data)
        paths.append(path)
        written += len(data)
    return paths


def write_long_file(folder: Path, size_bytes: int) -> None:
    """Write one session of at least ``size_bytes``; each stretch of it has ids of its own."""
    templates = ["".join(Session(seed).lines()) for seed in range(TEMPLATES)]
    written = number = 0
    with (folder / f"{_PLACE}-0000-4000-8000-000000000000.jsonl").open("wb") as file:
        while written < size_bytes:
            number += 1
            written += file.write(templates[number % TEMPLATES].replace(_PLACE, f"{number:08x}").encode())


def write_long_line(folder: Path, size_bytes: int) -> None:
    """Write one session with a line of ``size_bytes`` between others."""
    lines = [line.encode() for line in Session(0).lines()]
    with (folder / f"{_PLACE}-0000-4000-8000-000000000000.jsonl").open("wb") as file:
        file.writelines(lines[: LINES // 2])
        file.write(b'{"type":"user","message":{"role":"user","content":"')
        for _ in range(size_bytes // len(_FILLER)):
            file.write(_FILLER)
        file.write(b'"}}\n')
        file.writelines(lines[LINES // 2 :])


def append_lines(paths: list[Path], size_bytes: int, night: int) -> None:
    """Append about ``size_bytes`` of new lines together, a few to each of some sessions."""
    lines = list(Session(TEMPLATES + night).lines())
    written = 0
    for number, path in enumerate(paths):
        if written >= size_bytes:
            return
        place = f"{night:01x}{number + 1:07x}"
        data = "".join(lines[:APPENDED_LINES]).replace(_PLACE, place).encode()
        with path.open("ab") as file:
            file.write(data)
        written += len(data)
