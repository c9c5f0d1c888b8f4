from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Position, Record
from projections.errors import Fenced, NewerVersion, StoreUnavailable
from projections.parking import decode
from projections.projection import Changes, Parked, Rows
from projections.projector import Reads
from projections.stores.port import Commit, Store
from projections.stores.sqlite import SqliteStore
from projections.writer import Writer
from schemas.envelope import Envelope
from tests.support.diary import Diary, noted
from tests.support.effort import share
from tests.support.facts import fact
from tests.support.flaky import FlakyGeneration
from tests.support.memory_log import MemoryLog, batch_of
from tests.support.scratch import scratch
from tests.support.spine import frozen_clock, rows_of


class Desk:
    """A diary, its log, and its one writer, which may be replaced as after a restart."""

    def __init__(self, store: Store, diary: Diary, *, shards: int = 1) -> None:
        self.store = store
        self.diary = diary
        self.log = MemoryLog(shards=shards)
        self.info = store.create("diary", 1, serving=True)
        self.broken: Callable[[], bool] = lambda: False
        self.too_large: Callable[[Commit], bool] = lambda _: False
        self._opened: list[FlakyGeneration] = []
        self.writer = self.restart()

    def restart(self) -> Writer:
        generation = FlakyGeneration(
            self.store.open(self.info), lambda: bool(self.broken()), lambda commit: bool(self.too_large(commit))
        )
        self._opened.append(generation)
        self.writer = Writer(self.diary, generation, "token")
        self.writer.claim(shard.id for shard in self.log.shards())
        return self.writer

    def fold(self, *events: Envelope, limit: int = 1_000) -> int:
        """Append events and fold all there is."""
        self.log.append(events)
        folded = 0
        while batches := Reads(self.log, limit).behind(self.writer.checkpoints):
            folded += self.writer.fold(batches)
        return folded

    def diaries(self) -> dict[str, list[str]]:
        """The ids noted, by subject."""
        return {subject: document["noted"] for subject, document in rows_of(self.store, "diary")["documents"].items()}

    def parked(self) -> Sequence[Parked]:
        return self.writer.generation.parked()

    def close(self) -> None:
        """Close what was opened before each restart too."""
        for generation in self._opened:
            generation.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
        yield store


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    with closing(Desk(store, Diary())) as desk:
        yield desk


def ids(*events: Envelope) -> list[str]:
    return [event.id for event in events]


def noting(event: Envelope) -> Callable[[Commit], bool]:
    """Whether a commit keeps rows that this event brought."""
    return lambda commit: event.id in commit.changes.entries.id


def test_events_are_folded_in_order_and_the_checkpoint_follows(desk: Desk) -> None:
    events = [noted(number) for number in range(6)]

    assert desk.fold(*events) == 6

    assert desk.diaries() == {f"subject-{n}": ids(events[n], events[n + 3]) for n in range(3)}
    assert desk.writer.checkpoints == desk.writer.generation.checkpoints() == desk.log.heads()


def test_types_that_are_not_folded_pass_by_and_move_the_checkpoint(desk: Desk) -> None:
    assert desk.fold(fact("future.thing", 1, 1, version=99), fact("notice.sent", 1, 2)) == 2

    assert desk.diaries() == {}
    assert desk.writer.checkpoints == desk.log.heads()
    assert desk.diary.folded == []


def test_nothing_to_fold_commits_nothing(desk: Desk) -> None:
    desk.broken = lambda: True

    assert desk.writer.fold([]) == 0


def test_a_repeat_changes_nothing_but_the_checkpoint(desk: Desk) -> None:
    events = [noted(number) for number in range(3)]
    desk.fold(*events)

    assert desk.fold(*events) == 3

    assert desk.diaries() == {f"subject-{n}": ids(events[n]) for n in range(3)}
    assert desk.writer.checkpoints == desk.log.heads()


def test_a_poison_event_parks_with_its_traceback_and_its_key_s_later_ones_behind_it(desk: Desk) -> None:
    events = [noted(number) for number in range(9)]
    desk.diary.poison = {events[3].id}

    desk.fold(*events)

    assert desk.diaries() == {
        "subject-0": ids(events[0]),
        "subject-1": ids(events[1], events[4], events[7]),
        "subject-2": ids(events[2], events[5], events[8]),
    }
    poison, later = desk.parked()
    assert [decode(parked.event) for parked in (poison, later)] == [events[3], events[6]]
    assert [parked.key for parked in (poison, later)] == ["subject-0", "subject-0"]
    assert "ValueError: cannot digest" in poison.error
    assert later.error == ""
    assert desk.writer.parked == 2
    assert desk.writer.checkpoints == desk.log.heads()


