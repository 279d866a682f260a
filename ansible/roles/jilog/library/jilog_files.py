#!/usr/bin/python
"""Bring several folders and small text files into place in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jilog_files
short_description: Bring several folders and small text files into place in one step
description:
  - Each file is written beside its place with its owner and mode, and then renamed; it is never seen half,
    and never readable for more people than its mode says.
  - One step for all of them takes a fraction of the time of a step for each.
options:
  files:
    description: What shall be there, in this order, so that folders come before what lies in them.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: The absolute path.
        type: str
        required: true
      content:
        description: The text of a file; left away for a folder.
        type: str
      mode:
        description: The mode in octal digits.
        type: str
        required: true
      owner:
        description: The account that shall own it; empty leaves that alone.
        type: str
        default: ""
      group:
        description: The group that shall own it; empty leaves that alone.
        type: str
        default: ""
      validate:
        description: A command that has to accept the file, named %s in it, before it takes its place.
        type: list
        elements: str
        default: []
author:
  - The jilog authors
"""

RETURN = r"""
paths:
  description: What was changed, or would be.
  type: list
  returned: always
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ITEM: dict[str, Any] = {
    "path": {"type": "str", "required": True},
    "content": {"type": "str"},
    "mode": {"type": "str", "required": True},
    "owner": {"type": "str", "default": ""},
    "group": {"type": "str", "default": ""},
    "validate": {"type": "list", "elements": "str", "default": []},
}


class Discreet(AnsibleModule):
    """A module of whose arguments only the paths are told to the host's journal."""

    def _log_invocation(self) -> None:
        """Say what is brought, and nothing of what is in it."""
        self.log(f"brings {', '.join(item['path'] for item in self.params['files'])}")


def main() -> None:
    """Answer Ansible."""
    module = Discreet(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": ITEM}},
        supports_check_mode=True,
    )
    changed: list[str] = []
    differences: list[dict[str, str]] = []
    for item in module.params["files"]:
        try:
            before = text_of(item)
            place(module, item, before, changed)
        except (OSError, LookupError) as error:
            module.fail_json(msg=f"{item['path']}: {error}", changed=bool(changed), paths=changed)
        if item["path"] in changed and item["content"] is not None:
            differences.append(
                {
                    "before": before or "",
                    "after": item["content"],
                    "before_header": item["path"],
                    "after_header": item["path"],
                }
            )
    module.exit_json(changed=bool(changed), paths=changed, diff=differences)


def text_of(item: dict[str, Any]) -> str | None:
    """Give the text that is there now; None for a folder, and where nothing, or something else, is."""
    path = Path(item["path"])
    if item["content"] is None or path.is_symlink() or not path.is_file():
        return None
    return path.read_bytes().decode("utf-8", "surrogateescape")


def place(module: AnsibleModule, item: dict[str, Any], before: str | None, changed: list[str]) -> None:
    """Make one of them what it shall be, and note its path if it was not."""
    path, content = item["path"], item["content"]
    if content is None:
        new = not Path(path).is_dir()
        if new and not module.check_mode:
            # Nobody else may look in before its owner and mode are set.
            Path(path).mkdir(mode=0o700, parents=True)
    else:
        new = before != content
        if new and not module.check_mode:
            write(module, item)
    other = new
    if Path(path).exists() and not (new and module.check_mode):
        other = module.set_owner_if_different(path, item["owner"] or None, other)
        other = module.set_group_if_different(path, item["group"] or None, other)
        other = module.set_mode_if_different(path, item["mode"], other)
    if other:
        changed.append(path)


def write(module: AnsibleModule, item: dict[str, Any]) -> None:
    """Write a file beside its place, and let it take that when it is whole and right.

    A crash before the rename leaves ``.new``, which systemd and jilog pass over and the next run overwrites.
    """
    path = Path(item["path"])
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
        file.write(item["content"].encode("utf-8", "surrogateescape"))
        file.flush()
        os.fsync(file.fileno())
    if item["owner"] or item["group"]:
        shutil.chown(beside, item["owner"] or None, item["group"] or None)
    beside.chmod(stat.S_IMODE(int(item["mode"], 8)))
    if item["validate"]:
        command = [word.replace("%s", str(beside)) for word in item["validate"]]
        status, output, complaint = module.run_command(command)
        if status != 0:
            beside.unlink()
            module.fail_json(msg=f"{path} would not do: {(complaint or output).strip()}", command=command)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


if __name__ == "__main__":
    main()
