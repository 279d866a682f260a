"""Asking other programs: without a shell, with limits, and without an answer when they have none."""

from __future__ import annotations

import subprocess

from jilog_agent.doctor.finding import Patient

PROGRAM_SECONDS = 10.0
ANSWER_CHARS_MAX = 65_536


def said(patient: Patient, *command: str) -> str | None:
    """Give what a program wrote to standard output; None when it is not there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command,
            env=dict(patient.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:ANSWER_CHARS_MAX].decode("utf-8", "replace") if done.returncode == 0 else None
