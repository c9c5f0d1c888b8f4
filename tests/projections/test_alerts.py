from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import alert_pages
from projections.alert_pages import AlertEvent, AlertQuery
from projections.alerts import Alerts, AlertStatus
from projections.catalog import Catalog
from projections.errors import CursorRejected
from schemas.envelope import Envelope
from tests.support.effort import share
from tests.support.facts import HOUR_US, MORNING_US, alert, alert_id
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine

RUN = "0199f3a1-0000-7000-8000-000000000002"
RAISED = alert("raised", MORNING_US, severity=3, account="111122223333")


@contextmanager
def folded(folder: Path, events: Sequence[Envelope], *, shards: int = 2) -> Iterator[Catalog]:
    log = MemoryLog(shards=shards)
    log.append(events)
    with Spine(folder, log, projections=[Alerts()], batch_events=3) as spine:
        spine.fold()
        assert [parked.error for parked in spine.catalog.parked("alerts")] == []
        yield spine.catalog


def status(folder: Path, *events: Envelope) -> AlertStatus | None:
    with folded(folder, events) as catalog:
        found = catalog.alert(alert_id(0))
        return found[0].status if found else None


def ids(catalog: Catalog, **query: Any) -> list[str]:
    page = catalog.alerts(AlertQuery(**query))
    found = list(page.alerts)
    while page.next:
        page = catalog.alerts(AlertQuery(**query | {"cursor": page.next}))
        found += page.alerts
    return [one.id for one in found]


def test_a_raised_alert_is_told_with_all_that_its_rule_concluded(tmp_path: Path) -> None:
    with folded(tmp_path, [RAISED]) as catalog:
        found = catalog.alert(alert_id(0))
        (listed,) = catalog.alerts(AlertQuery()).alerts

    assert found is not None
    told, history = found
    assert told == listed
    assert (told.id, told.status, told.revision, told.rule_id, told.rule_version) == (alert_id(0), "open", 0, "storm", 1)
    assert (told.title, told.severity, told.labels, told.group) == ("Alert 0", 3, {"team": "blue"}, {"detail.ip": "192.0.2.1"})
    assert (told.window_us, told.count, told.event_ids) == ((MORNING_US, MORNING_US + HOUR_US), 3, ("1-a", "1-b"))
    assert (told.time_us, told.last_us, told.updated_us) == (MORNING_US, MORNING_US + 7, MORNING_US)
    assert (told.account, told.region, told.resources) == ("111122223333", "eu-west-1", ())
    assert (told.backfilled, told.run_id, told.raised) == (False, "", RAISED.id)
    assert told.raised_us > told.time_us
    assert history == [AlertEvent(MORNING_US, told.raised_us, "alert.raised", RAISED.id, "", "", 0, "", "", 1)]


def test_an_alert_without_a_window_has_none(tmp_path: Path) -> None:
    with folded(tmp_path, [alert("raised", MORNING_US, window=None)]) as catalog:
        assert catalog.alerts(AlertQuery()).alerts[0].window_us is None


ACKNOWLEDGED, RESOLVED, REOPENED, WITHDRAWN = (
    alert(kind, MORNING_US + at) for at, kind in enumerate(("acknowledged", "resolved", "reopened", "withdrawn"), 10)
)
FOUND_AGAIN = alert("reopened", MORNING_US + 20, revision=0, by="", run_id=RUN)


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([], "open"),
        ([ACKNOWLEDGED], "acknowledged"),
        ([RESOLVED], "resolved"),
        ([ACKNOWLEDGED, RESOLVED], "resolved"),
        ([ACKNOWLEDGED, RESOLVED, REOPENED], "open"),
        ([RESOLVED, alert("acknowledged", MORNING_US + 12)], "resolved"),
        ([REOPENED, alert("acknowledged", MORNING_US + 13)], "acknowledged"),
        ([REOPENED, alert("resolved", MORNING_US + 13)], "resolved"),
        ([WITHDRAWN], "withdrawn"),
        ([RESOLVED, WITHDRAWN], "withdrawn"),
        ([WITHDRAWN, alert("reopened", MORNING_US + 14)], "open"),
        ([WITHDRAWN, FOUND_AGAIN], "open"),
        ([ACKNOWLEDGED, WITHDRAWN, FOUND_AGAIN], "acknowledged"),
        ([RESOLVED, WITHDRAWN, FOUND_AGAIN], "resolved"),
        ([RESOLVED, WITHDRAWN, FOUND_AGAIN, alert("withdrawn", MORNING_US + 30)], "withdrawn"),
    ],
)
def test_how_an_alert_stands_is_told_by_the_times_of_what_happened_not_by_their_order(
    tmp_path: Path, happened: list[Envelope], expected: str
) -> None:
    assert status(tmp_path / "in order", RAISED, *happened) == expected
    assert status(tmp_path / "reversed", *reversed(happened), RAISED) == expected


