"""``notify why``: the explanation of an event, straight from log, projections and ledger."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.cli.exits import REFUSED
from consumers.composition import open_ledger, open_log, open_people
from consumers.notifier.groups.state import Change
from consumers.notifier.ledger.port import Draft
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from pipeline.settings import Settings
from tests.cli.shell import Findstream, finding, written
from tests.people.stores import PASSWORD, admin
from tests.support.facts import MORNING_US, alert, alert_id

Fold = Callable[[], None]
MILD = {"detail": {"title": "probe 2 is slow", "severity": "LOW"}}


@pytest.fixture
def ids(findstream: Findstream, fold: Fold, tmp_path: Path) -> list[str]:
    """The ids of two findings, one HIGH and one LOW."""
    findstream("ingest", written(tmp_path, "a.ndjson", finding(1), finding(2, **MILD)))
    fold()
    return [str(event["id"]) for event in findstream("events", "--direction", "asc", "--json").json["events"]]


@pytest.fixture
def ledger(home: Path) -> Iterator[SqliteLedger]:
    """The ledger, of a notifier that has read the whole log."""
    settings = Settings.load()
    assert settings.home == home
    with open_log(settings) as log, closing(open_ledger(settings)) as book:
        book.begin({})
        book.commit(book.claim(), dict(log.heads()), [], Change())
        assert isinstance(book, SqliteLedger)
        yield book


def test_before_a_notifier_has_begun_nobody_is_told(findstream: Findstream, tmp_path: Path) -> None:
    told = findstream("ingest", written(tmp_path, "a.ndjson", finding(1)))
    event = findstream("tail", "--no-follow", "--json").json["id"]

    told = findstream("notify", "why", event)

    assert told.out.startswith("No notifier has begun here, so nobody is told of anything.\n")


def test_what_no_route_wants_is_explained_by_what_they_ask_for(
    findstream: Findstream, ids: list[str], ledger: SqliteLedger
) -> None:
    assert ledger.marks()

    told = findstream("notify", "why", ids[1])

    assert "severity>=HIGH (it is LOW)" in told.out.splitlines()[0]
    assert "How that came about" in told.out
    assert "Routes that are asked about it now" in told.out


def test_what_was_held_is_explained_with_the_chain(findstream: Findstream, ids: list[str], ledger: SqliteLedger) -> None:
    ada = replace(admin(), full_name="Ada Lovelace")
    with open_people(Settings.load()) as people:
        people.users.add(ada, PASSWORD)
    with open_log(Settings.load()) as log:
        position = next(iter(log.heads().values()))
    notice = Notice(
        key=Key("findings", "all", 1),
        channel="default",
        causes=(Cause(ids[0], position, 3),),
        state=State.SUPPRESSED,
        reason=Reason.SILENCED,
        decided_us=1_767_225_600_000_000,
        due_us=0,
        changed_us=0,
        detail=f"silence 1-s by {ada.id} until 2026-01-01 12:00:00Z: a test",
        path=("root", "findings"),
    )
    ledger.commit(ledger.claim(), {}, [Draft(notice)], Change())

    told = findstream("notify", "why", finding(1)["id"], "--json").json

    assert told["event_id"] == ids[0]
    assert told["verdict"] == "held"
    silence = "silence 1-s by Ada Lovelace until 2026-01-01 12:00:00Z: a test"
    assert told["sentence"] == (
        f"Not told to default at 2026-01-01 00:00:00Z: somebody silenced it ({silence}); route root → findings."
    )
    assert [one["detail"] for one in findstream("notify", "ledger", "--json").json["notices"]] == [silence]
    assert [link["kind"] for link in told["chain"]] == ["raw", "finding", "route", "group", "notice"]
    assert [one["key"] for one in told["notices"]] == ["findings/all/1"]
    assert [route["decides"] for route in told["routes"]].count(True) == 1


def test_an_event_that_is_not_there_is_told(findstream: Findstream, ids: list[str]) -> None:
    assert ids

    answer = findstream("notify", "why", "1-none")

    assert answer.code == REFUSED
    assert "no event has the id '1-none'" in answer.err


def test_an_alert_is_explained_and_previewed_by_its_own_id(findstream: Findstream, fold: Fold, ids: list[str]) -> None:
    assert ids
    raised = alert("raised", MORNING_US, 1, severity=4)
    with open_log(Settings.load()) as log:
        log.append([raised])
    fold()

    assert findstream("notify", "why", alert_id(1), "--json").json["event_id"] == raised.id
    assert findstream("notify", "preview", alert_id(1)).json == findstream("notify", "preview", raised.id).json
