"""A DynamoDB client that counts write and read units by the documented rules, from the sizes of what is written and read.

Sources: Amazon DynamoDB Developer Guide, "Read and write operations" (1 KB a write unit, the larger of before and after; 4 KB a
read unit, half if eventually consistent; what a query reads is added up), "Amazon DynamoDB Transactions: How it works" (twice as
many), "DynamoDB item sizes and formats".
"""

from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Any

_WRITE_BYTES = 1024
_READ_BYTES = 4096

Key = tuple[str, str]


class Metered:
    """Passes requests on to ``client``; ``write_units`` and ``read_units`` are what they cost, ``stored`` the items' sizes."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.write_units = 0
        self.read_units = 0.0
        self.stored: dict[Key, int] = {}
        self.requests: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def request(**told: Any) -> Any:
            answer = getattr(self._client, name)(**told)
            self.requests[name] += 1
            getattr(self, f"_{name}")(told, answer)
            return answer

        return request

    def _transact_write_items(self, told: Any, _: Any) -> None:
        for item in told["TransactItems"]:
            ((kind, action),) = item.items()
            self.write_units += 2 * self._written(kind, action)

    def _put_item(self, told: Any, _: Any) -> None:
        self.write_units += self._written("Put", told)

    def _update_item(self, told: Any, _: Any) -> None:
        self.write_units += self._written("Update", told)

    def _delete_item(self, told: Any, _: Any) -> None:
        self.write_units += self._written("Delete", told)

    def _written(self, kind: str, action: Any) -> int:
        key = _key(action.get("Key") or action["Item"])
        before = self.stored.get(key, 0)
        match kind:
            case "Put":
                self.stored[key] = size(action["Item"])
            case "Update":
                changed = size(action["Key"]) + size(action.get("ExpressionAttributeValues", {}))
                self.stored[key] = max(before, changed)
            case "Delete":
                self.stored.pop(key, None)
        return max(1, ceil(max(before, self.stored.get(key, 0)) / _WRITE_BYTES))

    def _get_item(self, told: Any, answer: Any) -> None:
        self._read([size(answer["Item"])] if "Item" in answer else [0], consistent=told["ConsistentRead"])

    def _batch_get_item(self, told: Any, answer: Any) -> None:
        ((table, asked),) = told["RequestItems"].items()
        found = [size(item) for item in answer["Responses"].get(table, [])]
        self._read(found + [0] * (len(asked["Keys"]) - len(found)), consistent=asked["ConsistentRead"])

    def _query(self, told: Any, answer: Any) -> None:
        self._read([sum(map(size, answer["Items"]))], consistent=told["ConsistentRead"])

    def _read(self, sizes: list[int], *, consistent: bool) -> None:
        self.read_units += sum(max(1, ceil(one / _READ_BYTES)) for one in sizes) * (1 if consistent else 0.5)


def size(item: Mapping[str, Any]) -> int:
    """An item's bytes: names and values; a number takes about a byte for two digits."""
    return sum(len(name.encode()) + _value_size(*typed.items()) for name, typed in item.items())


def _value_size(typed: tuple[str, Any]) -> int:
    kind, value = typed
    if kind == "N":
        return len(str(value)) // 2 + 2
    return len(value.encode() if kind == "S" else value)


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]
