from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from projections.catalog import Catalog
from projections.errors import CursorRejected
from projections.policies import (
    CHANGES_KEPT,
    VERSIONS_KEPT,
    KnownRouting,
    KnownSilence,
    Policies,
    RoutingVersion,
    SilenceChange,
)
from projections.silence_pages import SilenceQuery
from schemas.envelope import Envelope
from tests.support.facts import HOUR_US, MORNING_US, fact, routing, silence, silence_id
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine, rows_of


@contextmanager
def folded(folder: Path, events: Sequence[Envelope]) -> Iterator[Catalog]:
    log = MemoryLog(shards=2)
    log.append(events)
    with Spine(folder, log, projections=[Policies()], batch_events=2) as spine:
        spine.fold()
        assert [parked.error for parked in spine.catalog.parked("policies")] == []
        yield spine.catalog


def only(folder: Path, *events: Envelope) -> KnownSilence:
    with folded(folder, events) as catalog:
        (told,) = catalog.silences()
        assert catalog.silence(told.id) == told
        return told


def numbers(silences: Sequence[KnownSilence]) -> list[int]:
    return [int(one.id[-12:], 16) for one in silences]


def short(event: Envelope, number: int, comment: str = "") -> RoutingVersion:
    return RoutingVersion(number, "u1", comment, event.time_us, event.id)


def test_nothing_is_known_before_anybody_decided_anything(tmp_path: Path) -> None:
    with folded(tmp_path, []) as catalog:
        assert catalog.routing() is None
        assert catalog.routing_version(1) is None
        assert list(catalog.silences()) == []
        assert catalog.silence(silence_id(0)) is None


def test_the_newest_routing_holds_and_the_former_ones_can_be_read(tmp_path: Path) -> None:
    first, second = routing(MORNING_US, comment="To begin with"), routing(MORNING_US + 1, 2)

    with folded(tmp_path, [first, second]) as catalog:
        told = catalog.routing()
        former = catalog.routing_version(1)

        assert told == KnownRouting(
            RoutingVersion(2, "u1", "", MORNING_US + 1, second.id, "# 2"),
            (short(second, 2), short(first, 1, "To begin with")),
        )
        assert former == RoutingVersion(1, "u1", "To begin with", MORNING_US, first.id, "# 1")
        assert catalog.routing_version(3) is None


def test_the_last_versions_of_the_routing_are_listed_and_all_can_be_read(tmp_path: Path) -> None:
    with folded(tmp_path, [routing(MORNING_US + n, n) for n in range(1, VERSIONS_KEPT + 4)]) as catalog:
        told = catalog.routing()
        first = catalog.routing_version(1)

    assert told is not None
    assert [version.number for version in told.versions] == list(range(VERSIONS_KEPT + 3, 3, -1))
    assert first is not None
    assert first.text == "# 1"


def test_a_silence_is_as_it_was_created(tmp_path: Path) -> None:
    created = silence("created", MORNING_US, starts_us=MORNING_US + 5, matchers=["a=b", "c=d"])
    change = SilenceChange("created", MORNING_US, "u1", "Silence 0", MORNING_US + HOUR_US, created.id)

    assert only(tmp_path, created) == KnownSilence(
        id=silence_id(0),
        matchers=("a=b", "c=d"),
        starts_us=MORNING_US + 5,
        ends_us=MORNING_US + HOUR_US,
        comment="Silence 0",
        by="u1",
        created_us=MORNING_US,
        revision=1,
        expired=False,
        changes=(change,),
    )


def test_a_changed_silence_ends_at_another_time_and_says_something_else(tmp_path: Path) -> None:
    changed = silence("changed", MORNING_US + 9, ends_us=MORNING_US + 2 * HOUR_US, comment="Longer", by="u2")

    told = only(tmp_path, silence("created", MORNING_US), changed)

    assert (told.ends_us, told.comment, told.by, told.revision, told.expired) == (
        MORNING_US + 2 * HOUR_US, "Longer", "u1", 2, False,
    )  # fmt: skip
    assert told.changes[-1] == SilenceChange("changed", MORNING_US + 9, "u2", "Longer", MORNING_US + 2 * HOUR_US, changed.id)


def test_a_silence_that_somebody_ended_ends_then(tmp_path: Path) -> None:
    told = only(tmp_path, silence("created", MORNING_US), silence("expired", MORNING_US + 9, comment="Mended"))

    assert (told.ends_us, told.comment, told.revision, told.expired) == (MORNING_US + 9, "Silence 0", 2, True)
    assert (told.changes[-1].what, told.changes[-1].comment) == ("expired", "Mended")


def test_only_the_last_changes_of_a_silence_are_kept(tmp_path: Path) -> None:
    changes = [silence("changed", MORNING_US + n, revision=n, comment=f"Word {n}") for n in range(2, CHANGES_KEPT + 10)]

    told = only(tmp_path, silence("created", MORNING_US), *changes)

    assert len(told.changes) == CHANGES_KEPT
    assert (told.changes[-1].comment, told.revision) == (f"Word {CHANGES_KEPT + 9}", CHANGES_KEPT + 9)