def test_what_people_did_within_a_microsecond_is_told_in_their_order(tmp_path: Path) -> None:
    kinds = ("acknowledged", "resolved", "reopened", "resolved", "reopened")
    happened = [alert(kind, MORNING_US + 10, revision=revision) for revision, kind in enumerate(kinds, 1)]
    with folded(tmp_path, [RAISED, *happened]) as catalog:
        found = catalog.alert(alert_id(0))

    assert found is not None
    assert (found[0].status, [entry.revision for entry in found[1]]) == ("open", [0, 1, 2, 3, 4, 5])


def test_an_alert_is_not_there_before_it_is_raised(tmp_path: Path) -> None:
    with folded(tmp_path, [RESOLVED]) as catalog:
        assert (catalog.alert(alert_id(0)), catalog.alert(alert_id(1)), ids(catalog)) == (None, None, [])


def test_raising_again_changes_nothing(tmp_path: Path) -> None:
    again = alert("raised", MORNING_US, count=9, backfilled=True, run_id=RUN)
    with folded(tmp_path, [RAISED, RESOLVED, again]) as catalog:
        found = catalog.alert(alert_id(0))

        assert found is not None
        assert (found[0].status, found[0].count, found[0].backfilled, len(found[1])) == ("resolved", 3, False, 2)
        assert ids(catalog) == [alert_id(0)]


def test_the_history_tells_who_did_what_by_time(tmp_path: Path) -> None:
    told = alert("acknowledged", MORNING_US + 30, revision=2, by="u2", comment="Mine")
    with folded(tmp_path, [told, RAISED, WITHDRAWN]) as catalog:
        found = catalog.alert(alert_id(0))

    assert found is not None
    assert [(e.type, e.by, e.comment, e.revision, e.rule_version) for e in found[1]] == [
        ("alert.raised", "", "", 0, 1),
        ("alert.withdrawn", "", "", 0, 2),
        ("alert.acknowledged", "u2", "Mine", 2, 0),
    ]
    assert (found[0].revision, found[0].updated_us) == (2, MORNING_US + 30)


def test_a_long_history_is_complete(tmp_path: Path) -> None:
    told = [alert("acknowledged", MORNING_US + n, revision=n) for n in range(1, 101)]
    with folded(tmp_path, [RAISED, *told]) as catalog:
        found = catalog.alert(alert_id(0))

    assert found is not None
    assert [entry.revision for entry in found[1]] == list(range(101))


