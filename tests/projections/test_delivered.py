"""Batches handed over, as an event source mapping does: at least once, in order within a shard."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch
from projections.delivered import Delivered, Folded
from projections.errors import Fenced, GenesisLost, NotFolded, StoreUnavailable
from projections.stores.sqlite import SqliteStore
from tests.support.diary import Diary, NewDiary, noted
from tests.support.effort import share
from tests.support.flaky import FlakyStore
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine, frozen_clock, rows_of


class Second(Diary):
    """Another projection of the same events."""

    name = "second"


class Post:
    """A log, a store, and who is handed the log's batches."""

    def __init__(self, folder: Path, *, shards: int = 1) -> None:
        self.folder = folder
        self.log = MemoryLog(shards=shards)
        self.store = SqliteStore(folder, clock=frozen_clock)
        self.projections = [Diary(), Second()]
        self.stopped: list[str] = []
        self.broken: Callable[[], bool] = lambda: False
        self.open: list[Delivered] = []
        self.hands = self.instance("one")

    def instance(self, token: str) -> Delivered:
        """Another process of the same code."""
        made = Delivered(
            self.log,
            lambda _: FlakyStore(self.store, self._broken),
            token=token,
            projections=self.projections,
            on_stop=lambda why: self.stopped.append(str(why)),
        )
        self.open.append(made)
        return made

    def _broken(self) -> bool:
        return self.broken()

    def batch(self, first: int, last: int, shard: str = "shard-0") -> Batch:
        """The events of a shard from ``first`` up to ``last``, exclusive."""
        return self.log.read(shard, None, 10_000).select(range(first, last))

    def noted(self, projection: str = "diary") -> list[str]:
        """All ids that a projection has noted, by subject."""
        documents = rows_of(self.store, projection)["documents"]
        return [event_id for subject in sorted(documents) for event_id in documents[subject]["noted"]]

    def close(self) -> None:
        for made in self.open:
            made.close()
        self.store.close()


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    """Ten events of one subject on one shard."""
    with closing(Post(tmp_path)) as post:
        post.log.append([noted(number, "one") for number in range(10)])
        yield post


IDS = [noted(number).id for number in range(10)]


def test_what_is_delivered_is_folded_into_every_projection(post: Post) -> None:
    assert post.hands.fold(post.batch(0, 6)) == Folded(12, 0)
    assert post.hands.fold(post.batch(6, 10)) == Folded(8, 0)

    assert post.noted("diary") == post.noted("second") == IDS


def test_what_is_delivered_again_is_left_out(post: Post) -> None:
    for first, last in ((0, 4), (0, 4), (2, 7), (7, 10), (3, 10)):
        post.hands.fold(post.batch(first, last))

    assert post.noted("diary") == post.noted("second") == IDS


def test_shards_that_were_given_nothing_for_longest_are_let_go_of_where_they_remember_too_much(tmp_path: Path) -> None:
    with closing(Post(tmp_path, shards=3)) as post:
        post.log.append([noted(number, f"subject-{number}") for number in range(30)])
        batches = [post.log.read(shard.id, None, 100) for shard in post.log.shards()]
        first, second, third = batches
        hands = post.instance("small")
        for batch in (second, first, second):
            hands.fold(batch)
        hands._ids_of_others = hands._shards[second.shard].remembered()

        hands.fold(third)

        assert set(hands._shards) == {second.shard, third.shard}
        assert [hands.fold(batch).events for batch in batches] == [0, 0, 0]
        assert len(post.noted()) == 30


def test_another_instance_goes_on_where_the_first_was(post: Post) -> None:
    other = post.instance("two")
    post.hands.fold(post.batch(0, 3))
    other.fold(post.batch(3, 6))

    post.hands.fold(post.batch(6, 8))  # fenced by the other, it claims the shard again
    other.fold(post.batch(6, 10))

    assert post.noted("diary") == post.noted("second") == IDS


