"""The second stage of errors: what kind of failure a failed tool call is.

A flag or an exit status says only that something did not end well. Six in ten of those are worth anybody's
time; the rest is red tests, answers to questions, and calls that somebody stopped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from jilog_review.needles import folded
from jilog_review.rulebook import ErrorRules, RuleList, RuleSet
from jilog_review.shell import Part, last_parts
from jilog_review.transcript import Denial, ToolResult, clip_middle


class Outcome(StrEnum):
    """What a failed call was, in the order in which it is asked."""

    USER_REJECT = "user_reject"
    POLICY_DENY = "policy_deny"
    SIBLING_CANCEL = "sibling_cancel"
    ABORTED = "aborted"
    HOOK_BLOCK = "hook_block"
    BENIGN = "benign_nonzero"
    DEV_LOOP = "dev_loop"
    PROGRAM = "program"
    """The program under work ended badly: its author's business, not the tools'."""
    FRICTION = "friction"


@dataclass(frozen=True, slots=True)
class Classified:
    """A class, the rule that chose it, and the words the rule saw."""

    outcome: Outcome
    rule: str
    words: str = ""


_DENIALS = {
    Denial.USER: Outcome.USER_REJECT,
    Denial.POLICY: Outcome.POLICY_DENY,
    Denial.HOOK: Outcome.HOOK_BLOCK,
    Denial.SIBLING: Outcome.SIBLING_CANCEL,
    Denial.ABORTED: Outcome.ABORTED,
}
_SAID_STOPPED: tuple[tuple[Outcome, re.Pattern[str]], ...] = (
    (
        Outcome.USER_REJECT,
        re.compile(
            r"\A\W{0,3}(?:the user (?:doesn't want|declined|rejected|denied|cancell?ed)|"
            r"user (?:rejected|declined|denied|cancell?ed)|"
            r"rejected by user|tool (?:call|use) (?:was )?rejected)",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.POLICY_DENY,
        re.compile(
            r"\A\W{0,3}(?:permission (?:to use|for this|denied and)|(?:tool|command|"
            r"this \w+) (?:is )?(?:not allowed|denied|blocked) "
            r"(?:by|in)|not (?:allowed|permitted) in plan mode|plan mode|blocked by (?:policy|sandbox))|"
            r"rejected by (?:the )?(?:policy|approval|sandbox)|could not request permission",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.SIBLING_CANCEL,
        re.compile(r"\A\W{0,3}(?:sibling tool call errored|cancelled: parallel)", re.IGNORECASE),
    ),
    (
        Outcome.ABORTED,
        re.compile(
            r"\A\W{0,3}(?:\[?request interrupted|aborted by user|aborted\b|"
            r"interrupted by|(?:operation|command|tool call) "
            r"(?:was )?(?:aborted|cancell?ed|interrupted))",
            re.IGNORECASE,
        ),
    ),
    (
        Outcome.HOOK_BLOCK,
        re.compile(
            r"\A\W{0,3}(?:\w+:\S* )?hook (?:\w+ )?(?:error|denied|blocked|returned|failed)", re.IGNORECASE
        ),
    ),
)
# Ended by a signal, or by a reader that had enough: 128 + SIGINT, SIGKILL, SIGPIPE, SIGTERM.
_SIGNAL_STATUSES = frozenset({130, 137, 141, 143})
_WEB_TOOLS = frozenset(
    {"WebFetch", "WebSearch", "web_fetch", "web_search", "fetch", "google_web_search", "webfetch"}
)
# Tools that only wait for, or end, something started before: it may be gone, and that is what they find out.
POLLING_TOOLS = frozenset(
    [
        "BashOutput",
        "TaskOutput",
        "TaskStop",
        "KillShell",
        "KillBash",
        "write_stdin",
        "read_bash",
        "stop_bash",
        "write_bash",
        "list_bash",
        "AgentOutputTool",
        "read_agent",
        "wait_agent",
        "wait",
    ]
)
_BENIGN_CHARS = 40
_HARD = re.compile(
    r"not found|no such|cannot|can't|could not|denied|fatal|error|unknown|unrecogni[sz]ed|invalid|"
    r"usage|failed|exception|"
    r"unable|refused|undefined|missing|not a\b|panic|unexpected|timed? ?out",
    re.IGNORECASE,
)
_EDGE_LINES = 6
_EDGE_LINE_CHARS = 300
# Shapes show in the first and the last of a long output.
_LOOKED_AT_CHARS = 3000
# A runner that printed one of these never got to its work.
_BEFORE_WORK = frozenset({"command-not-found", "wrong-usage", "wrong-place", "shell-syntax"})
_WRITES = re.compile(r"(?:^|\s)(?:-X|--method|-f|-F|--field|--raw-field|--input|-d|--data\S*)(?:$|[\s=])")


@dataclass(frozen=True)
class SecondStage:
    """Decides what kind of failure a result is. Pure: the same result has the same class everywhere."""

    errors: ErrorRules
    shapes: RuleList

    @cached_property
    def _error_rules(self) -> RuleSet:
        return RuleSet(tuple(self.errors.rule))

    @cached_property
    def _shape_rules(self) -> RuleSet:
        return RuleSet(tuple(self.shapes.rule))

    @cached_property
    def _runners(self) -> frozenset[str]:
        return frozenset(self.errors.runners)

    @cached_property
    def _probes(self) -> frozenset[str]:
        return frozenset(self.errors.probes)

    @cached_property
    def _searches(self) -> frozenset[str]:
        return frozenset(self.errors.searches)

    def classify(self, result: ToolResult, output: str) -> Classified:
        """Give the class of a result that failed or whose command ended with a status.

        ``output`` is what it printed, as :func:`jilog_review.headline.plain_output` gives it.
        """
        if result.denial is not None:
            return Classified(_DENIALS[result.denial], "denied", result.denial.value)
        text = clip_middle(output, _LOOKED_AT_CHARS)
        for outcome, pattern in _SAID_STOPPED:
            match = pattern.search(text[:300])
            if match is not None:
                return Classified(outcome, "denied", match[0])
        if result.command is None:
            return self._tool(result.tool, text)
        return self._command(last_parts(result.command), result, text)

    def _tool(self, tool: str, text: str) -> Classified:
        if tool in _WEB_TOOLS:
            return Classified(Outcome.BENIGN, "web-page", "")
        if tool in POLLING_TOOLS:
            return Classified(Outcome.BENIGN, "poll", "")
        found = _first(self._error_rules, text[:600])
        return found or Classified(Outcome.FRICTION, "tool-failed", _first_line(text))

    def _command(self, parts: tuple[Part, ...], result: ToolResult, text: str) -> Classified:
        families = [part.family for part in parts]
        if result.exit_status in _SIGNAL_STATUSES and not _HARD.search(text[-400:]):
            return Classified(Outcome.ABORTED, "signal", str(result.exit_status))
        # What a search shows is the text that was searched.
        shape = None if self._searches_last(parts) else _first(self._shape_rules, text)
        is_work = self._is_work(parts)
        # What a test prints is anybody's words: only what its runner says of itself counts.
        found = _first(self._error_rules, _edges(text), only=None if shape is None else _BEFORE_WORK)
        if found is None and shape is not None:
            return Classified(Outcome.DEV_LOOP, shape.rule, shape.words)
        if found is None and is_work:
            return Classified(Outcome.DEV_LOOP, "runner", families[0])
        if self._is_answer(parts, result, found, text):
            return Classified(Outcome.BENIGN, "probe", families[-1] if families else "")
        if found is not None:
            return found
        if len(text) < _BENIGN_CHARS and not _HARD.search(text):
            return Classified(Outcome.BENIGN, "says-nothing", text)
        if any(self._is_program(part) for part in parts):
            return Classified(Outcome.PROGRAM, "program", families[0])
        return Classified(Outcome.FRICTION, "command-failed", _first_line(text))

    def _searches_last(self, parts: Sequence[Part]) -> bool:
        return bool(parts) and (parts[-1].family in self._searches or parts[-1].program in self._searches)

    def _is_work(self, parts: Sequence[Part]) -> bool:
        """Tell whether a test, a linter or a build is among the commands that may have failed."""
        for part in parts:
            family = part.family
            if family in self._runners or part.program in self._runners:
                return True
            target = family.partition(" ")[2] or (part.program if "/" in part.words[0] else "")
            runs_targets = part.program in _TARGET_RUNNERS or "/" in (part.words[0] if part.words else "")
            if runs_targets and target and self.errors.target_regex.search(target):
                return True
        return False

    def _is_program(self, part: Part) -> bool:
        word = part.words[0] if part.words else ""
        return (
            part.family in self.errors.programs
            or part.program in self.errors.programs
            or word.startswith("./")
        )

    def _is_answer(
        self, parts: Sequence[Part], result: ToolResult, found: Classified | None, text: str
    ) -> bool:
        """Tell whether the commands that may have failed only asked something, and this is the answer."""
        if not parts:
            return False
        last = parts[-1]
        if last.program == "find" and (found is None or found.rule in {"missing-file", "refused"}):
            return True
        if self._searches_last(parts):
            silent = found is None and (len(text) < _BENIGN_CHARS or not text.startswith(f"{last.program}: "))
            return result.exit_status in {1, None} and silent
        if not all(part.family in self._probes or part.program in self._probes for part in parts):
            return last.family == "gh api" and "HTTP 404" in text and not _WRITES.search(result.command or "")
        if found is None or found.rule in {"missing-file", "git-state"}:
            return True
        return found.rule == "network" and last.program in self.errors.network_probes


_TARGET_RUNNERS = frozenset(
    [
        "make",
        "just",
        "task",
        "mise",
        "npm",
        "pnpm",
        "yarn",
        "bun",
        "rake",
        "nx",
        "turbo",
        "gradle",
        "mvn",
        "composer",
        "invoke",
    ]
)


def _first(rules: RuleSet, text: str, only: frozenset[str] | None = None) -> Classified | None:
    for rule in rules.in_text(folded(text)):
        if only is not None and rule.name not in only:
            continue
        match = rule.search(text)
        if match is not None:
            return Classified(Outcome.FRICTION, rule.name, match[0].strip()[:400])
    return None


def _edges(text: str) -> str:
    """Give the first and last lines: what a program says of itself, not what it was asked to print."""
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) <= 2 * _EDGE_LINES:
        return "\n".join(line[:_EDGE_LINE_CHARS] for line in lines)
    return "\n".join(line[:_EDGE_LINE_CHARS] for line in (*lines[:_EDGE_LINES], *lines[-_EDGE_LINES:]))


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:400]
