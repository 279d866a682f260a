"""The precise rules, all together."""

from __future__ import annotations

from pathlib import Path

from jilog_review.detector import Detector
from jilog_review.detectors.precise.correction import CorrectionDetector, Wording
from jilog_review.detectors.precise.deferral import DeferralDetector
from jilog_review.detectors.precise.error import ErrorDetector
from jilog_review.detectors.precise.pattern import PatternDetector
from jilog_review.detectors.precise.workaround import WorkaroundDetector
from jilog_review.rulebook import Rulebook


def precise_detectors(rule_folders: tuple[Path, ...] = ()) -> tuple[Detector, ...]:
    """Make the precise detectors, in the order of the digest's sections.

    ``rule_folders`` are a user's own folders of rules (``correction.<language>.toml``, ``deferral.…`` and
    ``workaround.…``), read after the package's.

    Raises:
        InputError: a rule file cannot be used.
    """
    book = Rulebook(rule_folders)
    return (
        CorrectionDetector(Wording(book.corrections())),
        ErrorDetector(),
        WorkaroundDetector(book.rules("workaround")),
        DeferralDetector(book.rules("deferral")),
        PatternDetector(),
    )
