"""One generation of a projection, open for its writer.

Commit: one ``TransactWriteItems``. What it rewrites (counters, documents, lists of segments) is read just before; the transaction
        holds only if the writer's token and the number of commits are those that were read with it, so nothing came between.
Lost answers: a transaction is sent again under the same token; where it had counted, the head says so. So a time-out is
        either kept or not by the time that ``commit`` returns or raises, unless the table stays out of reach: then the next
        commit, which expects the former checkpoint, is fenced.
Size:   a commit of more than a transaction takes is refused whole with ``CommitTooLarge``.
Expiry: entries and markers get a TTL (``Keeping``). What serves no reader any more goes when DynamoDB comes to it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

from pipeline.dynamodb_table import Action, Item, Key, Refused, Table, update
from pipeline.log.port import Position
from projections.errors import Fenced, GenerationGone, StoreUnavailable
from projections.stores.dynamodb.freeze import Freezer
from projections.stores.dynamodb.keeping import Expiry
from projections.stores.dynamodb.layout import Lane, Places, record
from projections.stores.dynamodb.rows import Rows, position_of
from projections.stores.dynamodb.writing import Writing, ask_for_size
from projections.stores.port import Commit, GenerationInfo, GenerationRows


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a writer's token stands, as it was read: commits are counted there, and the last one is named."""

    key: Key
    token: str
    commits: int
    last: str


