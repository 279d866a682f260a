"""Tell in one step what the role has to know of a host; arguments: scope, prefix or "" for the usual one."""

import json
import os
import sys
from pathlib import Path

scope, prefix = sys.argv[1:]
home = str(Path("~").expanduser())
root = Path(prefix or ("/opt/jilog" if scope == "system" else f"{home}/.local/share/jilog"))
current = root / "current"
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401

    makes_environments = True
except ImportError:
    makes_environments = False
print(
    json.dumps(
        {
            "python": list(sys.version_info[:2]),
            "makes_environments": makes_environments,
            "uid": os.geteuid(),
            "home": home,
            "prefix": str(root),
            "installed": sorted(path.parent.name for path in root.glob("*/.installed")),
            "current": current.readlink().name if current.is_symlink() else "",
            "systemd": Path("/run/systemd/system").is_dir(),
        }
    )
)