def test_who_is_fenced_twice_says_so(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    other = post.instance("two")
    other.fold(post.batch(0, 1))

    def fold(diary: Diary, rows: object, batch: Batch) -> object:
        with closing(post.store.open(post.store.serving()[diary.name])) as generation:
            generation.claim("three", [batch.shard])
        return original(diary, rows, batch)  # type: ignore[arg-type]  # rows pass through

    original = Diary.fold
    monkeypatch.setattr(Diary, "fold", fold)
    with pytest.raises(Fenced):
        other.fold(post.batch(1, 4))
    monkeypatch.undo()

    other.fold(post.batch(1, 10))

    assert post.noted("diary") == post.noted("second") == IDS


def test_a_new_projection_reads_what_was_delivered_before_it_came(post: Post) -> None:
    del post.projections[1:]
    post.hands.fold(post.batch(0, 5))
    post.projections.append(Second())

    post.instance("two").fold(post.batch(5, 8))

    assert post.noted("second") == IDS[:8]


def test_a_store_that_was_lost_is_filled_from_the_log(post: Post) -> None:
    post.hands.fold(post.batch(6, 8))

    assert post.noted("diary") == post.noted("second") == IDS[:8]


def test_a_projection_that_cannot_know_its_beginning_folds_nothing(post: Post) -> None:
    post.log.forget("shard-0", 3)

    with pytest.raises(GenesisLost, match="diary has folded nothing of shard-0"):
        post.hands.fold(post.batch(2, 4))

    assert post.noted("diary") == []


def test_a_laggard_folds_the_parents_of_a_shard_first(tmp_path: Path) -> None:
    with closing(Post(tmp_path)) as post:
        del post.projections[1:]
        post.log.append([noted(number, "one") for number in range(4)])
        post.hands.fold(post.batch(0, 4))
        post.log.split("shard-0")
        child = post.log.shard_of("one")
        post.log.append([noted(number, "one") for number in range(4, 8)])
        post.hands.fold(post.batch(0, 2, child))
        post.log.split(child)
        grandchild = post.log.shard_of("one")
        post.log.append([noted(number, "one") for number in range(8, 10)])
        post.projections.append(Second())

        post.instance("two").fold(post.batch(0, 2, grandchild))

        assert post.noted("second") == IDS
        assert post.noted("diary") == IDS


def test_a_shard_whose_parent_is_forgotten_is_refused_to_who_never_folded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Post(tmp_path)) as post:
        post.log.append([noted(number, "one") for number in range(4)])
        post.log.split("shard-0")
        child = post.log.shard_of("one")
        post.log.append([noted(4, "one")])
        alive = [shard for shard in post.log.shards() if shard.id != "shard-0"]
        monkeypatch.setattr(post.log, "shards", lambda: alive)

        with pytest.raises(GenesisLost, match="shard-0"):
            post.hands.fold(post.batch(0, 1, child))


def test_a_projection_that_meets_a_newer_version_stops_and_the_others_go_on(post: Post) -> None:
    class Older(Diary):
        name = "older"
        folds = {"diary.noted": 1}  # noqa: RUF012  # as the class above has it

    post.projections[1] = Older()
    post.log.append([noted(10, "one", version=2), noted(11, "one")])

    post.hands.fold(post.batch(0, 11))
    post.hands.fold(post.batch(11, 12))

    assert len(post.noted("diary")) == 12
    assert post.noted("older") == IDS
    assert len(post.stopped) == 1
    assert "version 2" in post.stopped[0]

    Older.folds = {"diary.noted": 2}
    post.log.append([noted(12, "one")])
    post.instance("newer build").fold(post.batch(12, 13))

    assert post.noted("older") == post.noted("diary")


def test_what_nobody_can_fold_is_not_taken(post: Post) -> None:
    post.hands.fold(post.batch(0, 2))
    post.projections[:] = [NewDiary()]

    with pytest.raises(NotFolded, match="wait for a rebuild"):
        post.instance("newer build").fold(post.batch(2, 4))


@pytest.mark.parametrize("at", range(8))
def test_an_error_of_the_store_loses_nothing_and_counts_nothing_twice(post: Post, at: int) -> None:
    post.hands.fold(post.batch(0, 3))
    calls = iter([False] * at + [True])
    post.broken = lambda: next(calls, False)
    other = post.instance("other")
    with pytest.raises(StoreUnavailable):
        other.fold(post.batch(3, 8))

    other.fold(post.batch(3, 10))

    assert post.noted("diary") == post.noted("second") == IDS


