"""Import of agentlog's JSON lines: ``~/.agentlog/log/SESSION.jsonl``, one entry a line.

A line that was torn by a crash and then written on holds the next entry behind its remains; that entry is
saved. Ids and sessions are kept, so the same folder can be imported again, from any host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec

from jilog_agent.decisions.place import Standpoint
from jilog_agent.decisions.record import Proposal, prepared, same_entry
from jilog_agent.decisions.zones import OpenZone
from jilog_agent.imports.append import Candidate, append_missing, candidate
from jilog_agent.imports.report import ImportReport
from jilog_ledger.decision import Decision, FileRef, read_decision
from jilog_ledger.errors import InputError
from jilog_ledger.event import Event, EventDraft
from jilog_ledger.limits import EVENT_BYTES_MAX
from jilog_ledger.times import parse_rfc3339
from jilog_review.redact import Redactor, redact

LINE_BYTES_MAX = 8 * EVENT_BYTES_MAX
"""A line is read whole; with every character escaped the largest entry takes six bytes a character."""

_ENTRY_START = b'{"id":'


class _Line(msgspec.Struct):
    id: str
    timestamp: str
    session_id: str
    type: str
    title: str
    body: str = ""
    tags: tuple[str, ...] | None = None
    file_refs: tuple[str, ...] | None = None


_decode = msgspec.json.Decoder(_Line).decode


def import_agentlog(
    zone: OpenZone,
    path: Path,
    report: ImportReport,
    *,
    host: str,
    root: Path | None = None,
    redactor: Redactor = redact,
) -> None:
    """Import a file or a folder of agentlog's; lines that cannot be read are reported.

    Absolute file references are understood on this host. Relative ones say nothing of their repository:
    they belong to ``root`` when it is given, else to a repository that nobody knows. ``redactor`` sees every
    text.
    """
    standpoint = Standpoint.of(host, root or Path("/"))
    proposal_of = partial(_proposal, standpoint=standpoint, rooted=root is not None, redactor=redactor)
    candidates = _candidates(_files(path), proposal_of, report)
    append_missing(zone, candidates, _same, report)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    folder = path / "log" if (path / "log").is_dir() else path
    if not folder.is_dir():
        raise InputError(f"there is no {path}", hint="name agentlog's folder, such as ~/.agentlog")
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise InputError(f"{path} holds no agentlog sessions", hint="they are log/SESSION.jsonl")
    return files


def _candidates(
    files: list[Path], proposal_of: Callable[[_Line], Proposal], report: ImportReport
) -> Iterator[Candidate]:
    for file in files:
        report.files += 1
        for number, line in _lines(file, report):
            where = f"{file.name}:{number}"
            entry = _parse(line, where, report)
            if entry is None:
                continue
            try:
                draft = prepared(proposal_of(entry))
            except (InputError, ValueError) as exc:
                report.skip(where, str(exc))
                continue
            found = candidate(where, draft, report)
            if found is not None:
                yield found


def _lines(file: Path, report: ImportReport) -> Iterator[tuple[int, bytes]]:
    """Give the lines with their numbers; one that is too long is reported and passed over."""
    try:
        with file.open("rb") as stream:
            number = 0
            while line := stream.readline(LINE_BYTES_MAX):
                number += 1
                if len(line) < LINE_BYTES_MAX:
                    if line.strip():
                        yield number, line
                    continue
                report.skip(f"{file.name}:{number}", f"the line is longer than {LINE_BYTES_MAX} bytes")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LINE_BYTES_MAX)
    except OSError as exc:
        report.skip(file.name, f"cannot be read: {exc.strerror}")


def _parse(line: bytes, where: str, report: ImportReport) -> _Line | None:
    try:
        return _decode(line)
    except (msgspec.DecodeError, RecursionError) as exc:
        problem = str(exc)
    start = line.rfind(_ENTRY_START)
    if start > 0:
        try:
            entry = _decode(line[start:])
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            report.skip(
                where, f"the first {start} bytes are the remains of a torn line; the entry behind was saved"
            )
            return entry
    torn = "" if line.endswith(b"\n") else "; the file ends inside this line"
    report.skip(where, f"{problem}{torn}")
    return None


def _proposal(entry: _Line, standpoint: Standpoint, rooted: bool, redactor: Redactor) -> Proposal:
    decision = Decision(
        type=entry.type,
        title=entry.title,
        session_id=entry.session_id,
        id=entry.id,
        tags=entry.tags or (),
        files=tuple(_ref(text, standpoint, rooted) for text in entry.file_refs or () if text),
        body=entry.body,
    )
    return Proposal(decision, parse_rfc3339(entry.timestamp), redactor=redactor)


def _ref(text: str, standpoint: Standpoint, rooted: bool) -> FileRef:
    if rooted or text.startswith("/"):
        return standpoint.ref(text)
    return FileRef("", text)


def _same(held: Event, draft: EventDraft) -> bool:
    """Compare without the files: which repository a path belongs to depends on the host that imports."""
    proposed, known = read_decision(draft.payload), read_decision(held.payload())
    if proposed is None or known is None:
        return False
    return same_entry(held, msgspec.structs.replace(proposed, files=known.files), draft.timestamp_ns)
