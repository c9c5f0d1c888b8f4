"""The quarantine in a DynamoDB table, beside whatever else stands there.

Layout: ``quarantine`` holds the items by number, ``quarantine#id`` each item's number, ``quarantine#payload#id`` what does not
        fit into an item, in parts. Counts by status are an item, changed with what they count.
Order:  newest first, by a number that each new item gets. Told again, an item keeps it, and its newest reason and origin.
Writes: each reject is kept whole or not at all, with its count; of a call that raises, the first ones may be kept.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from time import sleep
from typing import Any, Final

import zstandard

from pipeline.dynamodb_table import Item, Key, Refused, Table, put, update
from pipeline.errors import QuarantineUnavailable
from pipeline.quarantine.identity import item_id
from pipeline.quarantine.port import Quarantined, Reject, Status

MOST_ITEMS: Final = 500
MOST_BYTES: Final = 16 << 20
_PART_BYTES: Final = 300_000
_LEVEL: Final = 3
_FIRST_PAGE: Final = 8
_ITEMS: Final = "quarantine"
_COUNTS: Final = Key("quarantine#counts", "counts")


class DynamoQuarantine:
    """The quarantine in ``table``. ``clock`` gives microseconds since the epoch, ``dice`` tokens and jitter.

    Every method raises ``QuarantineUnavailable``.
    """

    def __init__(
        self, client: Any, table: str, *, clock: Callable[[], int], dice: Random, pause: Callable[[float], None] = sleep
    ) -> None:
        self._table = Table(client, table, QuarantineUnavailable, dice=dice, pause=pause)
        self._clock = clock
        self._dice = dice

    def put(self, rejects: Sequence[Reject]) -> list[str]:
        """Keep each reject; returns their ids in order. A known one is counted again, and held again if it was released."""
        return [self._put(reject) for reject in rejects]

    def list(self, *, status: Status | None = Status.HELD, after: str = "", limit: int = 50) -> list[Quarantined]:
        """At most ``limit`` (and 500) items of ``status`` (None: of any), newest first, behind the item ``after``."""
        number = self._number(after) if after else None
        if after and number is None:
            return []
        found: list[Quarantined] = []
        size = 0
        high = "" if number is None else _item(number).sk
        for item in self._table.query(_ITEMS, "", high, descending=True, first_page=_FIRST_PAGE):
            if status not in (None, item["status"]):
                continue
            quarantined = self._quarantined(item)
            size += len(quarantined.reject.payload)
            if found and size > MOST_BYTES:
                break
            found.append(quarantined)
            if len(found) == min(limit, MOST_ITEMS):
                break
        return found

    def get(self, item_id: str) -> Quarantined | None:
        """One item, or None."""
        item = self._item(item_id)
        return self._quarantined(item) if item else None

    def mark(self, item_id: str, status: Status) -> bool:
        """Set an item's status; False if there is no such item."""
        while item := self._item(item_id):
            before = Status(str(item["status"]))
            if before == status or self._change(item, before, status, {}):
                return True
        return False

    def count(self) -> dict[Status, int]:
        """How many items have each status, zero included."""
        counts = self._table.get(_COUNTS) or {}
        return {status: int(counts.get(status, 0)) for status in Status}

    def close(self) -> None:
        """Nothing is held open."""

    def _put(self, reject: Reject) -> str:
        reject_id = item_id(reject)
        told: Item = {"reason": reject.reason, "field": reject.field, "origin": reject.origin, "last": self._clock()}
        while True:
            item = self._item(reject_id)
            if item is None:
                kept = self._make(reject_id, reject, told)
            else:
                before = Status(str(item["status"]))
                kept = self._change(item, before, Status.HELD if before is Status.RELEASED else before, told)
            if kept:
                return reject_id

    def _make(self, reject_id: str, reject: Reject, told: Item) -> bool:
        """Keep a new item; False if somebody else just did."""
        payload = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(reject.payload)
        parts = [payload[begin : begin + _PART_BYTES] for begin in range(0, len(payload), _PART_BYTES)]
        for number, part in enumerate(parts[1:], 1):  # first: what is read, is whole
            self._table.write(put(_part(reject_id, number), {"payload": part}))
        number = self._table.count_on(_COUNTS, 1)
        item: Item = {"id": reject_id, "status": Status.HELD, "first": told["last"], "times": 1, "parts": len(parts)}
        return self._write(
            put(_number(reject_id), {"number": number}, "attribute_not_exists(pk)"),
            put(_item(number), {**item, **told, "payload": parts[0]}),
            _counted(Status.HELD, None),
        )

    def _change(self, item: Item, before: Status, after: Status, told: Item) -> bool:
        """Tell an item again, or (``told`` empty) only mark it; False if its status changed meanwhile."""
        sets = ["#status = :after", *(f"#{name} = :{name}" for name in told), *(["#times = #times + :one"] if told else [])]
        values: Item = {"after": after, "before": before, **told, **({"one": 1} if told else {})}
        change = update(_item_key(item), f"SET {', '.join(sets)}", "#status = :before", values)
        return self._write(change, *([_counted(after, before)] if after != before else []))

    def _write(self, *actions: Any) -> bool:
        try:
            self._table.transact(actions, f"{self._dice.getrandbits(128):032x}")
        except Refused:
            return False
        return True

    def _number(self, reject_id: str) -> int | None:
        found = self._table.get(_number(reject_id))
        return int(found["number"]) if found else None

    def _item(self, reject_id: str) -> Item | None:
        number = self._number(reject_id)
        return None if number is None else self._table.get(_item(number))

    def _quarantined(self, item: Item) -> Quarantined:
        reject_id = str(item["id"])
        try:
            payload = zstandard.ZstdDecompressor().decompress(b"".join(self._parts(item)))
        except zstandard.ZstdError as broken:
            message = f"item {reject_id} cannot be read back: {broken}"
            raise QuarantineUnavailable(message) from broken
        reject = Reject(payload, str(item["reason"]), str(item["field"]), str(item["origin"]))
        return Quarantined(
            reject_id, reject, Status(str(item["status"])), int(item["first"]), int(item["last"]), int(item["times"])
        )

    def _parts(self, item: Item) -> Iterator[bytes]:
        keys = [_part(str(item["id"]), number) for number in range(1, int(item["parts"]))]
        found = self._table.get_many(keys)
        for part in (item, *(found.get(key, {}) for key in keys)):
            payload = part.get("payload", b"")
            yield payload if isinstance(payload, bytes) else b""


def _item(number: int) -> Key:
    return Key(_ITEMS, f"{number:020}")


def _item_key(item: Item) -> Key:
    return Key(str(item["pk"]), str(item["sk"]))


def _number(reject_id: str) -> Key:
    return Key("quarantine#id", reject_id)


def _part(reject_id: str, number: int) -> Key:
    return Key(f"quarantine#payload#{reject_id}", f"{number:06}")


def _counted(now: Status, before: Status | None) -> Any:
    """One more of a status, and one less of another."""
    if before is None:
        return update(_COUNTS, f"ADD #{now} :one", "", {"one": 1})
    return update(_COUNTS, f"ADD #{now} :one, #{before} :less", "", {"one": 1, "less": -1})