def test_a_parked_event_keeps_its_position_and_recorded_time(desk: Desk) -> None:
    desk.diary.poison = {noted(1).id}
    desk.fold(noted(0), noted(1))

    record = desk.log.records()[1]
    assert [(parked.position, parked.recorded_us) for parked in desk.parked()] == [(record.position, record.recorded_us)]


def test_a_parked_key_goes_on_waiting_after_a_restart(desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}
    desk.fold(noted(0), noted(1))
    desk.close()

    desk.restart()
    desk.fold(noted(3), noted(4))

    assert [decode(parked.event) for parked in desk.parked()] == [noted(0), noted(3)]
    assert desk.diaries() == {"subject-1": ids(noted(1), noted(4))}
    assert desk.writer.parked == 2


def test_a_repeat_of_a_parked_event_does_not_park_again(desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}

    desk.fold(noted(0), noted(3), noted(0), noted(3))
    desk.fold(noted(0), noted(3))

    assert [decode(parked.event) for parked in desk.parked()] == [noted(0), noted(3)]


def test_parked_events_stand_in_log_order_however_they_were_found(desk: Desk) -> None:
    events = [noted(number) for number in range(30)]
    desk.diary.poison = {events[4].id, events[12].id}

    desk.fold(*events[:8])
    desk.fold(*events[8:])

    waiting = [n for n in range(30) if (n % 3 == 1 and n >= 4) or (n % 3 == 0 and n >= 12)]
    assert [decode(parked.event) for parked in desk.parked()] == [events[n] for n in waiting]


def test_one_parked_key_does_not_slow_the_others(desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}
    desk.fold(noted(0))
    desk.diary.folded.clear()

    desk.fold(*(noted(number) for number in range(3, 303)))

    assert desk.diary.folded == [200]


def test_poison_is_found_in_a_large_batch_with_few_folds(desk: Desk) -> None:
    desk.diary.poison = {noted(777).id}

    desk.fold(*(noted(number) for number in range(1_000)), limit=1_000)

    assert len(desk.diary.folded) < 30
    assert sum(len(diary) for diary in desk.diaries().values()) == 777 + (1_000 - 777) * 2 // 3


def test_redriven_after_a_fix_a_key_s_events_are_folded_in_order_and_new_ones_go_on(desk: Desk) -> None:
    events = [noted(number) for number in range(12)]
    desk.diary.poison = {events[3].id}
    desk.fold(*events[:9])
    desk.diary.poison = set()

    assert desk.writer.redrive() == (2, 0)
    desk.fold(*events[9:])

    assert desk.diaries() == {f"subject-{n}": ids(*events[n::3]) for n in range(3)}
    assert list(desk.parked()) == []
    assert desk.writer.parked == 0


def test_what_still_cannot_be_folded_keeps_waiting_with_the_new_traceback(desk: Desk) -> None:
    events = [noted(number) for number in range(12)]
    desk.diary.poison = {events[3].id}
    desk.fold(*events[:9])
    desk.diary.poison = {events[6].id}

    assert desk.writer.redrive() == (1, 1)
    desk.fold(*events[9:])

    assert desk.diaries()["subject-0"] == ids(events[0], events[3])
    waiting = desk.parked()
    assert [decode(parked.event) for parked in waiting] == [events[6], events[9]]
    assert '"n":6' in waiting[0].error
    assert desk.writer.parked == 2


def test_only_the_chosen_keys_are_redriven_and_whole(desk: Desk) -> None:
    events = [noted(number) for number in range(9)]
    desk.diary.poison = set(ids(*events[:3]))
    desk.fold(*events)
    desk.diary.poison = set()
    second = desk.parked()[4]

    assert desk.writer.redrive(lambda parked: parked == second) == (3, 6)

    assert desk.diaries() == {"subject-1": ids(*events[1::3])}
    assert [decode(parked.event) for parked in desk.parked()] == [events[n] for n in (0, 2, 3, 5, 6, 8)]


def test_an_event_whose_rows_the_store_cannot_keep_is_parked_and_others_go_on(desk: Desk) -> None:
    events = [noted(number) for number in range(9)]
    desk.too_large = noting(events[3])

    desk.fold(*events)

    assert desk.diaries() == {f"subject-{n}": ids(*events[n::3]) for n in (1, 2)} | {"subject-0": ids(events[0])}
    assert [decode(parked.event) for parked in desk.parked()] == [events[3], events[6]]
    assert "CommitTooLarge: the test finds it too large" in desk.parked()[0].error
    assert desk.writer.checkpoints == desk.log.heads()


