"""Tests of the playbooks, against real hosts."""

from __future__ import annotations

from support.container_fixtures import fleet_network, systemd_image

__all__ = ["fleet_network", "systemd_image"]
