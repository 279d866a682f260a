"""The detector seam: a pure rule that turns a transcript into findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jilog_review import limits
from jilog_review.transcript import AnyEntry, Transcript


class Kind(StrEnum):
    """What a signal is about, in the order of the digest's sections."""

    CORRECTION = "correction"
    ERROR = "error"
    WORKAROUND = "workaround"
    DEFERRAL = "deferral"
    PATTERN = "pattern"


class Tier(StrEnum):
    """How far a signal can be trusted: A is fit to file as an issue, B is only listed."""

    A = "A"
    B = "B"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw, before it is redacted and given its identity.

    ``entry`` is where it was seen, ``rule`` which rule of the detector fired, ``label`` the words or the
    pattern it fired on. ``excerpt`` is what a person will read, cut to ``excerpt_chars`` characters after
    its redaction (a secret cut in two is not recognised). ``signature`` is the text whose normal form
    becomes the fingerprint; the excerpt, unless given. ``occurrences`` counts what one finding stands for in
    this session, and ``later_command`` is the command of the same kind that worked afterwards.
    """

    entry: AnyEntry
    kind: Kind
    rule: str
    excerpt: str
    label: str | None = None
    tier: Tier = Tier.A
    tool: str | None = None
    command: str | None = None
    signature: str | None = None
    excerpt_chars: int = limits.EXCERPT_CHARS_MAX
    occurrences: int = 1
    later_command: str | None = None


class Detector(Protocol):
    """A rule: deterministic, without clock, network, model or memory of other transcripts.

    A rule may look at context entries (before ``transcript.new_from``) and may report them again: a fact
    has the same id each time and is recorded once. ``version`` changes whenever the rule can answer
    differently.
    """

    @property
    def name(self) -> str:
        """The name that signals carry, such as ``seed.correction``; part of a signal's identity."""
        ...

    @property
    def version(self) -> int:
        """The rule's version, from 1."""
        ...

    def detect(self, transcript: Transcript) -> Iterable[Finding]:
        """Give what the rule sees, in the order of the entries."""
        ...