def test_a_redrive_takes_as_much_at_once_as_the_store_can_keep(desk: Desk) -> None:
    events = [noted(number, "one") for number in range(10)]
    desk.diary.poison = {events[0].id}
    desk.fold(*events)
    desk.diary.poison = set()
    desk.too_large = lambda commit: len(commit.unparked) > 3

    assert desk.writer.redrive() == (10, 0)
    assert desk.diaries() == {"one": ids(*events)}


def test_a_redriven_event_whose_rows_the_store_cannot_keep_stays_parked_with_that_reason(desk: Desk) -> None:
    events = [noted(number) for number in range(9)]
    desk.diary.poison = set(ids(*events[:3]))
    desk.fold(*events)
    desk.diary.poison = set()
    desk.too_large = noting(events[3])

    assert desk.writer.redrive() == (7, 2)

    assert desk.diaries() == {f"subject-{n}": ids(*events[n::3]) for n in (1, 2)} | {"subject-0": ids(events[0])}
    assert [decode(parked.event) for parked in desk.parked()] == [events[3], events[6]]
    assert "CommitTooLarge" in desk.parked()[0].error
    desk.too_large = lambda _: False
    assert desk.writer.redrive() == (2, 0)
    assert desk.diaries()["subject-0"] == ids(*events[::3])


def test_a_redrive_that_cannot_be_committed_changes_nothing(desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}
    desk.fold(noted(0))
    desk.diary.poison = set()
    before = desk.parked()
    calls = iter([False, True])
    desk.broken = lambda: next(calls, False)
    with pytest.raises(StoreUnavailable):
        desk.writer.redrive()

    desk.fold(noted(3))

    assert [decode(parked.event) for parked in desk.parked()] == [noted(0), noted(3)]
    assert desk.parked()[0] == before[0]
    assert desk.writer.redrive() == (2, 0)
    assert desk.diaries() == {"subject-0": ids(noted(0), noted(3))}


def test_a_redrive_with_nothing_parked_does_nothing(desk: Desk) -> None:
    desk.fold(noted(0))

    assert desk.writer.redrive() == (0, 0)


def test_a_writer_that_was_fenced_cannot_fold_or_redrive(store: Store, desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}
    desk.fold(noted(0))
    desk.diary.poison = set()
    with closing(store.open(desk.info)) as other:
        other.claim("other", ["shard-0"])

        with pytest.raises(Fenced):
            desk.fold(noted(1))
        with pytest.raises(Fenced):
            desk.writer.redrive()

    assert len(desk.parked()) == 1
    assert desk.diaries() == {}


@pytest.mark.parametrize("at", range(4), ids=["reading markers", "reading more markers", "within the fold", "committing"])
def test_an_error_of_the_store_parks_nothing_and_loses_nothing(desk: Desk, at: int) -> None:
    desk.fold(noted(0), noted(1), noted(2))
    desk.close()
    desk.restart()
    calls = iter([False] * at + [True])
    desk.broken = lambda: next(calls, False)
    with pytest.raises(StoreUnavailable):
        desk.fold(*(noted(number) for number in range(2, 9)))

    desk.fold()

    assert desk.diaries() == {f"subject-{n}": ids(*(noted(number) for number in range(n, 9, 3))) for n in range(3)}
    assert list(desk.parked()) == []


@pytest.mark.parametrize("at", range(3), ids=["claiming", "reading checkpoints", "reading what waits"])
def test_a_claim_that_fails_can_be_made_again(desk: Desk, at: int) -> None:
    desk.fold(noted(0))
    calls = iter([False] * at + [True])
    with closing(FlakyGeneration(desk.store.open(desk.info), lambda: next(calls, False))) as generation:
        writer = Writer(desk.diary, generation, "another")
        with pytest.raises(StoreUnavailable, match="broken"):
            writer.claim(["shard-0"])

        writer.claim(["shard-0"])

        assert writer.checkpoints == desk.log.heads()


