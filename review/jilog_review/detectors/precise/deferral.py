"""Deferrals: work that an agent's last words of a turn put off.

A section of the final text (a heading or a bold label such as "Out of scope" or "Follow-ups") is what agents
write when they put something off; words such as "defer" or "later" anywhere are almost never that (measured).
What a turn that only looked says of open work is an answer, a review or a plan: it is listed and not filed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from jilog_review.detector import Finding, Kind, Tier
from jilog_review.detectors.precise.correction import signature_of
from jilog_review.detectors.precise.looking import only_looks
from jilog_review.detectors.precise.neighbours import LastWords, last_words
from jilog_review.needles import folded
from jilog_review.rulebook import Rule, Rulebook, RuleSet
from jilog_review.transcript import Message, Transcript

_FENCE = re.compile(r"^\s*(```|~~~).*?(?:^\s*\1|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(
    r"^\s{0,3}(?:#{1,6}\s+(?P<hash>[^\n]{3,90})|(?:[-*]\s+)?(?P<mark>\*\*|__)(?P<bold>[^\n*_]{3,70}?)(?P=mark)(?P<after>[^\n]*)"
    r"|(?P<label>[A-Z][^\n:.*#`|]{3,50}):[ \t]*)$",
    re.MULTILINE,
)
_DECORATION = re.compile(r"\A[\W\d_]+|[\W_]+\Z|\s*\([^)]*\)\s*\Z")
_NOTHING = re.compile(
    r"\A[\s*_\-–—•:>]*(?:\(?(?:none|nothing|n/?a|no (?:known |open |remaining |outstanding )?\w+|"
    r"all (?:done|clear|good|complete\w*)|there(?:\W?s| is| are| was| were) (?:nothing|none|no)\b|"
    r"everything (?:is|was|has)|特に?(?:なし|ありません)|なし|ありません|"
    r"keine?\w*|nichts|ningun[oa]|nada)(?:\b|(?=[。、\s]|$)))",
    re.IGNORECASE,
)
# A text that is a plan, a review or a draft speaks of work to come: its sections put nothing off.
_DOCUMENT = re.compile(
    r"\A[^\n]{0,200}?\b(?:plan|proposal|spec(?:ification)?|design|draft|review|analysis|audit|report|adr|rfc|issue)\b|"
    r"^#{1,3} [^\n]{0,40}\b(?:plan|proposal|findings)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SECOND_LABEL = re.compile(r"(\*\*|__)[^*_\n]{1,40}(?:\1\s*:|:\s*\1)")
_SECTION = "section"
_BODY_CHARS_MIN = 12
_BODY_CHARS_MAX = 600


def _rules() -> tuple[Rule, ...]:
    return tuple(rule for rules in Rulebook().lists("deferral") for rule in rules.rule)


@dataclass(frozen=True)
class DeferralDetector:
    """Finds sections and sentences of final texts that put work off."""

    rules: tuple[Rule, ...] = field(default_factory=_rules)
    name: str = "precise.deferral"
    version: int = 2

    @cached_property
    def _sections(self) -> RuleSet:
        return RuleSet(tuple(rule for rule in self.rules if rule.name == _SECTION))

    @cached_property
    def _all(self) -> RuleSet:
        return RuleSet(self.rules)

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at the last text of each turn."""
        new_offset = _new_offset(transcript)
        for words in last_words(transcript.main_thread):
            if words.message.offset >= new_offset:
                yield from self._judge(words)

    def _judge(self, words: LastWords) -> Iterator[Finding]:
        message = words.message
        text = (
            _FENCE.sub("", message.text) if "```" in message.text or "~~~" in message.text else message.text
        )
        # Without its stars a text holds every needle that it has with them, and those of a heading's title.
        rules = self._all.in_text(folded(text).replace("*", ""))
        section = self._section(text) if any(rule.name == _SECTION for rule in rules) else None
        if section is not None:
            rule, title, body = section
            is_report = _DOCUMENT.search(text) is not None or not _may_have_worked(words)
            yield section_finding(message, rule, title, body, Tier.B if is_report else rule.tier)
            return
        for rule in rules:
            match = rule.search(text) if rule.name != _SECTION else None
            if match is not None:
                sentence = _sentence_at(text, match.start())
                yield section_finding(message, rule, match[0], sentence, rule.tier)
                return

    def _section(self, text: str) -> tuple[Rule, str, str] | None:
        """Find the first section whose whole heading a rule knows and that says something."""
        for match in _HEADING.finditer(text):
            rules = self._sections.in_text(folded(match[0]).replace("*", ""))
            if not rules:
                continue
            if _is_emphasis(match):
                continue
            title = _title_of(match)
            for rule in rules:
                if rule.regex.fullmatch(title):
                    body = _body_after(text, match)
                    if len(body) >= _BODY_CHARS_MIN and not _NOTHING.match(body):
                        return rule, match[0].strip(), body
        return None


def _may_have_worked(words: LastWords) -> bool:
    """Tell whether the turn may have changed something: who looked something up has put nothing off.

    A turn without calls is an answer when it was asked for with a question. Where a turn began before what
    was read, its work may have been done there.
    """
    if words.asked is None:
        return True
    if not words.calls:
        return not words.asked.text.rstrip().endswith(("?", "？"))  # Japanese writes it so
    return not all(map(only_looks, words.calls))


def section_finding(message: Message, rule: Rule, words: str, body: str, tier: Tier) -> Finding:
    """Make the finding of a section or a sentence."""
    excerpt = f"{words}\n{body}" if body not in words and words not in body else body
    return Finding(
        entry=message,
        kind=Kind.DEFERRAL,
        rule=rule.name,
        excerpt=excerpt,
        label=words,
        tier=tier,
        signature=signature_of(body),
    )


def _is_emphasis(heading: re.Match[str]) -> bool:
    """Tell whether bold words are part of a sentence, or one of several labels on a line, and no heading."""
    after = (heading["after"] or "").strip()
    if heading["bold"] is None or not after:
        return False
    runs_on = after[0].isalnum() and not heading["bold"].rstrip().endswith((":", ".", "?", "!"))
    return runs_on or _SECOND_LABEL.search(after) is not None


def _title_of(match: re.Match[str]) -> str:
    title = (match["hash"] or match["bold"] or match["label"] or "").replace("*", "").replace("’", "'")
    before = ""
    while before != title:
        before, title = title, _DECORATION.sub("", title)
    return title


def _body_after(text: str, heading: re.Match[str]) -> str:
    """Give a section's text: what follows its label on the line, and the lines up to the next heading."""
    same_line = (heading["after"] or "").strip(" :–—-")
    start = heading.end()
    following = _HEADING.search(text, start)
    if following is not None and following["label"] and not heading["label"]:
        following = None
    stop = following.start() if following else len(text)
    return f"{same_line}\n{text[start:stop]}".strip()[:_BODY_CHARS_MAX]


def _sentence_at(text: str, position: int) -> str:
    start = max(text.rfind(end, 0, position) + 1 for end in ".\n!?")
    stops = [stop for stop in (text.find(end, position) for end in ".\n!?") if stop >= 0]
    return text[start : min(stops, default=len(text)) + 1].strip()[:_BODY_CHARS_MAX]


def _new_offset(transcript: Transcript) -> int:
    if transcript.new_from >= len(transcript.entries):
        return transcript.entries[-1].offset + 1 if transcript.entries else 0
    return transcript.entries[transcript.new_from].offset if transcript.new_from else 0
