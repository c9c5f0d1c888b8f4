from contextlib import closing
from itertools import islice
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.log.port import Position
from projections.errors import Fenced, StoreUnavailable
from projections.projection import Changes, CountKey, Document, Parked
from projections.segments import Entries
from projections.stores.port import Commit, Generation, GenerationRows, Marker, Store
from tests.conformance.store_backends import StoreBackend
from tests.support.spine import entries_of

FAR = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
"""A sequence number as Kinesis gives them: no 64-bit number holds it."""


def entries(*ids: str, time_us: int = 1_000_000) -> Entries:
    count = len(ids)
    columns: dict[str, list[Any]] = {name: [""] * count for name in Entries.__slots__}
    columns |= {"id": list(ids), "time_us": [time_us] * count, "recorded_us": [time_us] * count, "severity": [1] * count}
    columns |= {"resources": [[] for _ in ids], "sequence": [FAR] * count, "sub": [0] * count}
    return Entries(**columns)


def parked(key: str, sequence: int, *, error: str = "") -> Parked:
    return Parked(key, Position("a", sequence), 77, key.encode(), error)


def full_commit(expected: Position | None, reached: Position) -> Commit:
    """A commit with something of everything; it says ``reached`` in each."""
    changes = Changes(
        entries=entries(f"id-{reached.sub}"),
        counts={CountKey(5, "aws.health", 1, "", "a"): 1},
        documents={"told": {"sub": reached.sub}},
    )
    marker = Marker(5, 6, reached.sub.to_bytes(16))
    return Commit({"a": expected}, {"a": reached}, changes, [marker], [parked(f"key-{reached.sub}", FAR + reached.sub)])


def everything(generation: Generation) -> dict[str, Any]:
    """All that readers see, and the markers."""
    with generation.reading() as rows:
        return {
            "checkpoints": rows.checkpoints(),
            "entries": [entry["id"] for entry in entries_of(rows)],
            "counts": list(rows.counts(0, 100)),
            "documents": list(rows.all_documents()),
            "parked": list(rows.parked()),
            "markers": ids_marked(generation, {5}, 0),
        }


def ids_marked(generation: Generation, hours: set[int], since_day: int) -> set[tuple[int, int, bytes]]:
    """(hour, day, id) of every id marked."""
    markers = list(generation.markers(hours, since_day))
    return {(m.hour, m.day, m.ids[i : i + 16]) for m in markers for i in range(0, len(m.ids), 16)}


def test_a_new_generation_is_empty(generation: Generation) -> None:
    empty: list[object] = []
    assert everything(generation) == {
        "checkpoints": {},
        "entries": empty,
        "counts": empty,
        "documents": empty,
        "parked": empty,
        "markers": set(),
    }


def test_a_commit_keeps_everything_together(store_backend: StoreBackend, generation: Generation, tmp_path: Path) -> None:
    first, second = Position("a", FAR, 0), Position("a", FAR, 1)
    generation.commit("writer", full_commit(None, first))
    generation.commit("writer", full_commit(first, second))

    expected = {
        "checkpoints": {"a": second},
        "entries": ["id-0", "id-1"],
        "counts": [(CountKey(5, "aws.health", 1, "", "a"), 2)],
        "documents": [("told", {"sub": 1})],
        "parked": [parked("key-0", FAR), parked("key-1", FAR + 1)],
        "markers": {(5, 6, bytes(16)), (5, 6, (1).to_bytes(16))},
    }
    assert everything(generation) == expected
    with closing(store_backend.at(tmp_path)) as store, closing(store.open(store.serving()["some"])) as other:
        assert everything(other) == expected


@pytest.mark.parametrize("serving", [True, False])
def test_another_writer_s_commit_is_refused(store: Store, *, serving: bool) -> None:
    with closing(store.open(store.create("some", 1, serving=serving))) as generation:
        generation.claim("first", ["a"])
        generation.commit("first", full_commit(None, Position("a", 1)))
        before = everything(generation)

        generation.claim("second", ["a"])

        with pytest.raises(Fenced, match="generation 1 of some has another writer"):
            generation.commit("first", full_commit(Position("a", 1), Position("a", 2)))
        assert everything(generation) == before
        generation.commit("second", full_commit(Position("a", 1), Position("a", 2)))


