from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest

from pipeline.log.port import Position
from projections.errors import GenerationGone, RebuildRunning
from projections.projection import Changes
from projections.stores.port import Commit, GenerationInfo, Status, Store
from tests.conformance.store_backends import StoreBackend
from tests.support.spine import NOW_US

QUICK = True
"""These tests write little, so that slow stores run them too."""


def nothing() -> None:
    """Catch up with a log that has not moved."""


def keep(store: Store, info: GenerationInfo, sequence: int) -> None:
    """Commit a checkpoint and a document that both tell ``sequence``."""
    with closing(store.open(info)) as generation:
        generation.claim("writer", ["s"])
        at = Position("s", sequence)
        expected = {"s": generation.checkpoints().get("s")}
        generation.commit("writer", Commit(expected, {"s": at}, Changes(documents={"told": {"sequence": sequence}})))


def seen(store: Store, projection: str = "some") -> int:
    """The sequence that readers of the serving generation see."""
    with closing(store.open(store.serving()[projection])) as generation, generation.reading() as rows:
        sequence = rows.checkpoints()["s"].sequence
        assert rows.documents(["told"]) == {"told": {"sequence": sequence}}
        return sequence


def test_a_new_store_has_no_generations(store: Store) -> None:
    assert list(store.generations("some")) == []
    assert store.serving() == {}


def test_builds_are_numbered_from_one_for_each_projection(store: Store) -> None:
    infos = [
        store.create("some", 7, serving=False),
        store.create("some", 8, serving=False),
        store.create("other", 1, serving=False),
    ]

    assert infos == [
        GenerationInfo("some", 1, 7, Status.BUILDING, NOW_US),
        GenerationInfo("some", 2, 8, Status.BUILDING, NOW_US),
        GenerationInfo("other", 1, 1, Status.BUILDING, NOW_US),
    ]
    assert list(store.generations("some")) == infos[:2]
    assert store.serving() == {}


def test_the_first_that_is_to_serve_serves_and_later_ones_are_told_of_it(store: Store) -> None:
    first = store.create("some", 1, serving=True)
    second = store.create("some", 2, serving=True)

    assert first == second == GenerationInfo("some", 1, 1, Status.SERVING, NOW_US)
    assert store.serving() == {"some": first}


