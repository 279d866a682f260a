"""The rules of the seed: short push-backs, failed tools, and words that admit a shortcut or a delay.

They are kept for digests that compare with the seed's, byte for byte; ``docs/detectors.md`` says where the
seed and its later versions differ and what is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jilog_review.detector import Detector, Finding, Kind
from jilog_review.envelope import error_text
from jilog_review.transcript import AnyEntry, Message, Provenance, ToolResult, Transcript

CORRECTION_CHARS_MIN = 15
CORRECTION_CHARS_MAX = 200
CONTEXT_CHARS = 200
"""How much of a message a workaround or a deferral keeps."""

WORKAROUND_PHRASES = (
    "for now",
    "temporary",
    "workaround",
    "hardcoded",
    "TODO",
    "FIXME",
    "quick fix",
    "hack",
)
DEFERRAL_PHRASES = (
    "come back to",
    "defer",
    "punt on",
    "leave for later",
    "skipping for now",
    "park for now",
    "next session",
    "circle back",
)


@dataclass(frozen=True, slots=True)
class SeedCorrection:
    """A short message of a person between two of the assistant's."""

    name: str = "seed.correction"
    version: int = 1

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every three neighbouring messages; calls belong to the assistant's turn."""
        said = [entry for entry in _main_thread(transcript) if isinstance(entry, Message | ToolResult)]
        for before, middle, after in zip(said, said[1:], said[2:], strict=False):
            if _is_assistant(before) and _is_assistant(after) and _is_short_push_back(middle):
                yield Finding(entry=middle, kind=Kind.CORRECTION, rule="window", excerpt=_text_of(middle))


@dataclass(frozen=True, slots=True)
class SeedError:
    """A tool that returned a structured failure; a call that a person or a policy refused did not fail."""

    name: str = "seed.error"
    version: int = 1

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every result's structured flag."""
        for entry in transcript.entries:
            if isinstance(entry, ToolResult) and entry.failed is True and entry.denial is None:
                yield Finding(
                    entry=entry,
                    kind=Kind.ERROR,
                    rule="structured-failure",
                    excerpt=error_text(entry.text),
                    tool=entry.tool,
                    command=entry.command,
                )


@dataclass(frozen=True, slots=True)
class PhraseDetector:
    """The first phrase, in list order, that stands anywhere in a text of the assistant: one a text."""

    name: str
    kind: Kind
    phrases: tuple[str, ...]
    version: int = 1

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every text of the assistant, whatever the letters' case."""
        phrases = tuple((phrase.lower(), phrase) for phrase in self.phrases)
        for entry in transcript.entries:
            if not isinstance(entry, Message) or entry.provenance is not Provenance.ASSISTANT:
                continue
            text = entry.text.lower()
            for lowered, label in phrases:
                if lowered in text:
                    yield self._finding(entry, label)
                    break

    def _finding(self, entry: Message, label: str) -> Finding:
        return Finding(
            entry=entry,
            kind=self.kind,
            rule="phrase",
            excerpt=entry.text,
            excerpt_chars=CONTEXT_CHARS,
            label=label,
        )


def seed_detectors() -> tuple[Detector, ...]:
    """Make the seed's detectors, in the order of its sections."""
    return (
        SeedCorrection(),
        SeedError(),
        PhraseDetector("seed.workaround", Kind.WORKAROUND, WORKAROUND_PHRASES),
        PhraseDetector("seed.deferral", Kind.DEFERRAL, DEFERRAL_PHRASES),
    )


def _main_thread(transcript: Transcript) -> Iterable[AnyEntry]:
    """Give the entries of the session itself: sub-agents write between them in older versions."""
    if transcript.is_subagent:
        return transcript.entries
    return (entry for entry in transcript.entries if not entry.sidechain)


def _is_assistant(entry: AnyEntry) -> bool:
    return isinstance(entry, Message) and entry.role == "assistant"


def _is_short_push_back(entry: AnyEntry) -> bool:
    """Tell whether a person wrote this at the seed's length; outer blanks count for the upper bound only."""
    if not isinstance(entry, Message) or not entry.is_human:
        return False
    return len(entry.text) <= CORRECTION_CHARS_MAX and len(entry.text.strip()) >= CORRECTION_CHARS_MIN


def _text_of(entry: AnyEntry) -> str:
    return entry.text if isinstance(entry, Message | ToolResult) else ""
