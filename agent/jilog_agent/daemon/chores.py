"""What the agent does besides answering: scrub, nightly review, a look at the disk, metrics, watchdog."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from jilog_agent.daemon import limits
from jilog_agent.daemon.logbook import Logbook
from jilog_agent.daemon.metrics import Metrics
from jilog_agent.daemon.schedule import Budget, review_due
from jilog_agent.daemon.state import AgentState, ScrubPosition, load_state, save_state
from jilog_agent.daemon.zones import Zones
from jilog_agent.inspection import inspect_zone
from jilog_ledger.errors import JilogError
from jilog_ledger.identifiers import Writer
from jilog_ledger.limits import MIB
from jilog_ledger.scrub import ScrubCursor, scrub
from jilog_ledger.times import SECOND_NS, now_ns

STDERR_CHARS_KEPT = 2_000


@dataclass(slots=True)
class Chores:
    """The periodic work, one slice of time after the other.

    ``clock`` gives Unix nanoseconds and is passed in so that a night can be made up. ``lost`` is called,
    in the scrub's thread, when damaged segments went to quarantine.
    """

    zones: Zones
    log: Logbook
    metrics: Metrics
    clock: Callable[[], int] = now_ns
    lost: Callable[[], None] = lambda: None
    state: AgentState = field(default_factory=AgentState)
    reviewing: asyncio.subprocess.Process | None = None
    _budget: Budget = field(default_factory=lambda: Budget(0))
    _unmeasured_seconds: float = limits.MEASURE_SECONDS

    async def run(self) -> None:
        """Work until cancelled."""
        await asyncio.to_thread(self._load)
        review: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.to_thread(self.slice, limits.SLICE_SECONDS)
                if self.review_due() and (review is None or review.done()):
                    review = asyncio.create_task(self.review())
                await asyncio.sleep(limits.SLICE_SECONDS)
        finally:
            if review is not None:
                review.cancel()
                await asyncio.gather(review, return_exceptions=True)

    def _load(self) -> None:
        workspace = self.zones.workspace
        self.state = load_state(workspace.home, workspace.disk)
        self._budget = Budget(workspace.config.agent.scrub_mib_per_minute * MIB)
        if not self.state.first_started_at_ns:
            self._keep(msgspec.structs.replace(self.state, first_started_at_ns=self.clock()))

    def _keep(self, state: AgentState) -> None:
        self.state = state
        try:
            save_state(self.zones.workspace.home, self.zones.workspace.disk, state)
        except JilogError as error:
            self.log.warning("state not saved", reason=error.message)

    def slice(self, seconds: float) -> None:
        """Do what is due after ``seconds`` more have passed; nothing here raises."""
        self._unmeasured_seconds += seconds
        for work in (self.watch_disk, lambda: self.scrub(seconds), self._measure_sometimes):
            try:
                work()
            except JilogError as error:
                self.log.warning("chore failed", reason=error.message, hint=error.hint)
            except Exception as error:
                # The next slice tries again; a bug in one chore must not end the others.
                self.log.error("chore failed", error=repr(error))  # noqa: TRY400 - ours, not logging's

    def watch_disk(self) -> None:
        """Take less while the disk is nearly full, and everything again when it is not."""
        gate = self.zones.gate
        was = gate.low, gate.reason
        free = gate.look()
        self.metrics.put("jilog_disk_free_bytes", free)
        self.metrics.put("jilog_disk_low", float(gate.low is not None))
        self.metrics.put("jilog_read_only", float(gate.reason is not None))
        for before, now, words in (
            (was[0], gate.low, ("taking nothing from peers", "taking from peers again")),
            (was[1], gate.reason, ("read-only", "taking events again")),
        ):
            if (before is None) != (now is None):
                self.log.warning(words[now is None], free_bytes=free, reason=now)

    def scrub(self, seconds: float) -> None:
        """Read as much again as the budget allows."""
        self._budget = self._budget.after(seconds)
        for name, ledger in self.zones.ledgers.items():
            if self._budget.available <= 0:
                return
            position = self.state.scrub.get(name, ScrubPosition())
            rested_ns = self.clock() - position.completed_at_ns
            if not position.number and 0 <= rested_ns < limits.SCRUB_REST_SECONDS * SECOND_NS:
                continue
            cursor = ScrubCursor(Writer(position.source, position.epoch), position.number)
            step = scrub(ledger.shared, cursor, int(self._budget.available))
            self._budget = self._budget.spend(step.bytes_read)
            self.metrics.add("jilog_scrub_read_bytes_total", step.bytes_read)
            self.metrics.add("jilog_scrub_damaged_total", len(step.findings))
            for finding in step.findings:
                self.log.error("damaged segment", zone=name, finding=str(finding))
            if step.findings:
                self.lost()
            if step.segments or step.complete:
                self._keep_position(name, position, step.cursor, complete=step.complete)

    def _keep_position(
        self, zone: str, before: ScrubPosition, cursor: ScrubCursor, *, complete: bool
    ) -> None:
        position = ScrubPosition(
            cursor.writer.source,
            cursor.writer.epoch,
            cursor.number,
            before.rounds + int(complete),
            self.clock() if complete else before.completed_at_ns,
        )
        state = msgspec.structs.replace(self.state, scrub={**self.state.scrub, zone: position})
        self._keep(state)

    def _measure_sometimes(self) -> None:
        path = self.zones.workspace.config.agent.metrics_file
        if path is None or self._unmeasured_seconds < limits.MEASURE_SECONDS:
            return
        self._unmeasured_seconds = 0.0
        self.measure()
        # Whole or not at all, as the textfile collector of Prometheus' node exporter wants it.
        self.zones.workspace.disk.replace(path, self.metrics.text().encode())
        path.chmod(0o644)

    def measure(self) -> None:
        """Take the gauges of every zone."""
        for name, ledger in self.zones.ledgers.items():
            status = inspect_zone(ledger, self.zones.workspace.disk)
            self.metrics.put("jilog_zone_events", status.events, zone=name)
            self.metrics.put("jilog_zone_writers", len(status.writers), zone=name)
            self.metrics.put("jilog_zone_bytes", status.bytes, zone=name)
            self.metrics.put("jilog_zone_quarantined", status.quarantined, zone=name)

    def review_due(self) -> bool:
        """Tell whether tonight's review, or one that was missed, is to run."""
        config = self.zones.workspace.config
        zone = ZoneInfo(config.timezone) if config.timezone else None
        # A host that has never reviewed waits for its first night.
        last_ns = self.state.reviewed_at_ns or self.state.first_started_at_ns
        last = datetime.fromtimestamp(last_ns / SECOND_NS, UTC) if last_ns else None
        now = datetime.fromtimestamp(self.clock() / SECOND_NS, UTC)
        return review_due(config.agent.review_at, zone, now, last)

    async def review(self) -> None:
        """Run the nightly review as a process of its own, so that its memory is given back.

        It counts as run when it was started: one that fails is told and tried again the next night.
        """
        await asyncio.to_thread(self._keep, msgspec.structs.replace(self.state, reviewed_at_ns=self.clock()))
        process = await asyncio.create_subprocess_exec(
            *review_command(self.zones),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self.reviewing = process
        outcome = "ok"
        try:
            async with asyncio.timeout(limits.REVIEW_SECONDS_MAX):
                _, said = await process.communicate()
            if process.returncode:
                outcome = "failed"
                told = said.decode("utf-8", "replace")[-STDERR_CHARS_KEPT:]
                self.log.warning("review failed", status=process.returncode, said=told)
            else:
                self.log.info("review done")
        except TimeoutError:
            outcome = "timeout"
            self.log.warning("review took too long and was stopped")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self.reviewing = None
            self.metrics.add("jilog_review_runs_total", outcome=outcome)


def review_command(zones: Zones) -> list[str]:
    """Give the command line of the nightly review for this home."""
    config = zones.workspace.config
    command = [sys.executable, "-m", "jilog_agent", "--home", str(config.home.absolute())]
    if config.path is not None:
        command += ["--config", str(config.path.absolute())]
    return [*command, "review", "nightly", "--json"]


def free_bytes_of(path: os.PathLike[str]) -> Callable[[], int]:
    """Give the function that tells how many bytes this user may still write to a file system."""

    def free() -> int:
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    return free
