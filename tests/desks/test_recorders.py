"""Both recorders pass the cases that ``eventsourcing`` publishes for them, and keep what the port promises beyond."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from uuid import UUID, uuid5

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent, Tracking
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)

from pipeline.desks.recorder.port import Recorders
from tests.aws.clients import Server
from tests.desks.recording import RECORDERS, dynamodb, sqlite
from tests.support.dynamo import Failing, denied, table_at

CASES = {
    "snapshots": AggregateRecorderTestCase,
    "events": ApplicationRecorderTestCase,
    "process": ProcessRecorderTestCase,
    "marks": TrackingRecorderTestCase,
}
NAMES = [(what, name) for what, case in CASES.items() for name in sorted(vars(case)) if name.startswith("test_")]
SPACE = UUID(int=7)


@pytest.fixture(params=RECORDERS, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Recorders]:
    """The recorders that live at one place; told twice, two programs that share it."""
    made: Callable[[], Recorders] = request.param(request, tmp_path)
    return made


@pytest.fixture
def recorders(make: Callable[[], Recorders]) -> Iterator[Recorders]:
    found = make()
    yield found
    found.close()


@pytest.mark.parametrize(("what", "name"), NAMES)
def test_a_published_case_holds(what: str, name: str, recorders: Recorders) -> None:
    class Case(CASES[what]):  # type: ignore[misc,valid-type]  # chosen by name
        def create_recorder(self) -> object:
            return recorders.snapshots if what == "snapshots" else recorders.events

        def runTest(self) -> None:  # noqa: N802  # unittest's name
            getattr(self, name)()

    Case().debug()


def fact(number: int, version: int = 1, topic: str = "t") -> StoredEvent:
    return StoredEvent(uuid5(SPACE, str(number)), version, topic, b"\x00\xff")


def test_notifications_of_concurrent_writers_have_no_gap_and_are_seen_in_order(make: Callable[[], Recorders]) -> None:
    writers = [make(), make()]
    seen: list[int] = []
    done = threading.Event()

    def write(recorders: Recorders, base: int) -> None:
        for number in range(base, base + 15):
            recorders.events.insert_events([fact(number), fact(number, 2)])

    def follow() -> None:
        while not (done.is_set() and len(seen) == 60):
            found = writers[0].events.select_notifications(len(seen) + 1, 7)
            seen.extend(n.id for n in found)

    threads = [threading.Thread(target=write, args=(writer, 100 * n)) for n, writer in enumerate(writers)]
    follower = threading.Thread(target=follow)
    for thread in (*threads, follower):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    follower.join(30)

    assert seen == list(range(1, 61))
    for writer in writers:
        writer.close()


def test_of_two_that_store_one_version_one_succeeds(make: Callable[[], Recorders]) -> None:
    writers = [make(), make()]
    told: list[str] = []

    def write(recorders: Recorders) -> None:
        for version in range(1, 21):
            try:
                recorders.events.insert_events([fact(0, version)])
            except IntegrityError:
                told.append("refused")
            else:
                told.append("stored")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(told) == ["refused"] * 20 + ["stored"] * 20
    assert [event.originator_version for event in writers[0].events.select_events(uuid5(SPACE, "0"))] == list(range(1, 21))
    for writer in writers:
        writer.close()


def test_a_range_within_facts_that_were_stored_together_is_told(recorders: Recorders) -> None:
    recorders.events.insert_events([fact(1, version) for version in range(1, 8)])
    recorders.events.insert_events([fact(1, version) for version in range(8, 10)])

    def versions(**asked: int | bool) -> list[int]:
        return [event.originator_version for event in recorders.events.select_events(uuid5(SPACE, "1"), **asked)]  # type: ignore[arg-type]

    assert versions(gt=3, lte=5) == [4, 5]
    assert versions(gt=6, lte=8) == [7, 8]
    assert versions(lte=8, desc=True, limit=3) == [8, 7, 6]
    assert versions(gt=9) == []
    assert [n.id for n in recorders.events.select_notifications(3, 3)] == [3, 4, 5]
    assert [n.id for n in recorders.events.select_notifications(6, 9, stop=8)] == [6, 7, 8]


def test_what_was_stored_outlives_its_program(make: Callable[[], Recorders]) -> None:
    first = make()
    first.events.insert_events([fact(1)])
    first.events.insert_tracking(Tracking("relay", 1))
    first.close()

    second = make()

    assert second.events.max_notification_id() == 1
    assert second.events.max_tracking_id("relay") == 1
    second.close()


def test_waiting_ends_when_something_is_stored(make: Callable[[], Recorders]) -> None:
    waiting, writing = make(), make()
    writing.events.insert_events([fact(1)])
    waiting.wait(0, 60)
    over = threading.Thread(target=waiting.wait, args=(1, 0.01))
    over.start()
    over.join(30)

    assert not over.is_alive()
    for recorders in (waiting, writing):
        recorders.close()


def test_the_sqlite_file_is_synced_at_each_commit(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    recorders = sqlite(request, tmp_path)()
    with recorders.events.datastore.transaction(commit=False) as cursor:  # type: ignore[attr-defined]  # SQLite's own
        cursor.execute("PRAGMA synchronous")
        (level,) = cursor.fetchone()
        cursor.execute("PRAGMA journal_mode")
        (mode,) = cursor.fetchone()
    recorders.close()

    assert (level, mode) == (2, "wal")


def test_the_sqlite_file_and_all_beside_it_are_for_its_owner_only(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    recorders = sqlite(request, tmp_path)()
    recorders.events.insert_events([fact(1)])

    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.db*")} == {0o600}
    recorders.close()


def test_a_file_is_closed_under_many_readers_without_harm(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A connection that is closed while a thread uses it crashes the process."""
    for _ in range(5):
        recorders = sqlite(request, tmp_path)()
        ended: list[str] = []

        def read(recorders: Recorders = recorders, ended: list[str] = ended) -> None:
            try:
                while True:
                    recorders.events.select_notifications(None, 100)
            except OperationalError as closed:
                ended.append(str(closed))

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        recorders.close()
        for reader in readers:
            reader.join(30)

        assert [message.endswith("was closed") for message in ended] == [True] * 4