MANY = [
    alert("raised", MORNING_US + n // 2, n, severity=n % 5, account=f"{n % 3:012}", rule_id=("storm", "scan")[n % 2])
    for n in range(30)
]
NEWEST_FIRST = [alert_id(n) for n in sorted(range(30), key=lambda n: (-(n // 2), n))]


@pytest.mark.parametrize("limit", [1, 7, 30, 50])
def test_alerts_come_newest_first_page_by_page(tmp_path: Path, limit: int) -> None:
    with folded(tmp_path, MANY) as catalog:
        assert ids(catalog, limit=limit) == NEWEST_FIRST
        assert len(catalog.alerts(AlertQuery(limit=limit)).alerts) == min(limit, 30)


def test_filters_must_all_hold(tmp_path: Path) -> None:
    def numbers(**query: Any) -> set[int]:
        return {int(found[-12:], 16) for found in ids(catalog, limit=4, **query)}

    with folded(tmp_path, [*MANY, *(alert("resolved", MORNING_US + 99, n) for n in range(0, 30, 4))]) as catalog:
        assert numbers(rule_id="scan") == set(range(1, 30, 2))
        assert numbers(min_severity=3) == {n for n in range(30) if n % 5 >= 3}
        assert numbers(account=f"{1:012}") == set(range(1, 30, 3))
        assert numbers(status="resolved") == set(range(0, 30, 4))
        assert numbers(status="open", rule_id="storm", min_severity=2) == {n for n in range(2, 30, 4) if n % 5 >= 2}
        assert numbers(since_us=MORNING_US + 3, until_us=MORNING_US + 6) == {6, 7, 8, 9, 10, 11}
        assert numbers(until_us=MORNING_US) == set()
        assert numbers(since_us=MORNING_US + 15) == set()
        assert numbers(rule_id="none") == set()


def test_a_page_looks_at_so_many_alerts_at_most_and_leads_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_pages, "MOST_LOOKED_AT", 10)
    monkeypatch.setattr(alert_pages, "_AT_ONCE", 4)
    with folded(tmp_path, MANY) as catalog:
        page = catalog.alerts(AlertQuery(account="none"))

        assert (page.alerts, bool(page.next)) == ((), True)
        assert ids(catalog, min_severity=4, limit=2) == [found for found in NEWEST_FIRST if int(found[-12:], 16) % 5 == 4]
        assert ids(catalog) == NEWEST_FIRST


def test_a_cursor_goes_with_its_filters_and_no_others(tmp_path: Path) -> None:
    with folded(tmp_path, MANY) as catalog:
        cursor = catalog.alerts(AlertQuery(limit=3)).next

        assert len(catalog.alerts(AlertQuery(limit=5, cursor=cursor)).alerts) == 5
        with pytest.raises(CursorRejected, match="other filters"):
            catalog.alerts(AlertQuery(rule_id="storm", cursor=cursor))
        for wrong in ("x", "W10", "WzEsMl0", "WyJhIiwiYiJd"):
            with pytest.raises(CursorRejected, match="not one of"):
                catalog.alerts(AlertQuery(cursor=wrong))


def test_the_alerts_of_a_rule_are_told_by_id_with_how_they_stand(tmp_path: Path) -> None:
    with folded(tmp_path, [*MANY, alert("withdrawn", MORNING_US + 99, 8)]) as catalog:
        found = catalog.alert_ids("storm", MORNING_US + 2, MORNING_US + 6)

        assert found == {alert_id(n): "withdrawn" if n == 8 else "open" for n in (10, 8, 6, 4)}
        assert list(found) == [alert_id(n) for n in (10, 8, 6, 4)]
        assert len(catalog.alert_ids("scan", 0, MORNING_US * 2)) == 15


def test_an_event_that_cannot_be_read_waits_with_the_alert_s_later_ones(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([alert("raised", MORNING_US, count=0), alert("resolved", MORNING_US + 1), alert("raised", MORNING_US, 1)])
    with Spine(tmp_path, log, projections=[Alerts()]) as spine:
        spine.fold()

        assert ids(spine.catalog) == [alert_id(1)]
        assert [parked.key for parked in spine.catalog.parked("alerts")] == [f"alert/{alert_id(0)}"] * 2


KINDS = st.sampled_from(["acknowledged", "resolved", "reopened", "withdrawn", "found_again"])


def plainly(happened: Sequence[tuple[int, str]]) -> str:
    """How an alert stands, in plain words: one thing after the other, by time."""
    standing, hidden = "open", False
    for _, kind in sorted(happened):
        match kind:
            case "withdrawn":
                hidden = True
            case "found_again":
                hidden = False
            case "reopened":
                standing, hidden = "open", False
            case "resolved":
                standing = "resolved"
            case "acknowledged":
                standing = "acknowledged" if standing == "open" else standing
    return "withdrawn" if hidden else standing


@share(3)
@given(kinds=st.lists(KINDS, max_size=8), dice=st.randoms(use_true_random=False))
def test_the_fold_tells_what_plain_words_say(kinds: list[str], dice: Any) -> None:
    happened = list(enumerate(kinds, 1))
    events = [RAISED]
    for at, kind in happened:
        told: dict[str, Any] = {"run_id": RUN} if kind == "found_again" else {}
        events.append(alert("reopened" if kind == "found_again" else kind, MORNING_US + at, **told))
    dice.shuffle(events)
    with scratch() as folder:
        assert status(folder, *events) == plainly(happened)
