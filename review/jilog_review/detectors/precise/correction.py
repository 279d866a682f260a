"""Corrections: a person steers the agent away from what it did or is doing.

Provenance comes first, since it needs no vocabulary: words typed while refusing a tool call, and the first
message after an interrupt. Wording comes second, from rule files, one per language, in the first characters
of a message that is neither long nor a paste.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property

from jilog_review import limits
from jilog_review.detector import Finding, Kind, Tier
from jilog_review.detectors.precise.neighbours import is_interrupt
from jilog_review.needles import FoundInText, folded, found_in_text
from jilog_review.rulebook import NO_PATTERN, CorrectionRules, Rule, Rulebook, RuleSet
from jilog_review.transcript import AnyEntry, Message, Provenance, ToolCall, ToolResult, Transcript

_FENCE = re.compile(r"```.*?(?:```|\Z)|^\s{0,3}>.*$", re.DOTALL | re.MULTILINE)
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"'})
# What a program or somebody else said: a log line, an error that was pasted, a quotation of several words.
_PASTED = re.compile(
    r"^\s*(?:\[?\d{4}-\d\d-\d\d[T ].*|at \S+[:(].*)$|\b\w*error(?:\[\w+\])?: .*$|\"[^\"\n]+ [^\"\n]+\"",
    re.IGNORECASE | re.MULTILINE,
)
# Stands wherever something was pasted: most messages need no closer look.
_MAY_BE_PASTED = re.compile(r"[\"]|^\s*(?:\[?\d|at )|error", re.IGNORECASE | re.MULTILINE)
# Stands where something was taken away: no letter, so that no rule for a message's start holds behind it.
_GAP = "\N{HORIZONTAL ELLIPSIS}"
_SENTENCE_END = re.compile(r"[.!?。！？\n]")
_QUESTION_TAIL_CHARS = 300
# Words that a harness writes itself when a person only wants to talk about its question.
_BOILERPLATE = re.compile(
    r"\A\s*(?:the user wants to clarify|questions asked:|no answer provided)", re.IGNORECASE
)
_ASKING_TOOLS = frozenset({"AskUserQuestion", "ask_user", "request_user_input", "question"})
_LETTERS = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SIGNATURE_WORDS = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which rule made a message a correction, at which tier, and on which words."""

    rule: str
    tier: Tier
    words: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What came before a person's message, as far as rules ask for it."""

    provenance: Provenance
    interrupted: bool = False
    asked: bool = False
    repeated: bool = False
    asking_tool: bool = False


@dataclass(frozen=True)
class Wording:
    """The rules of all languages, ready to use."""

    languages: tuple[CorrectionRules, ...]

    def rules_for(self, lowered: str) -> Iterator[Rule]:
        """Give the rules that a message (in lower case) may match, of its languages, tier A first."""
        spoken: dict[int, bool] = {}
        for rule in self._rules.in_text(lowered):
            language = self._languages_of[id(rule)]
            if language not in spoken:
                spoken[language] = _is_spoken(self.languages[language], lowered)
            if spoken[language]:
                yield rule

    @cached_property
    def _rules(self) -> RuleSet:
        """All languages' rules; those of one tier are in the languages' order."""
        rules = (rule for language in self.languages for rule in language.rule)
        return RuleSet(tuple(sorted(rules, key=lambda rule: rule.tier.value)))

    @cached_property
    def _languages_of(self) -> dict[int, int]:
        """The place of each rule's language, by the rule's identity."""
        return {id(rule): place for place, language in enumerate(self.languages) for rule in language.rule}

    def may_be_relayed(self, lowered: str) -> bool:
        """Tell whether something of what hands on others' words stands in a message (in lower case)."""
        return bool(self._find_relayed(lowered))

    def may_be_harmless(self, lowered: str) -> bool:
        """Tell whether something of a harmless phrase stands in a message (in lower case)."""
        return bool(self._find_harmless(lowered))

    @cached_property
    def _find_relayed(self) -> FoundInText:
        return _finder((language.relayed, language.relayed_needles) for language in self.languages)

    @cached_property
    def _find_harmless(self) -> FoundInText:
        return _finder((language.harmless, language.harmless_needles) for language in self.languages)

    @cached_property
    def approvals(self) -> re.Pattern[str]:
        """What an agreeing message begins with."""
        return _any_of(language.approvals for language in self.languages)

    @cached_property
    def contrasts(self) -> re.Pattern[str]:
        """What takes an agreement back."""
        return _any_of(language.contrasts for language in self.languages)

    @cached_property
    def requests(self) -> re.Pattern[str]:
        """What a message that asks for something begins with."""
        return _any_of(language.requests for language in self.languages)

    @cached_property
    def relayed(self) -> re.Pattern[str]:
        """What hands on the words of somebody else."""
        return _any_of(language.relayed for language in self.languages)

    @cached_property
    def harmless(self) -> re.Pattern[str]:
        """Phrases that sound like a correction and are none."""
        return _any_of(language.harmless for language in self.languages)

    @cached_property
    def tasks(self) -> re.Pattern[str]:
        """What a message that gives new work begins with."""
        return _any_of(language.tasks for language in self.languages)

    @cached_property
    def supposes(self) -> re.Pattern[str]:
        """Words after which a clause is a condition or somebody else's report."""
        return _any_of(language.supposes for language in self.languages)

    def agrees(self, head: str) -> bool:
        """Tell whether a message begins with an approval that nothing in it takes back."""
        match = self.approvals.match(head)
        return match is not None and self.contrasts.search(head, match.end()) is None


def _any_of(patterns: Iterator[str] | tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or NO_PATTERN, re.IGNORECASE)


