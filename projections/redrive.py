"""Parked events given another chance, in the generation that serves, beside a projector at work.

Fencing: whoever writes is fenced, and takes over again soon; a redrive that is fenced in turn goes on with what is left.
"""

from collections.abc import Callable, Collection
from contextlib import closing

from projections.errors import Fenced
from projections.projection import Projection
from projections.stores.port import Generation, Store
from projections.writer import Writer


def redrive(
    store: Store,
    projection: Projection,
    keys: Collection[str] | None,
    token: Callable[[], str],
    *,
    prepare: Callable[[Writer], None] = lambda _: None,
) -> tuple[int, int]:
    """Fold what is parked under these keys (None: all) again; returns how many events were folded, and how many stayed.

    ``token`` makes a writer's name; ``prepare`` is given each writer before it folds. Raises ``Fenced`` if another writer takes
    over again and again and nothing gets less.
    """
    info = store.serving().get(projection.name)
    if info is None or info.version != projection.version:
        return 0, 0
    with closing(store.open(info)) as generation:
        there = generation.waiting()
        chosen = there.keys() if keys is None else there.keys() & set(keys)
        first = left = _count(generation, chosen)
        done = not left
        while not done:
            before = left
            try:
                writer = Writer(projection, generation, token())
                prepare(writer)
                writer.redrive(lambda parked: parked.key in chosen)
                done = True
            except Fenced:
                if _count(generation, chosen) == before:
                    raise
            left = _count(generation, chosen)
    return first - left, left


def waiting(store: Store, projection: Projection) -> Collection[str]:
    """The keys under which something is parked in the generation that serves, if it is of this version."""
    info = store.serving().get(projection.name)
    if info is None or info.version != projection.version:
        return ()
    with closing(store.open(info)) as generation:
        return generation.waiting().keys()


def _count(generation: Generation, keys: Collection[str]) -> int:
    """How many events are parked under these keys."""
    there = generation.waiting()
    return sum(there.get(key, 0) for key in keys)
