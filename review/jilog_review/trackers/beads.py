"""Issues in beads: through its program ``bd`` when that is installed, else in its file itself."""

from __future__ import annotations

import shutil
from pathlib import Path

from jilog_ledger.errors import InputError
from jilog_review.tracker import Tracker, TrackerConfig, check_options, labels_option, text_option
from jilog_review.trackers.beads_cli import BeadsCommandTracker
from jilog_review.trackers.beads_file import BeadsFileTracker

PROGRAM = "bd"


def make_beads(config: TrackerConfig) -> Tracker:
    """Make the tracker of ``type = "beads"``: ``path``, the project's folder, and further ``labels``.

    Raises:
        InputError: there is no such folder.
    """
    check_options(config, ("path", "labels"))
    folder = Path(text_option(config, "path") or ".")
    if not folder.is_dir():
        raise InputError(
            f"path in [tracker] is no folder: {folder}",
            hint="write the folder of the project that uses beads",
        )
    labels = labels_option(config)
    if shutil.which(PROGRAM, path=config.environment.get("PATH")):
        return BeadsCommandTracker(folder, config.environment, labels=labels)
    return BeadsFileTracker(folder, labels=labels)
