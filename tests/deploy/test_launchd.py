"""The property lists: launchd takes unknown keys and wrong types in silence, so they are checked here.

The keys and types are those of launchd.plist(5).
"""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "launchd"
LISTS = sorted(FOLDER.glob("*.plist"))

TYPES: dict[str, tuple[type, ...]] = {
    "Label": (str,),
    "Disabled": (bool,),
    "UserName": (str,),
    "GroupName": (str,),
    "Program": (str,),
    "ProgramArguments": (list,),
    "EnableGlobbing": (bool,),
    "KeepAlive": (bool, dict),
    "RunAtLoad": (bool,),
    "WorkingDirectory": (str,),
    "EnvironmentVariables": (dict,),
    "Umask": (int, str),
    "TimeOut": (int,),
    "ExitTimeOut": (int,),
    "ThrottleInterval": (int,),
    "InitGroups": (bool,),
    "WatchPaths": (list,),
    "QueueDirectories": (list,),
    "StartOnMount": (bool,),
    "StartInterval": (int,),
    "StartCalendarInterval": (dict, list),
    "StandardInPath": (str,),
    "StandardOutPath": (str,),
    "StandardErrorPath": (str,),
    "SoftResourceLimits": (dict,),
    "HardResourceLimits": (dict,),
    "Nice": (int,),
    "ProcessType": (str,),
    "AbandonProcessGroup": (bool,),
    "LowPriorityIO": (bool,),
    "LowPriorityBackgroundIO": (bool,),
    "LaunchOnlyOnce": (bool,),
    "SessionCreate": (bool,),
    "LimitLoadToSessionType": (str, list),
}
NESTED: dict[str, dict[str, tuple[type, ...]]] = {
    "KeepAlive": {
        "SuccessfulExit": (bool,),
        "PathState": (dict,),
        "OtherJobEnabled": (dict,),
        "Crashed": (bool,),
    },
    "StartCalendarInterval": dict.fromkeys(("Minute", "Hour", "Day", "Weekday", "Month"), (int,)),
    "SoftResourceLimits": dict.fromkeys(("Core", "CPU", "Data", "FileSize", "NumberOfFiles"), (int,)),
}


def faults(document: dict[str, Any], types: dict[str, tuple[type, ...]], where: str = "") -> list[str]:
    """Name the keys that launchd does not know and the values that it would not take."""
    found = []
    for key, value in document.items():
        if key not in types:
            found.append(f"{where}{key}: unknown key")
        # A bool is an int to Python and not to launchd.
        elif type(value) not in types[key]:
            found.append(f"{where}{key}: {type(value).__name__}")
        elif isinstance(value, dict) and key in NESTED:
            found += faults(value, NESTED[key], f"{key}.")
    return found


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_keys_and_types_are_those_of_launchd(path: Path) -> None:
    document = plistlib.loads(path.read_bytes())

    assert faults(document, TYPES) == []
    assert document["Label"] == path.stem


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_no_key_stands_twice(path: Path) -> None:
    for dictionary in ET.parse(path).iter("dict"):
        keys = [element.text for element in dictionary.findall("key")]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_command_is_one_that_the_shell_and_jilog_understand(path: Path) -> None:
    import subprocess

    shell, flag, script = plistlib.loads(path.read_bytes())["ProgramArguments"]

    assert (shell, flag) == ("/bin/sh", "-c")
    assert subprocess.run([shell, "-n", flag, script], check=False).returncode == 0
    assert '"$HOME/.local/bin/jilog"' in script


def test_faults_would_be_seen() -> None:
    planted = {"Label": "x", "RunAtLoads": True, "Nice": True, "KeepAlive": {"SuccessfullExit": False}}

    found = faults(planted, TYPES)

    assert found == ["RunAtLoads: unknown key", "Nice: bool", "KeepAlive.SuccessfullExit: unknown key"]
