"""The built-in trackers, by the type a config names."""

from collections.abc import Mapping

from jilog_review.tracker import TrackerFactory
from jilog_review.trackers.beads import make_beads
from jilog_review.trackers.github import make_github
from jilog_review.trackers.kata import make_kata
from jilog_review.trackers.none import NoTracker, make_none

BUILT_IN: Mapping[str, TrackerFactory] = {
    "none": make_none,
    "github": make_github,
    "beads": make_beads,
    "kata": make_kata,
}

__all__ = ["BUILT_IN", "NoTracker"]
