#!/usr/bin/python
"""Sign a host's key with the fleet's authority, as one that calls and as one that is called."""

from __future__ import annotations

DOCUMENTATION = r"""
module: jilog_certificates
short_description: Sign a host's key with the fleet's authority, where that is not done yet
description:
  - Keeps NAME-cert.pub and NAME-host-cert.pub in a folder. A certificate is made again when it is of another
    key, authority or principal, or soon out of date.
  - Runs where the authority's key is, which no host ever sees.
options:
  ca:
    description: The authority's private key, or its public key when an ssh-agent holds the private one.
    type: path
    required: true
  folder:
    description: Where certificates are kept.
    type: path
    required: true
  name:
    description: What the files are called by.
    type: str
    required: true
  public_key:
    description: The host's public key, as a line.
    type: str
    required: true
  principal:
    description: The name that the certificates vouch for.
    type: str
    required: true
  validity:
    description: How long, as ssh-keygen -V says it.
    type: str
    required: true
  renew_days:
    description: How many days before their end they are made again.
    type: int
    required: true
author:
  - The jilog authors
"""

RETURN = r"""
certificates:
  description: The lines of both, by kind (user, host); empty for one that check mode did not make.
  type: dict
  returned: always
"""

import datetime as dt
import re
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

OPTIONS: dict[str, Any] = {
    "ca": {"type": "path", "required": True},
    "folder": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "public_key": {"type": "str", "required": True},
    "principal": {"type": "str", "required": True},
    "validity": {"type": "str", "required": True},
    "renew_days": {"type": "int", "required": True},
}
FILES = {"user": "-cert.pub", "host": "-host-cert.pub"}
FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]+")


def main() -> None:
    """Answer Ansible."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    given = module.params
    paths = {kind: Path(given["folder"]) / (given["name"] + ending) for kind, ending in FILES.items()}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            key = Path(scratch) / "key.pub"
            key.write_text(given["public_key"].strip() + "\n")
            old = [kind for kind, path in paths.items() if not still_good(module, kind, path, key)]
            for kind in old if not module.check_mode else []:
                sign(module, kind, key, paths[kind])
        lines = {kind: path.read_text() if path.is_file() else "" for kind, path in paths.items()}
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(old), certificates=lines)


def still_good(module: AnsibleModule, kind: str, path: Path, key: Path) -> bool:
    """Tell whether a certificate is there and says what it has to, for long enough."""
    if not path.is_file():
        return False
    said = keygen(module, "-L", "-f", str(path))
    fields = dict(re.findall(r"^\s+([A-Z][A-Za-z ]+): (.*)$", said, re.MULTILINE))
    principals = re.search(r"Principals:\s*\n((?:\s{16,}\S.*\n)*)", said)
    ends = re.search(r"to (\S+)$", fields.get("Valid", ""))
    needed = dt.datetime.now() + dt.timedelta(days=module.params["renew_days"])  # noqa: DTZ005 - ssh-keygen's own
    return (
        fields.get("Type", "").endswith(f" {kind} certificate")
        and fingerprint(fields.get("Public key", "")) == fingerprint(keygen(module, "-l", "-f", str(key)))
        and fingerprint(fields.get("Signing CA", ""))
        == fingerprint(keygen(module, "-l", "-f", str(public_half(module))))
        and principals is not None
        and principals[1].split() == [module.params["principal"]]
        and (ends is None or dt.datetime.fromisoformat(ends[1]) > needed)
    )


def public_half(module: AnsibleModule) -> Path:
    """Give the file of the authority's public key."""
    path = Path(module.params["ca"])
    return path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")


def sign(module: AnsibleModule, kind: str, key: Path, target: Path) -> None:
    """Make one certificate; it takes its place when it is whole."""
    given = module.params
    by_agent = ["-U"] if given["ca"].endswith(".pub") else []
    called = ["-h"] if kind == "host" else []
    names = ["-I", given["principal"], "-n", given["principal"], "-V", given["validity"]]
    keygen(module, "-q", *by_agent, "-s", given["ca"], *called, *names, str(key))
    beside = target.with_name(f"{target.name}.new")
    beside.write_text(key.with_name("key-cert.pub").read_text())
    beside.replace(target)


def fingerprint(text: str) -> str:
    """Take the fingerprint out of what ssh-keygen says of a key."""
    found = FINGERPRINT.search(text)
    return found[0] if found else ""


def keygen(module: AnsibleModule, *arguments: str) -> str:
    """Run ssh-keygen, which has to succeed, and give what it printed."""
    status, output, complaint = module.run_command(["ssh-keygen", *arguments], environ_update={"LC_ALL": "C"})
    if status != 0:
        module.fail_json(msg=f"ssh-keygen ended with {status}: {complaint.strip()}")
    return str(output)


if __name__ == "__main__":
    main()
