"""The quarantine: nothing that came in is lost, and the same thing told twice is one item."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from random import Random
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import QuarantineUnavailable
from pipeline.quarantine.dynamodb import DynamoQuarantine
from pipeline.quarantine.identity import item_id
from pipeline.quarantine.port import Quarantine, Quarantined, Reject, Status
from pipeline.quarantine.sqlite import SqliteQuarantine
from tests.aws.clients import Server
from tests.log.made_up import NOON_US, Clock
from tests.support.dynamo import Meanwhile, table_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "quarantine.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def embedded(path: Path, clock: Clock) -> Iterator[SqliteQuarantine]:
    with closing(SqliteQuarantine(path, clock=clock)) as opened:
        yield opened


@pytest.fixture
def in_dynamodb(request: pytest.FixtureRequest, path: Path, clock: Clock) -> DynamoQuarantine:
    server: Server = request.getfixturevalue("ministack")
    return DynamoQuarantine(server.client("dynamodb"), table_at(server, path), clock=clock, dice=Random())


@pytest.fixture(params=["embedded", "in_dynamodb"])
def quarantine(request: pytest.FixtureRequest) -> Quarantine:
    opened: Quarantine = request.getfixturevalue(request.param)
    return opened


def reject(number: int, **told: str) -> Reject:
    return Reject(b"bad %d" % number, **{"reason": f"reason {number}", "field": "time", "origin": "http"} | told)


def payloads(items: list[Quarantined]) -> list[bytes]:
    return [item.reject.payload for item in items]


def test_it_is_a_quarantine(quarantine: Quarantine) -> None:
    as_port: Quarantine = quarantine

    assert as_port.list() == []
    assert as_port.put([]) == []
    assert as_port.count() == {Status.HELD: 0, Status.RELEASED: 0, Status.DISCARDED: 0}


def test_an_item_is_kept_as_it_came(quarantine: Quarantine) -> None:
    (item,) = quarantine.put([reject(1)])

    assert quarantine.get(item) == Quarantined(item, reject(1), Status.HELD, NOON_US, NOON_US, 1)


def test_items_outlive_the_process(embedded: SqliteQuarantine, path: Path, clock: Clock) -> None:
    embedded.put([reject(1)])
    embedded.close()

    with closing(SqliteQuarantine(path, clock=clock)) as again:
        assert payloads(again.list()) == [b"bad 1"]


@pytest.mark.parametrize("payload", [b"", b"\0\xff" * 10, b"x" * 1_000_000])
def test_any_bytes_come_back(quarantine: Quarantine, payload: bytes) -> None:
    quarantine.put([Reject(payload, "unreadable")])

    assert payloads(quarantine.list()) == [payload]


@given(told=st.lists(st.builds(Reject, st.binary(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_reject_is_found_under_its_id(quarantine: Quarantine, told: list[Reject]) -> None:
    items = quarantine.put(told)

    assert [item_id(one) for one in told] == items
    newest = {item_id(one): one for one in told}
    assert newest == {item: found.reject for item in items if (found := quarantine.get(item))}


def test_the_same_thing_told_again_is_counted(quarantine: Quarantine, clock: Clock) -> None:
    first = quarantine.put([reject(1, origin="a.ndjson:7"), reject(1, origin="a.ndjson:7")])
    clock.now_us += 5

    again = quarantine.put([reject(1, origin="a.ndjson:9", reason="better put", field="detail.time")])

    assert [*first] == [*again, *again]
    newest = reject(1, origin="a.ndjson:9", reason="better put", field="detail.time")
    assert quarantine.list() == [Quarantined(first[0], newest, Status.HELD, NOON_US, NOON_US + 5, 3)]


def test_the_kind_of_origin_tells_items_apart(quarantine: Quarantine) -> None:
    origins = ["http", "a.ndjson:1", "b.ndjson:1", "log shard-0:42:0", ""]

    assert len(set(quarantine.put([reject(1, origin=origin) for origin in origins]))) == 5
    assert item_id(reject(1, origin="log shard-0:42:0")) == item_id(reject(1, origin="log shard-1:7:0"))


def test_ids_do_not_change_between_versions() -> None:
    assert item_id(Reject(b"payload", "reason", "field", "http")) == "acdb7038c9b5aedcf04d389e4d3f8837"


@pytest.mark.parametrize(
    ("before", "after"),
    [(Status.HELD, Status.HELD), (Status.RELEASED, Status.HELD), (Status.DISCARDED, Status.DISCARDED)],
)
def test_told_again_a_released_item_is_held_and_a_discarded_one_stays(
    quarantine: Quarantine, before: Status, after: Status
) -> None:
    (item,) = quarantine.put([reject(1)])
    assert quarantine.mark(item, before)

    quarantine.put([reject(1)])

    found = quarantine.get(item)
    assert found
    assert found.status == after


def test_marking_moves_an_item(quarantine: Quarantine) -> None:
    items = quarantine.put([reject(number) for number in range(4)])

    assert quarantine.mark(items[1], Status.RELEASED)
    assert quarantine.mark(items[2], Status.DISCARDED)

    assert quarantine.count() == {Status.HELD: 2, Status.RELEASED: 1, Status.DISCARDED: 1}
    assert payloads(quarantine.list()) == [b"bad 3", b"bad 0"]
    assert payloads(quarantine.list(status=Status.RELEASED)) == [b"bad 1"]
    assert payloads(quarantine.list(status=None)) == [b"bad 3", b"bad 2", b"bad 1", b"bad 0"]


def test_an_item_that_is_not_there(quarantine: Quarantine) -> None:
    quarantine.put([reject(1)])

    assert quarantine.get("nobody") is None
    assert quarantine.mark("nobody", Status.RELEASED) is False
    assert quarantine.list(after="nobody") == []


@pytest.mark.parametrize("status", [Status.HELD, None])
def test_pages_follow_each_other_while_items_come(quarantine: Quarantine, status: Status | None) -> None:
    quarantine.put([reject(number) for number in range(7)])
    pages = [quarantine.list(status=status, limit=3)]
    quarantine.put([reject(7), reject(3)])

    while page := quarantine.list(status=status, after=pages[-1][-1].id, limit=3):
        pages.append(page)

    assert [payloads(page) for page in pages] == [[b"bad 6", b"bad 5", b"bad 4"], [b"bad 3", b"bad 2", b"bad 1"], [b"bad 0"]]


def test_a_listing_is_bounded_in_items_and_bytes(quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine.put([reject(number) for number in range(9)])

    module = import_module(type(quarantine).__module__)
    monkeypatch.setattr(module, "MOST_ITEMS", 4)
    assert len(quarantine.list(limit=100)) == 4
    monkeypatch.setattr(module, "MOST_BYTES", 11)
    assert len(quarantine.list(limit=100)) == 2
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    assert len(quarantine.list(limit=100)) == 1


def test_threads_that_put_at_once_lose_nothing(quarantine: Quarantine) -> None:
    threads = [Thread(target=quarantine.put, args=[[reject(number), reject(0)]], daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert {item.reject.payload: item.times for item in quarantine.list()} == {b"bad %d" % n: 1 for n in range(1, 8)} | {
        b"bad 0": 9
    }


def test_a_damaged_item_is_named(embedded: SqliteQuarantine, path: Path) -> None:
    (item,) = embedded.put([reject(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE item SET payload = x'00'")

    with pytest.raises(QuarantineUnavailable, match=f"item {item} cannot be read back"):
        embedded.get(item)


def test_a_closed_quarantine_is_unavailable(embedded: SqliteQuarantine) -> None:
    embedded.close()

    with pytest.raises(QuarantineUnavailable, match="was closed"):
        embedded.put([reject(1)])


def test_a_backup_holds_the_same_items(embedded: SqliteQuarantine, tmp_path: Path, clock: Clock) -> None:
    embedded.put([reject(1)])

    embedded.backup(tmp_path / "copy.db")

    with closing(SqliteQuarantine(tmp_path / "copy.db", clock=clock)) as copy:
        assert embedded.list() == copy.list()


def test_a_payload_may_be_larger_than_an_item_of_the_table(in_dynamodb: DynamoQuarantine, ministack: Server, path: Path) -> None:
    large = Reject(Random(1).randbytes(1_000_000), "unreadable", "", "http")
    (item,) = in_dynamodb.put([large])

    assert in_dynamodb.list() == [Quarantined(item, large, Status.HELD, NOON_US, NOON_US, 1)]

    part = {"pk": {"S": f"quarantine#payload#{item}"}, "sk": {"S": "000002"}}
    ministack.client("dynamodb").delete_item(TableName=table_at(ministack, path), Key=part)
    with pytest.raises(QuarantineUnavailable, match=f"item {item} cannot be read back"):
        in_dynamodb.get(item)


def test_a_table_that_is_absent_is_unavailable(ministack: Server, clock: Clock) -> None:
    absent = DynamoQuarantine(ministack.client("dynamodb"), "absent", clock=clock, dice=Random())

    with pytest.raises(QuarantineUnavailable, match="absent"):
        absent.put([reject(1)])
    absent.close()


def test_what_others_do_meanwhile_is_seen(ministack: Server, in_dynamodb: DynamoQuarantine, path: Path, clock: Clock) -> None:
    def meanwhile(happens: Callable[[], object]) -> DynamoQuarantine:
        client = Meanwhile(ministack.client("dynamodb"), happens)
        return DynamoQuarantine(client, table_at(ministack, path), clock=clock, dice=Random())

    [made] = meanwhile(lambda: in_dynamodb.put([reject(1)])).put([reject(1)])
    assert meanwhile(lambda: in_dynamodb.mark(made, Status.DISCARDED)).mark(made, Status.RELEASED)

    item = in_dynamodb.get(made)
    assert item is not None
    assert (item.times, item.status) == (2, Status.RELEASED)
    assert in_dynamodb.count() == {Status.HELD: 0, Status.RELEASED: 1, Status.DISCARDED: 0}