def test_a_claim_fences_writers_of_other_programs(store_backend: StoreBackend, generation: Generation, tmp_path: Path) -> None:
    with closing(store_backend.at(tmp_path)) as store, closing(store.open(store.serving()["some"])) as other:
        other.claim("other", ["a"])
        other.commit("other", full_commit(None, Position("a", 1)))

    with pytest.raises(Fenced):
        generation.commit("writer", full_commit(None, Position("a", 1)))


def test_a_claim_of_one_shard_leaves_the_writers_of_others_alone(store_backend: StoreBackend, generation: Generation) -> None:
    if not store_backend.fences_by_shard:
        pytest.skip("claims all shards at once")
    generation.claim("other", ["b"])

    generation.commit("writer", full_commit(None, Position("a", 1)))
    with pytest.raises(Fenced, match="has another writer of b"):
        generation.commit("writer", Commit({"b": None}, {"b": Position("b", 1)}))
    generation.commit("other", Commit({"b": None}, {"b": Position("b", 1)}))


def test_nobody_commits_to_a_shard_unclaimed(store_backend: StoreBackend, generation: Generation) -> None:
    if not store_backend.fences_by_shard:
        pytest.skip("claims all shards at once")
    with pytest.raises(Fenced, match="has another writer of c"):
        generation.commit("writer", Commit({"c": None}, {"c": Position("c", 1)}))
    assert generation.checkpoints() == {}


@pytest.mark.parametrize("expected", [None, Position("a", 0), Position("a", 2), Position("a", 1, 1)])
def test_a_commit_that_read_another_checkpoint_is_refused(generation: Generation, expected: Position | None) -> None:
    generation.commit("writer", full_commit(None, Position("a", 1)))
    before = everything(generation)

    with pytest.raises(Fenced, match="checkpoint of a"):
        generation.commit("writer", full_commit(expected, Position("a", 3)))

    assert everything(generation) == before


def test_a_commit_that_read_a_checkpoint_where_there_is_none_is_refused(generation: Generation) -> None:
    with pytest.raises(Fenced):
        generation.commit("writer", full_commit(Position("a", 1), Position("a", 2)))


def test_one_stale_shard_refuses_the_whole_commit(generation: Generation) -> None:
    generation.commit("writer", full_commit(None, Position("a", 1)))
    stale: dict[str, Position | None] = {"b": None, "a": None}

    with pytest.raises(Fenced):
        generation.commit("writer", Commit(stale, {"b": Position("b", 1), "a": Position("a", 2)}))

    assert generation.checkpoints() == {"a": Position("a", 1)}


def test_a_shard_s_checkpoint_moves_alone(generation: Generation) -> None:
    generation.commit("writer", Commit({"a": None, "b": None}, {"a": Position("a", 1), "b": Position("b", 9)}))
    generation.commit("writer", Commit({"b": Position("b", 9)}, {"b": Position("b", 10, 4)}))

    assert generation.checkpoints() == {"a": Position("a", 1), "b": Position("b", 10, 4)}


def test_a_commit_that_fails_anywhere_keeps_nothing_and_may_be_repeated(
    store_backend: StoreBackend, generation: Generation
) -> None:
    generation.commit("writer", full_commit(None, Position("a", 1, 0)))
    before = everything(generation)
    commit = full_commit(Position("a", 1, 0), Position("a", 1, 1))
    commit.unparked = [Position("a", FAR)]
    failures = 0
    while True:
        try:
            with store_backend.failing(generation, failures):
                generation.commit("writer", commit)
            break
        except StoreUnavailable:
            assert everything(generation) == before
            failures += 1

    assert failures >= store_backend.operations
    after = everything(generation)
    assert after["checkpoints"] == {"a": Position("a", 1, 1)}
    assert after["entries"] == ["id-0", "id-1"]
    assert after["parked"] == [parked("key-1", FAR + 1)]


