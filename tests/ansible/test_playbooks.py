"""Playbooks, role and inventories as they are written, without a host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ANSIBLE = ROOT / "ansible"
ROLE = ANSIBLE / "roles" / "jilog"
PLAYBOOKS = sorted(path.name for path in ANSIBLE.glob("*.yml"))
INVENTORIES = sorted(path.parent.name for path in ANSIBLE.glob("inventories/*/hosts.yml"))
SECRETS = ("jilog_environment", "jilog_index_url")
SECRET = re.compile(rf"\b(?:{'|'.join(SECRETS)})\b")


def tool(name: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / name), *arguments],
        cwd=ANSIBLE,
        env={**kept, "ANSIBLE_HOME": str(home), "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def options() -> dict[str, Any]:
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())
    found: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return found


def inventory(name: str, home: Path) -> Any:
    done = tool("ansible-inventory", "-i", f"inventories/{name}/hosts.yml", "--list", home=home)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_there_are_the_playbooks_that_the_handbook_names() -> None:
    handbook = (ANSIBLE / "README.md").read_text()

    assert PLAYBOOKS == ["remove.yml", "rotate-keys.yml", "site.yml", "status.yml", "upgrade.yml"]
    assert all(f"`{name}`" in handbook for name in PLAYBOOKS)


def test_lint_has_nothing_to_say(tmp_path: Path) -> None:
    done = tool("ansible-lint", "--offline", "--nocolor", "-q", home=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", INVENTORIES)
def test_example_inventory_sets_only_what_the_role_knows(name: str, tmp_path: Path) -> None:
    hosts = inventory(name, tmp_path)["_meta"]["hostvars"]

    used = {key for variables in hosts.values() for key in variables if key.startswith("jilog_")}

    assert hosts
    assert used <= set(options())


@pytest.mark.parametrize("name", INVENTORIES)
def test_playbooks_are_understood_with_the_example(name: str, tmp_path: Path) -> None:
    done = tool(
        "ansible-playbook", "-i", f"inventories/{name}/hosts.yml", "--syntax-check", *PLAYBOOKS, home=tmp_path
    )

    assert done.returncode == 0, done.stderr


def test_twenty_hosts_are_twenty_and_two_of_them_hubs(tmp_path: Path) -> None:
    hosts = inventory("twenty-hosts", tmp_path)

    assert len(hosts["_meta"]["hostvars"]) == 20
    assert hosts["hubs"]["hosts"] == ["hub1", "hub2"]


def test_every_setting_has_a_default_and_a_description() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())

    assert set(defaults) == set(options())
    assert all(option["description"] for option in options().values())


def test_units_and_scripts_of_the_role_are_those_of_deploy() -> None:
    assert (ROLE / "files/deploy").resolve() == ROOT / "deploy"


def test_tasks_that_touch_a_secret_say_nothing() -> None:
    silent = []
    for path in sorted(ROLE.glob("tasks/*.yml")):
        for task in _tasks(yaml.safe_load(path.read_text())):
            own = {key: value for key, value in task.items() if key != "block"}
            if SECRET.search(json.dumps(own)):
                assert task.get("no_log"), (path.name, task["name"])
                silent.append(task["name"])

    # A positive control: the two that must be there.
    assert silent == ["Write the environment of the units", "Install jilog {{ jilog_wanted }}"]
    assert all(options()[secret].get("no_log", True) for secret in SECRETS)


def _tasks(listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    nested = [
        inner for task in listed for part in ("block", "rescue", "always") for inner in task.get(part, [])
    ]
    return listed + (_tasks(nested) if nested else [])
