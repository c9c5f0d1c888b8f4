"""What is DynamoDB's own: answers equal to SQLite's, two writers at once, lost answers, limits, and what goes by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Barrier, Thread
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.log.port import Position
from projections.alert_pages import AlertQuery
from projections.catalog import Catalog
from projections.errors import CommitTooLarge, Fenced, GenerationGone, RebuildRunning, StoreUnavailable
from projections.event_index import EventIndex, EventQuery, Sought
from projections.projection import Changes, CountKey, Parked
from projections.projector import ALL, Projector
from projections.rebuild import Rebuilder
from projections.stores.dynamodb import DynamoStore, Keeping, Lane
from projections.stores.dynamodb.generation import DynamoGeneration
from projections.stores.port import Commit, Status, Store
from projections.stores.sqlite import SqliteStore
from projections.writer import Writer
from tests.aws.clients import Server
from tests.aws.faults import dynamodb as faults
from tests.aws.faults.connection import dropped_after
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import ANY, Rule, Script
from tests.laws.histories import APPENDS, NOW_US, RESHARDINGS, Step, fill
from tests.support.answers import FOR_EVER_DAYS, told
from tests.support.dynamo import Failing, Meanwhile, dynamo_store, make_table
from tests.support.effort import share
from tests.support.facts import HOUR_US, MORNING_US, alert, finding, rule, task
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import entries_of, frozen_clock, rows_of


@pytest.fixture
def server(ministack: Server) -> Server:
    return ministack


def new_table(server: Server) -> str:
    return make_table(server, f"t-{Random().getrandbits(64):016x}")


@pytest.fixture
def table(server: Server) -> str:
    return new_table(server)


@pytest.fixture
def store(server: Server, table: str) -> Store:
    return dynamo_store(server, table)


def fold_all(log: MemoryLog, store: Store, *, token: str = "writer", batch_events: int = 7) -> None:
    with closing(Projector(log, store, token=token, batch_events=batch_events)) as projector:
        while projector.step():
            pass


def all_rows(store: Store) -> dict[str, Any]:
    return {name: rows_of(store, name) for name in sorted(store.serving())}


def opened(store: Store, projection: str = "some") -> DynamoGeneration:
    generation = store.open(store.create(projection, 1, serving=True))
    assert isinstance(generation, DynamoGeneration)
    generation.claim("writer", ["a"])
    return generation


def moved(sub: int, changes: Changes | None = None) -> Commit:
    """The commit that moves the checkpoint of "a" one on, to ``sub``."""
    before = Position("a", 1, sub - 1) if sub else None
    return Commit({"a": before}, {"a": Position("a", 1, sub)}, changes or Changes(counts={CountKey(5, "s", 1, "", "a"): 1}))


def counted(generation: DynamoGeneration) -> int:
    return sum(count for _, count in generation.counts(0, 100))


# the same answers


@pytest.mark.long
@given(steps=st.lists(st.one_of(APPENDS, APPENDS, RESHARDINGS), max_size=5), limit=st.integers(1, 6), number=st.integers(0, 20))
@settings(share(5), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_answers_as_sqlite_does_cursors_included(server: Server, steps: Sequence[Step], limit: int, number: int) -> None:
    log = MemoryLog()
    fill(log, steps)
    dynamo = dynamo_store(server, new_table(server))
    with scratch() as folder, closing(SqliteStore(folder, clock=frozen_clock)) as sqlite:
        stores: tuple[Store, ...] = (sqlite, dynamo)
        for store in stores:
            fold_all(log, store)

        catalogs = [Catalog(store, log, retention_days=FOR_EVER_DAYS) for store in stores]
        ours, theirs = (told(catalog, now_us=NOW_US) for catalog in catalogs)
        assert ours == theirs
        for query in queries(limit, number):
            pages = [list(walk(catalog, query)) for catalog in catalogs]
            assert pages[0] == pages[1]
        for entry in ours.entries[:3]:
            assert [*catalogs[0].event(entry.id, now_us=NOW_US)] == [*catalogs[1].event(entry.id, now_us=NOW_US)]
        assert catalogs[0].states() == catalogs[1].states()
        for catalog in catalogs:
            catalog.close()


def queries(limit: int, number: int) -> Iterable[EventQuery]:
    since_us = MORNING_US + number * HOUR_US
    yield EventQuery(limit=limit)
    yield EventQuery(limit=limit, direction="asc", since_us=since_us)
    yield EventQuery(limit=limit, until_us=since_us, min_severity=number % 5)
    yield EventQuery(limit=limit, source="aws.1", text="finding")
    yield EventQuery(limit=limit, text=str(number), account="111111111111", direction="asc")


def walk(catalog: Catalog, query: EventQuery) -> Iterator[object]:
    """All pages to the end, and from the last the one before."""
    page = catalog.events(query, now_us=NOW_US)
    yield page
    while page.next:
        page = catalog.events(query.after(page.next), now_us=NOW_US)
        yield page
    if page.previous:
        yield catalog.events(query.after(page.previous), now_us=NOW_US)


def test_a_rebuild_switches_and_verifies_and_the_former_rows_go_an_hour_later(server: Server, table: str) -> None:
    now_us = [NOW_US]
    store = dynamo_store(server, table, clock=lambda: now_us[0])
    log = MemoryLog()
    log.append([finding(n) for n in range(40)])
    fold_all(log, store)
    before = all_rows(store)
    rebuilder = Rebuilder(log, store, "rebuild", batch_events=9)

    for projection in ALL:
        assert rebuilder.rebuild(projection, diff=True).difference == rebuilder.verify(projection)
        rebuilder.rebuild(projection)
        rebuilder.rebuild(projection)

    assert all_rows(store) == before
    assert {info.number for info in store.serving().values()} == {4}
    stored = keys_in(server, table)
    now_us[0] += 3_600_000_000
    assert store.sweep() == 3 * len(ALL)
    gone = stored - keys_in(server, table)
    assert {pk.split("#")[0] for pk, _ in gone} >= {"event_index.1", "agent_status.1", "daily_aggregates.2", "store"}
    assert all_rows(store) == before


def keys_in(server: Server, table: str) -> set[tuple[str, str]]:
    pages = server.client("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {(item["pk"]["S"], item["sk"]["S"]) for page in pages for item in page["Items"]}


# two writers


def test_of_two_projectors_at_once_one_is_fenced_and_no_row_is_wrong(server: Server, table: str, tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([finding(n, MORNING_US + n * 1_000_000) for n in range(300)])
    ready = Barrier(2)
    fenced: list[str] = []

    def project(token: str) -> None:
        try:
            with closing(Projector(log, dynamo_store(server, table), token=token, batch_events=5)) as projector:
                ready.wait()
                while projector.step():
                    pass
        except Fenced:
            fenced.append(token)

    threads = [Thread(target=project, args=[token]) for token in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fold_all(log, dynamo_store(server, table), token="third")

    assert len(fenced) >= 1
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as sqlite:
        fold_all(log, sqlite)
        assert all_rows(dynamo_store(server, table)) == all_rows(sqlite)


def test_writers_of_different_shards_fold_at_once_and_each_drops_its_repeats(server: Server, table: str, tmp_path: Path) -> None:
    log = MemoryLog(shards=3)
    log.append([finding(n % 200, MORNING_US + n % 200 * 1_000_000) for n in range(300)])
    ended: list[str] = []

    def fold(shard: str) -> None:
        lane = dynamo_store(server, table, lane=Lane(shard))
        for projection in ALL:
            info = lane.create(projection.name, projection.version, serving=True)
            writer = Writer(projection, lane.open(info), f"writer of {shard}")
            writer.claim([shard])
            while events := log.read(shard, writer.checkpoints.get(shard), 9):
                writer.fold([events])
        ended.append(shard)

    threads = [Thread(target=fold, args=[shard.id]) for shard in log.shards()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == [shard.id for shard in log.shards()]
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as sqlite:
        fold_all(log, sqlite)
        assert all_rows(dynamo_store(server, table)) == all_rows(sqlite)


def test_a_shard_s_writer_goes_on_where_a_rebuild_ended_and_is_fenced_alone(server: Server, table: str) -> None:
    log = MemoryLog(shards=2)
    log.append([finding(n) for n in range(20)])
    fold_all(log, dynamo_store(server, table))
    info = dynamo_store(server, table).serving()["event_index"]
    first, other, rival = (dynamo_store(server, table, lane=Lane(f"shard-{n}")).open(info) for n in (0, 1, 0))
    writers = [Writer(EventIndex(), first, "first"), Writer(EventIndex(), other, "other")]
    for number, writer in enumerate(writers):
        writer.claim([f"shard-{number}"])
    assert sorted(writers[0].checkpoints) == ["shard-0", "shard-1"]
    log.append([finding(n) for n in range(10, 40)])

    rival.claim("rival", ["shard-0"])

    with pytest.raises(Fenced, match="another writer"):
        writers[0].fold([log.read("shard-0", writers[0].checkpoints["shard-0"], 100)])
    writers[1].fold([log.read("shard-1", writers[1].checkpoints["shard-1"], 100)])
    again = Writer(EventIndex(), first, "first again")
    again.claim(["shard-0"])
    again.fold([log.read("shard-0", again.checkpoints["shard-0"], 100)])
    assert len(entries_of(first)) == 40


def test_a_shard_s_writer_sees_what_is_parked_of_its_own(server: Server, table: str) -> None:
    whole = opened(dynamo_store(server, table))
    parked = [Parked("key", Position(shard, 1), 5, b"event", "Traceback") for shard in ("a", "b", "c")]
    whole.commit("writer", Commit({}, {}, parked=parked))

    lane = dynamo_store(server, table, lane=Lane("b", ("a",))).open(whole.info)
    lane.claim("lane", ["a"])
    assert lane.parked() == parked[:2]
    lane.commit("lane", Commit({}, {}, unparked=[Position("a", 1)]))

    assert lane.parked() == parked[1:2]
    assert whole.parked() == parked[1:]


@pytest.mark.parametrize("between", ["a commit that moves it", "a commit that does not"])
def test_what_comes_between_the_reads_of_a_commit_and_its_transaction_fences_it(server: Server, table: str, between: str) -> None:
    first, second = (opened(dynamo_store(server, table)) for _ in range(2))
    changes = Changes(documents={"a": {"n": 1}})
    other = moved(0, changes) if between == "a commit that moves it" else Commit({}, {}, changes)
    first._table._client = Meanwhile(first._table._client, lambda: second.commit("writer", other))

    with pytest.raises(Fenced, match="checkpoint of a" if other.reached else "came between"):
        first.commit("writer", moved(0))

    assert counted(first) == 0
    assert dict(first.all_documents()) == {"a": {"n": 1}}


def test_a_writer_of_all_goes_on_where_a_shard_s_writer_committed_nothing(server: Server, table: str) -> None:
    whole = opened(dynamo_store(server, table))
    lane = dynamo_store(server, table, lane=Lane("a")).open(whole.info)
    lane.claim("lane", ["a"])
    with pytest.raises(Fenced):
        whole.commit("writer", moved(0))

    whole.claim("writer", ["a"])
    whole.commit("writer", moved(0))

    with pytest.raises(Fenced):
        lane.commit("lane", moved(1))


def test_a_shard_s_writer_commits_no_other_shard(server: Server, table: str) -> None:
    whole = opened(dynamo_store(server, table))
    lane = dynamo_store(server, table, lane=Lane("a")).open(whole.info)
    lane.claim("lane", ["a"])

    with pytest.raises(Fenced, match=r"a writer of a alone commits \['b'\]"):
        lane.commit("lane", Commit({"b": None}, {"b": Position("b", 1)}))

    assert lane.checkpoints() == whole.checkpoints() == {}


# lost answers, throttling


def lost(operation: str) -> Exception:
    """The answer did not come; whether the request was carried out, nobody knows."""
    return ReadTimeoutError(endpoint_url=operation)


class Kept(Failing):
    """A client whose n-th request is carried out, but its answer lost."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def request(**asked: Any) -> Any:
            answer = getattr(self._client, name)(**asked)
            self._left -= 1
            if self._left == -1:
                raise self._failure(name)
            return answer

        return request


