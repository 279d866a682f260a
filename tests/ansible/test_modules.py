"""The role's own modules, each run as Ansible runs it, on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority

LIBRARY = Path(__file__).parents[2] / "ansible" / "roles" / "jilog" / "library"

# What Ansible packs around a module: its arguments, in the process that runs it.
AROUND = """
import json, runpy, sys
from ansible.module_utils.testing import patch_module_args
with patch_module_args(json.loads(sys.argv[2])):
    runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(module: str, *, check: bool = False, **arguments: Any) -> Any:
    """Run a module and give its answer."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", AROUND, str(LIBRARY / f"{module}.py")),
            json.dumps({**arguments, "_ansible_check_mode": check}),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.lstrip().startswith("{"), done.stderr
    return json.loads(done.stdout)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o7777)


def test_files_are_written_once_with_their_mode_and_folders_before_them(tmp_path: Path) -> None:
    folder, file = tmp_path / "etc" / "jilog", tmp_path / "etc" / "jilog" / "a.toml"
    wanted = [
        {"path": str(folder), "mode": "0750"},
        {"path": str(file), "mode": "0600", "content": "a = 'ä'\n"},
    ]

    tried = run("jilog_files", check=True, files=wanted)
    missing = not folder.exists()
    first, second = run("jilog_files", files=wanted), run("jilog_files", files=wanted)
    file.chmod(0o644)
    third = run("jilog_files", files=wanted)

    assert (tried["paths"], missing) == ([str(folder), str(file)], True)
    assert (first["paths"], second["paths"], third["paths"]) == ([str(folder), str(file)], [], [str(file)])
    assert (file.read_text(), mode(file), mode(folder)) == ("a = 'ä'\n", "0o600", "0o750")
    assert list(folder.iterdir()) == [file]


def test_a_file_that_its_program_refuses_never_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("old\n")
    wanted = {"path": str(file), "mode": "0644", "content": "new\n"}

    refused = run("jilog_files", files=[{**wanted, "validate": ["grep", "-q", "old", "%s"]}])
    after = file.read_text()
    taken = run("jilog_files", files=[{**wanted, "validate": ["grep", "-q", "new", "%s"]}])

    assert (refused["failed"], after) == (True, "old\n")
    assert (taken["changed"], file.read_text(), list(tmp_path.iterdir())) == (True, "new\n", [file])


def test_a_link_in_a_files_place_is_replaced_and_what_it_names_is_left_alone(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "config"
    other.write_text("text\n")
    link.symlink_to(other)

    run("jilog_files", files=[{"path": str(link), "mode": "0600", "content": "text\n"}])

    assert (link.is_symlink(), link.read_text(), other.read_text()) == (False, "text\n", "text\n")
    assert mode(other) != "0o600"


@pytest.fixture
def signing(tmp_path: Path) -> dict[str, Any]:
    authority = Authority(tmp_path / "ca")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    return {
        "ca": str(authority.key),
        "folder": str(tmp_path),
        "name": "box",
        "public_key": (tmp_path / "key.pub").read_text(),
        "principal": "box-1",
        "validity": "+52w",
        "renew_days": 30,
    }


def test_certificates_are_made_once_for_both_directions(signing: dict[str, Any]) -> None:
    tried = run("jilog_certificates", check=True, **signing)
    first, second = run("jilog_certificates", **signing), run("jilog_certificates", **signing)

    assert (tried["changed"], tried["certificates"]) == (True, {"user": "", "host": ""})
    assert (first["changed"], second["changed"]) == (True, False)
    for kind, ending in (("user", "-cert.pub"), ("host", "-host-cert.pub")):
        path = Path(signing["folder"]) / f"box{ending}"
        said = subprocess.run(
            ["ssh-keygen", "-L", "-f", str(path)], capture_output=True, text=True, check=True
        )
        assert f"{kind} certificate" in said.stdout
        assert said.stdout.partition("Principals:")[2].split()[0] == "box-1"
        assert first["certificates"][kind] == path.read_text()


def test_certificates_are_made_again_when_they_would_not_do(signing: dict[str, Any], tmp_path: Path) -> None:
    run("jilog_certificates", **signing)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "next")], check=True)
    changes = [
        {"principal": "box-2"},
        {"public_key": (tmp_path / "next.pub").read_text()},
        {"ca": str(Authority(tmp_path / "other").key)},
        {"renew_days": 400},
    ]

    made = []
    for change in changes:
        signing |= change
        made.append(run("jilog_certificates", **signing)["changed"])

    assert made == [True] * len(changes)


@pytest.fixture
def host(tmp_path: Path) -> dict[str, Any]:
    """Arguments for a host whose jilog answers with what stands in two files."""
    (tmp_path / "agent").write_text(
        json.dumps(
            {"agent": {"version": "1.0", "read_only": None, "peers": [{"peer": "b", "connected": True}]}}
        )
    )
    (tmp_path / "status").write_text(json.dumps({"zones": [{"quarantined": 1}]}))
    program = tmp_path / "jilog"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/$1"\n')
    program.chmod(0o755)
    return {
        "run": [str(program)],
        "version": "1.0",
        "peers": ["b"],
        "quarantined": 1,
        "seconds": 0,
        "scope": "system",
    }


@pytest.mark.parametrize(
    ("changed", "amiss"),
    [
        ({}, None),
        ({"version": "1.1"}, "the agent that runs is 1.0"),
        ({"peers": ["b", "c"]}, "not connected with c"),
        ({"quarantined": 0}, "1 more damaged segments than before"),
    ],
)
def test_health_says_what_is_amiss(host: dict[str, Any], changed: dict[str, Any], amiss: str | None) -> None:
    answer = run("jilog_health", **(host | changed))

    assert (answer.get("failed", False), answer.get("msg")) == (amiss is not None, amiss)


def test_health_waits_for_an_agent_that_takes_its_time(host: dict[str, Any], tmp_path: Path) -> None:
    # The answer comes to be at the third time of asking.
    (tmp_path / "jilog").write_text(
        f'#!/bin/sh\necho x >>"{tmp_path}/asked"\n'
        f'[ $(wc -l <"{tmp_path}/asked") -lt 3 ] || exec cat "{tmp_path}/$1"\necho \'{{"agent": null}}\'\n'
    )

    answer = run("jilog_health", **(host | {"seconds": 120}))

    assert not answer.get("failed", False), answer
    assert len((tmp_path / "asked").read_text().splitlines()) == 4


def test_a_version_that_cannot_be_installed_is_not_marked_and_leaves_nothing_brought(tmp_path: Path) -> None:
    brought = tmp_path / "brought"
    brought.mkdir()
    (brought / "jilog-9.9-py3-none-any.whl").write_bytes(os.urandom(100))

    answer = run(
        "jilog_version",
        python=sys.executable,
        folder=str(tmp_path / "9.9"),
        brought=str(brought),
        spec="jilog==9.9",
        version="9.9",
        offline=True,
    )

    assert answer["failed"]
    assert "pip ended with" in answer["msg"]
    assert not (tmp_path / "9.9" / ".installed").exists()
    assert not brought.exists()
