"""One DynamoDB table, through boto3's low-level client: plain items in and out, retries, and errors told as the caller's own.

Items:    dictionaries of text, integers and bytes; ``pk`` and ``sk`` are the key, ``expires`` (seconds since the epoch) its TTL.
Reading:  strongly consistent unless said otherwise.
Retries:  throttling, conflicting transactions, faults of the service and of the network are tried again, with full jitter.
          Writes are such that doing them twice is harmless: by condition, or by the transaction's token.
Errors:   ``Refused`` where a condition did not hold; else, once the attempts are used up, the error that the constructor names.
Source: Amazon DynamoDB Developer Guide, "Error handling with DynamoDB", "Amazon DynamoDB Transactions: How it works", "Service,
account, and table quotas in Amazon DynamoDB", "DynamoDB item sizes and formats".
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from time import sleep
from typing import Any, Final, Literal, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError  # noqa: A004  # botocore's name

Value = str | int | bytes
Item = dict[str, Value]

MOST_ACTIONS: Final = 100
MOST_BYTES: Final = 4_000_000
MOST_ITEM_BYTES: Final = 400 * 1024
"""Of one transaction, and of one item."""

EXPIRES: Final = "expires"
"""The attribute for which TTL is switched on."""

_GET_KEYS: Final = 100
_WRITE_KEYS: Final = 25
_NUMBER_BYTES: Final = 21
_SERVER_FAULT: Final = 500
_PASSING: Final = {
    "InternalServerError",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_PASSING_REASONS: Final = {
    "None",
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "InternalServerError",
}


class Key(NamedTuple):
    """Where an item stands."""

    pk: str
    sk: str


class Refused(Exception):
    """A condition did not hold; nothing was written. Do: read again and decide anew; whoever calls the table handles it."""


class Action(NamedTuple):
    """One write, for a transaction or alone. ``values`` are what ``expression`` and ``condition`` name as ``:name``.

    Attributes are named in both as ``#name``. ``put`` writes ``item`` whole; ``check`` writes nothing.
    """

    kind: Literal["Put", "Update", "Delete", "ConditionCheck"]
    key: Key
    item: Item = {}  # noqa: RUF012  # never changed
    expression: str = ""
    condition: str = ""
    values: Mapping[str, Value] = {}

    def size(self) -> int:
        """The bytes that it counts for at least; an update is counted by what it sets."""
        return item_bytes({"pk": self.key.pk, "sk": self.key.sk, **self.item, **self.values})


def put(key: Key, item: Item, condition: str = "", values: Mapping[str, Value] | None = None) -> Action:
    """Write an item whole."""
    return Action("Put", key, item, condition=condition, values=values or {})


def update(key: Key, expression: str, condition: str = "", values: Mapping[str, Value] | None = None) -> Action:
    """Change some attributes of an item, which is made if it is absent and no condition says otherwise."""
    return Action("Update", key, expression=expression, condition=condition, values=values or {})


def delete(key: Key, condition: str = "", values: Mapping[str, Value] | None = None) -> Action:
    """Delete an item; none there is fine, unless a condition says otherwise."""
    return Action("Delete", key, condition=condition, values=values or {})


def check(key: Key, condition: str, values: Mapping[str, Value] | None = None) -> Action:
    """Ask for a condition, in a transaction."""
    return Action("ConditionCheck", key, condition=condition, values=values or {})


def item_bytes(item: Mapping[str, Value]) -> int:
    """An item's size as it is billed, at most."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Value) -> int:
    return _NUMBER_BYTES if isinstance(value, int) else len(value.encode() if isinstance(value, str) else value)