def test_writers_of_different_shards_do_not_fence_each_other(store: Store) -> None:
    desk = Desk(store, Diary(), shards=2)
    with closing(store.open(desk.info)) as first, closing(store.open(desk.info)) as second:
        writers = [Writer(desk.diary, first, "first"), Writer(desk.diary, second, "second")]
        for writer, shard in zip(writers, ["shard-0", "shard-1"], strict=True):
            writer.claim([shard])
        for _ in range(2):
            desk.log.append([noted(number, f"subject-{number}") for number in range(20)])
            for writer, shard in zip(writers, ["shard-0", "shard-1"], strict=True):
                writer.fold([desk.log.read(shard, writer.checkpoints.get(shard), 100)])

    assert sorted(event_id for noted_ids in desk.diaries().values() for event_id in noted_ids) == sorted(
        ids(*(noted(n, f"subject-{n}") for n in range(20)))
    )
    desk.close()


def test_a_shard_that_is_claimed_later_knows_what_its_parents_writer_marked(store: Store) -> None:
    desk = Desk(store, Diary(), shards=2)
    with closing(store.open(desk.info)) as first, closing(store.open(desk.info)) as second:
        heir = Writer(desk.diary, second, "heir")
        heir.claim(["shard-1"])
        parent = Writer(desk.diary, first, "parent")
        parent.claim(["shard-0"])
        parent.fold([batch_of("shard-0", [Record(Position("shard-0", 0), 1, noted(0))])])
        heir.fold([batch_of("shard-1", [Record(Position("shard-1", 0), 1, noted(1))])])  # so its hour is in memory

        heir.claim(["child"])
        heir.fold([batch_of("child", [Record(Position("child", 0), 1, noted(0))])])

    assert list(desk.diaries().values()) == [ids(noted(0)), ids(noted(1))]
    desk.close()


def test_what_waits_is_counted_without_reading_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.diary.poison = {noted(0).id}
    desk.fold(*(noted(number, "one") for number in range(5)))
    monkeypatch.setattr(FlakyGeneration, "parked", lambda _: pytest.fail("payloads were read"))
    desk.close()

    assert desk.restart().parked == 5


def test_an_error_of_the_log_parks_nothing_and_loses_nothing(desk: Desk) -> None:
    """Bodies are read late: within the fold."""

    class Reader(Diary):
        def fold(self, rows: Rows, batch: Batch) -> Changes:
            assert [batch.envelope(index).body for index in range(len(batch))]
            return super().fold(rows, batch)

    class Bodies(list[bytes]):
        """The log is down for the first body that is asked for."""

        fetched = 0

        def __getitem__(self, index: Any) -> Any:
            self.fetched += 1
            if self.fetched == 1:
                message = "down"
                raise LogUnavailable(message)
            return super().__getitem__(index)

    desk.writer.projection = Reader()
    desk.log.append([noted(0), noted(1)])
    batch = desk.log.read("shard-0", None, 10)
    batch.bodies = Bodies(batch.bodies)
    with pytest.raises(LogUnavailable):
        desk.writer.fold([batch])

    desk.writer.fold([batch])

    assert desk.diaries() == {"subject-0": ids(noted(0)), "subject-1": ids(noted(1))}
    assert list(desk.parked()) == []


def test_what_interrupts_a_fold_loses_nothing(desk: Desk) -> None:
    class Interrupted(Diary):
        def fold(self, rows: Rows, batch: Batch) -> Changes:  # noqa: ARG002  # it does not come to it
            raise KeyboardInterrupt

    desk.writer.projection = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        desk.fold(noted(0))
    desk.writer.projection = desk.diary

    desk.fold()

    assert desk.diaries() == {"subject-0": ids(noted(0))}


def test_a_traceback_is_kept_to_its_last_ten_thousand_characters(desk: Desk) -> None:
    desk.diary.poison = {noted(0).id}

    desk.fold(replace(noted(0), body=b'"' + b"x" * 20_000 + b'"'))

    assert len(desk.parked()[0].error) == 10_000
    assert desk.parked()[0].error.endswith('xxx"\n')


def test_a_traceback_that_is_no_unicode_parks_all_the_same(desk: Desk) -> None:
    class Garbled(Diary):
        def fold(self, rows: Rows, batch: Batch) -> Changes:
            if self.poison.intersection(batch.columns.id):
                raise ValueError(b"caf\xe9".decode(errors="surrogateescape"))
            return super().fold(rows, batch)

    poison, other = noted(1), noted(2)
    desk.diary = Garbled({poison.id})
    desk.restart()

    desk.fold(poison, other)

    assert [parked.error.splitlines()[-1] for parked in desk.parked()] == [r"ValueError: caf\udce9"]
    assert desk.diaries() == {other.subject: ids(other)}


