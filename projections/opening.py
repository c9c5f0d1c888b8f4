"""How the store on AWS is opened from its URL. Only doors use this."""

import random
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import closing

from pipeline.log.port import Log, Shard
from pipeline.opening import client, name_in, now_us
from projections.stores.dynamodb import EVERY_LANE, DynamoStore, Keeping, Lane
from projections.stores.port import Store


def writer_token(role: str) -> str:
    """A name for one writer's life, which no other writer has."""
    return f"{role}/{secrets.token_hex(8)}"


def dynamo_store(url: str, *, retention_days: int, lane: Lane = EVERY_LANE) -> DynamoStore:
    """The generations in the table of ``dynamodb://table``, written for one lane."""
    return DynamoStore(
        client("dynamodb"),
        name_in(url),
        clock=now_us,
        dice=random.Random(),  # noqa: S311 -- names and jitter
        lane=lane,
        keeping=Keeping(entry_days=retention_days),
    )


def lane_stores(url: str, log: Log, *, retention_days: int) -> Callable[[str], DynamoStore]:
    """Opens the store of ``dynamodb://table`` for a shard's lane, as far as log and generations know the shards by then."""

    def store_of(shard: str) -> DynamoStore:
        whole = dynamo_store(url, retention_days=retention_days)
        return dynamo_store(url, retention_days=retention_days, lane=lane_of(shard, log.shards(), folded_shards(whole)))

    return store_of


def folded_shards(store: Store) -> set[str]:
    """All shards of which a generation that serves has folded something, also those that the log lists no more."""
    folded: set[str] = set()
    for info in store.serving().values():
        with closing(store.open(info)) as generation:
            folded |= generation.checkpoints().keys()
    return folded


def lane_of(shard: str, listed: Sequence[Shard], folded: Collection[str]) -> Lane:
    """The lane of a shard: its repeats may stand in the shards that it came from.

    A shard that was folded and is ``listed`` no more is taken for an ancestor, since nobody can tell any more; to look for
    repeats in too many shards does no harm.
    """
    parents = {known.id: known.parents for known in listed}
    ancestors = set(folded) - parents.keys() - {shard}
    unseen = {shard}
    while unseen:
        unseen = {parent for known in unseen for parent in parents.get(known, ())} - ancestors
        ancestors |= unseen
    return Lane(shard, tuple(sorted(ancestors)))
