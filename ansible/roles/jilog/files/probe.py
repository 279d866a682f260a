"""Tell in one step what the role has to know of a host.

Given as JSON: ``scope``, ``prefix``, ``home``, ``user``, each as the role's variable of that name.
"""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

UNITS = ("jilog-agent.service", "jilog-nightly.timer")

asked = json.loads(sys.argv[1])
system = asked["scope"] == "system"
own = str(Path("~").expanduser())
root = Path(asked["prefix"] or ("/opt/jilog" if system else f"{own}/.local/share/jilog"))
home = Path(asked["home"] or ("/var/lib/jilog" if system else f"{own}/.jilog"))
current, previous = root / "current", root / "previous"
command = Path("/usr/local/bin/jilog" if system else f"{own}/.local/bin/jilog")
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401

    makes_environments = True
except ImportError:
    makes_environments = False


def account_exists(name: str) -> bool:
    """Tell whether the host knows the account."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def units() -> dict[str, list[str]]:
    """Give of each unit whether it is enabled and what it does now, as systemd's words."""
    scope = [] if system else ["--user"]
    runtime = {} if system else {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}"}
    wanted = ["--property=UnitFileState", "--property=ActiveState"]
    try:
        said = subprocess.run(
            ["systemctl", *scope, "show", *wanted, *UNITS],
            env={**os.environ, **runtime},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    states = [
        sorted(line.partition("=")[2] for line in part.splitlines()) for part in said.strip().split("\n\n")
    ]
    return dict(zip(UNITS, states if len(states) == len(UNITS) else [[""]] * len(UNITS), strict=True))


print(
    json.dumps(
        {
            "python": list(sys.version_info[:2]),
            "makes_environments": makes_environments,
            "uid": os.geteuid(),
            "home": own,
            "prefix": str(root),
            "installed": sorted(path.parent.name for path in root.glob("*/.installed")),
            "current": current.readlink().name if current.is_symlink() else "",
            "previous": previous.readlink().name if previous.is_symlink() else "",
            "command": str(command.readlink()) if command.is_symlink() else "",
            "account": account_exists(asked["user"]),
            "identity": (home / "identity" / "identity.json").exists(),
            "systemd": Path("/run/systemd/system").is_dir(),
            "units": units(),
        }
    )
)
