"""A host's statement in a spool directory: what it holds, acknowledges, vouches for and asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jilog_spool import limits
from jilog_spool.directory_files import Shelf
from jilog_spool.directory_format import Ask, State, ZoneState, encode_state, file_digest
from jilog_spool.directory_names import StateName, digest_text
from jilog_spool.directory_survey import Holdings, Member, Survey
from jilog_spool.replica import Replica


class Statement:
    """Writes what this host holds, acknowledges and asks for, when that has changed or is a day old."""

    def __init__(self, shelf: Shelf, survey: Survey, replicas: Mapping[str, Replica], now_ns: int) -> None:
        self._shelf = shelf
        self._survey = survey
        self._replicas = replicas
        self._now_ns = now_ns

    def write(self, asks: tuple[Ask, ...]) -> bool:
        """Publish a new statement and take the old ones away; tell whether that was needed.

        It is written after everything it speaks of is on stable storage in this host's store. A crash leaves
        the old one, which acknowledges less, or both, of which the newer one counts.
        """
        old, member = self._survey.own.state, self._survey.member
        new = self._make(member, old, asks)
        if old is not None and not self._is_news(old, new):
            return False
        data = encode_state(new, member.key)
        name = StateName(new.counter, digest_text(file_digest(data)))
        self._shelf.put(member.folder, name.file_name, data)
        for other, file in self._survey.own.states:
            if other.counter < new.counter:
                self._shelf.remove(member.folder, file)
        return True

    def _make(self, member: Member, old: State | None, asks: tuple[Ask, ...]) -> State:
        held = Holdings(self._replicas)
        zones = {
            zone: ZoneState(replica.frontier().entries, held.keys(zone))
            for zone, replica in self._replicas.items()
        }
        counters = [name.counter for name, _ in self._survey.own.states]
        # Milliseconds, so that the counter goes on from where it was even in a folder that was emptied.
        counter = max([self._now_ns // 1_000_000, *(before + 1 for before in counters)])
        return State(
            member.source,
            member.key.public_key,
            counter,
            max(0, self._now_ns),
            zones,
            asks[: limits.DIRECTORY_ASKS_MAX],
            self._seen(old),
        )

    def _seen(self, old: State | None) -> dict[str, tuple[int, int]]:
        seen = {}
        for folder, state in self._survey.readers():
            before = old.seen.get(folder) if old else None
            known = before is not None and before[0] == state.counter
            seen[folder] = before if known and before is not None else (state.counter, max(0, self._now_ns))
        return seen

    def _is_news(self, old: State, new: State) -> bool:
        """What others say is none: two hosts would answer each other for ever."""
        aged = self._now_ns - old.time_ns >= limits.DIRECTORY_HEARTBEAT_SECONDS * 1_000_000_000
        turned_back = old.time_ns > self._now_ns + limits.DIRECTORY_HEARTBEAT_SECONDS * 1_000_000_000
        comparable = replace(new, counter=old.counter, time_ns=old.time_ns, seen=old.seen)
        return aged or turned_back or comparable != old
