"""What happens in one run, drawn from its seed before it begins, so that it can be replayed in part."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, replace

HOSTS_MAX = 16
LARGE_EVERY = 50
"""One seed in so many runs HOSTS_MAX hosts."""

WORK = {"append": 24, "burst": 4, "confide": 3, "seal": 6, "deliver_again": 2, "verify": 2, "slice": 3}
"""What hosts do of themselves, and how often in relation to each other."""

FAULTS = (
    "stall", "cut", "cut_silently", "corrupt", "repeat_frame", "swap_frames",
    "partition", "partition_one_way",
    "power_cut", "kill", "sync_error", "io_error", "disk_full",
    "rot_active", "rot_sealed", "rot_manifest", "rot_head", "rot_projection",
    "clock_jump", "clock_back", "clone", "rollback",
    "upgrade", "peer_removed", "grant_changed",
)  # fmt: skip
"""What befalls them. ``rollback`` puts a disk back to how it was earlier in the run."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something at a moment (virtual seconds); ``number`` decides everything else about it."""

    at: float
    kind: str
    host: int
    number: int


@dataclass(frozen=True, slots=True)
class Link:
    """Two hosts that know each other, and whether both call."""

    first: int
    second: int
    both_call: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. ``private`` lists the hosts that hold the zone which is granted by name only."""

    seed: int
    hosts: int
    links: tuple[Link, ...]
    versions: tuple[int, ...]
    private: tuple[int, ...]
    latency_seconds: float
    zstd: bool
    projections: bool
    actions: tuple[Action, ...]

    def without(self, *, kinds: Collection[str] = (), positions: Collection[int] = ()) -> Plan:
        """Give the plan without some kinds of actions, or some single ones."""
        kept = [
            action
            for position, action in enumerate(self.actions)
            if action.kind not in kinds and position not in positions
        ]
        return replace(self, actions=tuple(kept))


def draw(seed: int) -> Plan:
    """Draw the plan of a seed: always the same one."""
    chance = random.Random(f"plan {seed}")
    large = seed % LARGE_EVERY == LARGE_EVERY - 1
    hosts = HOSTS_MAX if large else chance.choices((2, 3, 4, 5, 6, 8), (28, 32, 20, 10, 6, 4))[0]
    # One kind for certain, so that some dozens of seeds in a row have them all.
    sure = FAULTS[seed % len(FAULTS)]
    enabled = [kind for kind in FAULTS if kind == sure or chance.random() < 0.4]
    seconds = chance.choice((60, 180, 600))
    work = _draw_work(chance, chance.randint(10, 35), seconds, hosts)
    faults = _draw_faults(chance, enabled, seconds, hosts)
    faults += [_draw_action(chance, sure, seconds, hosts) for _ in range(2)]
    return Plan(
        seed,
        hosts,
        _draw_links(chance, hosts),
        tuple(chance.choice((1, 2)) if "upgrade" in enabled else 2 for _ in range(hosts)),
        tuple(host for host in range(hosts) if chance.random() < 0.6),
        chance.choice((0.001, 0.02, 0.15, 0.6)),
        chance.random() < 0.3,
        seed % 10 == 0 or sure == "rot_projection",
        tuple(sorted(work + faults, key=lambda action: action.at)),
    )


def _draw_work(chance: random.Random, count: int, seconds: int, hosts: int) -> list[Action]:
    kinds = chance.choices(list(WORK), list(WORK.values()), k=count)
    return [_draw_action(chance, kind, seconds, hosts) for kind in kinds]


def _draw_faults(chance: random.Random, enabled: list[str], seconds: int, hosts: int) -> list[Action]:
    count = chance.randint(0, 8)
    return [_draw_action(chance, chance.choice(enabled), seconds, hosts) for _ in range(count)]


def _draw_action(chance: random.Random, kind: str, seconds: int, hosts: int) -> Action:
    return Action(round(chance.uniform(0, seconds), 3), kind, chance.randrange(hosts), chance.getrandbits(32))


def _draw_links(chance: random.Random, hosts: int) -> tuple[Link, ...]:
    """Connect all hosts: a tree, and some more lines."""
    pairs = [(chance.randrange(host), host) for host in range(1, hosts)]
    for _ in range(chance.randrange(1 + hosts // 2)):
        first, second = sorted(chance.sample(range(hosts), 2))
        if (first, second) not in pairs:
            pairs.append((first, second))
    return tuple(Link(first, second, chance.random() < 0.3) for first, second in pairs)
