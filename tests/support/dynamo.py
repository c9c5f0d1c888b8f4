"""Stores in DynamoDB tables of local servers: a table for each folder that a test has, and a client that fails when told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Lock
from time import sleep
from typing import Any

from botocore.exceptions import ClientError

from projections.stores.dynamodb import EVERY_LANE, DynamoStore, Keeping, Lane
from projections.stores.dynamodb.generation import DynamoGeneration
from projections.stores.port import Generation
from tests.aws.clients import Server
from tests.support.spine import frozen_clock

_making = Lock()
_made: set[tuple[str, str]] = set()


def make_table(server: Server, name: str) -> str:
    """A table as the infrastructure has it, made if it is absent."""
    with _making:
        if (server.url, name) not in _made:
            client = server.client("dynamodb")
            client.create_table(
                TableName=name,
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                AttributeDefinitions=[
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            _made.add((server.url, name))
    return name


def table_at(server: Server, folder: Path) -> str:
    """The table that a test has instead of a folder."""
    return make_table(server, f"table-{sha256(str(folder).encode()).hexdigest()[:16]}")


def dynamo_store(
    server: Server,
    table: str,
    *,
    clock: Callable[[], int] = frozen_clock,
    lane: Lane = EVERY_LANE,
    keeping: Keeping | None = None,
    client: Any = None,
    pause: Callable[[float], None] = sleep,
) -> DynamoStore:
    client = client or server.client("dynamodb")
    return DynamoStore(client, table, clock=clock, dice=Random(), pause=pause, lane=lane, keeping=keeping or Keeping())


class Failing:
    """A client whose n-th request, counted from 0, is refused, or (``kept``) carried out without an answer."""

    def __init__(self, client: Any, at: int, *, failure: Callable[[str], Exception]) -> None:
        self._client = client
        self._left = at
        self._failure = failure

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def request(**told: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                raise self._failure(name)
            return getattr(self._client, name)(**told)

        return request


class Meanwhile:
    """A client before whose next transaction something else happens."""

    def __init__(self, client: Any, happens: Callable[[], object]) -> None:
        self._client = client
        self._waiting = [happens]

    def __getattr__(self, name: str) -> Any:
        if name == "transact_write_items" and self._waiting:
            self._waiting.pop()()
        return getattr(self._client, name)


def denied(operation: str) -> ClientError:
    """What no retry mends."""
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)


@contextmanager
def failing_dynamodb(generation: Generation, at: int) -> Iterator[None]:
    assert isinstance(generation, DynamoGeneration)
    table = generation._table
    whole = table._client
    table._client = Failing(whole, at, failure=denied)
    try:
        yield
    finally:
        table._client = whole
