"""Findings as they come in life, without end: many kinds, from many accounts, with storms and with the faults of real producers.

Pure:   the same arguments give the same bytes, for ever; no clock is read.
Order:  ``at_us`` (when a finding arrives) never goes back, and without a rhythm item ``n`` is there before
        ``start_us + (n + 1) * step_us``. A finding's own time is its arrival, but for late ones.
Size:   1.0 to 1.7 KB of JSON on average, one line each.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Final, NamedTuple

from consumers.sample import agents, alarms, operations, security, trails
from consumers.sample.faults import spoil
from consumers.sample.template import Cycle, Holes, random_hexes
from consumers.sample.world import places
from schemas.identity import MICROSECONDS

_MAKERS: Final = {
    "agent_logs": (30, agents.log_lines),
    "cloudwatch_alarm": (19, alarms.alarms),
    "cloudtrail": (13, trails.trails),
    "securityhub": (11, security.securityhub),
    "generic": (9, operations.services),
    "heartbeat": (6, agents.heartbeats),
    "cloudformation": (5, operations.cloudformation),
    "guardduty": (3, security.guardduty),
    "own": (2, operations.own),
    "health": (1, operations.health),
    "deployment": (0.5, agents.deployments),
    "sign_in": (0.5, trails.sign_ins),
}
KINDS: Final = tuple(_MAKERS)
_STORM_STEP_US: Final = 120_000
_STORM_LENGTHS: Final = (30, 150)
_DAY_US: Final = 86_400 * MICROSECONDS
_NOTHING: Final[Mapping[bytes, bytes]] = {}
_LATEST_US: Final = 6 * 3600 * MICROSECONDS


class Item(NamedTuple):
    """One thing that a producer says. ``payload`` is one line; ``fault`` is "" or ``duplicate``, ``late``, ``malformed``."""

    payload: bytes
    kind: str
    at_us: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Mix:
    """What life is like. The first four are shares of all items, 0 to 1; ``rhythm`` is how much more the day has than the night.

    ``accounts`` are watched; which ones, and what runs there, derives from ``world``, so that two stories can tell of one world.

    With ``overture`` the story begins with the roll-out of every account's agent. ``weights`` changes how often a kind of
    ``KINDS`` comes, 0 for never. A duplicate repeats one of the last 500 items.
    """

    storms: float = 0.08
    duplicates: float = 0.02
    late: float = 0.02
    malformed: float = 0.005
    accounts: int = 24
    world: int = 1
    rhythm: float = 0.0
    overture: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what makes no sense, naming the field and the accepted form."""
        for name in ("storms", "duplicates", "late", "malformed", "rhythm"):
            if not 0 <= getattr(self, name) <= 0.9:  # noqa: PLR2004 -- something must be left for good findings
                message = f"{name} is a share from 0 to 0.9, not {getattr(self, name)}"
                raise ValueError(message)
        if not 1 <= self.accounts <= 1000:  # noqa: PLR2004 -- templates are held in memory
            message = f"accounts is a number from 1 to 1000, not {self.accounts}"
            raise ValueError(message)
        if unknown := set(self.weights) - set(KINDS):
            message = f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
            raise ValueError(message)


CALM: Final = Mix(storms=0, duplicates=0, late=0, malformed=0)
"""Nothing but good, prompt, single findings."""


@dataclass(slots=True)
class _Storm:
    """Many findings of one cause, one after the other."""

    kind: str
    cycles: Sequence[Cycle]
    fixed: Mapping[bytes, bytes]
    started_us: int
    told: int
    length: int


def generate(seed: int, start_us: int, *, step_us: float, mix: Mix = Mix()) -> Iterator[Item]:
    """Findings from ``start_us`` on (microseconds since the epoch), one every ``step_us`` on average, without end."""
    rng = Random(seed)  # noqa: S311 -- samples, no secrets; all randomness comes from here and from the world's seed
    life = _Life(rng, mix)
    recent: deque[Item] = deque(maxlen=500)
    faulty = mix.duplicates + mix.late + mix.malformed
    at_us = start_us
    number = 0
    while True:
        planned_us = _bent(start_us, (number + rng.random()) * step_us, mix.rhythm)
        number += 1
        at_us = max(at_us, life.arrival_us(planned_us))
        fate = rng.random()
        if fate >= faulty:
            item = life.told(at_us, at_us, "")
        elif fate < mix.duplicates and recent:
            item = recent[int(rng.random() * len(recent))]._replace(at_us=at_us, fault="duplicate")
        elif fate < mix.duplicates + mix.late:
            item = life.told(at_us, at_us - 60 * MICROSECONDS - int(rng.random() ** 3 * _LATEST_US), "late")
        else:
            item = life.spoilt(at_us)
        if item.fault in {"", "late"}:
            recent.append(item)
        yield item


def spread(seed: int, start_us: int, end_us: int, *, count: int, mix: Mix = Mix()) -> Iterator[Item]:
    """``count`` findings that arrive from ``start_us`` (inclusive) to ``end_us`` (exclusive)."""
    for item in islice(generate(seed, start_us, step_us=(end_us - start_us) / max(count, 1), mix=mix), count):
        yield item if item.at_us < end_us else item._replace(at_us=end_us - 1)


