"""One DynamoDB table behind plain items: what is refused, what is tried again, what is asked for twice."""

from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from pipeline.dynamodb_table import Action, Item, Key, Refused, Table, check, delete, item_bytes, key_of, put, update
from tests.aws.clients import Server
from tests.support.dynamo import make_table


class TableDown(Exception):
    """The caller's own error."""


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def table(ministack: Server, pauses: list[float]) -> Table:
    name = make_table(ministack, f"t-{Random().getrandbits(64):016x}")
    return Table(ministack.client("dynamodb"), name, TableDown, dice=Random(1), pause=pauses.append)


def numbered(number: int) -> Key:
    return Key("p", f"{number:03}")


def fill(table: Table, count: int, item: Item | None = None) -> None:
    for number in range(count):
        table.write(put(numbered(number), {"n": number, **(item or {})}))


def told(code: str, *reasons: str) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "told"}, "CancellationReasons": [{"Code": reason} for reason in reasons]}
    return ClientError(answer, "operation")


class Scripted:
    """A client that answers, or raises, what stands in a list."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        def request(**asked: Any) -> Any:
            self.asked.append(asked)
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return request


def scripted(*answers: Any) -> tuple[Table, Scripted]:
    client = Scripted(*answers)
    return Table(client, "t", TableDown, dice=Random(1), pause=lambda _: None), client


def test_an_item_comes_back_as_it_was_put(table: Table) -> None:
    item: Item = {"text": "é", "number": -(10**30), "bytes": b"\0\xff"}
    table.write(put(numbered(1), item))

    assert table.get(numbered(1)) == {"pk": "p", "sk": "001", **item}
    assert key_of({"pk": "p", "sk": "001"}) == numbered(1)
    assert table.get(numbered(2)) is None


def test_a_partition_is_read_in_order_and_within_bounds(table: Table) -> None:
    fill(table, 9)

    def found(*bounds: str, **how: Any) -> list[Any]:
        return [int(str(item["sk"])) for item in table.query("p", *bounds, **how)]

    assert found() == list(range(9))
    assert found(descending=True, first_page=1) == list(range(8, -1, -1))
    assert found("003", "006") == [3, 4, 5]
    assert found("003") == [3, 4, 5, 6, 7, 8]
    assert found("", "003") == [0, 1, 2]
    assert found("003", "003") == found("004", "003") == []
    assert next(iter(table.query("p", keys_only=True))) == {"pk": "p", "sk": "000"}


def test_a_bound_without_items_behind_it_is_the_end(table: Table) -> None:
    fill(table, 2)

    assert list(table.query("p", "005")) == []
    assert list(table.query("elsewhere")) == []


def test_hundreds_of_items_are_found_and_deleted_at_once(table: Table) -> None:
    fill(table, 130)

    assert len(table.get_many([numbered(number) for number in range(260)])) == 130
    table.delete_many(numbered(number) for number in range(60))
    assert len(table.get_many([numbered(number) for number in range(130)], consistent=False)) == 70


def test_what_was_not_processed_is_asked_for_again() -> None:
    key = {"pk": {"S": "p"}, "sk": {"S": "001"}}
    table, client = scripted(
        {"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [key]}}},
        {"Responses": {"t": [key]}},
        {"UnprocessedItems": {"t": [{"DeleteRequest": {"Key": key}}]}},
        {},
    )

    assert list(table.get_many([numbered(1)])) == [numbered(1)]
    table.delete_many([numbered(1)])
    assert len(client.asked) == 4


def test_a_condition_that_does_not_hold_refuses(table: Table) -> None:
    table.write(put(numbered(1), {"n": 1}, "attribute_not_exists(pk)"))

    with pytest.raises(Refused):
        table.write(put(numbered(1), {"n": 2}, "attribute_not_exists(pk)"))
    with pytest.raises(Refused):
        table.write(delete(numbered(1), "#n = :n", {"n": 2}))
    with pytest.raises(Refused):
        table.transact([put(numbered(2), {}), check(numbered(1), "#n = :n", {"n": 2})], "token")

    assert table.get(numbered(2)) is None
    table.write(update(numbered(1), "SET #n = :n", "#n = :m", {"n": 3, "m": 1}))
    assert table.get(numbered(1)) == {"pk": "p", "sk": "001", "n": 3}


def test_an_item_s_number_is_counted_on(table: Table) -> None:
    assert [table.count_on(numbered(1), 2) for _ in range(3)] == [2, 4, 6]


@pytest.mark.parametrize(
    "failure",
    [
        told("ThrottlingException"),
        told("ProvisionedThroughputExceededException"),
        told("TransactionCanceledException", "None", "TransactionConflict"),
        told("TransactionConflictException"),
        told("TransactionInProgressException"),
        ClientError({"Error": {"Code": "503"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "get_item"),  # type: ignore[typeddict-item]
        EndpointConnectionError(endpoint_url="http://nowhere"),
    ],
    ids=repr,
)
def test_what_may_pass_is_tried_again(failure: Exception) -> None:
    table, client = scripted(failure, failure, {})

    assert table.get(numbered(1)) is None
    assert len(client.asked) == 3


@pytest.mark.parametrize(
    "failure",
    [told("ValidationException"), told("TransactionCanceledException", "ValidationError"), NoCredentialsError()],
    ids=repr,
)
def test_what_cannot_pass_is_raised_at_once(failure: Exception) -> None:
    table, client = scripted(failure)

    with pytest.raises(TableDown, match=r"^t: "):
        table.get(numbered(1))
    assert len(client.asked) == 1


def test_what_does_not_pass_is_raised_after_pauses_that_grow(pauses: list[float]) -> None:
    client = Scripted(*[told("ThrottlingException")] * 8)
    table = Table(client, "t", TableDown, dice=Random(1), pause=pauses.append)

    with pytest.raises(TableDown):
        table.get(numbered(1))

    assert len(client.asked) == 8
    assert len(pauses) == 7
    assert all(0 <= pause <= 0.05 * 2**number for number, pause in enumerate(pauses, 1))


def test_sizes_are_those_that_are_billed() -> None:
    assert item_bytes({"é": "aé", "b": b"12", "n": 5}) == (2 + 3) + (1 + 2) + (1 + 21)
    assert Action("Put", Key("p", "s"), {"a": "b"}).size() == 2 + 1 + 2 + 1 + 1 + 1