class Table:
    """The table of this name. ``unavailable`` makes the error of a message; ``dice`` and ``pause`` (seconds) are for retries."""

    def __init__(
        self,
        client: Any,
        name: str,
        unavailable: Callable[[str], Exception],
        *,
        dice: Random,
        pause: Callable[[float], None] = sleep,
        attempts: int = 8,
        first_pause_seconds: float = 0.05,
    ) -> None:
        self._client = client
        self.name = name
        self._unavailable = unavailable
        self._dice = dice
        self._pause = pause
        self._attempts = attempts
        self._first_pause_seconds = first_pause_seconds

    def get(self, key: Key) -> Item | None:
        """One item, or None."""
        found = self._call("get_item", TableName=self.name, Key=_typed(key._asdict()), ConsistentRead=True).get("Item")
        return _plain(found) if found else None

    def get_many(self, keys: Collection[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """Those of these items that exist."""
        left = [_typed(key._asdict()) for key in dict.fromkeys(keys)]
        found: dict[Key, Item] = {}
        while left:
            some, left = left[:_GET_KEYS], left[_GET_KEYS:]
            asked = {self.name: {"Keys": some, "ConsistentRead": consistent}}
            answer = self._call("batch_get_item", RequestItems=asked)
            items = map(_plain, answer["Responses"].get(self.name, []))
            found |= {key_of(item): item for item in items}
            if unprocessed := answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", []):
                left += unprocessed
                self._rest(1)
        return found

    def query(
        self, pk: str, low: str = "", high: str = "", *, descending: bool = False, first_page: int = 0, keys_only: bool = False
    ) -> Iterator[Item]:
        """The items of a partition with ``low <= sk < high`` ("": no bound), in order, read as they are asked for.

        ``first_page`` limits how many the first request reads; each further one may read twice as many as the one before.
        """
        if high and low >= high:
            return
        asked: dict[str, Any] = {"TableName": self.name, "ConsistentRead": True, "ScanIndexForward": not descending}
        asked |= _range(pk, low, high)
        if keys_only:
            asked |= {"ProjectionExpression": "pk, sk"}
        limit = first_page
        while True:
            answer = self._call("query", **asked, **({"Limit": limit} if limit else {}))
            yield from (item for item in map(_plain, answer["Items"]) if not high or item["sk"] != high)
            if "LastEvaluatedKey" not in answer:
                return
            asked["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            limit *= 2

    def write(self, action: Action) -> None:
        """One write alone. Raises ``Refused``."""
        name = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[action.kind]
        self._call(name, **self._request(action))

    def count_on(self, key: Key, number: int) -> int:
        """Count an item's ``number`` on by so many; returns what it is then. After a lost answer, numbers may be left out."""
        update = {"UpdateExpression": "ADD #number :number", "ExpressionAttributeNames": {"#number": "number"}}
        values = _typed({":number": number})
        answer = self._call(
            "update_item",
            TableName=self.name,
            Key=_typed(key._asdict()),
            ExpressionAttributeValues=values,
            ReturnValues="UPDATED_NEW",
            **update,
        )
        return int(answer["Attributes"]["number"]["N"])

    def transact(self, actions: Sequence[Action], token: str) -> None:
        """All of them or none. Raises ``Refused``. With the same ``token`` (36 characters) and actions it counts once."""
        items = [{action.kind: self._request(action)} for action in actions]
        self._call("transact_write_items", TransactItems=items, ClientRequestToken=token)

    def delete_many(self, keys: Iterable[Key]) -> None:
        """Delete items, some after others."""
        waiting = iter(keys)
        left: list[Any] = []
        while left or (left := [{"DeleteRequest": {"Key": _typed(k._asdict())}} for k in islice(waiting, _WRITE_KEYS)]):
            answer = self._call("batch_write_item", RequestItems={self.name: left})
            if left := answer.get("UnprocessedItems", {}).get(self.name, []):
                self._rest(1)

    def _request(self, action: Action) -> dict[str, Any]:
        request: dict[str, Any] = {"TableName": self.name}
        if action.kind == "Put":
            request["Item"] = _typed({**action.key._asdict(), **action.item})
        else:
            request["Key"] = _typed(action.key._asdict())
        if action.expression:
            request["UpdateExpression"] = action.expression
        if action.condition:
            request["ConditionExpression"] = action.condition
        names = {word for word in _words(f"{action.expression} {action.condition}") if word.startswith("#")}
        if names:
            request["ExpressionAttributeNames"] = {name: name[1:] for name in names}
        if action.values:
            request["ExpressionAttributeValues"] = _typed({f":{name}": value for name, value in action.values.items()})
        return request

    def _call(self, name: str, **request: Any) -> Any:
        """A request, tried again while what fails may pass."""
        attempt = 1
        while True:
            try:
                return getattr(self._client, name)(**request)
            except (BotoCoreError, ClientError) as failure:
                if not _may_pass(failure) or attempt == self._attempts:
                    message = f"{self.name}: {failure}"
                    raise self._unavailable(message) from failure
            self._rest(attempt)
            attempt += 1

    def _rest(self, attempt: int) -> None:
        self._pause(self._dice.uniform(0, self._first_pause_seconds * 2**attempt))


def key_of(item: Item) -> Key:
    """Where an item that was read stands."""
    return Key(str(item["pk"]), str(item["sk"]))


def _may_pass(failure: BotoCoreError | ClientError) -> bool:
    """Whether a failure may pass by itself. Raises ``Refused`` if it is a condition that did not hold."""
    if not isinstance(failure, ClientError):
        return isinstance(failure, ConnectionError | HTTPClientError)
    code = failure.response["Error"]["Code"]
    reasons = {reason.get("Code", "None") for reason in failure.response.get("CancellationReasons", [])}
    if code == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons:
        raise Refused from failure
    if code == "TransactionCanceledException":
        return bool(reasons) and reasons <= _PASSING_REASONS
    return code in _PASSING or failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_FAULT


def _range(pk: str, low: str, high: str) -> dict[str, Any]:
    """A key condition: one on the sort key at most, and BETWEEN includes ``high``, which the caller leaves out."""
    condition, values = "pk = :pk", {":pk": pk}
    if low and high:
        condition, values = f"{condition} AND sk BETWEEN :low AND :high", values | {":low": low, ":high": high}
    elif low or high:
        condition, values = f"{condition} AND sk {'>=' if low else '<'} :bound", values | {":bound": low or high}
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": _typed(values)}


def _words(expression: str) -> list[str]:
    return "".join(char if char.isalnum() or char in "_#:" else " " for char in expression).split()


def _typed(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _typed_value(value) for name, value in item.items()}


def _typed_value(value: Value) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case _:
            return {"B": value}


def _plain(item: Mapping[str, Any]) -> Item:
    return {name: _plain_value(typed) for name, typed in item.items()}


def _plain_value(typed: Mapping[str, Any]) -> Value:
    ((kind, value),) = typed.items()
    return int(value) if kind == "N" else bytes(value) if kind == "B" else str(value)
