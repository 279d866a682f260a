"""Run the commands that a person would type, and give what they print."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from jilog_agent.page import limits
from jilog_ledger.errors import JilogError
from jilog_ledger.event import JsonValue

Document = Mapping[str, JsonValue]

_ANSWERED = (0, 1, 3, 7, 8)
"""Exit statuses with which a command may have printed its result: it answered, and not all is well."""


class CommandFailed(JilogError):
    """A command gave no answer; the message and the hint are its own."""


@dataclass(slots=True)
class Asker:
    """Runs ``jilog`` with the agent's own home and config; a few at a time, and each within limits."""

    options: tuple[str, ...]
    environment: Mapping[str, str]
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(limits.COMMANDS_AT_ONCE))
    _waiting: int = 0

    async def document(self, *arguments: str) -> Document:
        """Run a command with ``--json`` and give its document.

        Raises:
            CommandFailed: it failed, took too long, or printed no document.
        """
        # What follows "--" is nobody's option, however it begins.
        end = arguments.index("--") if "--" in arguments else len(arguments)
        output = await self.text(*arguments[:end], "--json", *arguments[end:])
        try:
            found = msgspec.json.decode(output)
        except msgspec.DecodeError as exc:
            raise CommandFailed(f"jilog {arguments[0]} printed no JSON: {exc}") from exc
        return found if isinstance(found, dict) else {"items": found}

    async def text(self, *arguments: str) -> str:
        """Run a command and give what it prints on stdout.

        Raises:
            CommandFailed: it failed, took too long, or too many others wait.
        """
        if self._waiting >= limits.COMMANDS_WAITING_MAX:
            raise CommandFailed("too many pages are being made", hint="try again in a moment")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._run(arguments)
        finally:
            self._waiting -= 1

    async def _run(self, arguments: tuple[str, ...]) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "jilog_agent", *arguments[:1], *self.options, *arguments[1:]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment, "NO_COLOR": "1"},
            limit=limits.OUTPUT_BYTES_MAX,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(limits.COMMAND_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError as exc:
            raise CommandFailed(
                f"jilog {arguments[0]} took more than {limits.COMMAND_SECONDS:g} s",
                hint=f"run it in a terminal: jilog {' '.join(arguments)}",
            ) from exc
        finally:
            if process.returncode is None:
                # Also when the browser went away: nobody waits for the answer any more.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode in _ANSWERED and output:
            return output.decode("utf-8", "replace")
        raise (
            _failure(errors.decode("utf-8", "replace"), process.returncode)
            if process.returncode
            else _nothing(arguments[0])
        )


def _nothing(name: str) -> CommandFailed:
    return CommandFailed(f"jilog {name} printed nothing")


def _failure(errors: str, status: int | None) -> CommandFailed:
    """Give a failed command's own message and hint."""
    message, hint = f"the command ended with status {status}", None
    for line in errors.splitlines():
        if line.startswith("jilog: error: "):
            message = line.removeprefix("jilog: error: ")
        elif line.startswith("jilog: hint: "):
            hint = line.removeprefix("jilog: hint: ")
    return CommandFailed(message, hint=hint)
