"""How far the engine has come: what stands behind that, it will judge itself."""

from collections.abc import Mapping
from contextlib import closing

from consumers.rules.engine import JUDGING
from pipeline.log.port import Position
from projections.stores.port import Store


def passed(store: Store) -> Mapping[str, Position] | None:
    """The last position judged live, by shard; a shard that is missing was not begun. None if no engine ever ran on this."""
    info = store.serving().get(JUDGING.name)
    if info is None:
        return None
    with closing(store.open(info)) as generation:
        return generation.checkpoints()
