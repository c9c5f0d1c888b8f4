"""A rebuild while others append, fold and read: no failed read, no lost event, and no reader sees rows go back in time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen
from threading import Thread

import pytest

from pipeline.log.sqlite import SqliteLog
from projections.catalog import Catalog
from projections.projector import ALL
from projections.rebuild import Outcome, Rebuilder
from projections.stores.port import Store
from projections.stores.sqlite import SqliteStore
from tests.support.answers import FOR_EVER_DAYS, expected, told
from tests.support.facts import MORNING_US, finding
from tests.support.role import LOG, PROJECTIONS, kill_after, start
from tests.support.scratch import scratch
from tests.support.spine import NOW_US, Spine, frozen_clock


class Reader(Thread):
    """Reads without a pause; ``broken`` tells what it ought not to have seen."""

    def __init__(self, store: Store, log: SqliteLog) -> None:
        super().__init__()
        self.catalog = Catalog(store, log, retention_days=FOR_EVER_DAYS)
        self.reads = 0
        self.broken: list[object] = []
        self.done = False

    def run(self) -> None:
        counted, sequences = 0, dict[tuple[str, str], int]()
        try:
            while not self.done:
                now = sum(count.count for count in self.catalog.daily(0, NOW_US))
                if now < counted:
                    self.broken.append((counted, now))
                counted = now
                for state in self.catalog.states():
                    for shard, at in state.checkpoints.items():
                        if at.sequence < sequences.get((state.name, shard), -1):
                            self.broken.append((state, sequences))
                        sequences[state.name, shard] = at.sequence
                self.reads += 1
        except BaseException as error:  # noqa: BLE001  # told by the thread that can fail the test
            self.broken.append(error)
        self.catalog.close()


@pytest.fixture
def home() -> Iterator[Path]:
    with scratch() as home:
        yield home


@contextmanager
def projecting(home: Path) -> Iterator[Popen[str]]:
    """A projector in a process of its own, killed in the end."""
    process = start("project", home)
    try:
        yield process
    finally:
        kill_after(process, 0)


def test_rebuilds_beside_a_projector_in_another_process_fail_no_read_and_lose_no_event(home: Path) -> None:
    numbers = iter(range(100_000))
    log = SqliteLog(home / LOG, shards=2, clock=frozen_clock)
    store = SqliteStore(home / PROJECTIONS, clock=frozen_clock)

    def append(count: int) -> None:
        some = [next(numbers) for _ in range(count)]
        log.append([finding(number, MORNING_US + number, subject=f"alarm/{number % 7}") for number in some])

    with closing(log), closing(store):
        append(300)
        reader = Reader(store, log)
        reader.start()
        outcomes = []
        for turn in range(2):
            with projecting(home) as projector:
                assert projector.stdout is not None
                projector.stdout.readline()
                rebuilder = Rebuilder(log, store, f"rebuild-{turn}", lambda _: append(3), lambda: False, batch_events=100)
                outcomes += [rebuilder.rebuild(projection).outcome for projection in ALL]
        reader.done = True
        reader.join()

        assert reader.broken == []
        assert reader.reads > 10
        assert outcomes == [Outcome.SWITCHED] * 2 * len(ALL)
        with Spine(home / PROJECTIONS, log) as spine:
            spine.fold()
            records = [record for shard in log.shards() for record in log.read(shard.id, None, 100_000).records()]
            assert len(records) == next(numbers)
            assert told(spine.catalog, now_us=NOW_US) == expected(records, now_us=NOW_US)


def test_a_rebuild_in_another_process_leaves_a_projector_here_going_on(home: Path) -> None:
    with closing(SqliteLog(home / LOG, shards=2, clock=frozen_clock)) as log:
        log.append([finding(number) for number in range(600)])
        with Spine(home / PROJECTIONS, log, batch_events=50) as spine:
            spine.projector.step()
            rebuild = start("rebuild", home, "event_index")
            assert rebuild.stdout is not None
            for number, _ in enumerate(rebuild.stdout):
                log.append([finding(1_000 + number)])
                spine.projector.step()
            assert rebuild.wait() == 0
            kill_after(rebuild, 0)
            spine.fold()

            assert spine.store.serving()["event_index"].number == 2
            records = [record for shard in log.shards() for record in log.read(shard.id, None, 10_000).records()]
            assert len(records) > 600
            assert told(spine.catalog, now_us=NOW_US) == expected(records, now_us=NOW_US)
