"""``replay``, ``rebuild`` and ``parked``: rows are what the log says, can be made anew, and poison waits for a person."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consumers.composition import now_us, open_catalog, open_judging, open_log
from consumers.rules.engine.engine import Engine
from consumers.rules.engine.judging import Judging
from consumers.rules.engine.opening import open_book
from pipeline.log.port import Batch
from pipeline.settings import Settings
from projections.event_index import EventIndex
from projections.projection import Changes, Parked, Rows
from projections.stores.sqlite import SqliteStore
from tests.cli.shell import Findstream, finding, written

Fold = Callable[[], None]
POISON = "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def filled(findstream: Findstream, fold: Fold, tmp_path: Path) -> Findstream:
    """A log of five findings, folded."""
    findstream("ingest", written(tmp_path, "a.ndjson", *(finding(number) for number in range(5))))
    fold()
    return findstream


def test_replay_finds_the_rows_equal(filled: Findstream) -> None:
    told = filled("replay", "--json").json

    assert told["equal"] is True
    assert [each["projection"] for each in told["projections"]] == [
        "event_index",
        "agent_status",
        "task_board",
        "daily_aggregates",
        "configuration",
        "rules",
        "alerts",
        "policies",
    ]
    assert told["projections"][0]["compared"] == 5


def test_replay_of_one_projection_looks_at_that_one_only(filled: Findstream) -> None:
    assert [each["projection"] for each in filled("replay", "event_index", "--json").json["projections"]] == ["event_index"]


def test_replay_shows_what_differs_and_says_so_by_its_exit_code(filled: Findstream, home: Path) -> None:
    with closing(sqlite3.connect(home / "projections" / "daily_aggregates-1.db")) as tampered, tampered:
        tampered.execute("INSERT INTO counter(hour, blob) SELECT hour, blob FROM counter")

    answer, shown = filled("replay", "--json"), filled("replay", "--diff")

    assert (answer.code, shown.code) == (3, 3)
    differing = [each for each in answer.json["projections"] if not each["equal"]]
    assert [each["projection"] for each in differing] == ["daily_aggregates"]
    assert differing[0]["changed"] > 0
    assert "daily_aggregates count " in shown.out
    assert "--diff shows rows" in filled("replay").err


def test_replay_leaves_nothing_behind(filled: Findstream, home: Path) -> None:
    before = sorted(path.name for path in (home / "projections").glob("*.db"))

    filled("replay")

    assert sorted(path.name for path in (home / "projections").glob("*.db")) == before


def test_a_rebuild_serves_a_new_generation_with_the_same_rows(filled: Findstream) -> None:
    before = filled("events", "--json").json

    told = filled("rebuild", "event_index", "--diff", "--json").json["rebuilt"][0]

    assert (told["outcome"], told["generation"], told["folded"]) == ("switched", 2, 5)
    assert told["difference"]["changed"] == 0
    assert filled("events", "--json").json == before


def test_all_can_be_rebuilt_at_once(filled: Findstream) -> None:
    answer = filled("rebuild", "--all")

    assert answer.code == 0
    assert len(answer.out.splitlines()) == 8
    assert "event_index: switched, generation 2, 5 events\n" in answer.out


def test_a_rebuild_shows_what_it_changes(filled: Findstream, home: Path) -> None:
    with closing(sqlite3.connect(home / "projections" / "daily_aggregates-1.db")) as tampered, tampered:
        tampered.execute("DELETE FROM counter")

    answer = filled("rebuild", "daily_aggregates", "--diff")

    assert answer.code == 0
    assert "daily_aggregates count " in answer.out


def test_a_rebuild_can_be_cancelled_from_elsewhere(filled: Findstream, home: Path) -> None:
    with closing(SqliteStore(home / "projections", clock=lambda: 1)) as store:
        store.create("event_index", 1, serving=False)

    assert filled("rebuild", "--all", "--cancel", "--json").json == {"cancelled": ["event_index"]}
    assert filled("rebuild", "event_index", "--cancel").out == "no rebuild is under way\n"


def test_a_second_rebuild_of_the_same_is_refused(filled: Findstream, home: Path) -> None:
    with closing(SqliteStore(home / "projections", clock=lambda: 1)) as store, store.building("event_index"):
        answer = filled("rebuild", "event_index")

    assert answer.code == 3
    assert answer.err == "findstream: event_index is being rebuilt by another process\n"


@pytest.fixture
def poisoned(findstream: Findstream, fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Five findings, of which the event index cannot fold one, until the patch is undone."""
    fine = EventIndex.fold

    def fold_but_one(self: EventIndex, rows: Rows, batch: Batch) -> Changes:
        if POISON in batch.columns.source_id:
            message = "cannot digest this"
            raise ValueError(message)
        return fine(self, rows, batch)

    with monkeypatch.context() as patch:
        patch.setattr(EventIndex, "fold", fold_but_one)
        findstream("ingest", written(tmp_path, "a.ndjson", *(finding(number) for number in range(5))))
        fold()
        yield patch