class DynamoGeneration(Rows):
    """A generation, for one lane. Commits come from one thread at a time; anybody may read. ``on_commit`` is told of each."""

    def __init__(
        self,
        table: Table,
        info: GenerationInfo,
        prefix: str,
        *,
        lane: Lane,
        expiry: Expiry,
        freezer: Freezer,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(table, Places(prefix), lane, usable=self._ask_if_open)
        self._info = info
        self._expiry = expiry
        self._freezer = freezer
        self._on_commit = on_commit
        self._record = record(info.projection, info.number)
        self._closed = False

    @property
    def info(self) -> GenerationInfo:
        """Which one it is."""
        return self._info

    def claim(self, token: str, shards: Collection[str]) -> None:  # noqa: ARG002  # a lane is claimed whole
        """Become the writer of the lane, or of all shards; waits while the generation is kept from committing."""
        self._ask_if_open()
        self._freezer.changing(self._record, update(self._head_key(), "SET #token = :token", "", {"token": token}))
        if self._lane.shard:
            if self._lane.shard not in self.checkpoints():  # a writer of all shards could not know of this one
                self._freezer.changing(self._record, update(self._record, "SET #token = :token", "", {"token": token}))
            return
        for shard in self._checkpoint_items():
            self._table.write(update(self._places.checkpoint(shard), "SET #token = :token", "", {"token": token}))

    def forget_markers(self, before_day: int) -> None:
        """Markers go by their TTL."""

    def forget_documents(self, kind: str, before: str) -> None:
        """Passing documents go by their TTL."""

    def commit(self, token: str, commit: Commit) -> None:
        """Keep a commit whole or not at all. Raises ``Fenced``, ``CommitTooLarge``, ``GenerationGone``, ``StoreUnavailable``."""
        self._ask_if_open()
        self._ask_for_lane(commit)
        head, checkpoints = self._read_head(commit)
        self._ask_for_token(head, token)
        self._ask_for_checkpoints(checkpoints, commit)
        writing = Writing(self._table, self._places, self._lane, self._expiry, commit, number=head.commits)
        first, *others = (*self._moves(head, checkpoints, commit), *writing.actions())
        name = _name(f"{self._table.name}#{token}#{head.commits}", [first, *others])
        actions = [first._replace(values={**first.values, "last": name}), *others]
        ask_for_size(actions)
        try:
            self._table.transact(actions, name)
        except Refused:
            self._explain_refusal(token, commit, name)
        self._on_commit()
        writing.let_expire()

    @contextmanager
    def reading(self) -> Iterator[GenerationRows]:
        """The rows; see ``projections.stores.dynamodb.rows`` for what moment they are of."""
        self._ask_if_open()
        yield Rows(self._table, self._places, self._lane)

    def close(self) -> None:
        """Refuse all further use; readers under way go on. Closing twice is harmless."""
        self._closed = True

    def _ask_if_open(self) -> None:
        if self._closed:
            message = f"generation {self._info.number} of {self._info.projection} was closed"
            raise StoreUnavailable(message)

    def _head_key(self) -> Key:
        return self._places.checkpoint(self._lane.shard) if self._lane.shard else self._record

    def _read_head(self, commit: Commit) -> tuple[_Head, dict[str, Item]]:
        """The head and the checkpoints that are to move, once nobody keeps the generation from committing."""
        shards = {shard: self._places.checkpoint(shard) for shard in commit.expected}
        found = self._freezer.thawed(self._record, {self._head_key(), *shards.values()})
        head = found.get(self._head_key())
        if head is None and not self._lane.shard:
            message = f"generation {self._info.number} of {self._info.projection} was dropped"
            raise GenerationGone(message)
        head = head or {}
        told = _Head(self._head_key(), str(head.get("token", "")), int(head.get("commits", 0)), str(head.get("last", "")))
        return told, {shard: found[key] for shard, key in shards.items() if key in found}

    def _ask_for_lane(self, commit: Commit) -> None:
        if self._lane.shard and not commit.reached.keys() <= {self._lane.shard}:
            message = f"{self._info.projection}: a writer of {self._lane.shard} alone commits {sorted(commit.reached)}"
            raise Fenced(message)

    def _ask_for_token(self, head: _Head, token: str) -> None:
        if head.token != token:
            message = f"generation {self._info.number} of {self._info.projection} has another writer by now"
            raise Fenced(message)

    def _ask_for_checkpoints(self, checkpoints: Mapping[str, Item], commit: Commit) -> None:
        for shard, position in commit.expected.items():
            found = position_of(checkpoints[shard]) if shard in checkpoints else None
            if found != position:
                message = f"{self._info.projection}: checkpoint of {shard} is {found}, expected {position}"
                raise Fenced(message)

    def _moves(self, head: _Head, checkpoints: Mapping[str, Item], commit: Commit) -> list[Action]:
        """The head first, then the checkpoints of a writer whose head is none."""
        values: dict[str, str | int] = {"mine": head.token, "read": head.commits, "one": head.commits + 1}
        condition = "#token = :mine AND attribute_not_exists(#frozen)"
        condition += " AND #commits = :read" if head.commits else " AND (attribute_not_exists(#commits) OR #commits = :read)"
        sets = "SET #commits = :one, #last = :last"
        if self._lane.shard:
            for position in commit.reached.values():
                sets += ", #sequence = :sequence, #sub = :sub"
                values |= {"sequence": str(position.sequence), "sub": position.sub}
            return [update(head.key, sets, condition, values)]
        moves = [
            _move(self._places.checkpoint(shard), head.token, checkpoints.get(shard), at) for shard, at in commit.reached.items()
        ]
        return [update(head.key, sets, condition, values), *moves]

    def _explain_refusal(self, token: str, commit: Commit, name: str) -> None:
        """Return if the commit had counted after all, its answer being lost; else raise what explains it."""
        head, checkpoints = self._read_head(commit)
        if head.last == name:
            return
        self._ask_for_token(head, token)
        self._ask_for_checkpoints(checkpoints, commit)
        message = f"{self._info.projection}: another commit came between"
        raise Fenced(message)


def _move(key: Key, token: str, there: Item | None, at: Position) -> Action:
    """A checkpoint's new position, if it is where it was read and nobody else writes the shard."""
    values: Item = {"mine": token, "sequence": str(at.sequence), "sub": at.sub}
    if there is None:
        condition = "attribute_not_exists(pk)"
    elif position := position_of(there):
        condition = "#token = :mine AND #sequence = :read AND #sub = :readsub"
        values |= {"read": str(position.sequence), "readsub": position.sub}
    else:
        condition = "#token = :mine AND attribute_not_exists(#sequence)"
    return update(key, "SET #token = :mine, #sequence = :sequence, #sub = :sub", condition, values)


def _name(whose: str, actions: Sequence[Action]) -> str:
    """What tells a commit from every other of the account, 32 characters: whose it is, which, and all that it writes."""
    digest = blake2b(whose.encode(), digest_size=16)
    for action in actions:
        digest.update(repr((action.kind, action.key, action.item, action.values)).encode())
    return digest.hexdigest()
