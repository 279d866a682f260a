#!/usr/bin/python
"""Make one version's environment on this host from what was brought, and mark it as whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jilog_version
short_description: Make one version's environment on this host from what was brought, and mark it as whole
description:
  - What was brought is gone afterwards. The mark comes last, so a run that dies before leaves a folder that
    nobody takes for installed and that the next run clears.
options:
  python:
    description: The Python to make the environment with.
    type: str
    required: true
  folder:
    description: The folder of the version.
    type: path
    required: true
  brought:
    description: A folder with wheels, or tars of wheels.
    type: path
    required: true
  spec:
    description: What to install, as pip says it.
    type: str
    required: true
  version:
    description: What the program has to say it is.
    type: str
    required: true
  offline:
    description: Ask no package index.
    type: bool
    default: false
author:
  - The jilog authors
"""

RETURN = r"""
msg:
  description: Which step failed, and what it said.
  type: str
  returned: failure
"""

import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, Any] = {
    "python": {"type": "str", "required": True},
    "folder": {"type": "path", "required": True},
    "brought": {"type": "path", "required": True},
    "spec": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "offline": {"type": "bool", "default": False},
}
COMPLAINT_CHARS_MAX = 2000


def main() -> None:
    """Answer Ansible."""
    module = AnsibleModule(argument_spec=OPTIONS)
    folder, brought = Path(module.params["folder"]), Path(module.params["brought"])
    try:
        for archive in brought.glob("*.tar"):
            unpack(archive)
        install(module, folder, brought)
        mark_as_whole(folder, module.params["spec"])
    except (OSError, tarfile.TarError) as error:
        module.fail_json(msg=str(error))
    finally:
        shutil.rmtree(brought, ignore_errors=True)
    module.exit_json(changed=True)


def unpack(archive: Path) -> None:
    """Take the wheels out of a tar, wherever in it they are, and nothing else."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".whl") else None
            if content is not None:
                with (archive.parent / Path(member.name).name).open("wb") as target:
                    shutil.copyfileobj(content, target)
    archive.unlink()


def install(module: AnsibleModule, folder: Path, brought: Path) -> None:
    """Make the environment, install into it, and try the program."""
    run(module, module.params["python"], "-m", "venv", "--clear", str(folder))
    pip = [str(folder / "bin/pip"), "--quiet", "--disable-pip-version-check", "--no-cache-dir", "install"]
    source = ["--no-index"] if module.params["offline"] else []
    run(module, *pip, "--only-binary=:all:", f"--find-links={brought}", *source, module.params["spec"])
    said = run(module, str(folder / "bin/jilog"), "--version").strip()
    if module.params["version"] not in said.split():
        module.fail_json(msg=f"what was installed as {module.params['version']} says it is {said}")


def run(module: AnsibleModule, *command: str) -> str:
    """Run a command that has to succeed, and give what it printed."""
    status, output, complaint = module.run_command(list(command))
    if status != 0:
        said = complaint.strip()[-COMPLAINT_CHARS_MAX:]
        module.fail_json(msg=f"{Path(command[0]).name} ended with {status}: {said}")
    return str(output)


def mark_as_whole(folder: Path, spec: str) -> None:
    """Write the mark, on stable storage."""
    with (folder / ".installed").open("w") as mark:
        mark.write(f"{spec}\n")
        mark.flush()
        os.fsync(mark.fileno())


if __name__ == "__main__":
    main()
