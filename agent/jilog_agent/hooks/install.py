"""Installing hooks: settings are read, merged and written, each file whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jilog_agent.hooks.harness import Harness
from jilog_agent.hooks.merge import NotSettings, Settings, our_commands, with_hooks, without_hooks
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError, StorageError
from jilog_ledger.event import JsonValue

SETTINGS_BYTES_MAX = 1_048_576
"""Settings are written by hand; a larger file is another one by mistake."""

BACKUP_ENDING = ".jilog-backup"
_INDENT = re.compile(r"^([ \t]+)\"", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Target:
    """One agent's settings, of a repository or of the user; ``commands`` is what belongs there, by event."""

    harness: Harness
    path: Path
    scope: str
    commands: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one file: ``installed``, ``removed``, ``unchanged`` or ``absent``."""

    target: Target
    outcome: str


def command_line(harness: Harness, event: str, scope: str, options: tuple[str, ...]) -> str:
    """Write the command that an agent is to run.

    A repository's settings are shared: there it is looked for on the PATH of whoever works in it, and its
    absence is silent. The user's own settings name the program that installed them.
    """
    words = ["hooks", "run", harness.name, event, *options]
    if scope == "project":
        run = shlex.join(["jilog", *words])
        return f"if command -v jilog >/dev/null 2>&1; then {run}; fi"
    return shlex.join([*_program(), *words])


def _program() -> list[str]:
    beside = Path(sys.executable).with_name("jilog")
    if beside.is_file():
        return [str(beside)]
    found = shutil.which("jilog")
    return [found] if found else [sys.executable, "-m", "jilog_agent"]


def install(target: Target, disk: Disk, *, dry_run: bool = False) -> Change:
    """Put our commands into a file of settings; twice is as good as once.

    Raises:
        InputError: the file is no settings, and is left as it is.
        StorageError: the disk refused; the file is the old one.
    """
    text = _read(target.path)
    settings = _settings(text, target.path)
    try:
        merged = with_hooks(settings, target.harness, target.commands)
    except NotSettings as exc:
        raise _refused(target.path, str(exc)) from exc
    if merged == settings:
        return Change(target, "unchanged")
    if not dry_run:
        _write(target.path, text, merged, disk)
    return Change(target, "installed")


def uninstall(target: Target, disk: Disk, *, dry_run: bool = False) -> Change:
    """Take our commands out of a file of settings.

    Raises:
        InputError: the file is no settings, and is left as it is.
        StorageError: the disk refused; the file is the old one.
    """
    text = _read(target.path)
    if text is None:
        return Change(target, "absent")
    settings = _settings(text, target.path)
    try:
        rest = without_hooks(settings, target.harness)
    except NotSettings as exc:
        raise _refused(target.path, str(exc)) from exc
    if rest == settings:
        return Change(target, "absent")
    if not dry_run:
        if set(rest) <= {"version"}:
            # Nothing but ours was in it.
            disk.remove(Path(os.path.realpath(target.path)))
        else:
            _write(target.path, text, rest, disk)
    return Change(target, "removed")


def condition(target: Target) -> str:
    """Tell how a file is: ``installed``, ``outdated``, ``absent``, or ``unreadable``."""
    try:
        text = _read(target.path)
        found = our_commands(_settings(text, target.path))
    except (InputError, NotSettings):
        return "unreadable"
    if not found:
        return "absent"
    wanted = {event: [command] for event, command in target.commands.items()}
    return "installed" if found == wanted else "outdated"


def _read(path: Path) -> str | None:
    try:
        if path.stat().st_size > SETTINGS_BYTES_MAX:
            raise _refused(path, f"it is larger than {SETTINGS_BYTES_MAX} bytes")
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as exc:
        raise _refused(path, "it is no UTF-8") from exc
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror}") from exc


def _settings(text: str | None, path: Path) -> Settings:
    if text is None or not text.strip():
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _refused(path, f"it is no JSON ({exc})") from exc
    if not isinstance(document, dict):
        raise _refused(path, "it is no JSON object")
    return document


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"{path} is left as it is: {why}", hint="mend the file, then try again")


def _write(path: Path, old: str | None, settings: Mapping[str, JsonValue], disk: Disk) -> None:
    """Keep the old file beside the new one; a crash leaves the one or the other in place, whole."""
    # Settings are often links into a repository of dot files; the link stays.
    real = Path(os.path.realpath(path))
    mode = real.stat().st_mode & 0o777 if old is not None else 0o644
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageError(f"cannot make {real.parent}: {exc.strerror}") from exc
    if old is not None:
        backup = real.with_name(real.name + BACKUP_ENDING)
        disk.replace(backup, old.encode())
    disk.replace(real, _rendered(settings, old).encode())
    real.chmod(mode)


def _rendered(settings: Mapping[str, JsonValue], old: str | None) -> str:
    """Write settings with the indentation and the last line's end that the old ones had."""
    found = _INDENT.search(old or "")
    indent: str | int = found[1] if found else 2
    end = "" if old and not old.endswith("\n") else "\n"
    return json.dumps(settings, indent=indent, ensure_ascii=False) + end
