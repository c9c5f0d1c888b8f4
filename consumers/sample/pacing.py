"""Samples as they come in time: told when they are due, together where several are."""

from collections.abc import Callable, Iterable, Iterator
from threading import Event

from consumers.sample.stream import Item
from schemas.identity import MICROSECONDS

_LOOK_SECONDS = 1.0
_MOST = 1000


def due(items: Iterable[Item], clock: Callable[[], int], stop: Event) -> Iterator[list[Item]]:
    """Batches of items whose time has come, at most 1,000 at once, until ``stop`` is set or the items end.

    ``clock`` is microseconds since the epoch. Nothing is skipped: after a pause the items that were due come at once.
    """
    waiting: list[Item] = []
    for item in items:
        if item.at_us > clock() or len(waiting) == _MOST:
            if waiting:
                yield waiting
                waiting = []
            while not stop.is_set() and (early_us := item.at_us - clock()) > 0:
                stop.wait(min(early_us / MICROSECONDS, _LOOK_SECONDS))
        if stop.is_set():
            return
        waiting.append(item)
    if waiting:
        yield waiting
