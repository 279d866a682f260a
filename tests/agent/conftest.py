"""Hosts to run jilog on."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.jilog_cli import Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A user's home with nothing in it."""
    root = tmp_path / "home"
    root.mkdir()
    return Host(root)
