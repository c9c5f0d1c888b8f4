"""All generations in one table, and which of them serves.

Switch:  the serving generation is kept from being committed to (``freeze``), then one transaction changes both records.
Drop:    the record goes at once; rows go an hour later, when somebody next builds or sweeps, so that readers can finish.
         ``projections.sweep`` does so every hour.
Numbers: a dropped generation's number may be given again, its prefix never.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from time import sleep
from typing import Any, Final

from pipeline.dynamodb_table import EXPIRES, Item, Key, Refused, Table, delete, key_of, put, update
from projections.errors import GenerationGone, RebuildRunning, StoreUnavailable
from projections.stores.dynamodb import directory, layout
from projections.stores.dynamodb.freeze import Freezer
from projections.stores.dynamodb.generation import DynamoGeneration
from projections.stores.dynamodb.keeping import Expiry, Keeping
from projections.stores.dynamodb.layout import EVERY_LANE, STORE, Lane, Places
from projections.stores.dynamodb.rows import blob_of
from projections.stores.port import GenerationInfo, Status

_LEASE_US: Final = 3_600_000_000
"""A build that commits nothing for so long is dead."""
_READERS_US: Final = 3_600_000_000
"""How long readers of a dropped generation may go on."""


class DynamoStore:
    """Generations in ``table``, which has the keys ``pk`` and ``sk`` (text) and TTL on ``expires``. Any thread may use it.

    ``client`` is boto3's low-level one; ``clock`` gives microseconds since the epoch, ``dice`` names and jitter, ``pause`` waits
    for seconds. What is opened writes ``lane`` only: with a shard's, several stores fold several shards of a projection at once.
    """

    def __init__(
        self,
        client: Any,
        table: str,
        *,
        clock: Callable[[], int],
        dice: Random,
        pause: Callable[[float], None] = sleep,
        lane: Lane = EVERY_LANE,
        keeping: Keeping = Keeping(),  # noqa: B008  # frozen
    ) -> None:
        self._table = Table(client, table, StoreUnavailable, dice=dice, pause=pause)
        self._clock = clock
        self._dice = dice
        self._lane = lane
        self._expiry = Expiry(keeping, clock)
        self._freezer = Freezer(self._table, clock=clock, dice=dice, pause=pause)
        self._leases: dict[str, tuple[str, int]] = {}

    def generations(self, projection: str) -> list[GenerationInfo]:
        """All builds of a projection, by number."""
        return [_info(item) for item in self._records(projection)]

    def serving(self) -> dict[str, GenerationInfo]:
        """The build of each projection that readers get."""
        infos = map(_info, self._table.query(STORE, "gen#", "gen$"))
        return {info.projection: info for info in infos if info.status is Status.SERVING}

    def create(self, projection: str, version: int, *, serving: bool) -> GenerationInfo:
        """A new, empty generation; with ``serving``, the one that serves already if there is one."""
        status = Status.SERVING if serving else Status.BUILDING
        while True:
            head = self._table.get(layout.head(projection))
            known = self.generations(projection)
            if serving and (there := next((info for info in known if info.status is Status.SERVING), None)):
                return there
            number = max((info.number for info in known), default=0) + 1
            info = GenerationInfo(projection, number, version, status, self._clock())
            with suppress(Refused):
                self._make(info, int(head["made"]) if head else 0)
                return info

    def open(self, info: GenerationInfo) -> DynamoGeneration:
        """A generation, to write or to read. Raises ``GenerationGone``."""
        item = self._table.get(layout.record(info.projection, info.number))
        if item is None:
            message = f"generation {info.number} of {info.projection} is gone"
            raise GenerationGone(message)
        return DynamoGeneration(
            self._table,
            info,
            str(item["prefix"]),
            lane=self._lane,
            expiry=self._expiry,
            freezer=self._freezer,
            on_commit=lambda: self._prolong(info.projection),
        )

    def switch(self, info: GenerationInfo, catch_up: Callable[[], None]) -> None:
        """Catch up while the serving one takes no commits, then let the built one serve."""
        former = next((item for item in self._records(info.projection) if _info(item).status is Status.SERVING), None)
        if former is None:
            catch_up()
            self._serve(info, None, "")
            return
        mark = self._freezer.freeze(Places(str(former["prefix"])), key_of(former))
        try:
            catch_up()
            self._serve(info, key_of(former), mark)
        finally:
            self._freezer.thaw(key_of(former), mark)

    def drop(self, info: GenerationInfo) -> None:
        """Delete a generation that does not serve."""
        key = layout.record(info.projection, info.number)
        item = self._table.get(key)
        if item is None:
            return
        going = put(layout.condemned(str(item["prefix"])), {"since": self._clock()})
        with suppress(Refused):
            gone = delete(key, "#prefix = :prefix AND #status <> :serving", {"prefix": item["prefix"], "serving": Status.SERVING})
            self._table.transact([gone, going], self._token())

    def sweep(self) -> int:
        """Delete the rows of generations dropped an hour ago or longer, but what goes by TTL; returns of how many generations."""
        condemned = list(self._table.query(STORE, "condemned#", "condemned$"))
        over = [item for item in condemned if int(item["since"]) + _READERS_US <= self._clock()]
        for item in over:
            self._table.delete_many(self._rows_of(Places(str(item["sk"]).removeprefix("condemned#"))))
            self._table.write(delete(key_of(item)))
        return len(over)

    def drop_abandoned(self) -> int:
        """Drop the builds whose builder is dead, as ``building`` would; returns how many there were."""
        infos = map(_info, self._table.query(STORE, "gen#", "gen$"))
        builds = Counter(info.projection for info in infos if info.status is Status.BUILDING)
        dropped = 0
        for projection, number in builds.items():
            with suppress(RebuildRunning), self.building(projection):
                dropped += number
        return dropped

    @contextmanager
    def building(self, projection: str) -> Iterator[None]:
        """Hold the right to build a projection. It ends an hour after its last commit, if its process is killed."""
        holder = self._token()
        try:
            self._lease(projection, holder)
        except Refused:
            message = f"{projection} is being rebuilt by another process"
            raise RebuildRunning(message) from None
        try:
            self.sweep()
            for info in self.generations(projection):
                if info.status is Status.BUILDING:
                    self.drop(info)
            yield
        finally:
            del self._leases[projection]
            with suppress(Refused):
                self._table.write(delete(layout.lock(projection), "#holder = :holder", {"holder": holder}))

    def close(self) -> None:
        """Nothing is held open."""

    def _records(self, projection: str) -> Iterator[Item]:
        return self._table.query(STORE, f"gen#{projection}#", f"gen#{projection}$")

    def _token(self) -> str:
        return f"{self._dice.getrandbits(128):032x}"

    def _make(self, info: GenerationInfo, made: int) -> None:
        """Write the record of a new generation, unless another was made or serves since ``made`` was read."""
        record: Item = {"version": info.version, "status": info.status, "created": info.created_us}
        record |= {"prefix": f"{info.projection}.{made + 1}", "token": ""}
        condition = "#made = :made" if made else "attribute_not_exists(pk)"
        values: Item = {"one": made + 1, **({"made": made} if made else {})}
        expression = "SET #made = :one"
        if info.status is Status.SERVING:
            condition += " AND attribute_not_exists(#serves)"
            expression += ", #serves = :number"
            values["number"] = info.number
        counted = update(layout.head(info.projection), expression, condition, values)
        new = put(layout.record(info.projection, info.number), record, "attribute_not_exists(pk)")
        self._table.transact([counted, new], self._token())

    def _serve(self, info: GenerationInfo, former: Key | None, mark: str) -> None:
        """Change which generation serves, if the former one is still kept from being committed to."""
        key = layout.record(info.projection, info.number)
        serves = "attribute_exists(#serves)" if former else "attribute_not_exists(#serves)"
        changes = [
            update(key, "SET #status = :serving", "attribute_exists(pk)", {"serving": Status.SERVING}),
            update(layout.head(info.projection), "SET #serves = :number", serves, {"number": info.number}),
        ]
        if former:
            told: Item = {"retired": Status.RETIRED, "mark": mark}
            changes.append(update(former, "SET #status = :retired REMOVE #frozen, #until", "#frozen = :mark", told))
        try:
            self._table.transact(changes, self._token())
        except Refused:
            if self._table.get(key) is None:
                message = f"generation {info.number} of {info.projection} was dropped before it could serve"
                raise GenerationGone(message) from None
            message = f"catching up of {info.projection} took too long: the former generation was let go"
            raise StoreUnavailable(message) from None

    def _lease(self, projection: str, holder: str) -> None:
        now_us = self._clock()
        condition = "attribute_not_exists(pk) OR #holder = :holder OR #until < :now"
        lock: Item = {"holder": holder, "until": now_us + _LEASE_US}
        self._table.write(put(layout.lock(projection), lock, condition, {"holder": holder, "now": now_us}))
        self._leases[projection] = holder, now_us

    def _prolong(self, projection: str) -> None:
        """A commit shows that a build of ours lives."""
        if projection in self._leases:
            holder, since_us = self._leases[projection]
            if since_us + _LEASE_US // 4 < self._clock():
                with suppress(Refused, StoreUnavailable):
                    self._lease(projection, holder)

    def _rows_of(self, places: Places) -> Iterator[Key]:
        """The keys of all rows without a TTL."""
        for pk in (places.checkpoints, places.counters, places.documents, places.parked):
            yield from map(key_of, self._table.query(pk, keys_only=True))
        for item in self._table.query(places.directories):
            if EXPIRES not in item:
                hour, _, lane = str(item["sk"]).partition("#")
                listed = directory.decode(int(hour), blob_of(item, "list"))
                yield from (places.segment(lane, one.number) for one in listed)
                yield key_of(item)


def _info(item: Item) -> GenerationInfo:
    _, projection, number = str(item["sk"]).split("#")
    return GenerationInfo(projection, int(number), int(item["version"]), Status(str(item["status"])), int(item["created"]))