def test_of_many_that_create_at_once_one_makes_the_generation(store_backend: StoreBackend, tmp_path: Path) -> None:
    if not store_backend.concurrent:
        pytest.skip(f"{store_backend} loses what is written at once")
    ready = Barrier(6)
    made: list[GenerationInfo] = []

    def create() -> None:
        ready.wait()
        with closing(store_backend.at(tmp_path)) as store:
            made.append(store.create("some", 1, serving=True))

    threads = [Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [GenerationInfo("some", 1, 1, Status.SERVING, NOW_US)] * 6


def test_generations_are_seen_by_every_program_on_the_store(store_backend: StoreBackend, store: Store, tmp_path: Path) -> None:
    info = store.create("some", 1, serving=True)
    keep(store, info, 5)

    with closing(store_backend.at(tmp_path)) as other:
        assert other.serving() == {"some": info}
        assert seen(other) == 5


def test_a_switch_lets_the_new_build_serve_and_retires_the_former(store: Store) -> None:
    former = store.create("some", 1, serving=True)
    keep(store, former, 5)
    built = store.create("some", 2, serving=False)

    store.switch(built, lambda: keep(store, built, 6))

    assert [info.status for info in store.generations("some")] == [Status.RETIRED, Status.SERVING]
    assert store.serving()["some"].number == built.number
    assert seen(store) == 6


def test_a_build_may_serve_where_none_did(store: Store) -> None:
    built = store.create("some", 1, serving=False)

    store.switch(built, lambda: keep(store, built, 1))

    assert seen(store) == 1


def test_readers_see_the_former_build_until_the_switch(store: Store) -> None:
    keep(store, store.create("some", 1, serving=True), 5)
    built = store.create("some", 1, serving=False)
    read: list[int] = []

    def catch_up() -> None:
        keep(store, built, 6)
        read.append(seen(store))

    store.switch(built, catch_up)
    read.append(seen(store))

    assert read == [5, 6]


def test_the_serving_build_takes_no_commits_while_the_new_one_catches_up(store: Store) -> None:
    former = store.create("some", 1, serving=True)
    built = store.create("some", 1, serving=False)
    about_to_commit = Barrier(2)
    order: list[str] = []

    def write_late() -> None:
        with closing(store.open(former)) as generation:
            about_to_commit.wait()
            generation.claim("late", ["s"])
            order.append("claimed")

    late = Thread(target=write_late)

    def catch_up() -> None:
        late.start()
        about_to_commit.wait()
        late.join(0.05)
        order.append("caught up")

    store.switch(built, catch_up)
    late.join()

    assert order == ["caught up", "claimed"]


def test_a_switch_whose_catching_up_fails_changes_nothing(store: Store) -> None:
    former = store.create("some", 1, serving=True)
    built = store.create("some", 1, serving=False)

    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        store.switch(built, fail)

    assert store.serving() == {"some": former}
    keep(store, former, 1)
    assert seen(store) == 1


@pytest.mark.parametrize("moment", ["before", "during"])
def test_a_build_dropped_before_it_could_serve_leaves_the_former_serving(store: Store, moment: str) -> None:
    former = store.create("some", 1, serving=True)
    keep(store, former, 5)
    built = store.create("some", 1, serving=False)
    catch_up = nothing if moment == "before" else lambda: store.drop(built)
    if moment == "before":
        store.drop(built)

    with pytest.raises(GenerationGone, match="generation 2 of some"):
        store.switch(built, catch_up)

    assert store.serving() == {"some": former}
    keep(store, former, 6)
    assert seen(store) == 6


def test_a_dropped_build_is_gone(store: Store) -> None:
    built = store.create("some", 1, serving=False)

    store.drop(built)
    store.drop(built)

    assert list(store.generations("some")) == []
    with pytest.raises(GenerationGone, match="generation 1 of some is gone"):
        store.open(built)


def test_what_serves_cannot_be_dropped(store: Store) -> None:
    info = store.create("some", 1, serving=False)
    store.switch(info, lambda: keep(store, info, 3))

    store.drop(info)
    store.drop(store.serving()["some"])

    assert seen(store) == 3


def test_a_reader_under_way_goes_on_when_its_generation_is_dropped(store: Store) -> None:
    former = store.create("some", 1, serving=True)
    keep(store, former, 5)
    built = store.create("some", 1, serving=False)
    with closing(store.open(former)) as generation, generation.reading() as rows:
        store.switch(built, nothing)
        store.drop(store.generations("some")[0])

        assert rows.documents(["told"]) == {"told": {"sequence": 5}}
        assert rows.checkpoints()["s"].sequence == 5


def test_a_new_generation_holds_nothing_of_one_dropped_before(store: Store) -> None:
    dropped = store.create("some", 1, serving=False)
    keep(store, dropped, 5)
    store.drop(dropped)

    with closing(store.open(store.create("some", 1, serving=False))) as generation:
        assert generation.checkpoints() == {}


def test_one_builds_a_projection_at_a_time(store_backend: StoreBackend, store: Store, tmp_path: Path) -> None:
    with store.building("some"), closing(store_backend.at(tmp_path)) as other:
        with pytest.raises(RebuildRunning, match="some is being rebuilt"), other.building("some"):
            pass
        with other.building("other"):
            pass

    with store.building("some"):
        pass


def test_a_builder_drops_what_a_dead_one_left(store: Store) -> None:
    serving = store.create("some", 1, serving=True)
    store.create("some", 1, serving=False)
    theirs = store.create("other", 1, serving=False)

    with store.building("some"):
        assert list(store.generations("some")) == [serving]
    assert list(store.generations("other")) == [theirs]


def test_a_builder_that_fails_gives_its_right_back(store: Store) -> None:
    with pytest.raises(LookupError), store.building("some"):
        raise LookupError

    with store.building("some"):
        pass


def test_closing_twice_is_harmless(store_backend: StoreBackend, tmp_path: Path) -> None:
    store = store_backend.at(tmp_path)
    generation = store.open(store.create("some", 1, serving=True))

    generation.close()
    generation.close()
    store.close()
    store.close()


def test_a_reader_under_way_finishes_when_its_generation_is_closed(store: Store) -> None:
    keep(store, store.create("some", 1, serving=True), 5)
    generation = store.open(store.serving()["some"])

    with generation.reading() as rows:
        generation.close()

        assert rows.documents(["told"]) == {"told": {"sequence": 5}}
