"""What boto3 makes of each fault of DynamoDB, and what the server has stored meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.aws.clients import Server
from tests.aws.faults import dynamodb as faults
from tests.aws.faults.connection import dropped_after
from tests.aws.faults.exchange import Fault
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import Rule, Script
from tests.aws.streams import fresh_name

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class Shore:
    """A table, and two ways to it: one through the faults, one beside them."""

    def __init__(self, name: str, faulty: "DynamoDBClient", honest: "DynamoDBClient", script: Script) -> None:
        self.name = name
        self.faulty = faulty
        self.honest = honest
        self.script = script

    def transact(self, *keys: str) -> None:
        self.faulty.transact_write_items(
            TransactItems=[{"Put": {"TableName": self.name, "Item": {"key": {"S": key}}}} for key in keys]
        )

    def keys(self) -> set[str]:
        return {item["key"]["S"] for item in self.honest.scan(TableName=self.name, ConsistentRead=True)["Items"]}


@contextmanager
def shore(server: Server, operation: str, fault: Fault) -> Iterator[Shore]:
    """The fault strikes the first call of its operation."""
    script = Script(Rule(operation, fault, times=1))
    honest = server.client("dynamodb")
    name = fresh_name("table")
    honest.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with faulty(server, script) as shaky:
        yield Shore(name, shaky.client("dynamodb"), honest, script)


def test_a_conflict_cancels_the_transaction_and_names_one_item(ministack: Server) -> None:
    with shore(ministack, "TransactWriteItems", faults.conflicted()) as ours:
        with pytest.raises(ours.faulty.exceptions.TransactionCanceledException) as refusal:
            ours.transact("a", "b", "c")

        reasons = [reason["Code"] for reason in refusal.value.response["CancellationReasons"]]
        assert sorted(reasons) == ["None", "None", "TransactionConflict"]
        assert f"[{', '.join(reasons)}]" in refusal.value.response["Error"]["Message"]
        assert ours.keys() == set()
        assert ours.script.injected == {"TransactionConflict": 1}


def test_the_server_s_own_cancellation_looks_the_same(ministack: Server) -> None:
    with shore(ministack, "None", faults.conflicted()) as ours:
        with pytest.raises(ours.faulty.exceptions.TransactionCanceledException) as refusal:
            ours.faulty.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": ours.name, "Item": {"key": {"S": "a"}}}},
                    {
                        "ConditionCheck": {
                            "TableName": ours.name,
                            "Key": {"key": {"S": "b"}},
                            "ConditionExpression": "attribute_exists(#k)",
                            "ExpressionAttributeNames": {"#k": "key"},
                        }
                    },
                ]
            )

        assert [reason["Code"] for reason in refusal.value.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]


@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"])
def test_a_throttled_transaction_stores_nothing(ministack: Server, code: str) -> None:
    with shore(ministack, "TransactWriteItems", faults.throttled(code)) as ours:
        with pytest.raises(ClientError) as refusal:
            ours.transact("a")

        assert refusal.value.response["Error"]["Code"] == code
        assert ours.keys() == set()


def test_a_transaction_may_be_committed_though_nobody_hears_of_it(ministack: Server) -> None:
    with shore(ministack, "TransactWriteItems", dropped_after()) as ours:
        with pytest.raises(ConnectionClosedError):
            ours.transact("a", "b")

        assert ours.keys() == {"a", "b"}


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 1, 1), (0.5, 5, 15), (1.0, 20, 20)])
def test_a_batch_write_hands_back_what_it_did_not_store(ministack: Server, share: float, least: int, most: int) -> None:
    everything = {f"{number}" for number in range(20)}
    with shore(ministack, "BatchWriteItem", faults.unprocessed(share)) as ours:
        told = ours.faulty.batch_write_item(
            RequestItems={ours.name: [{"PutRequest": {"Item": {"key": {"S": key}}}} for key in sorted(everything)]}
        )
        left = {request["PutRequest"]["Item"]["key"]["S"] for request in told["UnprocessedItems"][ours.name]}

        assert least <= len(left) <= most
        assert ours.keys() == everything - left

        ours.faulty.batch_write_item(RequestItems=told["UnprocessedItems"])

        assert ours.keys() == everything


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_batch_read_hands_back_what_it_did_not_look_up(ministack: Server, share: float) -> None:
    keys = [f"{number}" for number in range(10)]
    with shore(ministack, "BatchGetItem", faults.unprocessed(share)) as ours:
        ours.transact(*keys)
        told = ours.faulty.batch_get_item(
            RequestItems={ours.name: {"Keys": [{"key": {"S": key}} for key in keys], "ConsistentRead": True}}
        )
        found = {item["key"]["S"] for item in told["Responses"].get(ours.name, [])}
        left = told["UnprocessedKeys"][ours.name]

        assert left["ConsistentRead"]
        assert found.isdisjoint(key["key"]["S"] for key in left["Keys"])
        assert found | {key["key"]["S"] for key in left["Keys"]} == set(keys)