def test_how_a_silence_stands_is_told_by_the_time_of_day(tmp_path: Path) -> None:
    told = only(tmp_path, silence("created", MORNING_US, starts_us=MORNING_US + 5, ends_us=MORNING_US + 9))

    assert [told.status(MORNING_US + at) for at in (0, 4, 5, 8, 9)] == ["pending", "pending", "active", "active", "ended"]


def test_what_is_told_again_after_the_memory_for_repeats_changes_nothing(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    once = [routing(MORNING_US), silence("created", MORNING_US), routing(MORNING_US + 1, 2), silence("expired", MORNING_US + 9)]
    again = [
        fact(e.type, e.time_us + 1, "again", subject=e.subject, body=e.body) for e in once
    ]  # as the same events look to a guard that has forgotten them

    log.append(once)
    with Spine(tmp_path / "once", log, projections=[Policies()]) as spine:
        spine.fold()
        before = rows_of(spine.store, "policies")["documents"]
        log.append(again)
        spine.fold()
        assert rows_of(spine.store, "policies")["documents"] == before


def test_an_event_of_a_silence_that_was_never_created_parks_it_and_nothing_else(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([silence("expired", MORNING_US), silence("created", MORNING_US, 1), routing(MORNING_US)])

    with Spine(tmp_path, log, projections=[Policies()]) as spine:
        spine.fold()
        assert [parked.key for parked in spine.catalog.parked("policies")] == [f"silence/{silence_id(0)}"]
        assert numbers(spine.catalog.silences()) == [1]
        assert spine.catalog.routing() is not None


ENDS = [silence("created", MORNING_US, n, ends_us=MORNING_US + end) for n, end in enumerate((30, 10, 50, 20, 40))]


def test_silences_come_by_their_end_the_last_first(tmp_path: Path) -> None:
    with folded(tmp_path, ENDS) as catalog:
        assert numbers(catalog.silences()) == [2, 4, 0, 3, 1]
        assert numbers(catalog.silences(ending_after_us=MORNING_US + 20)) == [2, 4, 0]
        assert numbers(catalog.silences(ending_after_us=MORNING_US + 50)) == []


def test_a_silence_whose_end_was_moved_stands_where_it_ends_now_and_once(tmp_path: Path) -> None:
    moved = [
        silence("changed", MORNING_US + 1, 1, ends_us=MORNING_US + 60),
        silence("expired", MORNING_US + 2, 2),
        silence("changed", MORNING_US + 3, 4, ends_us=MORNING_US + 5),
        silence("changed", MORNING_US + 4, 4, revision=3, ends_us=MORNING_US + 40),
    ]

    with folded(tmp_path, [*ENDS, *moved]) as catalog:
        assert numbers(catalog.silences()) == [1, 4, 0, 3, 2]
        assert numbers(catalog.silences(ending_after_us=MORNING_US + 2)) == [1, 4, 0, 3]


def test_silences_are_asked_for_by_how_they_stand(tmp_path: Path) -> None:
    later = silence("created", MORNING_US, 5, starts_us=MORNING_US + 35, ends_us=MORNING_US + 45)
    with folded(tmp_path, [*ENDS, later]) as catalog:

        def asked(query: SilenceQuery) -> list[int]:
            return numbers(catalog.silence_page(query, now_us=MORNING_US + 25).silences)

        assert asked(SilenceQuery("active")) == [2, 4, 0]
        assert asked(SilenceQuery("pending")) == [5]
        assert asked(SilenceQuery("ended")) == [3, 1]
        assert asked(SilenceQuery()) == [2, 5, 4, 0, 3, 1]


@pytest.mark.parametrize("at_once", [1, 2, 200])
def test_silences_are_read_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("projections.silence_pages._AT_ONCE", at_once)
    with folded(tmp_path, ENDS) as catalog:
        pages, cursor = list[list[int]](), ""
        while not pages or cursor:
            page = catalog.silence_page(SilenceQuery(limit=2, cursor=cursor), now_us=MORNING_US)
            pages.append(numbers(page.silences))
            cursor = page.next

    assert pages == [[2, 4], [0, 3], [1]]


@pytest.mark.parametrize("cursor", ["x", "WzFd", "bnVsbA", "WyJhY3RpdmUiLCAieC8veSJd", "é"])
def test_a_cursor_that_is_none_is_refused(tmp_path: Path, cursor: str) -> None:
    with folded(tmp_path, ENDS) as catalog, pytest.raises(CursorRejected, match="not one of this system's"):
        catalog.silence_page(SilenceQuery(cursor=cursor), now_us=MORNING_US)


def test_a_cursor_goes_with_the_status_that_it_was_made_for(tmp_path: Path) -> None:
    with folded(tmp_path, ENDS) as catalog:
        cursor = catalog.silence_page(SilenceQuery(limit=2), now_us=MORNING_US).next
        with pytest.raises(CursorRejected, match="another status"):
            catalog.silence_page(SilenceQuery("active", cursor=cursor), now_us=MORNING_US)
