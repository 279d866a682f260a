"""The places where state lies: who may look into them, and how much room is left."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from jilog_agent.agent_socket import socket_path
from jilog_agent.cli.output import format_bytes
from jilog_agent.doctor.finding import Finding, Level, Patient

OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
MIB = 1024 * 1024


def check_permissions(patient: Patient) -> Iterator[Finding]:
    """Nobody but the owner may read the state, and nobody else may write the config."""
    home = patient.home
    private = [home.root, home.identity_dir, *(zone.ledger_path for zone in patient.config.zones)]
    for path in (*private, home.key_path, socket_path(home), home.root / "peers.toml"):
        yield from _private(path)
    if patient.config.path is not None:
        yield from _only_owner_writes(patient.config.path)


def _private(path: Path) -> Iterator[Finding]:
    mode = _mode(path)
    if mode is None or not mode & OTHERS:
        return
    wanted = "700" if path.is_dir() else "600"
    yield Finding(
        "permissions",
        Level.ERROR if path.name == "id_ed25519" else Level.WARNING,
        f"{path} can be reached by others (mode {mode:04o})",
        "the key lets its reader speak as this host"
        if path.name == "id_ed25519"
        else "the ledger tells what its owner does all day",
        f"chmod {wanted} {shlex.quote(str(path))}",
    )


def _only_owner_writes(path: Path) -> Iterator[Finding]:
    mode = _mode(path)
    if mode is not None and mode & WRITABLE_BY_OTHERS:
        yield Finding(
            "permissions",
            Level.ERROR,
            f"{path} can be written by others (mode {mode:04o})",
            "the config names programs and hosts that jilog trusts",
            f"chmod go-w {shlex.quote(str(path))}",
        )


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None  # what is not there leaks nothing; the ledger's own check tells what is missing


def check_disk(patient: Patient) -> Iterator[Finding]:
    """Every file system that holds state takes writes and has room above the agent's limit."""
    seen: set[int] = set()
    for path in (patient.home.root, *(zone.ledger_path for zone in patient.config.zones)):
        place = _existing(path)
        device = place.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        yield from _room(patient, place)


def _room(patient: Patient, place: Path) -> Iterator[Finding]:
    quoted = shlex.quote(str(place))
    state = os.statvfs(place)
    if state.f_flag & os.ST_RDONLY:
        yield Finding(
            "disk",
            Level.ERROR,
            f"the file system of {place} is read-only",
            "no event can be recorded",
            f"findmnt -T {quoted}",
        )
    elif not os.access(place, os.W_OK):
        yield Finding(
            "disk", Level.ERROR, f"{place} cannot be written", "no event can be recorded", f"ls -ld {quoted}"
        )
    free = state.f_bavail * state.f_frsize
    if free < patient.config.agent.disk_low_mib * MIB:
        yield Finding(
            "disk",
            Level.ERROR,
            f"{format_bytes(free)} are free at {place}",
            f"below {patient.config.agent.disk_low_mib} MiB nothing is taken in ([agent] disk_low)",
            f"df -h {quoted}",
        )
    if state.f_files and state.f_favail < INODES_LOW:
        yield Finding(
            "disk",
            Level.ERROR,
            f"{state.f_favail} inodes are left at {place}",
            "no new segment can be made",
            f"df -i {quoted}",
        )


INODES_LOW = 1000
"""Fewer free inodes than this, and a night's work may use them up."""


def _existing(path: Path) -> Path:
    """Give the nearest folder that is there: state that is still to be made will lie below it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
