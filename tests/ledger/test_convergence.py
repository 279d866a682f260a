"""Any order and repetition of syncs gives the same fleet root (invariants 3 and 7)."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jilog_ledger.ledger import ZoneLedger
from jilog_ledger.projection.database import Projection
from jilog_ledger.receive import Ingested
from jilog_ledger.store import ZoneStore
from jilog_ledger.testing import MemoryDisk
from support.stores import Epochs, draft, held, key_of, open_store, pull

NAMES = ("alpha", "beta", "gamma", "delta")


def fleet(size: int) -> list[ZoneStore]:
    return [
        open_store(Path(f"/{name}"), name, disk=MemoryDisk(), epochs=Epochs(name)) for name in NAMES[:size]
    ]


steps = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 3), st.integers(1, 3)),
    st.tuples(st.just("seal"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("pull"), st.integers(0, 3), st.integers(0, 3)),
)


def play(stores: list[ZoneStore], script: list[tuple[str, int, int]], chunk_bytes: int = 1 << 20) -> None:
    for count, (action, who, other) in enumerate(script):
        store = stores[who % len(stores)]
        if action == "append":
            store.append([draft(100 * count + i, source=store.own_writer.source) for i in range(other)])
        elif action == "seal":
            store.seal()
        elif stores[other % len(stores)] is not store:
            pull(store, stores[other % len(stores)], chunk_bytes=chunk_bytes)


def settle(stores: list[ZoneStore], order: list[int]) -> None:
    """Sync until everybody has everything: as many rounds as the longest way through the fleet."""
    for _ in range(len(stores)):
        for target in order:
            for source in order:
                if target != source and max(target, source) < len(stores):
                    pull(stores[target], stores[source])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    size=st.integers(2, 4),
    script=st.lists(steps, max_size=25),
    order=st.permutations(range(4)),
    chunk_bytes=st.sampled_from([7, 100, 1 << 20]),
)
def test_any_order_and_repetition_of_syncs_gives_one_fleet_root(
    size: int, script: list[tuple[str, int, int]], order: list[int], chunk_bytes: int
) -> None:
    stores = fleet(size)

    play(stores, script, chunk_bytes)
    settle(stores, order)

    assert len({store.frontier().root() for store in stores}) == 1
    assert all(held(store) == held(stores[0]) for store in stores)
    assert sum(len(events) for events in held(stores[0]).values()) == sum(
        step[2] for step in script if step[0] == "append"
    )
    outcomes = [outcome for target in stores for source in stores for outcome in pull(target, source)]
    assert set(outcomes) <= {Ingested.DUPLICATE}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(steps, max_size=15), order=st.permutations(range(12)), data=st.data())
def test_segments_that_arrive_one_by_one_in_any_order_and_twice_give_the_same_frontier(
    script: list[tuple[str, int, int]], order: list[int], data: st.DataObject
) -> None:
    """Sealed segments commute; a sealed one brings no harm when it comes again."""
    [source, target] = fleet(2)
    play([source], [step for step in script if step[0] != "pull"])
    source.seal()
    writer = source.own_writer
    infos = source.segments(writer)
    arrivals = [infos[i] for i in order if i < len(infos)]
    arrivals += data.draw(st.lists(st.sampled_from(infos), max_size=3)) if infos else []

    for info in arrivals:
        whole = source.read(writer, info.number, 0, info.length)
        target.complete(writer, info.number, 0, whole, source.signed_head(writer, info.number))

    assert target.frontier().root() == source.frontier().root()


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(script=st.lists(steps, max_size=20), order=st.permutations(range(3)))
def test_equal_fleet_roots_mean_equal_projections(
    tmp_path_factory: object, script: list[tuple[str, int, int]], order: list[int]
) -> None:
    """Invariant 3, with projections that were applied at different moments and one that was rebuilt."""
    root: Path = tmp_path_factory.mktemp("fleet")  # type: ignore[attr-defined]
    ledgers = [ZoneLedger.open(root / name, "main", source=name, key=key_of(name)) for name in NAMES[:3]]
    stores = [ledger.shared for ledger in ledgers]
    projections = [Projection.open(ledger) for ledger in ledgers]

    half = len(script) // 2
    play(stores, script[:half])
    projections[0].apply()
    play(stores, script[half:])
    settle(stores, order)
    projections[0].apply()
    projections[1].rebuild()
    projections[2].apply()

    assert len({store.frontier().root() for store in stores}) == 1
    assert len({projection.fingerprint() for projection in projections}) == 1
