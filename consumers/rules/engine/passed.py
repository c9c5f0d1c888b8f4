"""How far the engine has come: what stands behind that, it will judge itself."""

from collections.abc import Mapping
from contextlib import closing

from consumers.rules.engine import JUDGING
from consumers.rules.engine.settling import SettlingGeneration, Told
from pipeline.log.port import Log, Position
from projections.stores.port import Store


def passed(store: Store, log: Log, *, tell: bool = True) -> Mapping[str, Position] | None:
    """The last position judged live, by shard; a shard that is missing was not begun. None if no engine ever ran on this.

    What was concluded up to there is on the log then: what an engine had judged and not told (the log was away, or it was killed)
    is told here, as it would have told it, unless ``tell`` forbids it. Raises the log's or store's error.
    """
    info = store.serving().get(JUDGING.name)
    if info is None:
        return None
    with closing(store.open(info)) as generation:
        checkpoints = generation.checkpoints()
        if tell:
            settling = SettlingGeneration(generation, log, Told())
            settling.owe(checkpoints)
            settling.settle()
        return checkpoints