def _is_spoken(language: CorrectionRules, lowered: str) -> bool:
    if language.common_words and language.common_words.isdisjoint(_LETTERS.findall(lowered)):
        return False
    return not language.hint or language.hint_regex.search(lowered) is not None


def _finder(patterns: Iterable[tuple[str, list[str]]]) -> FoundInText:
    """Make the search for the needles of some patterns; one without needles may match anywhere."""
    known = [needles or [""] for pattern, needles in patterns if pattern != NO_PATTERN]
    return found_in_text([needle for needles in known for needle in needles])


@dataclass(frozen=True, slots=True)
class CorrectionDetector:
    """Finds the messages in which a person corrects the agent."""

    wording: Wording = field(default_factory=lambda: Wording(Rulebook().corrections()))
    name: str = "precise.correction"
    version: int = 3

    def detect(self, transcript: Transcript) -> Iterator[Finding]:
        """Look at every message that a person wrote after the agent had begun."""
        for message, situation in _human_messages(transcript):
            verdict = judge(message.text, situation, self.wording)
            if verdict is not None:
                yield Finding(
                    entry=message,
                    kind=Kind.CORRECTION,
                    rule=verdict.rule,
                    excerpt=message.text.strip(),
                    label=verdict.words,
                    tier=verdict.tier,
                    signature=signature_of(message.text),
                )


def judge(text: str, situation: Situation, wording: Wording) -> Verdict | None:
    """Tell whether a person's message corrects the agent, by the text and what came before it."""
    plain = _without_fences(text if text.isascii() else text.translate(_QUOTES)).strip()
    head = plain[: limits.CORRECTION_HEAD_CHARS]
    if not head or situation.repeated or wording.agrees(head):
        return None
    if situation.provenance is Provenance.REJECTION:
        return _judge_rejection(head, situation)
    if _is_long(text) or (wording.may_be_relayed(folded(head)) and wording.relayed.search(head)):
        return None
    verdict = _match(head, len(plain), situation, wording)
    if situation.interrupted and (verdict is None or verdict.tier is Tier.B):
        tier = Tier.B if wording.requests.match(head) else Tier.A
        return Verdict("after-interrupt", tier, _first_words(head))
    return verdict


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text) if "```" in text or ">" in text else text


def _judge_rejection(head: str, situation: Situation) -> Verdict | None:
    if situation.asking_tool or _BOILERPLATE.match(head):
        return None
    return Verdict("rejected-with-text", Tier.A, _first_words(head))


def _match(head: str, length: int, situation: Situation, wording: Wording) -> Verdict | None:
    if _MAY_BE_PASTED.search(head) is not None:
        head = _PASTED.sub(_GAP, head)
    lowered = folded(head)
    if wording.may_be_harmless(lowered):
        head = wording.harmless.sub(_GAP, head)
        lowered = folded(head)
    for rule in wording.rules_for(lowered):
        if rule.answer and situation.asked:
            continue
        if rule.chars_max is not None and length > rule.chars_max:
            continue
        match = rule.search(head)
        if match is not None:
            tier = Tier.B if rule.claim and _is_no_claim(head, match.start(), wording) else rule.tier
            return Verdict(rule.name, tier, match[0].strip())
    return None


def _is_no_claim(head: str, position: int, wording: Wording) -> bool:
    """Tell whether what stands at a position is part of a task, a condition or somebody else's report."""
    sentence = max((end.end() for end in _SENTENCE_END.finditer(head, 0, position)), default=0)
    while sentence < position and head[sentence].isspace():
        sentence += 1
    return (
        wording.tasks.match(head) is not None
        or wording.requests.match(head, sentence) is not None
        or wording.supposes.search(head, sentence, position) is not None
    )


def _is_long(text: str) -> bool:
    return len(text) > limits.CORRECTION_CHARS_MAX or text.count("\n") >= limits.CORRECTION_LINES_MAX


def _first_words(head: str) -> str:
    return " ".join(head.split()[:8])


@cache
def _fillers() -> frozenset[str]:
    return frozenset(word for rules in Rulebook().corrections() for word in rules.fillers.split())


def signature_of(text: str) -> str:
    """Give the words of a text that say what it is about, whatever their order."""
    words = {word.lower() for word in _WORD.findall(text[: limits.CORRECTION_HEAD_CHARS])}
    return " ".join(sorted(words - _fillers())[:_SIGNATURE_WORDS]) or text.strip()[:80]


def _human_messages(transcript: Transcript) -> Iterator[tuple[Message, Situation]]:
    """Give each message of a person after the agent's first act, with what came before it.

    A piece that is not the file's first has the agent's acts before it, seen or not.
    """
    before: AnyEntry | None = None
    acted = transcript.new_from > 0
    said = ""
    human = ""
    result: ToolResult | None = None
    for entry in transcript.main_thread:
        if isinstance(entry, ToolCall):
            acted, before = True, entry
        elif isinstance(entry, ToolResult):
            result = before = entry
        elif isinstance(entry, Message) and entry.is_human:
            text = " ".join(entry.text.split())
            if acted:
                yield (
                    entry,
                    Situation(
                        provenance=entry.provenance,
                        interrupted=is_interrupt(before),
                        asked="?" in said[-_QUESTION_TAIL_CHARS:],
                        repeated=text == human,
                        asking_tool=_answers_asking_tool(entry, result),
                    ),
                )
            human, before = text, entry
        elif isinstance(entry, Message):
            if entry.provenance is Provenance.ASSISTANT:
                said, acted, before = entry.text, True, entry
        elif is_interrupt(entry):  # a compaction in between changes nothing
            before = entry


def _answers_asking_tool(message: Message, result: ToolResult | None) -> bool:
    """Tell whether a refusal's words stand in the line of a result of a tool that asks the person."""
    return result is not None and result.line == message.line and result.tool in _ASKING_TOOLS
