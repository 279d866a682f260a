"""A real browser, without a window."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: no page is opened in it")


def browse(address: str, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Open an address; ``profile`` keeps cookies from one call to the next."""
    assert CHROMIUM is not None
    return subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--enable-logging=stderr", "--no-first-run", f"--user-data-dir={profile}"),
            *arguments,
            address,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def scheme_option(scheme: str) -> str:
    """Make the reader prefer ``light`` or ``dark``: Chromium's own number is 0 for dark and 1 for light."""
    return f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
