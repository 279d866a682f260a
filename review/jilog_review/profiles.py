"""Profiles: which detectors run together, and how the digest counts what they find."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jilog_ledger.errors import InputError
from jilog_review.detector import Detector
from jilog_review.detectors.seed import seed_detectors

DEFAULT_PROFILE = "precise"


@dataclass(frozen=True, slots=True)
class Profile:
    """A set of detectors. ``plain_layout`` keeps the digest to the seed's sections and keys."""

    name: str
    detectors: tuple[Detector, ...]
    plain_layout: bool = False


def _precise(rule_folders: tuple[Path, ...]) -> Profile:
    # Imported here: the rule files are read and compiled only when they are used.
    from jilog_review.detectors.precise.profile import precise_detectors

    return Profile("precise", precise_detectors(rule_folders))


_PROFILES: Mapping[str, Callable[[tuple[Path, ...]], Profile]] = {
    "precise": _precise,
    "seed": lambda _folders: Profile("seed", seed_detectors(), plain_layout=True),
}


def load_profile(name: str, rule_folders: Sequence[Path] = ()) -> Profile:
    """Make a profile by its name; ``rule_folders`` are a user's own, for profiles that go by rule files.

    Raises:
        InputError: there is no such profile, or a rule file cannot be used.
    """
    factory = _PROFILES.get(name)
    if factory is None:
        nearest = difflib.get_close_matches(name, _PROFILES, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"use one of {', '.join(_PROFILES)}"
        raise InputError(f"unknown review profile {name[:80]!r}", hint=hint)
    return factory(tuple(rule_folders))
