"""Chores that keep the embedded parts in shape, each in its own time.

A chore that fails because something is unavailable just now is tried again at its next turn; nothing depends on its being done.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from pipeline.errors import LogUnavailable
from projections.errors import ParkedEvents, ProjectionError
from projections.projector import Projector
from projections.rebuild import Rebuilder

_LOOK_SECONDS: Final = 1.0
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Chore:
    """What is done every ``every_seconds``, the first time at once."""

    name: str
    every_seconds: float
    step: Callable[[], object]
    _due: float = field(default=0.0, init=False)

    def turn(self, now: float) -> None:
        """Do it if it is due; ``now`` is monotonic seconds."""
        if now < self._due:
            return
        self._due = now + self.every_seconds
        try:
            self.step()
        except (LogUnavailable, ProjectionError) as broken:
            _logger.warning("%s: %s; tried again later", self.name, broken)


def keep(chores: Sequence[Chore], clock: Callable[[], float], stop: Event) -> None:
    """Do all chores, one after the other, until ``stop`` is set. ``clock`` is monotonic seconds."""
    while not stop.is_set():
        for chore in chores:
            chore.turn(clock())
        stop.wait(_LOOK_SECONDS)


@dataclass(slots=True)
class Renewal:
    """Rebuilds the projections whose serving generation an older version of their fold has built; nothing else folds those."""

    projector: Projector
    rebuilder: Rebuilder
    _left: set[str] = field(default_factory=set, init=False)

    def step(self) -> None:
        """Rebuild what is outdated now. What would park events is left to a person, and not tried again by this process."""
        for projection in self.projector.outdated():
            if projection.name in self._left:
                continue
            _logger.info("%s was built by an older version; rebuilding it", projection.name)
            try:
                built = self.rebuilder.rebuild(projection)
            except ParkedEvents as parked:
                self._left.add(projection.name)
                _logger.error("%s", parked)  # noqa: TRY400 -- it is no surprise, and its trace tells nothing
                continue
            _logger.info("%s: %s, generation %d, %d events", projection.name, built.outcome, built.generation, built.folded)
