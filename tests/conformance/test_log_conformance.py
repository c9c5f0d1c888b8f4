"""What every log promises, on every backend. A backend's surplus is tested in its own file."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.log.port import Log, Outcome, Position, Record, shard_for
from pipeline.log.sqlite import SqliteLog
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.aws.kinesis_logs import kinesis_log
from tests.conformance.plain_log import PlainLog
from tests.log.made_up import NOON_US, Clock, envelopes, event, events, valid_envelopes
from tests.support.effort import share

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Backend:
    """A kind of log, and in what it legitimately differs from others."""

    name: str
    open: Callable[[Path | Server, Clock], AbstractContextManager[Log]]
    """On a folder, or on the server that the fixture named ``server`` starts."""
    refuses_known_ids: bool
    """It stores no id twice. Else a repeated event is accepted again, and readers drop it."""
    stamps_by_our_clock: bool
    """Recorded times come from the clock it is given. Else from the service."""
    counts_exactly: bool
    """``behind`` is a count. Else an estimate that is 0 only at the end."""
    names_shards_plainly: bool
    """Its shards are ``shard-0`` and so on, sharing the hash keys evenly. Else the service names and cuts them."""
    keeps_any_content: bool
    """It keeps what no door would let in, too. Else only what has an interchange form."""
    server: str = ""


def sqlite(home: Path | Server, clock: Clock) -> AbstractContextManager[Log]:
    assert isinstance(home, Path)
    return closing(SqliteLog(home / "log.db", clock=clock))


@contextmanager
def plain(_: Path | Server, clock: Clock) -> Iterator[Log]:
    yield PlainLog(shards=4, clock=clock)


@contextmanager
def kinesis(server: Path | Server, _: Clock) -> Iterator[Log]:
    assert isinstance(server, Server)
    with kinesis_log(server, shards=4) as log:
        yield log


EMBEDDED: dict[str, Any] = {
    "refuses_known_ids": True,
    "stamps_by_our_clock": True,
    "counts_exactly": True,
    "names_shards_plainly": True,
    "keeps_any_content": True,
}
KINESIS: dict[str, Any] = dict.fromkeys(EMBEDDED, False)
BACKENDS = [
    Backend("sqlite", sqlite, **EMBEDDED),
    Backend("plain", plain, **EMBEDDED),
    *(
        Backend(server.replace("_", "-"), kinesis, **KINESIS, server=server)
        for server in ("kinesalite", "kinesis_local", "moto", "ministack")
    ),
]


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    found: Backend = request.param
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(backend: Backend, request: pytest.FixtureRequest) -> Path | Server:
    """Where the backend keeps its logs."""
    found: Path | Server = request.getfixturevalue(backend.server or "tmp_path")
    return found


@pytest.fixture
def log(backend: Backend, home: Path | Server, clock: Clock) -> Iterator[Log]:
    with backend.open(home, clock) as opened:
        yield opened


def everything(log: Log, limit: int = 1000) -> list[Record]:
    """All records, shard by shard, read in batches of at most ``limit``."""
    found: list[Record] = []
    for shard in log.shards():
        after: Position | None = None
        while batch := log.read(shard.id, after, limit):
            found += batch.records()
            after = batch.positions[-1]
    return found


def by_subject(records: list[Record]) -> dict[str, list[Envelope]]:
    found: dict[str, list[Envelope]] = {}
    for record in records:
        found.setdefault(record.event.subject, []).append(record.event)
    return found


def test_a_new_log_holds_nothing(log: Log) -> None:
    assert log.shards()
    assert log.heads() == {}
    assert log.behind({}) == 0
    assert everything(log) == []
    assert log.wait({}, 0) is False


def test_a_new_logs_shards_are_open_and_hold_their_first_event(log: Log) -> None:
    assert {(False, True)} == {(shard.closed, shard.complete) for shard in log.shards()}


def test_behind_what_since_says_stands_all_that_was_recorded_then_or_later(log: Log, backend: Backend, clock: Clock) -> None:
    for number in range(12):
        log.append([event(number, subject=f"thing/{number % 3}")])
        clock.now_us += 1_000_000
    for shard in log.shards():
        records = [record for record in everything(log) if record.position.shard == shard.id]
        times = {record.recorded_us for record in records}
        beyond = {max(times) + 3_600_000_000} if times else set()  # kinesalite dies of a time before an empty shard was made
        for time_us in {0, *times, *(time_us + 1 for time_us in times), *beyond}:
            behind = list(log.read(shard.id, log.since(shard.id, time_us), 100).records())
            asked = [record for record in records if record.recorded_us >= time_us]
            assert behind[len(behind) - len(asked) :] == asked
            if backend.stamps_by_our_clock:
                assert behind == asked


def test_of_a_shard_that_a_log_has_not_since_knows_nothing(log: Log) -> None:
    assert log.since("shard-of-another-log", 0) is None


def test_appending_nothing_accepts_nothing(log: Log) -> None:
    assert log.append([]) == []
    assert log.heads() == {}


def test_receipts_stand_in_the_order_of_the_events(log: Log) -> None:
    told = events(0, 50)

    receipts = log.append(told)

    assert [one.id for one in told] == [receipt.id for receipt in receipts]
    assert {Outcome.ACCEPTED} == {receipt.outcome for receipt in receipts}


def test_an_event_stands_where_its_receipt_says(log: Log) -> None:
    told = events(0, 50)

    positions = [receipt.position for receipt in log.append(told)]

    records = log.fetch([position for position in positions if position])
    assert told == [record.event for record in records if record]
    assert positions == [record.position for record in records if record]


def test_a_subject_is_read_in_append_order(log: Log) -> None:
    told = events(0, 300)
    for start in range(0, 300, 23):
        log.append(told[start : start + 23])

    read = by_subject(everything(log))

    assert {f"alarm/{number}": told[number::7] for number in range(7)} == read


def test_a_subject_has_one_shard(log: Log, backend: Backend) -> None:
    log.append(events(0, 100))

    shards = {(record.event.subject, record.position.shard) for record in everything(log)}

    assert [f"alarm/{number}" for number in range(7)] == sorted(subject for subject, _ in shards)
    if backend.names_shards_plainly:
        assert {(f"alarm/{number}", shard_for(f"alarm/{number}", len(log.shards()))) for number in range(7)} == shards


@pytest.mark.parametrize("limit", [1, 3, 64, 10_000])
def test_reading_in_pieces_reads_the_same(log: Log, limit: int) -> None:
    for start in range(0, 150, 10):
        log.append(events(start, 10))

    assert everything(log) == everything(log, limit)


def test_a_shard_ends_behind_its_last_event(log: Log) -> None:
    log.append(events(0, 20))

    for shard, head in log.heads().items():
        assert len(log.read(shard, head, 10)) == 0
        assert len(log.read(shard, None, 0)) == 0


def test_a_batch_tells_the_same_in_columns_and_records(log: Log) -> None:
    log.append([event(number) for number in range(200)])
    (shard,) = log.heads()

    batch = log.read(shard, None, 200)

    assert list(range(200)) == [int(one.removeprefix("Finding ")) for one in batch.columns.summary]
    assert batch.columns.resources[7:8] == [["arn:7", "arn:all"]]
    assert [record.position for record in batch.records()] == batch.positions
    assert [event(number) for number in range(200)] == [record.event for record in batch.records()]


def test_bodies_are_read_in_any_order(log: Log) -> None:
    told = [event(number) for number in range(300)]
    log.append(told)
    (shard,) = log.heads()

    bodies = log.read(shard, None, 300).bodies

    assert len(bodies) == 300
    assert told[299].body == bodies[-1]
    assert told[3].body == bodies[3]
    assert [one.body for one in told[290:2:-7]] == list(bodies[290:2:-7])
    with pytest.raises(IndexError):
        bodies[300]


def test_fetching_answers_in_the_order_asked_and_with_none_for_what_is_not_there(log: Log) -> None:
    first, second = (receipt.position for receipt in log.append([event(1), event(2)]))
    assert first
    assert second

    found = log.fetch([second, Position(second.shard, second.sequence + 10**6), first, second])

    assert [event(2), None, event(1), event(2)] == [record and record.event for record in found]
    assert log.fetch([Position("elsewhere", 0), first._replace(sub=first.sub + 1000)]) == [None, None]


def test_heads_are_the_last_positions(log: Log) -> None:
    log.append(events(0, 100))

    last = {record.position.shard: record.position for record in everything(log)}

    assert last == log.heads()


def test_behind_counts_what_a_reader_has_not_read(log: Log, backend: Backend) -> None:
    log.append(events(0, 100))
    seen = log.heads()
    assert log.behind(seen) == 0

    log.append(events(100, 30))

    if backend.counts_exactly:
        assert log.behind(seen) == 30
        assert log.behind({}) == 130
    else:
        assert log.behind(seen) > 0


def test_a_repeated_event_is_read_once_or_more_but_tells_the_same(log: Log, backend: Backend) -> None:
    first = log.append([event(1)])

    again = log.append([event(2), event(1), event(2)])

    read = [record.event for record in everything(log)]
    assert {event(1).id, event(2).id} == {one.id for one in read}
    if backend.refuses_known_ids:
        assert [event(1), event(2)] == read
        assert [receipt.outcome for receipt in again] == [Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.DUPLICATE]
        assert [first[0].position, again[0].position] == [again[1].position, again[2].position]


def test_recorded_times_never_run_back(log: Log, clock: Clock, backend: Backend) -> None:
    for second in (0, 5, 3, 7):
        clock.now_us = NOON_US + second * 1_000_000
        log.append([event(second)])

    recorded_us = [record.recorded_us for record in everything(log)]

    assert sorted(recorded_us) == recorded_us
    if backend.stamps_by_our_clock:
        assert [(one - NOON_US) // 1_000_000 for one in recorded_us] == [0, 5, 5, 7]


def test_waiting_ends_at_once_if_there_is_more(log: Log) -> None:
    log.append([event(1)])

    assert log.wait({}, PATIENCE_SECONDS) is True


def test_waiting_in_vain_ends_at_the_deadline(log: Log) -> None:
    log.append(events(0, 20))

    assert log.wait(log.heads(), 0.05) is False


def test_waiting_ends_when_another_thread_appends(log: Log) -> None:
    log.append(events(0, 20))
    seen = log.heads()
    answers: list[bool] = []
    waiter = Thread(target=lambda: answers.append(log.wait(seen, PATIENCE_SECONDS)), daemon=True)
    waiter.start()

    log.append([event(21)])

    waiter.join(PATIENCE_SECONDS)
    assert answers == [True]


def test_threads_that_append_at_once_lose_nothing_and_keep_their_order(log: Log) -> None:
    together = Barrier(6)
    told = {thread: [event(1000 * thread + n, subject=f"thread/{thread}") for n in range(60)] for thread in range(6)}

    def append(thread: int) -> None:
        together.wait()
        for start in range(0, 60, thread + 1):
            log.append(told[thread][start : start + thread + 1])

    threads = [Thread(target=append, args=[thread], daemon=True) for thread in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert {f"thread/{thread}": mine for thread, mine in told.items()} == by_subject(everything(log))


ANY_CONTENT = [backend for backend in BACKENDS if backend.keeps_any_content]
VALID_CONTENT = [backend for backend in BACKENDS if not backend.keeps_any_content]


@pytest.mark.parametrize("backend", ANY_CONTENT, ids=lambda backend: backend.name)
@given(told=st.lists(envelopes, max_size=20, unique_by=lambda one: one.id))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content_comes_back_as_it_was(
    backend: Backend, tmp_path_factory: pytest.TempPathFactory, told: list[Envelope]
) -> None:
    with backend.open(tmp_path_factory.mktemp("log"), Clock()) as log:
        log.append(told)

        read: dict[Any, Envelope] = {record.event.id: record.event for record in everything(log)}

    assert {one.id: one for one in told} == read


@pytest.mark.parametrize("backend", VALID_CONTENT, ids=lambda backend: backend.name)
@given(told=st.lists(valid_envelopes, max_size=20, unique_by=lambda one: one.id))
@settings(share(5), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_valid_content_comes_back_as_it_was(log: Log, told: list[Envelope]) -> None:
    positions = [receipt.position for receipt in log.append(told)]

    read = log.fetch([position for position in positions if position])

    assert told == [record.event for record in read if record]
