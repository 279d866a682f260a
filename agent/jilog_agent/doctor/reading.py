"""What the nightly review reads and where it files: nobody's transcripts, and a tracker out of reach."""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob, has_magic
from pathlib import Path

from jilog_agent.config.model import READER_PATHS, ReaderConfig
from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_agent.surroundings import found_readers
from jilog_ledger.errors import TrackerError


def check_readers(patient: Patient) -> Iterator[Finding]:
    """Transcripts on this machine have a reader, and every reader has something to read."""
    config = patient.config
    where = config.path or "~/.jilog.toml"
    read = {READER_PATHS.get(reader.type) for reader in config.readers}
    for reader_type, path in found_readers(patient.user_home):
        if path not in read:
            yield Finding(
                "readers",
                Level.WARNING,
                f"there are {reader_type} transcripts in {path} that no reader reads",
                "the nightly review learns nothing from them",
                f'write [[reader]] with type = "{reader_type}" into {where}',
            )
    for reader in config.readers:
        if reader.host is None and not _anything(reader):
            yield Finding(
                "readers",
                Level.NOTE,
                f"reader {reader.name} finds nothing at {', '.join(reader.paths)}",
                "the program has not run here yet, or keeps its transcripts elsewhere",
                f"jilog review sessions; or correct path in {where}",
            )


def _anything(reader: ReaderConfig) -> bool:
    return any(glob(path) if has_magic(path) else Path(path).exists() for path in reader.paths)


def check_tracker(patient: Patient) -> Iterator[Finding]:
    """The tracker answers: its program is there, the login holds, the place exists."""
    config = patient.config.tracker
    if config.type == "none":
        return
    # Here because the trackers and their formats are imported for nothing else.
    from jilog_review.tracker import TrackerConfig, make_tracker

    try:
        make_tracker(TrackerConfig(config.type, config.options, patient.environment)).list_issues()
    except TrackerError as error:
        yield Finding(
            "tracker",
            Level.WARNING,
            error.message,
            "what is learned is kept, and waits to be filed",
            error.hint or "jilog issues pending",
        )
