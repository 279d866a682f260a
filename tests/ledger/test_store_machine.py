"""A stateful test: two hosts and everything that may happen to them, invariants after each step."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jilog_ledger.errors import JilogError, StorageError
from jilog_ledger.event import StoredEvent
from jilog_ledger.identifiers import Writer
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import Aftermath, MemoryDisk, PowerCut
from support.stores import Clock, Epochs, draft, flip_bit, held, open_store, pull

ROOTS = (Path("/alpha"), Path("/beta"))


class StoreMachine(RuleBasedStateMachine):
    """``safe`` is what each host acknowledged: it must be held, or have been lost to rot that we made."""

    def __init__(self) -> None:
        super().__init__()
        self.disks = [MemoryDisk(), MemoryDisk()]
        self.epochs = [Epochs("alpha"), Epochs("beta")]
        self.clock = Clock()
        self.safe: list[dict[tuple[Writer, int], StoredEvent]] = [{}, {}]
        self.count = 0
        self.stores: list[ZoneStore] = []

    @initialize()
    def start(self) -> None:
        self.stores = [self.opened(0), self.opened(1)]

    def opened(self, who: int) -> ZoneStore:
        return open_store(
            ROOTS[who], ROOTS[who].name, disk=self.disks[who], clock=self.clock, epochs=self.epochs[who]
        )

    def note(self, who: int, store: ZoneStore) -> None:
        for writer, events in held(store).items():
            self.safe[who].update({(writer, event.sequence): event for event in events})

    @rule(who=st.integers(0, 1), events=st.integers(1, 3))
    def append(self, who: int, events: int) -> None:
        self.count += 10
        with contextlib.suppress(StorageError):  # a failed sync, by an earlier step, has stopped the zone
            for event in self.stores[who].append([draft(self.count + i) for i in range(events)]):
                self.safe[who][event.writer, event.sequence] = event.stored

    @rule(who=st.integers(0, 1))
    def seal(self, who: int) -> None:
        with contextlib.suppress(StorageError):
            self.stores[who].seal()

    @rule(seconds=st.sampled_from([1, 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(who=st.integers(0, 1))
    def sync(self, who: int) -> None:
        pull(self.stores[who], self.stores[1 - who], chunk_bytes=200)
        self.note(who, self.stores[who])

    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        self.stores[who] = self.opened(who)

    @rule(who=st.integers(0, 1), aftermath=st.sampled_from(Aftermath))
    def power_cut(self, who: int, aftermath: Aftermath) -> None:
        self.disks[who].crash(aftermath)
        self.stores[who] = self.opened(who)

    @rule(
        who=st.integers(0, 1),
        after=st.integers(1, 25),
        action=st.sampled_from(["append", "seal", "sync", "open", "verify"]),
        aftermath=st.sampled_from([*Aftermath, None]),
    )
    def power_cut_during(self, who: int, after: int, action: str, aftermath: Aftermath | None) -> None:
        """Cut the power in the middle of something; None stands for a kill that leaves the power on."""
        disk = self.disks[who]
        disk.cut_power_at(disk.operations + after)
        with contextlib.suppress(PowerCut):
            self.do(who, action)
        if aftermath is None:
            disk.restart_process()
        else:
            disk.crash(aftermath)
        self.stores[who] = self.opened(who)

    @rule(
        who=st.integers(0, 1),
        after=st.integers(1, 25),
        action=st.sampled_from(["append", "seal", "sync", "open", "verify"]),
        error=st.sampled_from([errno.EIO, errno.ENOSPC]),
    )
    def refusal_during(self, who: int, after: int, action: str, error: int) -> None:
        disk = self.disks[who]
        disk.fail_at(disk.operations + after, error)
        with contextlib.suppress(JilogError):
            self.do(who, action)
        disk.restart_process()
        self.stores[who] = self.opened(who)

    def do(self, who: int, action: str) -> None:
        if action == "append":
            self.append(who, 2)
        elif action == "seal":
            self.seal(who)
        elif action == "sync":
            self.sync(who)
        elif action == "open":
            self.opened(who)
        else:
            self.stores[who].verify()

    @rule(who=st.integers(0, 1), which=st.integers(0, 30), position=st.floats(0, 1, exclude_max=True))
    def rot(self, who: int, which: int, position: float) -> None:
        """Flip a bit of some segment and verify; what was in it is lost here until the peer gives it back."""
        store, disk = self.stores[who], self.disks[who]
        segments = [(writer, info) for writer in store.writers() for info in store.segments(writer)]
        if not segments:
            return
        writer, info = segments[which % len(segments)]
        path = store.layout.segment(writer, info.number)
        data = disk.read(path)
        disk.alter(path, flip_bit(data, int(position * 8 * info.length)))
        found = self.opened(who)
        found.verify()
        self.stores[who] = found
        for sequence in range(info.first_sequence, info.last_sequence + 1):
            self.safe[who].pop((writer, sequence), None)

    @rule(who=st.integers(0, 1))
    def lose_the_manifest(self, who: int) -> None:
        """The manifest is never the truth: without it the store is the same."""
        before = self.stores[who].frontier(), held(self.stores[who])
        before = self.stores[who].frontier(), before[1]
        self.disks[who].remove(self.stores[who].layout.manifest)

        self.stores[who] = self.opened(who)

        assert (self.stores[who].frontier(), held(self.stores[who])) == before

    @rule(who=st.integers(0, 1), garbage=st.binary(min_size=1, max_size=40))
    def garbage_in_the_manifest(self, who: int, garbage: bytes) -> None:
        path = self.stores[who].layout.manifest
        self.disks[who].append(path, self.disks[who].size(path) or 0, garbage)

    @precondition(lambda self: len(self.stores) == 2)
    @invariant()
    def everything_acknowledged_is_held_unaltered(self) -> None:
        for who, store in enumerate(self.stores):
            present = {
                (writer, event.sequence): event for writer, events in held(store).items() for event in events
            }
            missing = {key for key, event in self.safe[who].items() if present.get(key) != event}
            assert not missing, f"host {who} lost {missing}"

    @precondition(lambda self: len(self.stores) == 2)
    @invariant()
    def sequences_are_in_order_without_doubles(self) -> None:
        for store in self.stores:
            for events in held(store).values():
                sequences = [event.sequence for event in events]
                assert sequences == sorted(set(sequences))

    @precondition(lambda self: len(self.stores) == 2)
    @invariant()
    def frontier_claims_exactly_what_is_held(self) -> None:
        for store in self.stores:
            present = {writer: [event.sequence for event in events] for writer, events in held(store).items()}
            claimed = {}
            for entry in store.frontier().entries:
                claimed[entry.writer] = list(range(1, entry.sequence + 1))
                for span in entry.above:
                    claimed[entry.writer] += range(span.first_sequence, span.last_sequence + 1)
            assert claimed == present

    def teardown(self) -> None:
        """In the end both verify and sync, and then they are equal, unless one has to refuse.

        One has to when rot took a sealed segment before the peer had got its end: the peer's part of it
        then stands in the way of what comes later, and only the sealed segment can clear it.
        """
        if len(self.stores) < 2:
            return
        self.stores = [self.opened(0), self.opened(1)]
        for store in self.stores:
            store.verify()
        refused: list[str] = []
        for who in (0, 1, 0, 1):
            pull(self.stores[who], self.stores[1 - who], refused=refused)
        assert self.stores[0].verify().findings == self.stores[1].verify().findings == []
        if not refused:
            assert self.stores[0].frontier().root() == self.stores[1].frontier().root()


# The same walks each time, so that a change is judged by what it does; to explore, take derandomize away.
TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class HastyDisk(MemoryDisk):
    """The planted bug: an append that is acknowledged before it is synced."""

    def append(self, path: Path, offset: int, data: bytes) -> None:
        self.extend(path, offset, data)


class HastyMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self.disks = [HastyDisk(), HastyDisk()]


def test_acknowledging_before_the_sync_is_caught_by_the_machine() -> None:
    """The positive control of the machine above."""
    hasty = settings(
        max_examples=300,
        stateful_step_count=25,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )

    with pytest.raises(AssertionError, match=r"host \d lost"):
        run_state_machine_as_test(HastyMachine, settings=hasty)
