"""Fixtures of the tests of real hosts."""

from __future__ import annotations

from support.container_fixtures import fleet_image, fleet_network, systemd_image

__all__ = ["fleet_image", "fleet_network", "systemd_image"]