def test_a_file_that_is_no_database_is_an_operational_error(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "desks.db").write_bytes(b"no database at all" * 100)

    with pytest.raises(OperationalError, match="not a database"):
        sqlite(request, tmp_path)()


def test_a_commit_crosses_from_one_bucket_to_the_next(ministack: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.desks.recorder.dynamodb._BUCKET", 4)
    recorders = dynamodb(ministack, table_at(ministack, tmp_path))
    for number in range(5):
        recorders.events.insert_events([fact(number, version) for version in range(1, 4)])

    for start in range(1, 16):
        assert [n.id for n in recorders.events.select_notifications(start, 100)] == list(range(start, 16))


def test_a_table_that_cannot_be_reached_is_an_operational_error(ministack: Server, tmp_path: Path) -> None:
    client = Failing(ministack.client("dynamodb"), 0, failure=denied)
    recorders = dynamodb(ministack, table_at(ministack, tmp_path), client=client)

    with pytest.raises(OperationalError, match="AccessDenied"):
        recorders.events.insert_events([fact(1)])


def test_nothing_is_pushed(recorders: Recorders) -> None:
    with pytest.raises(NotImplementedError):
        recorders.events.subscribe()


def test_who_is_overtaken_for_ever_gives_up(ministack: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorders = dynamodb(ministack, table_at(ministack, tmp_path), dice=Random(1), pause=lambda _: None)
    recorders.events.insert_events([fact(1)])
    monkeypatch.setattr(recorders.events, "_count", lambda: 0)

    with pytest.raises(OperationalError, match="others were faster"):
        recorders.events.insert_events([fact(2)])


def test_processes_that_open_a_new_file_at_once_all_get_it(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from pipeline.desks.recorder.sqlite import open_sqlite as o; o(pathlib.Path(sys.argv[1])).close()"
    )
    openers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "desks.db")]) for _ in range(6)]

    assert [opener.wait(60) for opener in openers] == [0] * 6