@pytest.mark.parametrize("client", [Kept, Failing])
def test_a_lost_answer_counts_once(server: Server, table: str, client: type[Failing]) -> None:
    pauses: list[float] = []
    store = dynamo_store(server, table, pause=pauses.append)
    generation = opened(store)
    whole = generation._table._client
    for number in range(12):
        generation._table._client = client(whole, number, failure=lost)
        generation.commit("writer", moved(number))

    assert counted(generation) == 12
    assert len(pauses) >= 3


class Forgetful:
    """A client that loses the answer of a transaction and then, as some servers do, has forgotten its token."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lost = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **asked: Any) -> Any:
        token = asked.pop("ClientRequestToken")
        answer = self._client.transact_write_items(**asked, ClientRequestToken=f"{token[:30]}{self._lost:d}")
        if not self._lost:
            self._lost = True
            failure = lost("transact_write_items")
            raise failure
        return answer


def test_a_commit_whose_answer_was_lost_is_found_beside_the_checkpoint(store: DynamoStore) -> None:
    generation = opened(store)
    generation._table._client = Forgetful(generation._table._client)

    generation.commit("writer", moved(0))

    assert counted(generation) == 1


def passing(code: str) -> Callable[[str], ClientError]:
    return lambda operation: ClientError({"Error": {"Code": code, "Message": "later"}}, operation)


def test_a_conflict_passes_and_is_tried_again_after_a_pause(server: Server, table: str) -> None:
    pauses: list[float] = []
    generation = opened(dynamo_store(server, table, pause=pauses.append))
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    told: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}
    generation._table._client = Failing(generation._table._client, 2, failure=lambda name: ClientError(told, name))

    generation.commit("writer", moved(0))

    assert counted(generation) == 1
    assert len(pauses) == 1


def test_what_keeps_failing_is_unavailable_and_nothing_is_kept(server: Server, table: str) -> None:
    pauses: list[float] = []
    generation = opened(dynamo_store(server, table, pause=pauses.append))
    whole = generation._table._client

    class Throttled:
        def __getattr__(self, name: str) -> Any:
            def refuse(**_: Any) -> Any:
                raise passing("ThrottlingException")(name)

            return refuse if name == "transact_write_items" else getattr(whole, name)

    generation._table._client = Throttled()
    with pytest.raises(StoreUnavailable, match="ThrottlingException"):
        generation.commit("writer", moved(0))
    generation._table._client = whole

    assert len(pauses) == 7
    generation.commit("writer", moved(0))
    assert counted(generation) == 1


@pytest.mark.long
def test_through_faults_of_all_kinds_the_rows_are_those_of_sqlite(server: Server, table: str, tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    log.append([finding(n % 150, MORNING_US + n % 150 * 1_000_000) for n in range(200)])
    log.append([task("created", MORNING_US, n) for n in range(20)])
    script = Script(
        Rule("TransactWriteItems", dropped_after(), rate=0.2),
        Rule("TransactWriteItems", faults.conflicted(), rate=0.2),
        Rule("BatchGetItem", faults.unprocessed(), rate=0.3),
        Rule(ANY, faults.throttled(), rate=0.1),
        seed=1,
    )

    with faulty(server, script) as shaky:
        store = dynamo_store(shaky, table, pause=lambda _: None)
        fold_all(log, store, batch_events=10)

    assert set(script.injected) == {
        "TransactionConflict",
        "unprocessed",
        "dropped after",
        "ProvisionedThroughputExceededException",
    }
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as sqlite:
        fold_all(log, sqlite)
        assert all_rows(dynamo_store(server, table)) == all_rows(sqlite)


# size


def test_a_batch_too_large_for_a_transaction_is_folded_by_halves(store: DynamoStore, tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(n, MORNING_US + n * HOUR_US) for n in range(60)])
    log.append([task("created", MORNING_US, n) for n in range(110)])

    fold_all(log, store, batch_events=1_000)

    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as sqlite:
        fold_all(log, sqlite)
        assert all_rows(store) == all_rows(sqlite)


def test_what_is_too_large_is_refused_whole(store: DynamoStore) -> None:
    generation = opened(store)
    noise = Random(1).randbytes(500_000).hex()
    document = Changes(documents={"a": {"text": noise}})
    many = Changes(documents={f"key-{number}": {} for number in range(101)})

    for changes in (document, many):
        with pytest.raises(CommitTooLarge):
            generation.commit("writer", moved(0, changes))

    assert generation.checkpoints() == {}
    assert dict(generation.all_documents()) == {}


def test_a_parked_event_may_be_larger_than_an_item(store: DynamoStore) -> None:
    generation = opened(store)
    noise = Random(1).randbytes(1 << 20)
    parked = [Parked("key", Position("a", 1, number), 5, noise[number:], "Traceback") for number in range(2)]

    generation.commit("writer", Commit({}, {}, parked=parked))
    assert generation.parked() == parked
    generation.commit("writer", Commit({}, {}, unparked=[parked[0].position]))

    assert generation.parked() == parked[1:]


def test_entries_that_compress_badly_are_cut_into_more_segments(store: DynamoStore) -> None:
    log = MemoryLog(shards=1)
    noise = Random(1)
    log.append([finding(n, MORNING_US + n, summary=noise.randbytes(30_000).hex()) for n in range(40)])

    fold_all(log, store, batch_events=40)

    with closing(store.open(store.serving()["event_index"])) as generation:
        assert [entry["time_us"] for entry in entries_of(generation)] == [MORNING_US + n for n in range(40)]
        assert len(list(generation.segments(Sought(), "asc"))) > 3


def test_an_event_whose_rows_are_too_much_is_parked_and_others_go_on(store: DynamoStore) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(0, summary=Random(1).randbytes(600_000).hex()), finding(1)])

    fold_all(log, store)

    with closing(store.open(store.serving()["event_index"])) as generation:
        [parked] = generation.parked()
        assert [entry["summary"] for entry in entries_of(generation)] == [finding(1).summary]
    assert parked.key == finding(0).id
    assert "CommitTooLarge" in parked.error


# what goes by itself


def test_entries_and_markers_have_an_end(server: Server, table: str) -> None:
    store = dynamo_store(server, table, keeping=Keeping(entry_days=90, marker_days=40))
    log = MemoryLog(shards=1)
    log.append([finding(0)])
    fold_all(log, store)

    items = server.client("dynamodb").scan(TableName=table)["Items"]
    ends = {item["pk"]["S"].split("#")[1]: int(item["expires"]["N"]) for item in items if "expires" in item}
    recorded = log.records()[0].recorded_us // 1_000_000
    assert ends == {
        "dir": recorded + 90 * 86_400,
        "seg": recorded + 90 * 86_400,
        "mark": frozen_clock() // 1_000_000 + 40 * 86_400,
    }


def test_passing_documents_have_an_end_and_others_none(server: Server, table: str) -> None:
    store = dynamo_store(server, table, keeping=Keeping(marker_days=40))
    generation = store.open(store.create("some", 1, serving=True))
    generation.claim("writer", [])
    documents: dict[str, dict[str, object]] = {"new//1": {}, "new//2": {}}
    generation.commit("writer", Commit({}, {}, Changes(documents=documents, passing={"new//1"})))

    items = server.client("dynamodb").scan(TableName=table)["Items"]
    ends = {item["sk"]["S"]: item.get("expires", {}).get("N") for item in items if "#doc" in item["pk"]["S"]}
    assert ends == {"new//1": str(frozen_clock() // 1_000_000 + 40 * 86_400), "new//2": None}


def test_a_segment_that_expired_is_left_out(server: Server, store: DynamoStore, table: str) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(n) for n in range(3)])
    fold_all(log, store, batch_events=1)
    client = server.client("dynamodb")
    segments = [item for item in client.scan(TableName=table)["Items"] if "#seg#" in item["pk"]["S"]]
    client.delete_item(TableName=table, Key={"pk": segments[0]["pk"], "sk": segments[0]["sk"]})

    with closing(store.open(store.serving()["event_index"])) as generation:
        assert len(entries_of(generation)) == 2


def test_segments_that_were_merged_stay_for_readers_and_then_go(server: Server, store: DynamoStore, table: str) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(n, MORNING_US + n) for n in range(40)])
    info = store.create("event_index", 1, serving=True)
    writer = Writer(EventIndex(), store.open(info), "writer")
    writer.claim(["shard-0"])
    writer.fold([log.read("shard-0", None, 1)])
    with writer.generation.reading() as rows:
        segments = rows.segments(Sought(), "asc")
        while len(batch := log.read("shard-0", writer.checkpoints["shard-0"], 1)):
            writer.fold([batch])
        assert next(segments)

    items = server.client("dynamodb").scan(TableName=table)["Items"]
    ends = [int(item["expires"]["N"]) for item in items if "#seg#" in item["pk"]["S"] and "expires" in item]
    assert len(ends) >= 32
    assert set(ends) == {frozen_clock() // 1_000_000 + 3_600}
    assert len(entries_of(writer.generation)) == 40


def test_a_reader_that_a_merge_left_behind_for_an_hour_says_so(server: Server, store: DynamoStore, table: str) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(n, MORNING_US + n) for n in range(20)])
    info = store.create("event_index", 1, serving=True)
    writer = Writer(EventIndex(), store.open(info), "writer")
    writer.claim(["shard-0"])
    for _ in range(15):
        writer.fold([log.read("shard-0", writer.checkpoints.get("shard-0"), 1)])
    client = server.client("dynamodb")
    parts = [item for item in client.scan(TableName=table)["Items"] if "#seg#" in item["pk"]["S"]]
    with writer.generation.reading() as rows:
        segments = rows.segments(Sought(), "asc")
        next(segments)
        while len(batch := log.read("shard-0", writer.checkpoints["shard-0"], 1)):
            writer.fold([batch])
        for part in parts:
            client.delete_item(TableName=table, Key={"pk": part["pk"], "sk": part["sk"]})

        with pytest.raises(StoreUnavailable, match="were merged"):
            list(segments)


def test_a_table_that_holds_something_else_says_so(server: Server, store: DynamoStore, table: str) -> None:
    generation = opened(store)
    generation.commit("writer", moved(0))
    broken = {"pk": {"S": "some.1#count"}, "sk": {"S": "0000000000005#a"}, "page": {"S": "text"}}
    server.client("dynamodb").put_item(TableName=table, Item=broken)

    with pytest.raises(StoreUnavailable, match="holds no bytes in page"):
        counted(generation)


def test_a_sweep_leaves_to_ttl_what_has_one(server: Server, table: str) -> None:
    now_us = [NOW_US]
    store = dynamo_store(server, table, clock=lambda: now_us[0], keeping=Keeping(entry_days=90))
    log = MemoryLog(shards=1)
    log.append([finding(n) for n in range(3)])
    built = store.create("event_index", 1, serving=False)
    builder = Writer(EventIndex(), store.open(built), "builder")
    builder.claim(["shard-0"])
    builder.fold([log.read("shard-0", None, 9)])
    store.drop(built)
    now_us[0] += 3_600_000_000

    store.sweep()

    assert {pk.split("#")[1] for pk, _ in keys_in(server, table) if "#" in pk} == {"seg", "dir", "mark"}


# rights that end with a dead process


def test_a_dead_builder_s_right_ends_an_hour_after_its_last_commit(server: Server, table: str) -> None:
    now_us = [NOW_US]
    dead, living = (dynamo_store(server, table, clock=lambda: now_us[0]) for _ in range(2))
    right = dead.building("some")
    right.__enter__()
    generation = dead.open(dead.create("some", 1, serving=False))
    generation.claim("builder", ["a"])
    now_us[0] += 1_800_000_000
    generation.commit("builder", moved(0))

    now_us[0] += 3_000_000_000
    with pytest.raises(RebuildRunning), living.building("some"):
        pass
    now_us[0] += 601_000_000
    with living.building("some"):
        assert living.generations("some") == []
        with pytest.raises(GenerationGone):
            generation.commit("builder", moved(1))
    right.__exit__(None, None, None)


def test_builds_whose_builder_is_dead_are_dropped_and_others_go_on(server: Server, table: str) -> None:
    now_us = [NOW_US]
    dead, living, store = (dynamo_store(server, table, clock=lambda: now_us[0]) for _ in range(3))
    for projection in ("some", "other"):
        dead.building(projection).__enter__()
        dead.create(projection, 1, serving=False)
    dead.create("served", 1, serving=True)
    now_us[0] += 3_600_000_001

    with living.building("third"):
        living.create("third", 1, serving=False)

        assert store.drop_abandoned() == 2

        assert [len(store.generations(name)) for name in ("some", "other", "third", "served")] == [0, 0, 1, 1]
        assert store.drop_abandoned() == 0
    with store.building("some"):
        pass


def test_a_switch_whose_process_died_lets_writers_go_on_and_cannot_end_late(server: Server, table: str) -> None:
    now_us = [NOW_US]

    def pause(seconds: float) -> None:
        now_us[0] += int(seconds * 1_000_000)

    store = dynamo_store(server, table, clock=lambda: now_us[0], pause=pause)
    serving = opened(store)
    serving.commit("writer", moved(0))
    built = store.create("some", 1, serving=False)

    def outlived() -> None:
        with pytest.raises(StoreUnavailable, match="try again"):
            serving.commit("writer", moved(1))
        with pytest.raises(StoreUnavailable, match="by another process"):
            store.switch(built, lambda: None)
        now_us[0] += 600_000_000
        serving.commit("writer", moved(1))

    with pytest.raises(StoreUnavailable, match="took too long"):
        store.switch(built, outlived)

    assert store.serving()["some"].number == 1
    assert store.serving()["some"].status is Status.SERVING
    serving.commit("writer", moved(2))
    assert counted(serving) == 3


def test_a_shard_s_writer_waits_for_a_switch_too(server: Server, table: str) -> None:
    store = dynamo_store(server, table)
    opened(store).commit("writer", moved(0))
    lane = dynamo_store(server, table, lane=Lane("a"), pause=lambda _: None).open(store.serving()["some"])
    lane.claim("lane", ["a"])
    built = store.create("some", 1, serving=False)

    def caught_up() -> None:
        with pytest.raises(StoreUnavailable):
            lane.claim("late", ["a"])
        with pytest.raises(StoreUnavailable):
            lane.commit("lane", moved(1))

    store.switch(built, caught_up)

    lane.commit("lane", moved(1))
    assert store.serving()["some"].number == 2


def test_nobody_claims_what_is_gone(store: DynamoStore) -> None:
    info = store.create("some", 1, serving=False)
    generation = store.open(info)
    store.drop(info)

    with pytest.raises(GenerationGone):
        generation.claim("writer", ["a"])


def test_rules_and_alerts_are_told_as_by_sqlite(store: Store, tmp_path: Path) -> None:
    log = MemoryLog(shards=3)
    log.append([rule("published", MORNING_US), rule("published", MORNING_US + 1, version=2, revision=2, text="id: storm # 2")])
    log.append([alert("raised", MORNING_US + number // 2, number, severity=number % 5) for number in range(40)])
    log.append([alert("resolved", MORNING_US + 99, number) for number in range(0, 40, 3)])
    answers = []
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as other:
        for each in (store, other):
            fold_all(log, each)
            with closing(Catalog(each, log, retention_days=FOR_EVER_DAYS)) as catalog:
                answers.append(judged(catalog))

    assert answers[0] == answers[1]
    assert len(answers[0][0]) == 40


def judged(catalog: Catalog) -> list[Any]:
    """What the catalogue answers to questions about rules and alerts, all pages of these."""
    told: list[Any] = [[], catalog.rules(), catalog.rule_versions(), catalog.alert_ids("storm", 0, MORNING_US + 9)]
    for query in (AlertQuery(limit=7), AlertQuery(limit=3, status="resolved", min_severity=2)):
        page = catalog.alerts(query)
        told[0] = told[0] or list(page.alerts)
        told.append(page)
        while page.next:
            page = catalog.alerts(replace(query, cursor=page.next))
            told.append(page)
            told[0] += page.alerts if query.status is None else ()
    return told