def beats(seed: int, at_us: int, *, mix: Mix = Mix()) -> Iterator[Item]:
    """A sign of life of every agent in ``mix``'s world, all at ``at_us``."""
    rng = Random(seed)  # noqa: S311 -- as above
    (turns,) = _Life(rng, mix).pool("heartbeat")
    for _ in range(turns.length):
        yield Item(turns.draw() % Holes(at_us, random_hexes(rng.getrandbits(320)), _NOTHING), "heartbeat", at_us)


def failed_sign_ins(seed: int, start_us: int, *, count: int, step_us: int, address: str, mix: Mix = Mix()) -> Iterator[Item]:
    """Somebody at ``address`` tries passwords: ``count`` failed sign-ins, to all accounts of ``mix``'s world in turn."""
    rng = Random(seed)  # noqa: S311 -- as above
    pool = _Life(rng, mix).pool("sign_in")
    fixed = {b"ip": address.encode()}
    for number in range(count):
        at_us = start_us + number * step_us
        holes = Holes(at_us, random_hexes(rng.getrandbits(320)), fixed)
        yield Item(pool[number % len(pool)].draw() % holes, "sign_in", at_us)


def _bent(start_us: int, passed_us: float, rhythm: float) -> int:
    """Time bent so that more comes around 14:00 UTC than at 02:00. Order stays, and so does every whole day from the start."""
    if not rhythm:
        return int(start_us + passed_us)
    turn = 2 * math.pi / _DAY_US
    bend = math.sin(turn * ((start_us + passed_us) % _DAY_US) - math.pi / 6) - math.sin(turn * (start_us % _DAY_US) - math.pi / 6)
    return int(start_us + passed_us + rhythm * bend / turn)


class _Life:
    """What tells the next finding: the pools of all kinds, and the storm that rages, if one does."""

    def __init__(self, rng: Random, mix: Mix) -> None:
        self._rng = rng
        world = Random(mix.world)  # noqa: S311 -- as above
        where = places(world, mix.accounts)
        self._pools: dict[str, list[Cycle]] = {}
        weights = []
        for kind, (weight, maker) in _MAKERS.items():
            pool = maker(world, where)
            world.shuffle(pool)
            self._pools[kind] = pool
            weights.append(mix.weights.get(kind, weight))
        self._weights = weights
        self._kinds: list[str] = []
        rollouts = self._pools["deployment"] if mix.overture else []
        self._overture = [cycle for cycle in rollouts for _ in range(cycle.length)]
        lengths = sum(_STORM_LENGTHS) / 2
        self._storm_chance = mix.storms / (1 - mix.storms) / lengths
        self._storm: _Storm | None = None

    def pool(self, kind: str) -> Sequence[Cycle]:
        """All that can be told of a kind."""
        return self._pools[kind]

    def arrival_us(self, planned_us: int) -> int:
        """When the next item arrives: as planned, or sooner in a storm."""
        storm = self._storm
        if storm is None:
            if self._rng.random() < self._storm_chance:
                self._storm = self._brewed(planned_us)
            return planned_us
        storm.told += 1
        if storm.told >= storm.length:
            self._storm = None
        return min(planned_us, storm.started_us + storm.told * _STORM_STEP_US)

    def told(self, at_us: int, time_us: int, fault: str) -> Item:
        """A good finding that arrives at ``at_us`` and happened at ``time_us``."""
        rng = self._rng
        storm = self._storm
        if self._overture:
            kind, fixed, cycle = "deployment", _NOTHING, self._overture.pop()
        elif storm is None:
            if not self._kinds:
                self._kinds = rng.choices(KINDS, self._weights, k=1000)
            kind = self._kinds.pop()
            draw = rng.random()
            fixed, cycle = _NOTHING, self._pools[kind][int(len(self._pools[kind]) * draw * draw)]
        else:
            kind, fixed = storm.kind, storm.fixed
            cycle = storm.cycles[int(len(storm.cycles) * rng.random())]
        holes = Holes(time_us, random_hexes(rng.getrandbits(320)), fixed)
        return Item(cycle.draw() % holes, kind, at_us, fault)

    def spoilt(self, at_us: int) -> Item:
        """Something that nobody can read."""
        good = self.told(at_us, at_us, "malformed")
        return good._replace(payload=spoil(self._rng, good.payload, Holes(at_us, random_hexes(self._rng.getrandbits(320)), {})))

    def _brewed(self, started_us: int) -> _Storm:
        rng = self._rng
        kind = rng.choice(("cloudwatch_alarm", "agent_logs", "agent_logs", "sign_in"))
        pool = self._pools[kind]
        fixed = _NOTHING
        if kind == "sign_in":
            cycles: Sequence[Cycle] = pool
            fixed = {b"ip": b"198.51.100.%d" % rng.randrange(1, 255)}
        else:
            account = rng.choice(pool).account
            cycles = [cycle for cycle in pool if cycle.account == account][: 10 if kind == "cloudwatch_alarm" else 2]
        return _Storm(kind, cycles, fixed, started_us, 0, rng.randint(*_STORM_LENGTHS))
