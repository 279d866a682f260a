"""Who may come in, and as whom this host goes out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.doctor.program import said
from jilog_agent.identity import public_key_line
from jilog_agent.replication import peer_table, plain_key
from jilog_ledger.keys import SigningKey

_FORCED_COMMAND = re.compile(r'command="[^"]*\bspool serve --stdio')
AUTHORIZED_KEYS_BYTES_MAX = 1024 * 1024


def check_keys(patient: Patient) -> Iterator[Finding]:
    """This host has one key, its public line belongs to it, and no two peers have the same one."""
    home = patient.home
    if not home.initialised():
        return  # the check of the ledgers says so
    own = plain_key(public_key_line(SigningKey.load(home.key_path), "x"))
    written = home.public_key_path.read_text() if home.public_key_path.exists() else ""
    if plain_key(written) != own:
        yield Finding(
            "keys",
            Level.ERROR,
            f"{home.public_key_path} is not the public half of {home.key_path.name}",
            "peers that are given it will refuse this host",
            f"ssh-keygen -y -f {shlex.quote(str(home.key_path))} > {shlex.quote(str(home.public_key_path))}",
        )
    holders: dict[str, list[str]] = defaultdict(list)
    for peer in peer_table(patient.config, home, patient.disk).peers():
        if peer.host_key:
            holders[plain_key(peer.host_key)].append(peer.name)
    if own in holders:
        yield Finding(
            "keys",
            Level.ERROR,
            f"peer {holders.pop(own)[0]} has this host's own key",
            "this home, or that one, is a copy: both would write under one name",
            "on the copy: jilog status; then give it a home of its own with jilog init",
        )
    for names in holders.values():
        if len(names) > 1:
            yield Finding(
                "keys",
                Level.WARNING,
                f"peers {', '.join(names)} have the same key",
                "they are one host, or one is a copy of the other",
                f"jilog peer remove {names[-1]}",
            )


def check_authorized_keys(patient: Patient) -> Iterator[Finding]:
    """Keys that open a spool session here through sshd open nothing else, and sshd will look at them."""
    path = patient.user_home / ".ssh" / "authorized_keys"
    lines = _spool_lines(path)
    if not lines:
        return
    quoted = shlex.quote(str(path))
    for number in (number for number, line in lines if not re.search(r"(^|,)restrict\b", line)):
        yield Finding(
            "ssh",
            Level.WARNING,
            f"{path}:{number} lets a peer's key forward ports and agents",
            "the key needs the spool session and nothing else",
            f"write restrict, before command= in line {number} of {quoted}",
        )
    for place in (patient.user_home, path.parent, path):
        if place.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield Finding(
                "ssh",
                Level.ERROR,
                f"{place} can be written by others",
                "sshd ignores authorized_keys then (StrictModes), and peers cannot log in",
                f"chmod go-w {shlex.quote(str(place))}",
            )
    yield from _server_settings(patient)


def _spool_lines(path: Path) -> list[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            text = file.read(AUTHORIZED_KEYS_BYTES_MAX).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if _FORCED_COMMAND.search(line) and not line.lstrip().startswith("#")
    ]


def _server_settings(patient: Patient) -> Iterator[Finding]:
    """Ask sshd for its settings; only root gets an answer."""
    program = shutil.which("sshd", path=f"{patient.environment.get('PATH', '')}:/usr/sbin:/sbin")
    answer = said(patient, program, "-T") if program and os.geteuid() == 0 else None
    if answer is None:
        return
    settings = dict(line.partition(" ")[::2] for line in answer.lower().splitlines())
    for key, bad, why in (
        ("pubkeyauthentication", "no", "peers log in with keys alone"),
        ("strictmodes", "no", "a key file that others may write is trusted"),
    ):
        if settings.get(key) == bad:
            yield Finding(
                "ssh",
                Level.WARNING,
                f"sshd has {key} {bad}",
                why,
                "sudoedit /etc/ssh/sshd_config, then: sshd -t",
            )
    if settings.get("forcecommand", "none") != "none":
        yield Finding(
            "ssh",
            Level.ERROR,
            f"sshd forces its own command: {settings['forcecommand']}",
            "no spool session can start",
            "sudoedit /etc/ssh/sshd_config, then: sshd -t",
        )