def test_counts_add_up_and_come_in_order_of_their_keys(generation: Generation) -> None:
    keys = [
        CountKey(hour, source, severity, account, shard)
        for hour in (7, 3)
        for source in ("monitoring.é", "aws.z", "aws.Z", "")
        for severity in (4, 0)
        for account in ("2", "1")
        for shard in ("b", "a")
    ]
    generation.commit("writer", Commit({}, {}, Changes(counts=dict.fromkeys(keys, 2))))
    generation.commit("writer", Commit({}, {}, Changes(counts={keys[0]: 40})))

    expected = dict.fromkeys(keys, 2) | {keys[0]: 42}
    assert list(generation.counts(0, 100)) == sorted(expected.items())
    assert list(generation.counts(3, 7)) == sorted((key, count) for key, count in expected.items() if key.hour == 3)
    assert list(generation.counts(4, 7)) == []
    assert list(generation.counts(8, 4)) == []


def test_documents_of_a_kind_are_told_without_the_others(generation: Generation) -> None:
    keys = ["task/1", "task/2", "task", "tasks/1", "task-1", "a@b", "other/1"]
    generation.commit("writer", Commit({}, {}, Changes(documents={key: {"key": key} for key in keys})))

    assert list(generation.all_documents("task")) == [("task/1", {"key": "task/1"}), ("task/2", {"key": "task/2"})]
    assert list(generation.all_documents("none")) == []
    assert len(list(generation.all_documents())) == len(keys)


def test_documents_of_an_ordered_kind_are_read_page_by_page(generation: Generation) -> None:
    keys = [f"new//{number:03}" for number in range(7)]
    others = ["new/003", "new", "new//", "new/0", "newer//001", "nev//9", "new@a"]
    documents: dict[str, Document] = {key: {"key": key} for key in [*others, *reversed(keys)]}
    generation.commit("writer", Commit({}, {}, Changes(documents=documents)))

    def page(after: str, limit: int) -> list[str]:
        found = generation.documents_from("new", after, limit)
        assert [document["key"] for _, document in found] == [key for key, _ in found]
        return [key for key, _ in found]

    assert page("", 3) == keys[:3]
    assert page("new//002", 3) == keys[3:6]
    assert page("new//0025", 2) == keys[3:5]
    assert page("new//004", 9) == keys[5:]
    assert page("new//006", 9) == []
    assert page("a", 1) == keys[:1]
    assert page("z", 9) == []
    assert generation.documents_from("none", "", 9) == []
    with generation.reading() as rows:
        assert [key for key, _ in rows.documents_from("new", "", 2)] == keys[:2]


def test_an_ordered_document_is_replaced_and_found_by_its_key(generation: Generation) -> None:
    generation.commit("writer", Commit({}, {}, Changes(documents={"new//1": {"n": 1}, "new//2@a": {"n": 2}})))
    generation.commit("writer", Commit({}, {}, Changes(documents={"new//1": {"n": 3}})))

    assert generation.documents(["new//1", "new//2@a"]) == {"new//1": {"n": 3}, "new//2@a": {"n": 2}}
    assert generation.documents_from("new", "", 5) == [("new//1", {"n": 3}), ("new//2@a", {"n": 2})]
    assert list(generation.all_documents("new")) == [("new//1", {"n": 3}), ("new//2@a", {"n": 2})]


def test_passing_documents_may_be_forgotten_and_no_others_are(generation: Generation) -> None:
    documents = {f"new//{number}/a": {"n": number} for number in range(4)} | {"old//0/a": {}, "news//0": {}}
    passing = {key for key in documents if key.startswith("new//")}
    generation.commit("writer", Commit({}, {}, Changes(documents=documents, passing=passing)))

    generation.forget_documents("new", "2")
    generation.forget_documents("new", "2")

    left = dict(generation.all_documents())
    assert {"new//2/a", "new//3/a", "old//0/a", "news//0"} <= left.keys() <= documents.keys()


def test_documents_are_replaced_and_come_in_order_of_their_keys(generation: Generation) -> None:
    generation.commit("writer", Commit({}, {}, Changes(documents={"b": {"n": 1}, "a": {"n": 1}, "C": {"n": [None, 0.5]}})))
    generation.commit("writer", Commit({}, {}, Changes(documents={"b": {"text": "é\0\u2028"}})))

    assert list(generation.all_documents()) == [("C", {"n": [None, 0.5]}), ("a", {"n": 1}), ("b", {"text": "é\0\u2028"})]
    assert generation.documents(["b", "absent", "a"]) == {"a": {"n": 1}, "b": {"text": "é\0\u2028"}}
    assert generation.documents([]) == {}


