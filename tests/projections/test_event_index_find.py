from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.catalog import Catalog
from projections.event_index import EventIndex, EventQuery
from projections.segments import SEALED_ENTRIES
from tests.projections.index import Index, index_in
from tests.support.answers import entry
from tests.support.facts import DAY_US, HOUR_US, MORNING_US, fact, finding
from tests.support.memory_log import MemoryLog
from tests.support.spine import NOW_US, Spine


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_in(tmp_path) as index:
        yield index


def test_an_event_is_found_by_its_own_id_with_all_that_the_index_tells(index: Index) -> None:
    told = finding(7, severity=4, region="", resources=("arn:1", "arn:2"), summary="It broke", source_id="theirs")
    index.add(*(finding(number, MORNING_US) for number in range(5)), told)

    (found,) = index.catalog.event(told.id, now_us=NOW_US)

    assert found == entry(next(record for record in index.records if record.event == told))


def test_events_of_one_second_are_told_apart(index: Index) -> None:
    events = [finding(number, MORNING_US + number) for number in range(20)]
    index.add(*events)

    assert [index.find(event.id) for event in events] == [[event.id] for event in events]


@pytest.mark.parametrize("filler", [0, SEALED_ENTRIES])
def test_an_id_that_its_source_gave_to_several_finds_them_newest_first(index: Index, filler: int) -> None:
    shared = [finding(number, MORNING_US + number * 13 % 7 * HOUR_US, source_id="shared") for number in range(7)]
    index.add(*shared, finding(9), *(finding(number) for number in range(100, 100 + filler)))

    newest_first = sorted(shared, key=lambda event: (event.time_us, event.id), reverse=True)
    assert index.find("shared") == [event.id for event in newest_first]


def test_of_a_shared_id_the_newest_hundred_are_found(index: Index) -> None:
    index.add(*(finding(number, source_id="shared") for number in range(130)))

    assert index.find("shared") == [finding(number, source_id="shared").id for number in range(129, 29, -1)]


def test_our_own_id_goes_before_a_source_s(index: Index) -> None:
    ours = finding(1)
    index.add(ours, finding(2, source_id=ours.id))

    assert index.find(ours.id) == [ours.id]


def test_a_source_s_id_that_looks_like_ours_is_found(index: Index) -> None:
    theirs = "1714521600-c0ffee00-0000-4000-8000-000000000000"
    event = finding(1, MORNING_US + 5 * DAY_US, source_id=theirs)
    index.add(event)

    assert index.find(theirs) == [event.id]


UNKNOWN = ("", "x", "-", "1-", "-1", "0-0", "1714521600-", "999999999999-x", "9999999999999-x", "١٢-x", "²-x", "1" * 5_000 + "-x")


@pytest.mark.parametrize("unknown", [*UNKNOWN, 'a"b', "a'b", "a\nb", "\0", "%", "AND", "é", "a b"])
def test_an_unknown_id_finds_nothing(index: Index, unknown: str) -> None:
    index.add(*(finding(number) for number in range(SEALED_ENTRIES)), finding(SEALED_ENTRIES, source_id=""))

    assert index.find(unknown) == []


@given(event_id=st.text(st.characters(codec="utf-8")) | st.from_regex(r"\A\d{1,13}-[0-9a-f-]*\Z"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_id_is_an_error(index: Index, event_id: str) -> None:
    assert index.find(event_id) == []


def test_what_is_no_finding_is_not_in_the_index(index: Index) -> None:
    event = fact("notice.sent", MORNING_US, 1)
    index.add(event)

    assert index.find(event.id) == index.ids() == []


def test_entries_expire_by_recorded_time_on_reading(tmp_path: Path) -> None:
    log = MemoryLog()
    late, early = finding(1, MORNING_US - 200 * DAY_US, source_id="theirs"), finding(2, MORNING_US, source_id="theirs")
    log.put(late, recorded_us=MORNING_US + 5)
    log.put(early, recorded_us=MORNING_US)
    with Spine(tmp_path, log, projections=[EventIndex()]) as spine:
        spine.fold()
        catalog = Catalog(spine.store, log, retention_days=90)

        def seen(now_us: int) -> list[list[str]]:
            page = catalog.events(EventQuery(), now_us=now_us).entries
            found = [catalog.event(event_id, now_us=now_us) for event_id in (late.id, early.id, "theirs")]
            return [[entry.id for entry in entries] for entries in (page, *found)]

        last = MORNING_US + 90 * DAY_US
        assert seen(last) == [[early.id, late.id], [late.id], [early.id], [early.id, late.id]]
        assert seen(last + 1) == [[late.id], [late.id], [], [late.id]]
        assert seen(last + 6) == [[], [], [], []]
        catalog.close()


@pytest.mark.parametrize("apart", ["one segment", "two segments"])
def test_an_id_that_counts_again_after_thirty_days_is_one_entry_that_recorded_last(index: Index, apart: str) -> None:
    events = [finding(number, MORNING_US) for number in range(4)]
    again = MORNING_US + 40 * DAY_US
    index.add(*events, recorded_us=MORNING_US)
    if apart == "two segments":
        index.add(*(finding(number, MORNING_US + 1) for number in range(100, 100 + SEALED_ENTRIES)))
    index.add(*events, recorded_us=again)

    page = index.page(EventQuery(until_us=MORNING_US + 1, direction="asc"))
    assert [entry.id for entry in page.entries] == sorted(event.id for event in events)
    assert {entry.recorded_us for entry in page.entries} == {again}
    assert [index.find(event.id) for event in events] == [[event.id] for event in events]
    two = index.page(EventQuery(until_us=MORNING_US + 1, direction="asc", limit=2))
    rest = index.page(EventQuery(until_us=MORNING_US + 1, direction="asc", limit=2).after(two.next))
    assert two.entries + rest.entries == page.entries


def test_an_entry_waits_for_no_other() -> None:
    log = MemoryLog(shards=1)
    log.append([finding(1), finding(2)])

    batch = log.read("shard-0", None, 2)

    assert [EventIndex().parking_key(batch, index) for index in range(2)] == [finding(1).id, finding(2).id]
