"""Who wrote a user line of Claude Code, and why a tool call was not carried out.

Claude Code writes much under the user's role that no person typed: results, reminders, notifications, command
output, summaries. Fields that say so are believed first; older versions only have the text to go by.
"""

from __future__ import annotations

import re

from jilog_review.transcript import Denial, Provenance

_INJECTED_PREFIXES = (
    "<task-notification>",
    "<command-name>",
    "<command-message>",
    "<command-args>",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<local-command-caveat>",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<system-reminder>",
    "<ci-monitor-event>",
    "<user-prompt-submit-hook>",
    "<teammate-message",
    "<background-task",
    "Caveat:",
    "This session is being continued",
    "Base directory for this skill",
    "Stop hook feedback",
    "Operation stopped by hook",
    "Another Claude session sent",
)
_WRAPPED = re.compile(
    r"\s*<(ide_opened_file|ide_selection|ide_diagnostics|system-reminder)\b[^>]*>.*?</\1>\s*", re.DOTALL
)
INTERRUPT_PREFIX = "[Request interrupted by user"

_REJECTION_PREFIXES = (
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action right now",
    "User rejected tool use",
)
_REJECTION_TEXT = re.compile(r"the user said:\s*\n?(.*)\Z", re.DOTALL | re.IGNORECASE)
_REJECTION_TAIL = re.compile(r"\n\s*Note: The user's next message may contain.*\Z", re.DOTALL)
_POLICY_PREFIXES = ("Permission to use ", "Permission for this action", "Permission denied by")
_HOOK_TEXT = re.compile(
    r"\A(?:<tool_use_error>)?\s*(?:Hook \w+|\w+:\S* hook) (?:error|denied|blocked|returned)"
)
_SIBLING_TEXT = re.compile(
    r"\A(?:<tool_use_error>)?\s*(?:Sibling tool call errored|Cancelled: parallel tool call)"
)
_DENIAL_KINDS = {
    "user-rejected": Denial.USER,
    "permission-rule": Denial.POLICY,
    "automode-unavailable": Denial.POLICY,
}
_EXIT_STATUS = re.compile(r"\A(?:Error: )?Exit code (\d{1,5})\b")


def human_part(text: str) -> str:
    """Take away what an editor or the harness wrapped around a person's words."""
    if "<" not in text:
        return text
    return _WRAPPED.sub("", text)


def is_injected_text(text: str) -> bool:
    """Tell whether a text begins the way only the harness's own texts do."""
    return text.lstrip().startswith(_INJECTED_PREFIXES)


def is_interrupt(text: str) -> bool:
    """Tell whether a text is the trace of a person stopping the agent."""
    return text.lstrip().startswith(INTERRUPT_PREFIX)


def provenance_of_source(prompt_source: str | None, origin_kind: str | None) -> Provenance:
    """Judge by the fields that newer versions write on a user line."""
    if prompt_source == "system" or (origin_kind is not None and origin_kind != "human"):
        return Provenance.INJECTED
    if prompt_source == "queued":
        return Provenance.QUEUED
    return Provenance.HUMAN


def denial_of(text: str, denial_kind: str | None) -> Denial | None:
    """Tell why a tool call was not carried out, None when it was."""
    if denial_kind is not None:
        return _DENIAL_KINDS.get(denial_kind, Denial.POLICY)
    if text.startswith(_REJECTION_PREFIXES):
        return Denial.USER
    if text.startswith(_POLICY_PREFIXES):
        return Denial.POLICY
    if text.startswith(INTERRUPT_PREFIX):
        return Denial.ABORTED
    if _SIBLING_TEXT.match(text):
        return Denial.SIBLING
    if _HOOK_TEXT.match(text):
        return Denial.HOOK
    return None


def rejection_text(text: str) -> str:
    """Give what the person typed while refusing a tool call; empty when nothing."""
    match = _REJECTION_TEXT.search(text)
    return _REJECTION_TAIL.sub("", match[1]).strip() if match else ""


def exit_status_of(text: str) -> int | None:
    """Give the exit status that a failed shell command's result begins with."""
    match = _EXIT_STATUS.match(text)
    return int(match[1]) if match else None
