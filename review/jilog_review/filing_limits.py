"""Every limit of filing issues, with its reason."""

from __future__ import annotations

MIB = 1024 * 1024

NEW_PER_RUN_DEFAULT = 10
"""Issues created in one run unless the config says otherwise: what a person reads in a morning."""

BUMPS_PER_RUN_MAX = 50
"""Comments and reopenings in one run: each notifies people. The rest is done by the next run."""

FAILURES_IN_A_ROW_MAX = 3
"""After so many failures, one after another, the tracker is down and the rest of the run waits."""

HORIZON_DAYS = 14
"""How far back problems are taken up: a tracker that was away for so long loses nothing."""

QUIET_DAYS = 7
"""An issue closed as done counts as resolved when its problem stayed away for so many days."""

EXPOSURE_SESSIONS_MIN = 5
"""...and when so many sessions in which it could have come back were read since."""

COMMAND_TIMEOUT_SECONDS = 60.0
"""How long one call of a tracker's program may take, all pages of a listing included."""

STDOUT_BYTES_MAX = 64 * MIB
"""Output of one call. GitHub's longest body has 64 KiB, so this holds a thousand of the longest."""

STDERR_BYTES_MAX = MIB
"""Error output of one call; one line of it is shown."""

MESSAGE_CHARS_MAX = 200
"""How much of a program's own message an error of ours repeats."""

ISSUES_FILE_BYTES_MAX = 256 * MIB
"""A ``.beads/issues.jsonl``, which is read whole."""

SUBJECT_CHARS_MAX = 80
"""A tool, pattern or session in a title."""

SESSIONS_SHOWN_MAX = 20
"""Example sessions in a body."""

LABEL_CHARS_MAX = 50
"""GitHub's longest label."""
