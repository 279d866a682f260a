"""Wire the nightly review to this host: its readers, its ledger, its clock and its digest folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from jilog_agent.config import Config, ReaderConfig
from jilog_agent.far_files import FarFiles
from jilog_agent.home import Home
from jilog_ledger.disk import Disk
from jilog_ledger.errors import InputError
from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.times import SECOND_NS, parse_moment
from jilog_review.billed import Billed, decode_billed, encode_billed
from jilog_review.cursor import CursorBook, decode_book, encode_book
from jilog_review.reader import Reader, make_reader
from jilog_review.reader import ReaderConfig as ReviewReaderConfig
from jilog_review.readers.nanoclaw import nanoclaw_reader
from jilog_review.redact import RedactionPolicy
from jilog_review.scan_pool import Workshop
from jilog_review.signal import Stamp

_TIME_NS_MAX = 2**63 - 1
CURSORS_BYTES_MAX = 256 * 1024 * 1024
"""A cursor takes some 300 bytes: room for most of a million transcripts."""
BILLED_BYTES_MAX = 64 * 1024 * 1024
"""What is remembered takes 4 MB, and one review of a million responses 8 MB for each reader."""


@dataclass(frozen=True, slots=True)
class ConfiguredReaders:
    """The configured readers, and for each the table from which another process can make it, if it can."""

    readers: tuple[Reader, ...]
    tables: tuple[ReviewReaderConfig | None, ...]

    def workshop(self, stamp: Stamp, policy: RedactionPolicy, rule_folders: Sequence[Path]) -> Workshop:
        """Give what worker processes need for this review: what they replace and go by is said again."""
        return Workshop(stamp, policy, self.tables, tuple(rule_folders))


def configured_readers(
    config: Config, environment: Mapping[str, str], far_files: FarFiles
) -> ConfiguredReaders:
    """Make the configured readers; ``far_files`` gives the files of another host by its name.

    Raises:
        InputError: a reader's options cannot be meant, or a host is not known.
    """
    readers: list[Reader] = []
    tables: list[ReviewReaderConfig | None] = []
    for reader in config.readers:
        table = ReviewReaderConfig(reader.type, _options(reader), environment)
        if reader.host is None:
            readers.append(make_reader(table))
            tables.append(table)
        else:
            files = far_files(reader.host)
            readers.append(nanoclaw_reader(table, files, files.expand))
            tables.append(None)
    return ConfiguredReaders(tuple(readers), tuple(tables))


def _options(reader: ReaderConfig) -> dict[str, object]:
    if reader.type == "generic":
        return {"name": reader.name, "path": reader.paths[0], "session_id_from": reader.session_id_from}
    options: dict[str, object] = {"paths": list(reader.paths)} if reader.paths_given else {}
    if reader.type == "claude-code":
        options["discover_profiles"] = reader.discover_profiles
        if reader.default_seat is not None:
            options["default_seat"] = reader.default_seat
    return {**options, **reader.further}


def review_date(timezone: str | None, now_ns: int) -> date:
    """Give today's date in the configured time zone, the system's when none is configured.

    Raises:
        InputError: the clock shows a time that no event can have.
    """
    if not 0 <= now_ns <= _TIME_NS_MAX:
        raise InputError(
            f"this host's clock is outside 1970 to 2262: {now_ns // SECOND_NS} seconds after 1970",
            hint="set the clock, then look: date",
        )
    zone = ZoneInfo(timezone) if timezone else None
    # Without a zone, astimezone takes the system's.
    return datetime.fromtimestamp(now_ns / SECOND_NS, tz=ZoneInfo("UTC")).astimezone(zone).date()


def future_note(day: date, timezone: str | None, now_ns: int) -> str | None:
    """Say that a review is of a date that has not come: what it records will be missed until then."""
    if not 0 <= now_ns <= _TIME_NS_MAX:
        return None
    today = review_date(timezone, now_ns)
    if day <= today:
        return None
    ahead = (day - today).days
    days = f"{ahead} day{'s' if ahead > 1 else ''}"
    return f"{day} is {days} ahead of today, {today}: what is new is recorded under that date only"


def window_seconds(since: str | None, days: int, now_ns: int) -> int:
    """Give the review's window in seconds, from ``--since`` (a duration or a date) or from days.

    Raises:
        InputError: the window would be empty.
    """
    if since is None:
        return days * 86_400
    seconds = (now_ns - parse_moment(since, now=now_ns)) // SECOND_NS
    if seconds <= 0:
        raise InputError(f"--since {since} lies in the future", hint="use a time in the past, such as 24h")
    return seconds


def _writer_of(ledger: ZoneLedger) -> str:
    """Name who writes a ledger here: a lost ledger, or one put back from a copy, begins a new epoch."""
    writer = ledger.shared.own_writer
    return f"{writer.source}/{writer.epoch}"


@dataclass(frozen=True, slots=True)
class ReviewState:
    """What the review keeps between nights on this host; it may be lost at any time."""

    home: Home
    disk: Disk
    complain: Callable[[str], None]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the review's lock: two nights at once would both find the same signals new.

        Raises:
            BusyError: another review is running.
        """
        self.disk.make_directory(self.home.review_dir)
        with self.disk.lock(self.home.review_lock_path):
            yield

    def load_cursors(self, ledger: ZoneLedger) -> CursorBook:
        """Read the cursors of a ledger; without usable ones the transcripts in the window are read afresh."""
        path = self.home.cursors_path(ledger.zone)
        size = self.disk.size(path)
        if size is None:
            return {}
        try:
            if size > CURSORS_BYTES_MAX:
                raise InputError(f"{path} has {size} bytes")
            return decode_book(self.disk.read(path), _writer_of(ledger))
        except InputError as error:
            self.complain(f"{error.message}; transcripts are read from their start")
            return {}

    def save_cursors(self, ledger: ZoneLedger, book: CursorBook) -> None:
        """Keep the cursors of a ledger, durably."""
        data = encode_book(book, _writer_of(ledger))
        self.disk.replace(self.home.cursors_path(ledger.zone), data)

    def load_billed(self, ledger: ZoneLedger) -> Billed:
        """Read which responses were counted; without a usable file copies of older ones are counted again."""
        path = self.home.billed_path(ledger.zone)
        size = self.disk.size(path)
        if size is None:
            return Billed()
        try:
            if size > BILLED_BYTES_MAX:
                raise InputError(f"{path} has {size} bytes")
            return decode_billed(self.disk.read(path), _writer_of(ledger))
        except InputError as error:
            self.complain(f"{error.message}; copies of older responses are counted in the spend again")
            return Billed()

    def save_billed(self, ledger: ZoneLedger, billed: Billed) -> None:
        """Keep which responses were counted, durably."""
        self.disk.replace(self.home.billed_path(ledger.zone), encode_billed(billed, _writer_of(ledger)))

    def write_file(self, path: Path, data: bytes) -> None:
        """Put a whole file in place, making its folder."""
        self.disk.make_directory(path.parent)
        self.disk.replace(path, data)
