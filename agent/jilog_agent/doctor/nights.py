"""The nightly review: whether it still comes by, and whether anything makes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import glob, has_magic
from pathlib import Path

from jilog_agent.doctor.finding import Finding, Level, Patient
from jilog_ledger.times import SECOND_NS

LATE_SECONDS = 2 * 86_400
"""A night that was missed is made up for by the next one; two are nobody's chance."""


def check_nights(patient: Patient) -> Iterator[Finding]:
    """A review has ended here within two days, where transcripts wait or a time is set for it."""
    places = [path for reader in patient.config.readers if reader.host is None for path in reader.paths]
    scheduled = patient.config.agent.review_at is not None
    if not places and not scheduled:
        return
    late_ns = patient.now_ns - LATE_SECONDS * SECOND_NS
    last_ns = _last_review_ns(patient)
    if last_ns >= late_ns:
        return
    # A host that is new, or whose first transcripts are, has its first night before it.
    waiting = _written_between(places, last_ns, patient.now_ns if last_ns else late_ns)
    if not waiting and not (scheduled and last_ns):
        return
    days = (patient.now_ns - last_ns) // (86_400 * SECOND_NS)
    yield Finding(
        "nights",
        Level.WARNING if last_ns else Level.NOTE,
        f"the last review here ended {days} days ago" if last_ns else "no review has ended here yet",
        "what transcripts have told since is learned by nobody, and programs delete old transcripts",
        "systemctl list-timers jilog-nightly.timer; by hand: jilog review nightly",
    )


def _last_review_ns(patient: Patient) -> int:
    """Give when a review last kept its cursors, which it does at its end; 0 when none ever did."""
    paths = (patient.home.cursors_path(zone.id) for zone in patient.config.zones)
    return max((path.stat().st_mtime_ns for path in paths if path.exists()), default=0)


def _written_between(places: list[str], after_ns: int, before_ns: int) -> bool:
    """Tell whether any transcript was written after the one time and before the other."""
    return any(after_ns < written_ns < before_ns for place in places for written_ns in _written(place))


def _written(place: str) -> Iterator[int]:
    for root in map(Path, glob(place) if has_magic(place) else [place]):
        if root.is_file():
            yield root.stat().st_mtime_ns
        for folder, _, names in os.walk(root):
            for name in names:
                try:
                    yield Path(folder, name).stat().st_mtime_ns
                except OSError:
                    continue  # it went while we looked, or is not for us to see
