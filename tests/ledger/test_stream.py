"""What a stream knows of its sealed segments, told in order whatever came first."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from jilog_ledger.disk import RealDisk
from jilog_ledger.layout import ZoneLayout
from jilog_ledger.manifest import SegmentInfo
from jilog_ledger.stream import Stream
from support.stores import draft, open_store


def an_info(root: Path) -> SegmentInfo:
    store = open_store(root)
    store.append([draft(1)])
    store.seal()
    (info,) = store.segments(store.own_writer)
    return info


def test_sealed_segments_are_found_by_number_after_any_arrivals_losses_and_cuts(tmp_path: Path) -> None:
    info, chance = an_info(tmp_path / "store"), random.Random(7)
    stream = Stream("main", info.writer, ZoneLayout(tmp_path / "other"), RealDisk())
    held: set[int] = set()

    for _ in range(2000):
        number = chance.randrange(1, 60)
        doing = chance.randrange(20)
        if doing < 12:
            stream.take_sealed(replace(info, number=number))
            held.add(number)
        elif doing < 19:
            stream.drop_sealed(number)
            held.discard(number)
        else:
            stream.cut(number)
            held = {kept for kept in held if kept < number}

        after = stream.sealed_after(number)
        assert [item.number for item in stream.sealed_from(number)] == sorted(n for n in held if n >= number)
        assert (after.number if after else None) == min((n for n in held if n > number), default=None)
        assert set(stream.sealed) == held