def test_thousands_of_documents_are_found_at_once(store_backend: StoreBackend, generation: Generation) -> None:
    documents: dict[str, Document] = {f"key-{number}": {"n": number} for number in range(3_000)}
    waiting = iter(documents.items())
    while some := dict(islice(waiting, store_backend.most_documents)):
        generation.commit("writer", Commit({}, {}, Changes(documents=some)))

    assert generation.documents(set(documents)) == documents


@given(keys=st.sets(st.text(), min_size=1, max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_document_is_found_by_its_key_whatever_characters_it_has(generation: Generation, keys: set[str]) -> None:
    documents: dict[str, Document] = {key: {"key": key} for key in keys}

    generation.commit("writer", Commit({}, {}, Changes(documents=documents)))

    assert generation.documents(keys) == documents
    assert documents.items() <= dict(generation.all_documents()).items()


def test_parked_events_stay_in_the_order_in_which_they_were_parked(generation: Generation) -> None:
    waiting = [parked("z", 9, error="Traceback"), parked("a", 10), parked("z", FAR)]
    generation.commit("writer", Commit({}, {}, parked=waiting[:2]))
    generation.commit("writer", Commit({}, {}, parked=waiting[2:]))

    assert list(generation.parked()) == waiting

    again = parked("z", 9, error="another Traceback")
    generation.commit("writer", Commit({}, {}, unparked=[Position("a", 9), Position("a", FAR)], parked=[again, waiting[2]]))

    assert list(generation.parked()) == [waiting[1], again, waiting[2]]


def test_a_parked_event_that_failed_again_keeps_its_place(generation: Generation) -> None:
    waiting = [parked("z", 9, error="Traceback"), parked("a", 10), parked("z", FAR)]
    generation.commit("writer", Commit({}, {}, parked=waiting))
    again = parked("z", 9, error="another Traceback")

    generation.commit("writer", Commit({}, {}, retraced=[again]))
    assert list(generation.parked()) == [again, *waiting[1:]]
    last = parked("z", FAR, error="Traceback")
    generation.commit("writer", Commit({}, {}, unparked=[Position("a", 9), Position("a", 10)], retraced=[last]))

    assert list(generation.parked()) == [last]


def test_how_many_wait_is_told_by_key(generation: Generation) -> None:
    assert generation.waiting() == {}

    generation.commit("writer", Commit({}, {}, parked=[parked("z", 9, error="Traceback"), parked("a", 10), parked("z", FAR)]))

    assert generation.waiting() == {"a": 1, "z": 2}
    generation.commit("writer", Commit({}, {}, unparked=[Position("a", 10)]))
    with generation.reading() as rows:
        assert rows.waiting() == {"z": 2}


def test_markers_are_found_by_hour_and_day(generation: Generation) -> None:
    marked = {(hour, day, bytes([hour, day]) * 8) for hour in (1, 2, 3) for day in (10, 11, 12)}
    generation.commit("writer", Commit({}, {}, markers=[Marker(*mark) for mark in marked]))

    assert ids_marked(generation, {1, 3, 99}, 11) == {mark for mark in marked if mark[0] in {1, 3} and mark[1] >= 11}
    assert ids_marked(generation, set(), 0) == set()


def test_forgotten_markers_go_and_younger_ones_stay(generation: Generation) -> None:
    marked = {(1, day, bytes([day]) * 16) for day in (10, 11, 12)}
    generation.commit("writer", Commit({}, {}, markers=[Marker(*mark) for mark in marked]))

    generation.forget_markers(11)

    assert ids_marked(generation, {1}, 0) - {(1, 10, bytes([10]) * 16)} == {mark for mark in marked if mark[1] >= 11}


def test_many_small_markers_lose_no_id(generation: Generation) -> None:
    marked = {(number % 2, 9, number.to_bytes(16)) for number in range(500)}
    for mark in sorted(marked, key=lambda mark: mark[2]):
        generation.commit("writer", Commit({}, {}, markers=[Marker(*mark)]))

    assert ids_marked(generation, {0, 1}, 0) == marked


def test_a_reader_s_rows_stand_still_while_commits_go_on(store_backend: StoreBackend, generation: Generation) -> None:
    if not store_backend.stands_still:
        pytest.skip(f"{store_backend} shows commits that are made meanwhile")
    generation.commit("writer", full_commit(None, Position("a", 1, 0)))
    with generation.reading() as rows:
        before = rows.checkpoints()
        generation.commit("writer", full_commit(Position("a", 1, 0), Position("a", 1, 1)))

        assert rows.checkpoints() == before == {"a": Position("a", 1, 0)}
        assert dict(rows.all_documents()) == {"told": {"sub": 0}}
        assert [entry["id"] for entry in entries_of(rows)] == ["id-0"]
        assert len(rows.parked()) == 1

    with generation.reading() as rows:
        assert rows.checkpoints() == {"a": Position("a", 1, 1)}


def test_a_reader_that_fails_leaves_the_next_one_a_fresh_view(generation: Generation) -> None:
    def give_up(rows: GenerationRows) -> None:
        next(rows.all_documents(), None)
        raise LookupError

    generation.commit("writer", full_commit(None, Position("a", 1, 0)))
    with pytest.raises(LookupError) as caught, generation.reading() as rows:
        give_up(rows)
    generation.commit("writer", full_commit(Position("a", 1, 0), Position("a", 1, 1)))

    with generation.reading() as rows:
        assert rows.checkpoints() == {"a": Position("a", 1, 1)}
    assert caught.value  # it holds the failed reader's frames, and their cursors, until here


def test_one_thread_may_read_twice_at_once(store_backend: StoreBackend, generation: Generation) -> None:
    with generation.reading() as early:
        assert early.checkpoints() == {}
        generation.commit("writer", full_commit(None, Position("a", 1, 0)))
        with generation.reading() as late:
            assert late.checkpoints() == {"a": Position("a", 1, 0)}
        assert not store_backend.stands_still or early.checkpoints() == {}


def test_checkpoints_that_moved_while_a_reader_read_tell_it_so(store_backend: StoreBackend, generation: Generation) -> None:
    with generation.reading() as rows:
        before = rows.checkpoints()
        generation.commit("writer", full_commit(None, Position("a", 1, 0)))
        shown = list(rows.all_documents())

        assert bool(shown) == (rows.checkpoints() != before)
        assert bool(shown) != store_backend.stands_still


def test_threads_read_whole_commits_while_the_writer_goes_on(store_backend: StoreBackend, generation: Generation) -> None:
    def as_promised(at: int, told: int, entries: int, counted: int) -> bool:
        if store_backend.stands_still:
            return at == told == entries == counted
        return at <= told <= entries <= counted

    ready = Barrier(4)
    broken: list[object] = []
    if not store_backend.concurrent:
        pytest.skip(f"{store_backend} loses what is written at once")

    def read() -> None:
        ready.wait()
        last = -1
        while last < 40:
            with generation.reading() as rows:
                at = rows.checkpoints().get("a", Position("a", 0, -1)).sub
                told = rows.documents(["told"]).get("told", {"sub": -1})["sub"]
                entries = len(entries_of(rows)) - 1
                counted = sum(number for _, number in rows.counts(0, 100)) - 1
            if not (as_promised(at, told, entries, counted) and at >= last):
                broken.append((last, at, told, entries, counted))
                return
            last = at

    threads = [Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    expected: Position | None = None
    for sub in range(41):
        reached = Position("a", 1, sub)
        generation.commit("writer", full_commit(expected, reached))
        expected = reached
    for thread in threads:
        thread.join()

    assert broken == []


def test_what_was_closed_says_so(generation: Generation) -> None:
    generation.close()

    with pytest.raises(StoreUnavailable):
        generation.checkpoints()
    with pytest.raises(StoreUnavailable):
        generation.claim("writer", ["a"])
    with pytest.raises(StoreUnavailable):
        generation.commit("writer", Commit({}, {}))
    with pytest.raises(StoreUnavailable), generation.reading():
        pass
