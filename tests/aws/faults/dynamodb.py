"""How DynamoDB fails, in its own words.

Sources: Amazon DynamoDB API Reference, "TransactWriteItems", "BatchWriteItem", "BatchGetItem"; Developer Guide,
"Error handling with DynamoDB", "Transaction conflict handling in DynamoDB".
"""

from random import Random
from typing import Any

from tests.aws.faults.connection import refused
from tests.aws.faults.exchange import Answer, Call, Fault, answer, error

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


def throttled(code: str = "ProvisionedThroughputExceededException") -> Fault:
    """The whole call is refused; ``code`` may also be ``ThrottlingException`` or ``RequestLimitExceeded``."""
    return refused(code)


def conflicted() -> Fault:
    """TransactWriteItems is cancelled, for another write holds one of its items."""
    return cancelled("TransactionConflict", "Transaction is ongoing for the item")


def cancelled(reason: str, message: str) -> Fault:
    """TransactWriteItems is cancelled for one of its items, drawn by lot; the reasons of the others are ``None``."""

    def play(call: Call) -> Answer:
        count = len(call.request.json["TransactItems"])
        reasons: list[dict[str, str]] = [{"Code": "None"} for _ in range(count)]
        reasons[call.dice.randrange(count)] = {"Code": reason, "Message": message}
        told = ", ".join(each["Code"] for each in reasons)
        said = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{told}]"
        return error(f"{_NAMESPACE}TransactionCanceledException", said, Message=said, CancellationReasons=reasons)

    return Fault(reason, play)


def unprocessed(share: float = 0.5) -> Fault:
    """BatchWriteItem or BatchGetItem leaves some of its items undone and hands them back.

    Each is left with probability ``share``, and at least one is. An answer may well leave all of them.
    """

    def play(call: Call) -> Answer:
        asked = call.request.json
        writing = call.request.operation == "BatchWriteItem"
        done, left = _dealt(asked["RequestItems"], share, call.dice)
        given = call.pass_on(call.request.with_json({**asked, "RequestItems": done})) if done else _nothing(writing=writing)
        if not given.ok:
            return given
        told = given.json
        member = "UnprocessedItems" if writing else "UnprocessedKeys"
        return given.with_json({**told, member: _merged(told.get(member) or {}, left)})

    return Fault("unprocessed", play)


def _nothing(*, writing: bool) -> Answer:
    return answer({} if writing else {"Responses": {}})


def _dealt(tables: dict[str, Any], share: float, dice: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """The requests to do and those to leave, by table."""
    places = [(table, index) for table, asked in tables.items() for index in range(len(_items(asked)))]
    left = {place for place in places if dice.random() < share} or {dice.choice(places)}
    parts = []
    for wanted in (False, True):
        part = {
            table: _with_items(asked, [item for index, item in enumerate(_items(asked)) if ((table, index) in left) == wanted])
            for table, asked in tables.items()
        }
        parts.append({table: asked for table, asked in part.items() if _items(asked)})
    return parts[0], parts[1]


def _items(asked: Any) -> list[Any]:
    """The items of one table: BatchGetItem names them ``Keys``, beside what it wants of them."""
    items: list[Any] = asked if isinstance(asked, list) else asked["Keys"]
    return items


def _with_items(asked: Any, items: list[Any]) -> Any:
    return items if isinstance(asked, list) else {**asked, "Keys": items}


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = dict(one)
    for table, asked in other.items():
        merged[table] = _with_items(asked, [*_items(merged[table]), *_items(asked)]) if table in merged else asked
    return merged
