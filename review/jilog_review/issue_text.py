"""What an issue says: title, body, comments, and the hidden lines by which jilog finds them again.

The forms of title and body are the seed's. Text from transcripts is redacted once more, kept on one line in
titles, and quoted line by line in bodies, so that nothing in it can pass for a line of ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date

from jilog_review import filing_limits as limits
from jilog_review.aggregate import P0_SESSIONS_MIN
from jilog_review.detector import Kind
from jilog_review.digest_lines import quoted
from jilog_review.headline import headline
from jilog_review.problems import Burst, Problem
from jilog_review.redact import Redactor, redact
from jilog_review.signal import Signal
from jilog_review.tracker import NewIssue

_FINGERPRINT_LINE = re.compile(r"^<!-- jilog-fingerprint: ([0-9a-f]{8,64}) -->\s*$", re.MULTILINE)
_DETECTED_LINE = re.compile(r"\ADetected by jilog/review on (\d{4}-\d{2}-\d{2})\.")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")

# How many characters of a text a title keeps: the seed's two examples cut at these places.
_TITLE_CHARS = {Kind.CORRECTION: 44, Kind.WORKAROUND: 67}
_TITLE_CHARS_OTHERS = 80

_PRIORITY = {Kind.CORRECTION: 3, Kind.ERROR: 2, Kind.WORKAROUND: 3, Kind.DEFERRAL: 3, Kind.PATTERN: 2}
_PRIORITY_P0 = 1
_CORRECTION_ADVICE = (
    "Review the assistant turn that immediately preceded this correction; the surrounding context likely"
    " points at a documented preference, a stale cached path, or a missing skill."
)
_TYPE = {Kind.ERROR: "bug", Kind.WORKAROUND: "chore"}


def fingerprint_line(fingerprint: str) -> str:
    """Write the hidden line that ends a body."""
    return f"<!-- jilog-fingerprint: {fingerprint} -->"


def read_fingerprint(body: str) -> str | None:
    """Find the fingerprint in a body that people may have edited; the last line of that form counts."""
    found = _FINGERPRINT_LINE.findall(body.replace("\r\n", "\n"))
    return found[-1] if found else None


def read_detected_on(body: str) -> str | None:
    """Find the review date that a body begins with."""
    match = _DETECTED_LINE.match(body)
    return match[1] if match else None


def comment_line(key: str) -> str:
    """Write the hidden line that makes a comment recognisable."""
    return f"<!-- jilog-comment: {key} -->"


def issue_of(problem: Problem, detected_on: date, window_days: int, redactor: Redactor = redact) -> NewIssue:
    """Write the issue of a problem that was found on a review date in so many days."""
    first = problem.first
    parts = [
        f"Detected by jilog/review on {detected_on.isoformat()}.",
        *_paragraphs(problem, detected_on, window_days, redactor),
        *_what_worked(problem, redactor),
    ]
    body = "\n\n".join(parts) + "\n\n" + fingerprint_line(problem.fingerprint) + "\n"
    return NewIssue(
        fingerprint=problem.fingerprint,
        kind=problem.kind,
        title=title_of(first, redactor),
        body=body,
        type=_TYPE.get(problem.kind, "task"),
        priority=_PRIORITY_P0 if problem.p0 else _PRIORITY[problem.kind],
        p0=problem.p0 is not None,
        tool=first.tool,
        pattern=first.label if problem.kind is not Kind.ERROR else None,
    )


def title_of(signal: Signal, redactor: Redactor = redact) -> str:
    """Write the title: the kind, the subject, and the beginning of the text, on one line."""
    text = one_line(redactor(_told(signal)).text)
    text = _cut(text, _TITLE_CHARS.get(signal.kind, _TITLE_CHARS_OTHERS))
    if signal.kind in (Kind.CORRECTION, Kind.WORKAROUND, Kind.DEFERRAL):
        text = quoted(text)
    subject = one_line(_subject(signal))[: limits.SUBJECT_CHARS_MAX]
    return f"[jilog/{signal.kind}] {subject}: {text}"


def _told(signal: Signal) -> str:
    """Give the text that a title begins to quote: of a failure, the line that says what went wrong."""
    if signal.kind is not Kind.ERROR or signal.profile == "seed":
        return signal.excerpt
    return headline(signal.excerpt) or signal.excerpt


def _subject(signal: Signal) -> str:
    match signal.kind:
        case Kind.ERROR:
            return signal.tool or "unknown"
        case Kind.WORKAROUND | Kind.PATTERN:
            return signal.label or signal.rule
        case Kind.CORRECTION | Kind.DEFERRAL:
            return signal.session_id


def one_line(text: str) -> str:
    """Give a text without line breaks, control characters and characters that turn its direction."""
    return " ".join(_UNSAFE.sub(" ", text).split())


def bump_text(signals: Sequence[Signal], run_date: date) -> str:
    """Write the comment for an open issue whose problem was seen again."""
    return f"Seen again on {run_date.isoformat()}: {_counts(signals)}."


def reopen_text(signals: Sequence[Signal], run_date: date) -> str:
    """Write the comment for an issue that is opened again."""
    return (
        f"Recurred on {run_date.isoformat()} — closure may have been premature.\n\n"
        f"Since it was closed: {_counts(signals)}."
    )


def _counts(signals: Sequence[Signal]) -> str:
    """Write how often, in how many sessions, on which hosts and on which dates."""
    hosts: Counter[str] = Counter()
    for signal in signals:
        hosts[signal.host] += signal.occurrences
    named = ", ".join(f"{one_line(host)} {count}" for host, count in sorted(hosts.items())[:20])
    dates = sorted({signal.review_date for signal in signals})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    sessions = len({signal.root_session for signal in signals})
    return f"{_times(sum(hosts.values()))} in {sessions} session{'s' * (sessions != 1)} ({named}), {when}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _paragraphs(problem: Problem, detected_on: date, window_days: int, redactor: Redactor) -> list[str]:
    first = problem.first
    text = _quote(redactor(first.excerpt).text)
    if problem.p0 is not None:
        span = "24h" if window_days <= 1 else f"{window_days}d"
        today = problem.p0.last_date == detected_on.isoformat()
        when = f"in the last {span}" if today else f"in the {span} up to {problem.p0.last_date}"
        parts = _alert_paragraphs(first.tool or "unknown", problem.p0, when, text)
    elif problem.kind is Kind.CORRECTION:
        parts = [
            f"User correction in session {one_line(first.session_id)}:\n{text}",
            _CORRECTION_ADVICE,
        ]
    else:
        parts = [f"Session: {one_line(first.session_id)}\n{_about(first)}", f"{_heading(first)}:\n{text}"]
    if _says_more(problem):
        parts.append(f"Seen {_counts(problem.signals)}.")
    return parts


def _says_more(problem: Problem) -> bool:
    """Tell whether the counts say more than the rest of the body: an alert lists its sessions already."""
    times = sum(signal.occurrences for signal in problem.signals)
    return times > (1 if problem.p0 is None else len(problem.p0.sessions))


def _what_worked(problem: Problem, redactor: Redactor) -> list[str]:
    """Quote the command that worked after the failure, from the last signal that has one."""
    for signal in reversed(problem.signals):
        if signal.later_command:
            return [f"What worked afterwards:\n{_quote(redactor(signal.later_command).text)}"]
    return []


def _alert_paragraphs(tool: str, burst: Burst, when: str, text: str) -> list[str]:
    sessions = burst.sessions
    shown = "\n".join(f"- {one_line(session)}" for session in sessions[: limits.SESSIONS_SHOWN_MAX])
    hidden = len(sessions) - limits.SESSIONS_SHOWN_MAX
    if hidden > 0:
        shown += f"\n- and {hidden} more"
    failed = f"Tool {_code(tool)} failed in {len(sessions)} distinct root sessions {when}"
    return [
        f"{failed}, exceeding the P0 threshold ({P0_SESSIONS_MIN}).",
        f"Example sessions:\n{shown}",
        f"First observed message:\n{text}",
    ]


def _about(signal: Signal) -> str:
    if signal.kind is Kind.ERROR:
        return f"Tool: {_code(signal.tool or 'unknown')}"
    return f"Pattern: {_code(signal.label or signal.rule)}"


def _heading(signal: Signal) -> str:
    return {Kind.ERROR: "Message", Kind.PATTERN: "Evidence"}.get(signal.kind, "Context")


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))[: limits.SUBJECT_CHARS_MAX]}`"


def _quote(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(f"> {' '.join(_UNSAFE.sub(' ', line).split())}".rstrip() for line in lines)


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[:chars_max] + "..."