def test_a_poison_event_is_listed_and_shown(findstream: Findstream, poisoned: pytest.MonkeyPatch) -> None:
    assert poisoned
    (listed,) = findstream("parked", "list", "--json").json["parked"]
    shown = findstream("parked", "show", listed["key"], "--json").json["parked"][0]

    assert listed["projection"] == "event_index"
    assert listed["why"] == "ValueError: cannot digest this"
    assert shown["event"]["source_id"] == POISON
    assert "Traceback" in shown["error"]
    assert "cannot digest this" in findstream("parked", "show", listed["key"]).out
    assert "cannot digest this" in findstream("parked", "list", "-p", "event_index").out
    assert findstream("parked", "list", "-p", "task_board").err == "nothing is parked\n"


def test_what_still_cannot_be_folded_stays_parked(findstream: Findstream, poisoned: pytest.MonkeyPatch) -> None:
    assert poisoned
    answer = findstream("parked", "redrive", "--all", "--json")

    assert (answer.code, answer.json) == (3, {"folded": 0, "parked": 1})


def test_after_a_fix_it_is_folded_and_shown(findstream: Findstream, poisoned: pytest.MonkeyPatch) -> None:
    (listed,) = findstream("parked", "list", "--json").json["parked"]
    poisoned.undo()

    answer = findstream("parked", "redrive", listed["key"])

    assert (answer.code, answer.out) == (0, "1 folded, 0 still parked\n")
    assert len(findstream("events", "--json").json["events"]) == 5
    assert findstream("replay", "--json").json["equal"] is True


def test_a_redrive_compares_keys_not_whole_events(
    findstream: Findstream, poisoned: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events compared with each other would make a redrive of many take hours."""

    def compared(one: Parked, other: object) -> bool:
        pytest.fail(f"{one} was compared with {other}")

    poisoned.undo()
    monkeypatch.setattr(Parked, "__eq__", compared)

    assert findstream("parked", "redrive", "--all", "--json").json == {"folded": 1, "parked": 0}


@pytest.fixture
def judge(home: Path) -> Fold:
    """Judge what is on the log, as the role would."""
    assert home

    def run() -> None:
        settings = Settings.load()
        with open_log(settings) as log, open_catalog(settings, log) as catalog, closing(open_judging(settings)) as store:
            engine = Engine(log, store, open_book(catalog, clock=now_us), token="test", clock=now_us)
            while engine.step():
                pass
            engine.close()

    return run


def test_what_the_rules_could_not_judge_is_listed_and_redriven(
    filled: Findstream, judge: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fold(_: Judging, __: Rows, batch: Batch) -> Changes:
        if POISON in batch.columns.source_id:
            message = "cannot judge this"
            raise ValueError(message)
        return Changes()

    with monkeypatch.context() as patch:
        patch.setattr(Judging, "fold", fold)
        judge()
        assert filled("parked", "redrive", "--all", "--json").json == {"folded": 0, "parked": 1}
    (listed,) = filled("parked", "list", "-p", "judging", "--json").json["parked"]

    assert (listed["projection"], listed["why"]) == ("judging", "ValueError: cannot judge this")
    assert "cannot judge this" in filled("parked", "show", listed["key"]).out
    assert filled("parked", "redrive", listed["key"], "--json").json == {"folded": 1, "parked": 0}
    assert filled("parked", "list").err == "nothing is parked\n"


def test_a_projection_that_there_is_not_is_refused(filled: Findstream) -> None:
    answer = filled("parked", "list", "-p", "weather")

    assert answer.code == 2
    assert "'weather' is no projection; there are event_index" in answer.err
    assert "judging" in answer.err


def test_a_key_that_is_not_parked_is_not_redriven(findstream: Findstream, poisoned: pytest.MonkeyPatch) -> None:
    assert poisoned
    answer = findstream("parked", "redrive", "another", "--json")
    assert (answer.code, answer.out) == (3, "")
    assert "'another' is not parked" in answer.err


def test_a_rebuild_that_would_park_asks_first(findstream: Findstream, poisoned: pytest.MonkeyPatch) -> None:
    assert poisoned
    refused = findstream("rebuild", "event_index")
    accepted = findstream("rebuild", "event_index", "--accept-parked", "--json")

    assert refused.code == 3
    assert "--accept-parked" in refused.err
    assert accepted.json["rebuilt"][0]["parked"] == 1
