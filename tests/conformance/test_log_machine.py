"""The embedded log against the model: any sequence of calls gives equal answers, and ends in a file without a flaw."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.log.port import Position
from pipeline.log.sqlite import SqliteLog, appending, blocks, repacking
from tests.conformance.plain_log import PlainLog
from tests.log.made_up import NOON_US, Clock, event

pytestmark = pytest.mark.long

MEMORY = Path("/dev/shm")  # noqa: S108 a folder of its own is made in it; syncs cost nothing there

numbers = st.lists(st.integers(0, 60), max_size=12)
shards = st.integers(0, 2).map(lambda number: f"shard-{number}")
positions = st.builds(Position, shards, st.integers(0, 40), st.sampled_from([0, 0, 0, 1]))


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appending, "BLOCK_EVENTS", 5)
        patch.setattr(repacking, "BLOCK_EVENTS", 5)
        patch.setattr(blocks, "FRAME_EVENTS", 2)
        yield


class LogMachine(RuleBasedStateMachine):
    """Events have 61 ids and 5 subjects, blocks 5 events, frames 2, so that everything happens soon."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.path = Path(self.folder.name) / "log.db"
        self.clock = Clock()
        self.model = PlainLog(shards=3, clock=self.clock)
        self.log = SqliteLog(self.path, shards=3, clock=self.clock)

    def teardown(self) -> None:
        if hasattr(self, "log"):
            flaws = self.log.check()
            self.log.close()
            self.folder.cleanup()
            assert flaws == []

    @rule(told=numbers)
    def append(self, told: list[int]) -> None:
        envelopes = [event(number, subject=f"subject/{number % 5}") for number in told]
        assert self.model.append(envelopes) == self.log.append(envelopes)

    @rule(to=st.integers(-5, 100))
    def set_the_clock(self, to: int) -> None:
        self.clock.now_us = NOON_US + to

    @rule(limit=st.integers(1, 3), tail=st.booleans())
    def repack(self, limit: int, *, tail: bool) -> None:
        done = self.log.repack(limit, tail=tail)
        assert done.after <= limit
        assert done.before >= 2 * done.after

    @rule(other=st.integers(1, 9))
    def reopen(self, other: int) -> None:
        self.log.close()
        self.log = SqliteLog(self.path, shards=other, clock=self.clock)

    @rule()
    def restore_a_backup(self) -> None:
        copy = self.path.with_name("copy.db")
        self.log.backup(copy)
        self.log.close()
        copy.replace(self.path)
        self.log = SqliteLog(self.path, clock=self.clock)

    @rule(shard=shards, after=st.none() | st.integers(0, 40), limit=st.integers(0, 20))
    def read(self, shard: str, after: int | None, limit: int) -> None:
        behind = None if after is None else Position(shard, after)
        model, batch = self.model.read(shard, behind, limit), self.log.read(shard, behind, limit)
        assert model.columns == batch.columns
        assert list(model.records()) == list(batch.records())

    @rule(shard=shards, limit=st.integers(1, 20), tail=st.booleans())
    def re_pack_between_headers_and_bodies(self, shard: str, limit: int, *, tail: bool) -> None:
        batch = self.log.read(shard, None, limit)
        self.log.repack(9, tail=tail)
        assert list(self.model.read(shard, None, limit).bodies) == list(batch.bodies)

    @rule(asked=st.lists(positions, max_size=5))
    def fetch(self, asked: list[Position]) -> None:
        assert self.model.fetch(asked) == self.log.fetch(asked)

    @rule(number=st.integers(0, 70))
    def find(self, number: int) -> None:
        assert self.model.find(event(number).id) == self.log.find(event(number).id)

    @rule(seen=st.lists(positions, max_size=3).map(lambda some: {position.shard: position._replace(sub=0) for position in some}))
    def wait(self, seen: dict[str, Position]) -> None:
        assert self.model.wait(seen, 0) == self.log.wait(seen, 0)

    @precondition(lambda self: hasattr(self, "log"))
    @invariant()
    def heads_are_equal(self) -> None:
        assert self.model.heads() == self.log.heads()
        assert self.model.shards() == self.log.shards()
        assert self.model.behind({}) == self.log.behind({})


TestLogMachine = pytest.mark.timeout(1800)(LogMachine.TestCase)
