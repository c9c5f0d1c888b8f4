"""How the store on AWS is opened from its URL. Only doors use this."""

import random
import secrets

from pipeline.log.port import Shard
from pipeline.opening import client, name_in, now_us
from projections.stores.dynamodb import EVERY_LANE, DynamoStore, Keeping, Lane


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


def lane_of(shard: str, shards: list[Shard]) -> Lane:
    """The lane of a shard: its repeats may stand in the shards that it came from."""
    parents = {known.id: known.parents for known in shards}
    ancestors: list[str] = []
    unseen = list(parents.get(shard, ()))
    while unseen:
        ancestor = unseen.pop()
        if ancestor not in ancestors:
            ancestors.append(ancestor)
            unseen += parents.get(ancestor, ())
    return Lane(shard, tuple(ancestors))
