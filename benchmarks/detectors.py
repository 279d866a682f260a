"""How good the precise rules are, on real transcripts that somebody labelled.

``python -m benchmarks.detectors [CORPUS]`` prints the table; ``--list KIND`` prints the signals of one kind
for reading by hand, each with the opaque key under which its label is kept. The corpus is a folder with one
folder of transcripts for each reader and ``labels-corrections.json``; it is other people's work and is not
part of this project. Labels of errors, workarounds, deferrals and patterns are in ``benchmarks/labels``:
keys there are hashes. So are those of people's messages that the corpus has no label for, with its letters:
C a correction, D a report of a defect, R a refinement, N none.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from jilog_review.aggregate import P0_SESSIONS_MIN
from jilog_review.detector import Kind, Tier
from jilog_review.detectors.precise.profile import precise_detectors
from jilog_review.exposure import ToolUse, tools_used
from jilog_review.reader import ReaderConfig, make_reader
from jilog_review.readers import BUILT_IN
from jilog_review.redact import redact
from jilog_review.signal import Signal, Stamp, make_signal
from jilog_review.transcript import AnyEntry, Message, ToolResult, Transcript

DEFAULT_CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
LABELS = Path(__file__).parent / "labels" / "development.json"
STAMP = Stamp("bench", "precise", date(2026, 1, 5), redact)
TRUE, FALSE = "tp", "fp"


@dataclass(frozen=True, slots=True)
class Corpus:
    """What the rules found in a folder of transcripts, and people's labels of messages there."""

    signals: tuple[Signal, ...]
    transcripts: tuple[Transcript, ...]
    use: ToolUse
    labels: dict[str, str]


def read_corpus(folder: Path) -> Corpus:
    """Read every transcript below ``folder`` with the reader its folder is named after, and judge it."""
    transcripts = tuple(
        transcript
        for reader_folder in sorted(folder.iterdir())
        if reader_folder.is_dir() and reader_folder.name in BUILT_IN
        for transcript in _read_folder(reader_folder)
    )
    detectors, use = precise_detectors(), ToolUse()
    signals: dict[str, Signal] = {}
    for transcript in transcripts:
        use.add(transcript.root_session, tools_used(transcript))
        for detector in detectors:
            for finding in detector.detect(transcript):
                signal = make_signal(finding, transcript, detector, STAMP)
                signals.setdefault(signal.id, signal)
    path = folder / "labels-corrections.json"
    labels = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.is_file() else {}
    return Corpus(tuple(signals.values()), transcripts, use, labels)


def _read_folder(folder: Path) -> Iterator[Transcript]:
    reader = make_reader(ReaderConfig(folder.name, {"path": str(folder)}, os.environ))
    for source in reader.discover(0).sources:
        cursor, entries, more = None, list[AnyEntry](), True
        while more:
            reading = reader.read(source, cursor)
            entries.extend(reading.transcript.new_entries())
            cursor, more = reading.cursor, reading.more
        yield replace(reading.transcript, entries=tuple(entries), new_from=0)


