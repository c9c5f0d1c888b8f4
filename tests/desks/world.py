"""Desks over a recorder, with a clock that a test moves and ids that count."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self
from uuid import UUID

from pipeline.desks.desk import COMMAND, Asked, Desk
from pipeline.desks.fact import FactMapper
from pipeline.desks.recorder.port import Recorders
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.task import CreateTask, Task
from schemas.envelope import Envelope

NOW_US = 1_795_219_200_000_000
DAY_US = 86_400_000_000
ADA = Asked("ada")


@dataclass
class Clock:
    now_us: int = NOW_US

    def __call__(self) -> int:
        return self.now_us


@dataclass
class Ids:
    """UUIDs of version 7, in order, none the same."""

    first: int = 1
    _numbers: Any = field(init=False)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(self.first)

    def __call__(self) -> UUID:
        return UUID(int=(7 << 76) | (2 << 62) | next(self._numbers))


def desk_over(recorders: Recorders, clock: Callable[[], int], ids: Callable[[], UUID], **options: Any) -> Desk:
    given = {"pause": lambda _: None, "dice": Random(0)}
    return Desk(recorders.events, recorders.snapshots, clock=clock, new_id=ids, **{**given, **options})


class Desks:
    """A desk in a folder. Use it in a ``with``."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.recorders = open_sqlite(folder / "desks.db")
        self.clock = Clock()
        self.desk = desk_over(self.recorders, self.clock, Ids(), **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.recorders.close()

    def task(self, asked: Asked = ADA, **fields: Any) -> Task:
        return self.desk.make(Task, create(**fields), asked)

    def told(self) -> list[Envelope]:
        """What the relay will tell."""
        found = self.recorders.events.select_notifications(None, 10_000)
        return [FactMapper().to_domain_event(n).envelope() for n in found if n.topic != COMMAND]


def create(**fields: Any) -> CreateTask:
    known = {"title": "Look at it", "description": "Somebody ought to look.", "priority": "medium"}
    return CreateTask(**{**known, **fields})
