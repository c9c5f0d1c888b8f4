"""Keeping a generation from being committed to, while another takes its place.

The generation's record and each of its checkpoints are marked, in this order, and no commit is kept where there is a mark. What
counts is the record's mark: a checkpoint whose mark is not the record's is stale, and whoever meets it takes it away. A mark has
an end, after which anybody may take it off the record; a switch that lost its mark is refused.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from random import Random
from time import sleep
from typing import Final

from pipeline.dynamodb_table import Action, Item, Key, Refused, Table, check, update
from projections.errors import GenerationGone, StoreUnavailable
from projections.stores.dynamodb.layout import Places

_LASTS_US: Final = 600_000_000
_PAUSE_SECONDS: Final = 0.05
_PAUSES: Final = 200
"""Ten seconds, as long as SQLite's store waits for a lock."""
_FREE: Final = "attribute_exists(pk) AND attribute_not_exists(#frozen)"


class Freezer:
    """Marks, and those who wait for their end. ``clock`` gives microseconds since the epoch."""

    def __init__(self, table: Table, *, clock: Callable[[], int], dice: Random, pause: Callable[[float], None] = sleep) -> None:
        self._table = table
        self._clock = clock
        self._dice = dice
        self._pause = pause

    def freeze(self, places: Places, record: Key) -> str:
        """Keep a generation from being committed to; returns the mark. Raises ``StoreUnavailable`` if it is marked already."""
        mark = f"{self._dice.getrandbits(128):032x}"
        values: Item = {"mark": mark, "until": self._clock() + _LASTS_US}
        try:
            condition = "attribute_exists(pk) AND (attribute_not_exists(#frozen) OR #frozen = :mark)"
            self._table.write(update(record, "SET #frozen = :mark, #until = :until", condition, values))
        except Refused:
            self._end_if_over(record)
            message = f"{record.sk} is being switched by another process"
            raise StoreUnavailable(message) from None
        for item in self._table.query(places.checkpoints):
            self._table.write(update(places.checkpoint(str(item["sk"])), "SET #frozen = :mark", "", {"mark": mark}))
        return mark

    def thaw(self, record: Key, mark: str) -> None:
        """Take a mark off the record, if it is there still."""
        with suppress(Refused):
            self._table.write(update(record, "REMOVE #frozen, #until", "#frozen = :mark", {"mark": mark}))

    def thawed(self, record: Key, keys: Collection[Key]) -> dict[Key, Item]:
        """These items of a generation, read when none of them was marked. Raises ``StoreUnavailable`` after ten seconds."""
        for _ in range(_PAUSES):
            found = self._table.get_many(keys)
            marked = {key: str(item["frozen"]) for key, item in found.items() if "frozen" in item}
            if not marked:
                return found
            if self._end_if_over(record):
                self._pause(_PAUSE_SECONDS)
                continue
            for key, mark in marked.items():
                self.thaw(key, mark)
        message = f"{record.sk} is being switched; try again"
        raise StoreUnavailable(message)

    def changing(self, record: Key, action: Action) -> None:
        """Write something of a generation when it is not marked. Raises ``GenerationGone`` if it is no more."""
        while record in self.thawed(record, [record]):
            with suppress(Refused):
                if action.key == record:
                    self._table.write(action._replace(condition=_FREE))
                else:
                    self._table.transact([check(record, _FREE), action], f"{self._dice.getrandbits(128):032x}")
                return
        message = f"{record.sk} is gone"
        raise GenerationGone(message)

    def _end_if_over(self, record: Key) -> bool:
        """Take off a mark that is over; returns whether one that is not is there."""
        item = self._table.get(record) or {}
        if "frozen" in item and int(item["until"]) < self._clock():
            self.thaw(record, str(item["frozen"]))
            return False
        return "frozen" in item