def correction_key(signal_file: str, timestamp_ns: int | None) -> str:
    """Make the key of a label of a person's message: file and timestamp, without the project's name."""
    if timestamp_ns is None:
        return ""
    moment = datetime.fromtimestamp(timestamp_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{Path(signal_file).name}|{moment}.{timestamp_ns // 10**6 % 1000:03d}Z"


def opaque_key(signal: Signal) -> str:
    """Make the key of a label of a signal: a hash of its reader, file, line and kind."""
    return place_key(signal.reader, signal.source_file, signal.line, signal.kind)


def place_key(reader: str, source_file: str, line: int, kind: Kind) -> str:
    """Make the key of a label of whatever stands in a line, found or not."""
    place = f"{reader}|{Path(source_file).name}|{line}|{kind.value}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927)."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - spread) / (1 + z * z / of), (middle + spread) / (1 + z * z / of)


def share(name: str, hits: int, of: int) -> str:
    """Write a line of the table: a share, its interval, and the numbers behind it."""
    if of == 0:
        return f"| {name} | – | – | 0 |"
    low, high = wilson(hits, of)
    return f"| {name} | {hits / of:.0%} | {low:.0%} to {high:.0%} | {hits} of {of} |"


def correction_lines(corpus: Corpus, own_labels: dict[str, str]) -> list[str]:
    """Measure the corrections by the labels of people's messages: the corpus's, else our own."""
    labels = {key.split("|", 1)[1]: label for key, label in corpus.labels.items()}
    tiers: dict[str, Counter[str]] = {"A": Counter(), "B": Counter(), "": Counter()}
    fired = {
        (Path(signal.source_file).name, signal.line): signal.tier.value
        for signal in corpus.signals
        if signal.kind is Kind.CORRECTION
    }
    for transcript in corpus.transcripts:
        name = Path(transcript.source_file).name
        for entry in transcript.entries:
            if isinstance(entry, Message) and entry.is_human:
                key = place_key(transcript.reader, name, entry.line, Kind.CORRECTION)
                label = labels.get(correction_key(name, entry.timestamp_ns), own_labels.get(key))
                if label is not None:
                    tiers[fired.get((name, entry.line), "")][label] += 1
    lines = []
    for tier, counts in (("A", tiers["A"]), ("A and B", tiers["A"] + tiers["B"])):
        total = counts.total()
        for letters in ("C", "CD", "CDR"):
            hits = sum(counts[letter] for letter in letters)
            lines.append(share(f"corrections tier {tier}, {'+'.join(letters)}", hits, total))
    everything = tiers["A"] + tiers["B"] + tiers[""]
    for tier, counts in (("A", tiers["A"]), ("A and B", tiers["A"] + tiers["B"])):
        lines.append(share(f"corrections tier {tier}, recall of C", counts["C"], everything["C"]))
        both = counts["C"] + counts["D"]
        lines.append(
            share(f"corrections tier {tier}, recall of C+D", both, everything["C"] + everything["D"])
        )
    return lines


def labelled_lines(corpus: Corpus, kind: Kind, labels: dict[str, str]) -> list[str]:
    """Measure one kind by the labels of signals; recall is over what either tier found."""
    known = [
        (signal, labels[opaque_key(signal)])
        for signal in corpus.signals
        if signal.kind is kind and opaque_key(signal) in labels
    ]
    filed = [label for signal, label in known if signal.tier is Tier.A]
    true = [label for _, label in known if label == TRUE]
    name = f"{kind.value}s tier A"
    return [
        share(f"{name}, precision", filed.count(TRUE), len(filed)),
        share(f"{name}, of what either tier found", filed.count(TRUE), len(true)),
        share(f"{name} and B, precision", len(true), len(known)),
    ]


def alert_lines(corpus: Corpus) -> list[str]:
    """List the failures that three sessions share, with exposure: each must name a fixable cause."""
    groups: dict[str, list[Signal]] = {}
    for signal in corpus.signals:
        if signal.kind is Kind.ERROR and signal.tier is Tier.A:
            groups.setdefault(signal.fingerprint, []).append(signal)
    lines = []
    for group in groups.values():
        sessions = {signal.root_session for signal in group}
        if len(sessions) >= P0_SESSIONS_MIN:
            first = group[0]
            exposure = corpus.use.share(first.tool or "", sessions)
            lines.append(f"- P0 `{first.tool}` {first.excerpt.splitlines()[0][:80]!r}: {exposure}")
    return lines


def run(folder: Path = DEFAULT_CORPUS) -> str:
    """Measure everything and give the table; a line that says so where there is no corpus."""
    if not folder.is_dir():
        return f"detectors: no corpus of labelled transcripts in {folder}, nothing measured"
    corpus = read_corpus(folder)
    labels = msgspec.json.decode(LABELS.read_bytes(), type=dict[str, str]) if LABELS.is_file() else {}
    calls = sum(isinstance(entry, ToolResult) for t in corpus.transcripts for entry in t.entries)
    lines = [
        f"detectors: {len(corpus.transcripts)} transcripts, {calls} results, {len(corpus.signals)} signals",
        "",
        "| measure | share | 95 % | count |",
        "|---|---|---|---|",
        *correction_lines(corpus, labels),
        *(
            line
            for kind in (Kind.ERROR, Kind.WORKAROUND, Kind.DEFERRAL, Kind.PATTERN)
            for line in labelled_lines(corpus, kind, labels)
        ),
        "",
        *alert_lines(corpus),
    ]
    return "\n".join(lines)


def listing(folder: Path, kind: Kind) -> Iterator[str]:
    """Give the signals of one kind for reading by hand."""
    for signal in read_corpus(folder).signals:
        if signal.kind is kind:
            text = " ".join(signal.excerpt.split())[:200]
            where = f"{Path(signal.source_file).name}:{signal.line}"
            command = (signal.command or "")[-80:].replace("\n", " ")
            yield f"{opaque_key(signal)} {signal.tier.value} {signal.rule} {where} {command!r} {text}"


def main(arguments: Sequence[str]) -> int:
    """Print the table or a listing. A missing corpus is said, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=__doc__)
    default = Path(os.environ.get("JILOG_CORPUS", DEFAULT_CORPUS))
    parser.add_argument("corpus", nargs="?", type=Path, default=default)
    parser.add_argument("--list", choices=[kind.value for kind in Kind], dest="kind")
    chosen = parser.parse_args(arguments)
    if chosen.kind and chosen.corpus.is_dir():
        print("\n".join(listing(chosen.corpus, Kind(chosen.kind))))
    else:
        print(run(chosen.corpus))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