def test_a_newer_version_stops_the_projection_behind_what_came_before_it(store: Store) -> None:
    with closing(Desk(store, Diary(), shards=2)) as desk:
        known = [noted(number, "subject-0") for number in range(3)]
        newer = noted(3, "subject-0", version=3)
        others = [noted(number, "other") for number in range(10, 14)]
        assert desk.log.shard_of("subject-0") != desk.log.shard_of("other")
        message = r"diary folds diary\.noted up to version 2; shard-\d:\d+:0 has version 3: deploy a build that knows it"

        with pytest.raises(NewerVersion, match=message):
            desk.fold(*known, newer, noted(4, "subject-0"), *others)

        assert desk.diaries() == {"subject-0": ids(*known), "other": ids(*others)}
        with pytest.raises(NewerVersion, match=message):
            desk.fold()
        assert desk.diaries() == {"subject-0": ids(*known), "other": ids(*others)}


def test_every_version_up_to_the_newest_known_is_folded(desk: Desk) -> None:
    desk.fold(noted(0, version=1), noted(3, version=2))

    assert desk.diaries() == {"subject-0": ids(noted(0), noted(3))}


def test_markers_that_can_decide_nothing_are_forgotten_when_all_is_folded(desk: Desk) -> None:
    day_us = 86_400_000_000
    for day in (0, 20, 45):
        desk.log.put(noted(day), recorded_us=day * day_us)
    desk.fold()
    hours = {noted(day).time_us // 3_600_000_000 for day in (0, 20, 45)}
    assert {marker.day for marker in desk.writer.generation.markers(hours, 0)} == {0, 20, 45}

    desk.writer.tidy()

    assert {marker.day for marker in desk.writer.generation.markers(hours, 0)} == {20, 45}
    desk.broken = lambda: True
    desk.writer.tidy()  # nothing came since: the store is not asked again


@share(2)
@given(
    numbers=st.lists(st.integers(0, 12), max_size=40),
    poison=st.sets(st.integers(0, 12)),
    mended=st.sets(st.integers(0, 12)),
    limit=st.integers(1, 20),
    at_once=st.integers(1, 5),
)
def test_poison_redrive_and_batches_come_to_what_folding_one_by_one_comes_to(
    numbers: list[int], poison: set[int], mended: set[int], limit: int, at_once: int
) -> None:
    events = [noted(number) for number in dict.fromkeys(numbers)]
    half = len(events) // 2
    with (
        scratch() as folder,
        closing(SqliteStore(folder, clock=frozen_clock)) as store,
        closing(Desk(store, Diary(ids(*map(noted, poison))), shards=2)) as desk,
    ):
        desk.fold(*events[:half], limit=limit)
        desk.diary.poison -= set(ids(*map(noted, mended)))
        desk.writer.redrive(at_once=at_once)
        desk.fold(*events[half:], limit=limit)

        expected: dict[str, list[str]] = {}
        waiting: dict[str, list[Envelope]] = {}
        for event in events:
            if event.id in desk.diary.poison or event.subject in waiting:
                waiting.setdefault(event.subject, []).append(event)
            else:
                expected.setdefault(event.subject, []).append(event.id)
        assert desk.diaries() == expected
        for subject, events_waiting in waiting.items():
            assert [decode(p.event) for p in desk.parked() if p.key == subject] == events_waiting
        assert len(desk.parked()) == desk.writer.parked == sum(map(len, waiting.values()))


def test_an_amendment_changes_rows_and_moves_no_checkpoint(desk: Desk) -> None:
    desk.fold(noted(1, "thing/1"))
    before = dict(desk.writer.checkpoints)
    desk.writer.amend(lambda rows: Changes(documents={"more": {"read": sorted(rows.documents(["thing/1"]))}}))
    assert desk.writer.generation.documents(["more"]) == {"more": {"read": ["thing/1"]}}
    assert desk.writer.generation.checkpoints() == before == desk.writer.checkpoints


def test_an_amendment_by_who_was_fenced_is_refused(desk: Desk) -> None:
    former = desk.writer
    desk.restart().generation.claim("other", ["shard-0"])
    with pytest.raises(Fenced):
        former.amend(lambda _: Changes(documents={"more": {}}))
    assert desk.writer.generation.documents(["more"]) == {}


def test_an_amendment_of_a_shard_that_was_folded_meanwhile_is_refused(desk: Desk) -> None:
    former = desk.writer
    desk.restart()
    desk.fold(noted(1, "thing/1"))
    with pytest.raises(Fenced):
        former.amend(lambda _: Changes(documents={"more": {}}))
