"""What a nightly review tells: the listing of a dry run, the lines of a real one, and the JSON of both."""

from __future__ import annotations

import re

import msgspec

from jilog_ledger.event import JsonValue
from jilog_review.aggregate import P0_SESSIONS_MIN
from jilog_review.detector import Kind
from jilog_review.digest_lines import failure_text, quoted
from jilog_review.night_filing import NOT_FILED, NightFiling
from jilog_review.nightly import NightResult
from jilog_review.runs import ReaderCount, usage_fields
from jilog_review.signal import Signal
from jilog_review.summary_json import summary_fields

SCHEMA_VERSION = 3
"""Version of the JSON object. The reference's own objects, which only count, are versions 1 and 2."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


def dry_run_lines(result: NightResult, filing: NightFiling, digest_path: str) -> list[str]:
    """List what a run would do, in the seed's form. ``digest_path`` is the path as a person writes it."""
    lines = [scanned_line(result.scan.counts())]
    lines += [_listing_line(signal) for kind in Kind for signal in result.summary.of_kind(kind)]
    lines += [
        f"[p0] {alert.tool} failed in {len(alert.sessions)} distinct sessions (threshold={P0_SESSIONS_MIN})"
        for alert in result.summary.alerts
    ]
    lines.append(f"would write: {digest_path}")
    return lines + filing.dry_run_lines()


def scanned_line(counts: tuple[ReaderCount, ...]) -> str:
    """Say how many sessions each reader gave."""
    sessions = sum(count.sessions for count in counts)
    by_reader = ", ".join(f"{count.reader}={count.sessions}" for count in counts)
    line = f"scanned {sessions} sessions across {len(counts)} readers"
    return f"{line} ({by_reader})" if by_reader else line


def summary_lines(result: NightResult, digest_path: str) -> list[str]:
    """Say what a real run found and where the digest is."""
    counts = _kind_counts(result)
    scan = result.scan
    sessions = sum(count.sessions for count in scan.counts())
    lines = [
        ", ".join(f"{counts[kind]} {kind.value}s" for kind in Kind)
        + f", {len(result.summary.alerts)} P0 alert(s), {sessions} session(s) scanned"
    ]
    if scan.usage.cost is not None:
        lines.append(f"Spend: ${scan.usage.cost} in what was scanned")
    lines.append(f"Digest: {digest_path}")
    if scan.problems:
        lines.append(f"Problems: {len(scan.problems)} file(s) or folder(s) could not be read")
    return lines


def night_json(result: NightResult, filing: NightFiling = NOT_FILED) -> dict[str, JsonValue]:
    """Give the whole result as one JSON object; ``docs/detectors.md`` describes its keys."""
    summary, scan = result.summary, result.scan
    counts: dict[str, JsonValue] = {f"{kind.value}s": count for kind, count in _kind_counts(result).items()}
    input_tokens, output_tokens, cost = usage_fields(scan.usage)
    readers: list[JsonValue] = [msgspec.to_builtins(count) for count in scan.counts()]
    coverage: JsonValue = msgspec.to_builtins(scan.coverage)
    runs: list[JsonValue] = [msgspec.to_builtins(run) for run in summary.runs]
    return {
        "schema_version": SCHEMA_VERSION,
        "date": summary.window.last.isoformat(),
        "window": {"first": summary.window.first.isoformat(), "last": summary.window.last.isoformat()},
        "profile": summary.profile,
        "host": result.night.stamp.host,
        "dry_run": result.night.dry_run,
        "sessions_scanned": sum(count.sessions for count in scan.counts()),
        **counts,
        "signals_new": len(result.new_signals),
        **summary_fields(summary),
        "readers": readers,
        "coverage": coverage,
        "problems": [f"{problem.where}: {problem.message}" for problem in scan.problems],
        "runs": runs,
        "scan_spend": {"total_usd": cost, "input_tokens": input_tokens, "output_tokens": output_tokens},
        **filing.to_json(),
        "digest_path": None if result.digest_path is None else str(result.digest_path),
    }


def _kind_counts(result: NightResult) -> dict[Kind, int]:
    return {kind: len(result.summary.of_kind(kind)) for kind in Kind}


def _listing_line(signal: Signal) -> str:
    start = f"[{signal.kind}] {_short_id(signal.session_id)}"
    if signal.kind is Kind.CORRECTION:
        return f"{start} {quoted(signal.excerpt)}"
    if signal.kind is Kind.ERROR:
        return f"{start} {signal.tool}: {failure_text(signal, plain=False)}"
    return f"{start} [{signal.label or signal.rule}] {quoted(signal.excerpt)}"


def _short_id(session_id: str) -> str:
    """Shorten a UUID as the seed's listing does; any other id stays whole."""
    return f"{session_id[:8]}-..." if _UUID.match(session_id) else session_id