def test_an_instance_that_was_away_sees_what_others_left_undone(post: Post) -> None:
    """Its memory is of before the other met what it could not fold; the next batch must not be folded over the gap."""

    class Older(Diary):
        name = "older"
        folds = {"diary.noted": 1}  # noqa: RUF012  # as the class above has it

    post.projections.insert(0, Older())
    away = post.instance("away")
    away.fold(post.batch(0, 3))
    post.log.append([noted(10, "one", version=2), noted(11, "one")])
    post.log.append([noted(12, "one")])
    other = post.instance("other")
    other.fold(post.batch(3, 10))
    other.fold(post.batch(10, 12))  # older stops before the event of version 2

    away.fold(post.batch(12, 13))

    assert post.noted("older") == IDS
    assert len(post.noted("diary")) == 13


def test_a_shard_that_began_late_is_folded_though_the_log_forgets_old_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log tells of all its shards alike that it is older than what it keeps."""
    with closing(Post(tmp_path)) as post:
        post.log.append([noted(number, "one") for number in range(4)])
        post.hands.fold(post.batch(0, 4))
        post.log.split("shard-0")
        child = post.log.shard_of("one")
        post.log.append([noted(number, "one") for number in range(4, 8)])
        old = [replace(shard, complete=False) for shard in post.log.shards()]
        monkeypatch.setattr(post.log, "shards", lambda: old)

        post.hands.fold(post.batch(0, 2, child))
        post.instance("two").fold(post.batch(2, 4, child))

        assert post.noted("diary") == post.noted("second") == IDS[:8]


def test_who_cannot_know_a_beginning_stops_alone(post: Post) -> None:
    del post.projections[1:]
    post.hands.fold(post.batch(0, 5))
    post.log.forget("shard-0", 3)
    post.projections.append(Second())
    other = post.instance("newer build")

    other.fold(post.batch(2, 7))  # the same five: the log begins three later now

    assert post.noted("diary") == IDS
    assert post.noted("second") == []
    assert ["second has folded nothing of shard-0" in told for told in post.stopped] == [True]


def test_a_laggard_waits_for_the_log(post: Post) -> None:
    batch = post.batch(4, 10)
    post.log.down = True
    with pytest.raises(LogUnavailable):
        post.hands.fold(batch)

    post.log.down = False
    post.hands.fold(batch)

    assert post.noted("diary") == IDS


def test_poison_parks_its_key_and_the_rest_is_taken(post: Post) -> None:
    diary = post.projections[0]
    diary.poison = {IDS[2]}
    post.log.append([noted(number, "two") for number in range(10, 14)])

    assert post.hands.fold(post.batch(0, 14)) == Folded(28, 8)

    assert post.noted("diary") == [*IDS[:2], *(noted(number).id for number in range(10, 14))]


@pytest.mark.long
@share(4)
@given(seed=st.integers(0, 1 << 32))
def test_deliveries_in_any_shape_give_the_rows_of_an_undisturbed_run(seed: int) -> None:
    """Batches of any size, repeated, from any earlier position on, by instances that take turns; shards split meanwhile."""
    random = Random(seed)  # no secret
    with scratch() as folder, closing(Post(folder / "a", shards=2)) as post:
        instances = [post.hands, post.instance("two"), post.instance("three")]
        given_up_to: dict[str, int] = {}
        made = 0
        for _ in range(12):
            if random.random() < 0.2 and len(post.log.shards()) < 7:
                post.log.split(random.choice(post.log.open_shards()))
            more = random.randrange(30)
            numbers = [random.randrange(made + number + 1) for number in range(more)]
            post.log.append([noted(number, f"subject-{number % 7}") for number in numbers])
            made += more
            for shard in post.log.shards():
                total = len(post.log.read(shard.id, None, 10_000))
                while (begin := given_up_to.get(shard.id, 0)) < total:
                    begin, end = random.randrange(begin + 1), random.randrange(begin, total) + 1
                    random.choice(instances).fold(post.batch(begin, end, shard.id))
                    given_up_to[shard.id] = max(end, given_up_to.get(shard.id, 0))
        with Spine(folder / "b", post.log, projections=[Diary(), Second()]) as undisturbed:
            undisturbed.fold()

            for name in ("diary", "second") if made else ():
                assert rows_of(post.store, name) == rows_of(undisturbed.store, name)
